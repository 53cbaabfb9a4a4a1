"""How streams answer when a latent moves: small curves, a part of the figure of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from occamscope.figures.style import (
    BLACK,
    DOUBLE_MM,
    GREY,
    Look,
    axes_at,
    latent_label,
    size_mm,
    text_at,
)

MOST_PANELS, PANELS_A_ROW = 10, 5
LEFT_MM, RIGHT_MM, GAP_MM, WIDEST_MM, HIGH_MM = 13.0, 4.0, 5.0, 38.0, 25.0
LONGEST = 22  # letters of a title
HEAD_MM, ROW_MM = 9.0, HIGH_MM + 17.0
# Not the colours of the classes: in this figure they mean the sign of a weight.
CLASSES = {"negative": Look("negative", GREY, "", (0, (3, 1.2))),
           "positive": Look("positive", BLACK, "")}  # fmt: skip
Panel = tuple[str, str]


def pick_panels(
    responses: pd.DataFrame, order: Sequence[str], most: int = MOST_PANELS
) -> list[Panel]:
    """Choose the streams and latents whose curves rise or fall most.

    Parameters
    ----------
    responses : stream, latent, with_bias, ...
    order : streams, the most important first

    Returns
    -------
    (stream, latent), streams in order and the latents of each by falling range
    """
    groups = responses.groupby(["stream", "latent"], sort=False)["with_bias"]
    span = (groups.max() - groups.min()).sort_values(ascending=False, kind="stable").head(most)
    rank = {stream: k for k, stream in enumerate(order)}
    return sorted(span.index, key=lambda panel: rank.get(panel[0], len(rank)))


def panels_mm(count: int) -> float:
    """Height of so many panels with their words, in mm."""
    return HEAD_MM + ROW_MM * -(-count // PANELS_A_ROW) if count else 0.0


def draw_responses(
    figure: Figure,
    top: float,
    responses: pd.DataFrame,
    panels: Sequence[Panel],
    names: pd.DataFrame | Mapping[str, str] | None,
    class_names: Sequence[str],
) -> None:
    """Draw one panel a stream and latent, all on one scale, from `top` mm downwards."""
    groups = responses.groupby(["stream", "latent"], sort=False)
    shown = [groups.get_group(panel) for panel in panels]
    _write_head(figure, top, groups.ngroups - len(panels), class_names)
    columns = min(len(panels), PANELS_A_ROW)
    room = DOUBLE_MM - LEFT_MM - RIGHT_MM - GAP_MM * (columns - 1)
    wide = min(WIDEST_MM, room / columns)
    parts = pd.concat(shown)["with_bias"]
    low, high = min(parts.min(), 0), max(parts.max(), 0)
    margin = 0.05 * max(high - low, 1e-6)
    for place, ((stream, latent), own) in enumerate(zip(panels, shown, strict=True)):
        row, column = divmod(place, PANELS_A_ROW)
        left = LEFT_MM + column * (wide + GAP_MM)
        axes = axes_at(figure, left, top + HEAD_MM + 4 + row * ROW_MM, wide, HIGH_MM)
        axes.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        for name, look in reversed(CLASSES.items()):
            line = own[own["class"] == name]
            axes.plot(line["value"], line["with_bias"], color=look.colour, linestyle=look.line)
        ends = own["value"].min(), own["value"].max()
        axes.set(xlim=ends, ylim=(low - margin, high + margin), xticks=np.linspace(*ends, 3))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(_title(stream), fontsize=6.5, pad=2)
        axes.set_xlabel(latent_label(names, latent).replace(" (", "\n("))
        if column:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("part of the logit")


def _title(stream: str) -> str:
    """Name of a stream, as long as a panel is wide."""
    text = stream if " " in stream else f"stream {stream}"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _write_head(figure: Figure, top: float, left_out: int, class_names: Sequence[str]) -> None:
    """Write what is drawn, and the lines of the classes below."""
    text_at(
        figure, 2, top,
        "What each stream adds to the logit when one latent moves and the others stay at the "
        "median of",
    )  # fmt: skip
    handles = [
        Line2D([], [], color=look.colour, linestyle=look.line, label=name)  # type: ignore[arg-type]
        for look, name in zip(CLASSES.values(), class_names, strict=True)
    ]
    at = (2 / DOUBLE_MM, 1 - (top + 4.2) / size_mm(figure)[1])
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=at, ncols=2, columnspacing=1.2,
        borderaxespad=0,
    )  # fmt: skip
    note = "curves jump where a unit of a later layer opens or shuts"
    if left_out:
        note += f"; the flattest {left_out} are left out"
    text_at(figure, DOUBLE_MM - RIGHT_MM, top + 4.4, note, ha="right", fontsize=6)
