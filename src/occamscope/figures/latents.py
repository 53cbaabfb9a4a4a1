"""What the latents mean: decoded traversals, and the factors that each latent explains."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from occamscope.figures.style import (
    BLUE,
    DOUBLE_MM,
    SHARE_MAP,
    VERMILLION,
    FigureResult,
    axes_at,
    latent_label,
    name_of,
    open_sheet,
    percent,
    show_image,
    signed,
    styled,
    text_at,
)

NAME_MM, PLOT_MM, GAP_MM, HEAD_MM = 33.0, 22.0, 8.0, 5.0
MOST_IMAGES = 9  # of one traversal; every second one is drawn where there are more
NAME_ORDER = ("size", "elongation", "ring", "texture", "brightness", "position", "other")
# Factors in the order of the rows; others follow.
FACTORS = (
    "area", "log_area", "aspect_ratio", "axis_ratio", "ellipticity", "e_cos2theta", "e_sin2theta",
    "e_cos2theta_turned", "e_sin2theta_turned",
    "intensity", "texture", "rim_ratio",
)  # fmt: skip
FACTOR_WORDS = {
    "e_cos2theta_turned": r"$e\,\cos 2\theta$, turned",
    "e_sin2theta_turned": r"$e\,\sin 2\theta$, turned",
    "e_cos2theta": r"$e\,\cos 2\theta$", "e_sin2theta": r"$e\,\sin 2\theta$",
    "area_um2": "area (log)", "area_px": "area (log)", "log_area": "area (log)",
}  # fmt: skip
FRAME_R2 = 0.25  # a factor that no latent explains so well gets no frame


@styled
def draw_traversals(
    decoded: NDArray[np.floating],
    values: ArrayLike,
    names: pd.DataFrame,
    table: pd.DataFrame,
    latents: Sequence[str] | None = None,
) -> FigureResult:
    """Draw what each active latent changes in the decoded nucleus.

    Parameters
    ----------
    decoded : float (units, values, H, W), 1.0 = robust maximum of a nucleus
    values : (values,) what the latent was set to, in prior sd
    names : latent, name[, confidence]; latents named "inactive" are left out
    table : latent, value, area_px, axis_ratio of the decoded nuclei
    latents : the latent of each row of `decoded`; by default the active ones in the order of
        `names`, or all of `names` if there are as many rows

    Returns
    -------
    FigureResult
        Data: the rows of `table` of the latents drawn, with name and area_share (of the crop).
    """
    order = _latents_of(decoded, names, latents)
    data = table[table["latent"].isin(order)].copy()
    data["area_share"] = data["area_px"] / (decoded.shape[-1] * decoded.shape[-2])
    data["name"] = [name_of(names, latent) for latent in data["latent"]]
    values = np.asarray(values, float)
    columns = range(0, len(values), -(-len(values) // MOST_IMAGES))
    room = DOUBLE_MM - NAME_MM - 2 * (PLOT_MM + GAP_MM) - 3
    cell = min(13.0, room / len(columns))
    right = NAME_MM + cell * len(columns)
    title = f"What the {len(order)} active latents change"
    if len(order) == 1:
        title = "What the one active latent changes"
    width = right + 2 * (PLOT_MM + GAP_MM) + 3
    figure, top = open_sheet(width, HEAD_MM + cell * len(order) + 9, title)
    _write_heads(figure, right, top, "confidence" in names)
    top += HEAD_MM
    limits = {"area_share": share_limits(data["area_share"]), "axis_ratio": _ratio_limits(data)}
    for place, (latent, row) in enumerate(order.items()):
        above = top + place * cell
        _write_name(figure, names, latent, above + cell / 2)
        for i, column in enumerate(columns):
            left = NAME_MM + i * cell
            axes = axes_at(figure, left + 0.25, above + 0.25, cell - 0.5, cell - 0.5)
            show_image(axes, decoded[row, column])
        own = data[data["latent"] == latent].sort_values("value")
        for i, quantity in enumerate(("area_share", "axis_ratio")):
            left = right + GAP_MM + i * (PLOT_MM + GAP_MM)
            axes = axes_at(figure, left, above + 1.5, PLOT_MM, cell - 3)
            _draw_curve(axes, own, quantity, limits[quantity], place == len(order) - 1)
    _write_values(figure, values[list(columns)], top + cell * len(order), cell)
    return FigureResult(figure, data.reset_index(drop=True))


@styled
def draw_factors(
    factors: pd.DataFrame, names: pd.DataFrame, threshold: float = 0.05
) -> FigureResult:
    """Draw how much of each factor each active latent explains alone.

    Parameters
    ----------
    factors : latent, factor, r2[, source in {"true", "measured"}]
    names : latent, name; latents named "inactive" are left out
    threshold : a latent without a name is drawn if it explains more than this of any factor

    Returns
    -------
    FigureResult
        Data: the rows of `factors` that are drawn, with name, and best (the latent that
        explains the factor best).
    """
    table = factors if "source" in factors else factors.assign(source="")
    table = table[table["latent"].isin(_explaining(table, names, threshold))].copy()
    table["name"] = [name_of(names, latent) for latent in table["latent"]]
    best = table.groupby(["source", "factor"])["r2"].transform("max")
    table["best"] = (table["r2"] == best) & table["r2"].notna()
    latents = _by_name(list(table["latent"].unique()), names)
    sources = [s for s in ("true", "measured", "") if s in set(table["source"])]
    tables = [_wide(table[table["source"] == source], latents) for source in sources]
    cell = float(np.clip((DOUBLE_MM - 56) / len(latents), 7, 11))
    left, row, gap = 36.0, 5.5, 5.5
    right = left + cell * len(latents)
    longest = max(len(latent_label(names, z)) for z in latents)
    body = sum(gap + row * len(wide) for wide in tables) + 0.9 * longest + 4
    figure, top = open_sheet(max(right + 20, 85.0), body, _factor_title(table))
    start = top + gap - 1 if sources[0] else top + 2
    for source, wide in zip(sources, tables, strict=True):
        if source:
            text_at(figure, left, top, f"{source} factors")
            top += gap - 1
        axes = axes_at(figure, left, top, cell * len(latents), row * len(wide))
        _draw_table(axes, wide)
        top += row * len(wide) + 2
    axes.set_xticks(
        range(len(latents)), [latent_label(names, z) for z in latents],
        rotation=40, ha="right", rotation_mode="anchor",
    )  # fmt: skip
    _draw_bar(axes_at(figure, right + 4, start, 3, min(top - 2 - start, 40)))
    return FigureResult(figure, table.reset_index(drop=True))


def share_limits(shares: pd.Series) -> tuple[float, float]:
    """Limits of a logarithmic axis that holds all positive shares, at least a factor of 8."""
    positive = shares[shares > 0]
    if positive.empty:
        return 0.05, 0.4
    middle = np.sqrt(positive.min() * positive.max())
    low = min(positive.min() * 0.8, middle / np.sqrt(8))
    return float(low), float(max(positive.max() * 1.25, low * 8))


def factor_label(factor: str) -> str:
    """Write a factor's column name for the reader."""
    plain = factor.removesuffix("_px").removesuffix("_um").replace("_", " ")
    return FACTOR_WORDS.get(factor, plain)


