"""The law: its map over the latents, with decoded nuclei along the axes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from occamscope.figures.formulas import fit_formula
from occamscope.figures.fronts import draw_fronts
from occamscope.figures.law_maps import (
    GRID,
    REACH,
    STRIP,
    Evaluate,
    base_code,
    cell_table,
    codes_along,
    colour_limit,
    curve,
    decision_map,
    sign_labels,
    strongest_variables,
)
from occamscope.figures.style import (
    BLUE,
    DOUBLE_MM,
    MM_PER_INCH,
    SIGNED_MAP,
    VERMILLION,
    FigureResult,
    axes_at,
    latent_label,
    latent_number,
    open_sheet,
    show_image,
    signed,
    size_mm,
    styled,
    text_at,
)

__all__ = ["draw_fronts", "draw_law", "strongest_variables"]

MAP_MM, CURVE_MM = 72.0, 50.0
STEP_MM = MAP_MM / 6  # between the nuclei along an axis
LEFT_MM, SIDE_MM, MAP_WIDTH_MM, CURVE_WIDTH_MM = 27.0, 129.0, 120.0, 108.0
# The marker says a cell's class, its filling what the law calls it.
MARKERS = ("o", "^")
UNDEFINED = "0.6"
FILLINGS = {False: ("white", "black"), True: ("black", "white")}  # face, edge
MOST_OTHERS = 3  # latents off the map that get a panel of their own


@dataclass(frozen=True)
class _Law:
    """What all panels need."""

    evaluate: Evaluate
    decode: Callable[[NDArray], NDArray]
    base: NDArray
    names: pd.DataFrame | Mapping[str, str] | None
    class_names: Sequence[str]


@styled
def draw_law(
    evaluate: Evaluate,
    latex: str,
    variables: Sequence[str],
    decode: Callable[[NDArray], NDArray],
    codes: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str] = ("negative", "positive"),
    names: pd.DataFrame | Mapping[str, str] | None = None,
    base: Mapping[str, float] | ArrayLike | None = None,
    complexity: int | None = None,
    accuracy: str = "",
) -> FigureResult:
    """Draw a law: formula, map of f over its two strongest latents, nuclei along the axes.

    A law of one latent is drawn as a curve. Of more than two, the map holds the others at their
    median, and a panel each shows f and the nucleus along the next strongest ones.

    Parameters
    ----------
    evaluate : codes (n, d) float64 -> f (n,); column j is latent "zj"
    latex : formula without "f =", in what mathtext understands
    variables : latents of the law, the strongest first (see `strongest_variables`); the first
        two are the axes of the map, x and y
    decode : codes (n, d) -> images (n, H, W), 1.0 = robust maximum of a nucleus
    codes, labels : (n, d) and (n,) cells to scatter; 0 negative, 1 positive, others left out
    class_names : of the negative and the positive class
    names : latent, name
    base : what the latents off the axes are set to; the medians of `codes` unless given
    complexity : nodes of the law, for the line under the formula
    accuracy : text for the same line

    Returns
    -------
    FigureResult
        Data: rows told apart by `element`: "map" (latent_x, x, latent_y, y, f), "curve", "strip"
        (the decoded nuclei: latent_x, x, f), "cell" (x, y, f, class, inside), "base" (latent_x
        and its x).
    """
    law = _Law(evaluate, decode, base_code(base, codes), names, class_names)
    # A constant law has no variable: show it along the latent that varies most.
    shown = list(variables) or [f"z{int(np.argmax(np.std(np.asarray(codes, float), axis=0)))}"]
    flat, others = len(shown) == 1, shown[2 : 2 + MOST_OTHERS]
    facts = _facts(law, shown, complexity, accuracy, base is None)
    width = CURVE_WIDTH_MM if flat else DOUBLE_MM if others else MAP_WIDTH_MM
    figure, top = _open(latex, facts, width, CURVE_MM if flat else MAP_MM)
    cells = _place_cells(cell_table(codes, labels, evaluate, class_names), codes, shown)
    if flat:
        tables = _draw_one(figure, law, shown[0], cells, top)
    else:
        tables = _draw_two(figure, law, shown[0], shown[1], cells, top)
    f = tables[0]["f"]
    for place, latent in enumerate(others):
        tables += _draw_other(figure, law, latent, top + 2 + place * 30, colour_limit(f))
    if others:
        text_at(figure, SIDE_MM, top - 3.2, "the other latents, one at a time")
    _write_legend(figure, cells, top - 6, flat, not np.isfinite(f).all())
    held = pd.DataFrame({"latent_x": shown, "x": [law.base[latent_number(z)] for z in shown]})
    tables += [cells.assign(element="cell"), held.assign(element="base")]
    return FigureResult(figure, pd.concat(tables, ignore_index=True))


def _open(latex: str, facts: str, width: float, body: float) -> tuple[Figure, float]:
    """Open the figure with formula and facts on top; the body begins at the mm returned."""
    text, size, lines = fit_formula("f = " + latex, width - 4, 11.0)
    fractions = sum("frac" in line for line in text.split("\n"))
    formula_mm = lines * 1.45 * size * MM_PER_INCH / 72 + 2 * fractions
    wrapped = textwrap.wrap(facts, int(width / 1.4))
    top = formula_mm + 1 + 3.2 * len(wrapped)
    figure, _ = open_sheet(width, top + 30 + body, "")
    text_at(figure, 2, 1.5, text, fontsize=size, linespacing=1.35)
    text_at(figure, 2, formula_mm + 2, "\n".join(wrapped))
    return figure, top + 8.5


def _facts(
    law: _Law, shown: list[str], complexity: int | None, accuracy: str, medians: bool
) -> str:
    """Write the line under the formula: meaning, size, accuracy, what the map holds fixed."""
    parts = [f"f > 0: {law.class_names[1]}"]
    if complexity is not None:
        parts.append(f"{complexity} node{'s' * (complexity != 1)}")
    parts += [accuracy] if accuracy else []
    held = [f"{z} = {law.base[latent_number(z)]:.2f}".replace("-", "−") for z in shown[2:]]
    if held:
        parts.append(f"map with {', '.join(held)}" + " (medians)" * medians)
    return "; ".join(parts)


def _place_cells(cells: pd.DataFrame, codes: ArrayLike, shown: list[str]) -> pd.DataFrame:
    """Add where the cells lie on the axes, and whether that is inside them."""
    rows = np.asarray(codes, float)[cells["cell"]]
    placed = cells.assign(
        **{axis: rows[:, latent_number(z)] for axis, z in zip("xy", shown, strict=False)}
    )
    axes = [axis for axis in "xy" if axis in placed]
    return placed.assign(inside=(placed[axes].abs() <= REACH).all(axis=1))


def _write_legend(
    figure: Figure, cells: pd.DataFrame, top: float, flat: bool, undefined: bool
) -> None:
    """Write what marks the cells of each class, what the law calls them, and the boundary."""
    handles: list[Artist] = []
    for label in sorted(cells["label"].unique()):
        own = cells[cells["label"] == label]
        outside = int((~own["inside"]).sum())
        word = f"{own['class'].iloc[0]} ({len(own)}" + (
            f", {outside} outside)" * bool(outside) or ")"
        )
        handles.append(_marker(MARKERS[label], "0.75", "black", word))
    if len(cells):
        handles.append(_marker("s", "black", "black", "black: f > 0"))
    if not flat:
        handles.append(Line2D([], [], color="black", linewidth=1.1, label="f = 0"))
    if undefined:
        handles.append(Patch(facecolor=UNDEFINED, label="f undefined"))
    w, h = size_mm(figure)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(LEFT_MM / w, 1 - top / h), ncols=5,
        columnspacing=1.1, borderaxespad=0, borderpad=0, handletextpad=0.3, handlelength=1.2,
    )  # fmt: skip


def _marker(marker: str, face: str, edge: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=4, markerfacecolor=face,
        markeredgecolor=edge, markeredgewidth=0.5, label=label,
    )  # fmt: skip


def _scatter(axes: Axes, cells: pd.DataFrame, y: str | None) -> None:
    """Draw the cells inside the axes; without a column for y in a band for each class."""
    for (label, called), own in cells[cells["inside"]].groupby(["label", "called"]):
        face, edge = FILLINGS[bool(called)]
        height = own[y] if y else np.where(own["label"] == 1, 0.94, 0.06)
        axes.plot(
            own["x"], height, linestyle="none", marker=MARKERS[int(str(label))], markersize=3,
            markerfacecolor=face, markeredgecolor=edge, markeredgewidth=0.4, alpha=0.8,
            transform=axes.transData if y else axes.get_xaxis_transform(),
        )  # fmt: skip


def _draw_two(
    figure: Figure, law: _Law, x: str, y: str, cells: pd.DataFrame, top: float
) -> list[pd.DataFrame]:
    """Draw the map over two latents with a strip of nuclei along each axis."""
    table = decision_map(law.evaluate, law.base, x, y)
    f = table["f"].to_numpy().reshape(GRID, GRID)
    limit = colour_limit(f)
    axes = axes_at(figure, LEFT_MM, top, MAP_MM, MAP_MM)
    half = REACH / (GRID - 1)
    edge = (-REACH - half, REACH + half)
    colours = colormaps[SIGNED_MAP].with_extremes(bad=UNDEFINED)
    finite = np.ma.masked_invalid(f)
    image = axes.imshow(
        np.ma.clip(finite, -2 * limit, 2 * limit), origin="lower", extent=(*edge, *edge), cmap=colours,
        vmin=-limit, vmax=limit, interpolation="bilinear",
    )  # fmt: skip
    if finite.count() and finite.min() < 0 < finite.max():
        grid = np.linspace(-REACH, REACH, GRID)
        axes.contour(grid, grid, finite, levels=[0], colors="black", linewidths=1.1)
    _scatter(axes, cells, "y")
    for at_x, at_y, words in sign_labels(table, cells):
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
        axes.text(at_x, at_y, words, ha="center", va="center", fontsize=6.5, bbox=box)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=STRIP, yticks=STRIP)
    axes.set_xticklabels([signed(v) for v in STRIP])
    axes.set_yticklabels([signed(v) for v in STRIP])
    axes.spines[:].set_visible(True)
    _draw_colours(figure, image, top, law.class_names[1])
    strips = [
        _draw_strip(figure, law, x, (LEFT_MM, top + MAP_MM + 5.5), STEP_MM),
        _draw_strip(figure, law, y, (LEFT_MM - 8.5 - STEP_MM, top + MAP_MM), STEP_MM, up=True),
    ]
    _write_axes(figure, law, x, y, top)
    return [table.assign(element="map"), *strips]


def _write_axes(figure: Figure, law: _Law, x: str, y: str, top: float) -> None:
    """Name the two axes beyond their strips."""
    across = f"{latent_label(law.names, x)}, prior sd"
    up = f"{latent_label(law.names, y)}, prior sd"
    below = top + MAP_MM + 6.5 + STEP_MM
    text_at(figure, LEFT_MM + MAP_MM / 2, below, across, ha="center")
    text_at(figure, 2, top + MAP_MM / 2, up, rotation=90, va="center")


def _draw_colours(figure: Figure, image: ScalarMappable, top: float, positive: str) -> None:
    """Draw the colour bar right of the map."""
    axes = axes_at(figure, LEFT_MM + MAP_MM + 3, top, 3, MAP_MM)
    limit = float(image.get_clim()[1] or 1)
    bar = figure.colorbar(image, cax=axes, extend="both", extendfrac=0.03)
    bar.set_ticks([-limit, -limit / 3, 0, limit / 3, limit] if limit == 3 else [-limit, 0, limit])
    bar.ax.set_yticklabels([signed(float(f"{t:.3g}")) for t in bar.get_ticks()])
    bar.set_label(f"decision f (f > 0: {positive})")


def _draw_strip(
    figure: Figure,
    law: _Law,
    latent: str,
    corner: tuple[float, float],
    step: float,
    up: bool = False,
) -> pd.DataFrame:
    """Draw decoded nuclei centred at -3, -2, ... 3 of an axis that begins at `corner`."""
    codes = codes_along(law.base, latent, STRIP)
    size = step - 0.6
    for place, image in enumerate(law.decode(codes)):
        away = place * step - size / 2
        left, top = (corner[0], corner[1] - away - size) if up else (corner[0] + away, corner[1])
        show_image(axes_at(figure, left, top, size, size), image)
    f = np.asarray(law.evaluate(codes), float)
    return pd.DataFrame({"element": "strip", "latent_x": latent, "x": STRIP, "f": f})


def _draw_one(
    figure: Figure, law: _Law, latent: str, cells: pd.DataFrame, top: float
) -> list[pd.DataFrame]:
    """Draw f along the only latent, cells at the values of their own."""
    table = curve(law.evaluate, law.base, latent)
    axes = axes_at(figure, LEFT_MM, top, MAP_MM, CURVE_MM)
    _draw_curve(axes, table, law.class_names, colour_limit(table["f"]))
    _scatter(axes, cells, None)
    strip = _draw_strip(figure, law, latent, (LEFT_MM, top + CURVE_MM + 5.5), STEP_MM)
    label = f"{latent_label(law.names, latent)}, prior sd"
    text_at(figure, LEFT_MM + MAP_MM / 2, top + CURVE_MM + 6.5 + STEP_MM, label, ha="center")
    return [table.assign(element="curve"), strip]


def _draw_curve(axes: Axes, table: pd.DataFrame, class_names: Sequence[str], limit: float) -> None:
    """Draw f against a latent, shaded by its sign; huge values leave the axes."""
    x = table["x"].to_numpy()
    f = np.clip(table["f"].to_numpy(), -99 * limit, 99 * limit)
    seen = np.clip(f[np.isfinite(f)], -2.5 * limit, 2.5 * limit)
    low, high = min([*seen, -0.2 * limit]), max([*seen, 0.2 * limit])
    room = 0.16 * (high - low)
    for colour, part in ((VERMILLION, f > 0), (BLUE, f < 0)):
        axes.fill_between(
            x, f, 0, where=part, color=colour, alpha=0.25, linewidth=0, interpolate=True
        )
    axes.plot(x, f, color="black", linewidth=1.2)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(xlim=(-REACH, REACH), ylim=(low - room, high + room), xticks=STRIP)
    axes.set_xticklabels([signed(v) for v in STRIP])
    axes.set_ylabel(f"decision f (f > 0: {class_names[1]})")


def _draw_other(
    figure: Figure, law: _Law, latent: str, top: float, limit: float
) -> list[pd.DataFrame]:
    """Draw f and the nuclei along a latent that is not on the map."""
    left, step = SIDE_MM, 6.7
    table = curve(law.evaluate, law.base, latent)
    axes = axes_at(figure, left, top, 6 * step, 11)
    _draw_curve(axes, table, law.class_names, limit)
    axes.set_ylabel("f", rotation=0, va="center")
    axes.yaxis.set_label_coords(-0.19, 0.5)
    axes.set_xticklabels([])
    axes.locator_params(axis="y", nbins=3)
    strip = _draw_strip(figure, law, latent, (left, top + 12.2), step)
    for i in (0, 3, 6):
        text_at(
            figure, left + i * step, top + 12.5 + step, signed(float(STRIP[i])), ha="center",
            fontsize=6,
        )  # fmt: skip
    label = f"{latent_label(law.names, latent)}, prior sd"
    text_at(figure, left + 3 * step, top + 14.8 + step, label, ha="center")
    return [table.assign(element="curve"), strip]
