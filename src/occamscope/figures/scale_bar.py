"""A scale bar in um, or in px where the pixel size is unknown."""

from __future__ import annotations

from matplotlib.axes import Axes


def draw_scale_bar(
    axes: Axes, shape: tuple[int, ...], um_per_px: float | None, share: float = 0.22
) -> None:
    """Draw a bar of a round length, at most `share` of the width, at the lower right.

    Parameters
    ----------
    axes : axes that show an image of `shape` (H, W) in px
    um_per_px : pixel size; None: the bar is in px
    """
    unit_px = 1 / um_per_px if um_per_px else 1.0
    wanted = shape[1] * share / unit_px
    steps = [m * 10.0**e for e in range(-1, 5) for m in (1, 2, 5)]
    length = max((s for s in steps if s <= wanted), default=steps[0])
    right, bottom = shape[1] * 0.96, shape[0] - shape[1] * 0.04
    left = right - length * unit_px
    axes.plot([left, right], [bottom, bottom], color="black", linewidth=3, solid_capstyle="butt")
    axes.plot([left, right], [bottom, bottom], color="white", linewidth=1.8, solid_capstyle="butt")
    axes.annotate(
        f"{length:g} {'µm' if um_per_px else 'px'}", (right, bottom), (0, 2.5),
        textcoords="offset points", ha="right", va="bottom", color="white", fontsize=6,
        bbox={"facecolor": "black", "edgecolor": "none", "alpha": 0.5, "pad": 0.6},
    )  # fmt: skip
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5))