def _latents_of(
    decoded: NDArray, names: pd.DataFrame, latents: Sequence[str] | None
) -> dict[str, int]:
    """Latents to draw, in the order of their names, with their rows of `decoded`."""
    active = names.loc[names["name"] != "inactive", "latent"]
    if latents is None:
        latents = list(names["latent"] if len(decoded) == len(names) else active)
    rows = {str(z): row for row, z in enumerate(latents[: len(decoded)])}
    silent = set(names["latent"]) - set(active)
    return {z: rows[z] for z in _by_name([z for z in rows if z not in silent], names)}


def _by_name(latents: list[str], names: pd.DataFrame) -> list[str]:
    """Sort latents by what they do: size, elongation, ..., other."""

    def rank(latent: str) -> int:
        word = name_of(names, latent).split(" ")[0]
        return NAME_ORDER.index(word) if word in NAME_ORDER else len(NAME_ORDER)

    return sorted(latents, key=rank)


def _write_heads(figure: Figure, right: float, top: float, confidence: bool) -> None:
    """Write what stands in the columns beside the images."""
    if confidence:
        text_at(figure, NAME_MM - 1.5, top + 0.8, "confidence", ha="right", fontsize=6)
    for i, head in enumerate(("area (% of crop)", "axis ratio")):
        left = right + GAP_MM + i * (PLOT_MM + GAP_MM)
        text_at(figure, left + PLOT_MM / 2, top + 0.8, head, ha="center")


def _write_name(figure: Figure, names: pd.DataFrame, latent: str, middle: float) -> None:
    """Write latent and name left of its row, with the name's confidence."""
    name = name_of(names, latent).replace(" (", "\n(")
    text_at(figure, 2, middle, latent, va="center", fontweight="bold")
    text_at(figure, 8.5, middle, name, va="center", linespacing=1.1)
    found = names.loc[names["latent"] == latent].get("confidence", pd.Series(dtype=float)).dropna()
    if len(found):
        text = f"{found.iloc[0]:.2f}"
        text_at(figure, NAME_MM - 1.5, middle, text, va="center", ha="right", fontsize=6)


def _draw_curve(
    axes: Axes, own: pd.DataFrame, quantity: str, limits: tuple[float, float], last: bool
) -> None:
    """Draw area or axis ratio along one traversal."""
    colour, marker = (VERMILLION, "o") if quantity == "area_share" else (BLUE, "s")
    axes.plot(own["value"], own[quantity], color=colour, marker=marker, markersize=2)
    ends = [own["value"].min(), 0, own["value"].max()]
    axes.set_xticks(ends, [signed(v) for v in ends] if last else [""] * 3)
    axes.margins(x=0.06)
    if last:
        axes.set_xlabel("latent (prior sd)")
    if quantity == "area_share":
        axes.set_yscale("log")
        ticks = [0.01, 0.03, 0.1, 0.3, 1.0] if limits[1] / limits[0] < 40 else [0.01, 0.1, 1.0]
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        ticks = [1, 1.5, 2] if limits[1] <= 2.2 else [1, 2, 3] if limits[1] < 3.7 else [1, 3, 5]
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if limits[0] <= t <= limits[1]]))
    axes.grid(axis="y")


def _ratio_limits(data: pd.DataFrame) -> tuple[float, float]:
    """Never so tight that round nuclei look elongated."""
    largest = data["axis_ratio"].max()
    return 0.9, float(max(2.1, 1.08 * largest)) if np.isfinite(largest) else 2.1


def _write_values(figure: Figure, values: NDArray, top: float, cell: float) -> None:
    """Write what the latent was set to below the columns of images."""
    for column, value in enumerate(values):
        text = signed(value)
        middle = NAME_MM + (column + 0.5) * cell
        text_at(figure, middle, top + 1, text, ha="center", fontsize=6.5)
    middle = NAME_MM + len(values) * cell / 2
    text_at(figure, middle, top + 4.2, "latent (prior sd), all others at 0", ha="center")


def _explaining(table: pd.DataFrame, names: pd.DataFrame, threshold: float) -> list[str]:
    """Latents that are active by name, or have no name and explain something."""
    known = dict(zip(names["latent"], names["name"], strict=True))
    strongest = table.groupby("latent", sort=False)["r2"].max()
    keep = [
        str(z) for z, r2 in strongest.items()
        if known.get(z, "" if r2 > threshold else "inactive") != "inactive"
    ]  # fmt: skip
    return keep or [str(strongest.idxmax())]


def _wide(table: pd.DataFrame, latents: list[str]) -> pd.DataFrame:
    """Rows: factors in reading order; columns: latents."""
    wide = table.pivot(index="factor", columns="latent", values="r2").reindex(columns=latents)

    def rank(factor: str) -> tuple[int, str]:
        places = [i for i, known in enumerate(FACTORS) if factor.startswith(known)]
        return (places[0] if places else len(FACTORS), factor)

    return wide.loc[sorted(wide.index, key=rank)]


def _draw_table(axes: Axes, wide: pd.DataFrame) -> None:
    """Draw the cells with their numbers; the best latent of each factor has a frame."""
    values = wide.to_numpy(float)
    axes.imshow(values, cmap=SHARE_MAP, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        colour = "white" if value > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=6.5)
    for row, line in enumerate(values):
        if np.nanmax(line, initial=-1) >= FRAME_R2:
            corner = (int(np.nanargmax(line)) - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, linewidth=1.1, clip_on=False))
    axes.set_yticks(range(len(wide)), [factor_label(str(f)) for f in wide.index])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_bar(axes: Axes) -> None:
    """Draw the colour bar of R2."""
    colours = matplotlib.cm.ScalarMappable(cmap=SHARE_MAP)
    colours.set_clim(0, 1)
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    bar = figure.colorbar(colours, cax=axes, ticks=[0, 0.5, 1])
    bar.ax.set_title("R² of one\nlatent", fontsize=6.5, pad=6)


def _factor_title(table: pd.DataFrame) -> str:
    """Say which latent explains which factor best."""
    best = table[table["best"]].sort_values("r2", ascending=False, kind="stable")
    if best.empty:
        return "No latent explains a factor"
    first = best.iloc[0]
    factor = factor_label(str(first["factor"])).replace(" (log)", "")
    return f"{first['latent']} alone explains {percent(first['r2'])} of {factor}"
