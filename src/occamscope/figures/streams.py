"""Logic streams: the paths of a sparse network from the latents to its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from occamscope.figures.layers import heights, order_layers
from occamscope.figures.stream_responses import draw_responses, panels_mm, pick_panels
from occamscope.figures.style import (
    BLUE,
    DOUBLE_MM,
    GREY,
    VERMILLION,
    FigureResult,
    axes_at,
    hide_axes,
    latent_label,
    open_sheet,
    percent,
    size_mm,
    styled,
    text_at,
)

MOST_PATHS, MOST_STREAMS = 12, 8  # listed one by one; the rest is summed up
NETWORK_MM, NAME_MM, BARS_MM = 82.0, 30.0, 33.0
POSITIVE, NEGATIVE = (VERMILLION, "-"), (BLUE, (0, (3.0, 1.2)))
# Columns that give the width of a connection, the first one there, and what it means.
WIDTHS = {"share": "share of the decision", "flow": "mean signal", "weight": "size of the weight"}


@styled
def draw_streams(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    paths: pd.DataFrame,
    names: pd.DataFrame | Mapping[str, str] | None = None,
    responses: pd.DataFrame | None = None,
    class_names: Sequence[str] = ("negative", "positive"),
) -> FigureResult:
    """Draw what survives of a sparse network, the share of each path and how streams respond.

    Parameters
    ----------
    nodes : node ("z3", "h1.5", "output"), layer (0: latents, last: output)
    edges : source, target, weight[, flow or share]; lines are as wide as `WIDTHS` says, relative
        to the widest between the same layers
    paths : path ("z3 > h1.5 > h2.0 > output"), share[, stream, cut_balanced_accuracy, paths];
        paths of one stream enter through units that listen to the same latents. With a column
        `paths`, each row is a bundle of so many through a group of units ("z3 > group.1 > output")
    names : latent, name
    responses : stream, class ("negative", "positive"), latent, value, with_bias (part of the
        logit); those of most change are drawn
    class_names : of the negative and the positive class

    Returns
    -------
    FigureResult
        Data: nodes, edges, streams, paths and responses drawn, told apart by `element`, with x
        (layer) and y of the nodes, width_pt of the edges, and the rank of streams and paths.
    """
    layers = dict(zip(nodes["node"].astype(str), nodes["layer"].astype(int), strict=True))
    edges = edges.assign(width_pt=line_widths(edges, layers))
    order = order_layers(layers, edges)
    y = heights(order)
    ranked, streams = rank_paths(paths), sum_streams(paths)
    rows = [min(len(t), most + 1) for t, most in ((streams, MOST_STREAMS), (ranked, MOST_PATHS))]
    bars_mm = sum(4.3 * max(n, 2) for n in rows) + (13 if rows[0] else 0)
    tall = max(6.2 * max(len(units) for units in order), bars_mm, 32.0)
    responses = pd.DataFrame() if responses is None else responses
    panels = pick_panels(responses, _stream_order(paths)) if len(responses) else []
    body = tall + 18 + panels_mm(len(panels))
    figure, top = open_sheet(DOUBLE_MM, body, _title(nodes, ranked, streams))
    network = axes_at(figure, NAME_MM, top + 4, NETWORK_MM, tall)
    _draw_network(network, nodes, edges, y, names)
    _write_layers(figure, len(order), top, "paths" in paths)
    _write_legend(figure, _width_column(edges), top + tall + 6.5)
    left, above = NAME_MM + NETWORK_MM + 32, top + 4
    if rows[0]:
        high = (tall - 13) * max(rows[0], 2) / (max(rows[0], 2) + max(rows[1], 2))
        bars = axes_at(figure, left, above, BARS_MM, high)
        _draw_bars(bars, streams, "stream", MOST_STREAMS, "streams")
        above += high + 13
    paths_mm = top + 4 + tall - above
    bars = axes_at(figure, left, above, BARS_MM, paths_mm)
    _draw_bars(
        bars, ranked, "path", MOST_PATHS, "bundles of paths" if "paths" in paths else "paths"
    )
    nodes = nodes.assign(x=nodes["layer"], y=[y[str(n)] for n in nodes["node"]])
    parts = {"node": nodes, "edge": edges, "stream": streams, "path": ranked}
    if panels:
        draw_responses(figure, top + tall + 19, responses, panels, names, class_names)
        pairs = zip(responses["stream"], responses["latent"], strict=True)
        drawn = [panel in panels for panel in pairs]
        parts["response"] = responses[drawn]
    tables = [part.assign(element=name) for name, part in parts.items() if len(part)]
    return FigureResult(figure, pd.concat(tables, ignore_index=True))


def rank_paths(paths: pd.DataFrame) -> pd.DataFrame:
    """Sort by share, largest first, and number from 1."""
    ranked = paths.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    return ranked.assign(rank=np.arange(1, len(ranked) + 1))


def sum_streams(paths: pd.DataFrame) -> pd.DataFrame:
    """Sum the shares of the paths of each stream; empty where paths are their own streams."""
    if "stream" not in paths or not 1 < paths["stream"].nunique() < len(paths):
        return pd.DataFrame(columns=["stream", "share", "paths", "rank"])
    groups = paths.groupby("stream", sort=False)["share"]
    table = groups.agg(share="sum", paths="size").reset_index()
    return rank_paths(table)


def _stream_order(paths: pd.DataFrame) -> list[str]:
    """Streams by falling share; none where paths are not told apart by streams."""
    if "stream" not in paths:
        return []
    shares = paths.groupby("stream", sort=False)["share"].sum()
    return list(shares.sort_values(ascending=False, kind="stable").index)


def line_widths(edges: pd.DataFrame, layers: Mapping[str, int]) -> NDArray[np.float64]:
    """Line widths, .5 to 3.5 pt, relative to the largest connection between the same layers."""
    size = edges[_width_column(edges)].abs().astype(float)
    largest = size.groupby(edges["source"].map(layers)).transform("max")
    return (0.5 + 3 * size / largest.clip(lower=1e-12)).to_numpy()


def path_label(path: str) -> str:
    """Write a path as its latent and the numbers of its hidden units: z29 → 3 → 7."""
    units = [part.strip() for part in path.split(">")]
    return " → ".join([units[0], *(unit.split(".")[-1] for unit in units[1:] if "." in unit)])


def _width_column(edges: pd.DataFrame) -> str:
    return next(column for column in WIDTHS if column in edges)


def _draw_network(
    axes: Axes,
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    y: Mapping[str, float],
    names: pd.DataFrame | Mapping[str, str] | None,
) -> None:
    """Draw units as circles and connections as curves, strong ones on top."""
    x = dict(zip(nodes["node"].astype(str), nodes["layer"].astype(int), strict=True))
    last = max(x.values())
    drawn = edges.sort_values("width_pt", kind="stable")
    columns = (drawn[c] for c in ("source", "target", "weight", "width_pt"))
    for source, target, weight, width in zip(*columns, strict=True):
        colour, line = POSITIVE if weight >= 0 else NEGATIVE
        axes.add_patch(
            PathPatch(
                _curve((x[source], y[source]), (x[target], y[target])), fill=False,
                edgecolor=colour, linestyle=line, linewidth=width, alpha=0.85, capstyle="butt",
            )
        )  # fmt: skip
    for node, layer in x.items():
        at, hidden = (layer, y[node]), 0 < layer < last
        axes.plot(
            *at, marker="o", markersize=9.5 if hidden else 5, color="white" if hidden else "black",
            markeredgecolor="black", markeredgewidth=0.6, zorder=4, clip_on=False,
        )  # fmt: skip
        if hidden:
            number = node.split(".")[-1]
            axes.text(*at, number, ha="center", va="center", fontsize=5.5, zorder=5)
            continue
        word = latent_label(names, node).replace(" (", "\n(") if layer == 0 else "output"
        away, side = (-6, "right") if layer == 0 else (6, "left")
        axes.annotate(word, at, (away, 0), textcoords="offset points", ha=side, va="center")
    reach = max(max(abs(v) for v in y.values()) + 0.5, 1.5)
    axes.set(xlim=(-0.05, last + 0.05), ylim=(-reach, reach))
    hide_axes(axes)


def _curve(start: tuple[float, float], end: tuple[float, float]) -> Path:
    """Bezier curve that leaves and arrives horizontally."""
    (x0, y0), (x1, y1) = start, end
    bend = 0.45 * (x1 - x0)
    return Path(
        [(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )


def _write_layers(figure: Figure, layers: int, top: float, grouped: bool) -> None:
    """Write what each layer is above it."""
    for layer in range(layers - 1):
        word = "latents" if layer == 0 else "groups of units" if grouped else f"hidden {layer}"
        x = NAME_MM + NETWORK_MM * (layer + 0.05) / (layers - 0.9)
        text_at(figure, x, top, word, ha="right" if layer == 0 else "center", fontsize=6.5)


def _write_legend(figure: Figure, width: str, top: float) -> None:
    """Write what colour, dashes and width of the lines mean below the network."""
    handles = [
        Line2D([], [], color=look[0], linestyle=look[1], linewidth=1.6, label=label)  # type: ignore[arg-type]
        for look, label in ((POSITIVE, "positive weight"), (NEGATIVE, "negative weight"))
    ]
    handles.append(Line2D([], [], color="none", label=f"line width: {WIDTHS[width]}"))
    at = (NAME_MM / DOUBLE_MM, 1 - top / size_mm(figure)[1])
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=at, ncols=3, columnspacing=1.2,
        borderaxespad=0,
    )  # fmt: skip


def _draw_bars(axes: Axes, table: pd.DataFrame, kind: str, most: int, title: str) -> None:
    """Draw the shares of streams or paths as bars with their numbers, small ones summed up."""
    shown = table.head(most)
    labels = [path_label(str(p)) if kind == "path" else str(p) for p in shown[kind]]
    shares = [100 * share for share in shown["share"]]
    notes = [_percent(share) for share in shares]
    if "cut_balanced_accuracy" in shown:
        cuts = [f"{100 * cut:+.1f}".replace("-", "−") for cut in shown["cut_balanced_accuracy"]]
        notes = [f"{note}  ({cut})" for note, cut in zip(notes, cuts, strict=True)]
    if len(table) > most:
        labels.append(f"{len(table) - most} more")
        shares.append(100 * table["share"].iloc[most:].sum())
        notes.append(_percent(shares[-1]))
    y = np.arange(len(labels))
    axes.barh(y, shares, height=0.62, color=GREY)
    for place, share, note in zip(y, shares, notes, strict=True):
        axes.annotate(
            note, (share, place), (2, 0), textcoords="offset points", va="center", fontsize=6
        )
    axes.set_yticks(y, labels, fontsize=6.5)
    axes.set_ylim(max(len(y), 2) - 0.4, -0.6)
    axes.set_xlim(0, max([*shares, 1.0]) * (1.75 if "(" in notes[0] else 1.25))
    ticks = MaxNLocator(4, integer=True).tick_values(0, axes.get_xlim()[1])
    axes.set_xticks([tick for tick in ticks if tick <= min(100, axes.get_xlim()[1])])
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=6.5, pad=2)
    cut = "\n(change in balanced accuracy\nwhen cut, points)" if "(" in notes[0] else ""
    axes.set_xlabel(f"share of the decision (%){cut}", x=0.35)


def _percent(share: float) -> str:
    return f"{share:.0f}" if share >= 9.5 else f"{share:.1f}"


def _title(nodes: pd.DataFrame, ranked: pd.DataFrame, streams: pd.DataFrame) -> str:
    """Say how few paths, or which stream, carry the decision."""
    inputs = int((nodes["layer"] == 0).sum())
    grouped = "paths" in ranked
    count = int(ranked["paths"].sum()) if grouped else len(ranked)
    paths = f"{count} path{'s' * (count != 1)}"
    latents = f"{inputs} latent{'s' * (inputs != 1)}"
    if ranked.empty:
        return "No path leads from a latent to the output"
    if len(streams):
        first = streams.iloc[0]
        name = str(first["stream"]) if grouped else f"stream {first['stream']}"
        return (
            f"{paths} in {len(streams)} streams from {latents}; "
            f"{name} makes {percent(first['share'])} of the decision"
        )
    half = int(np.searchsorted(ranked["share"].cumsum(), 0.5 * ranked["share"].sum())) + 1
    them = f"bundle{'s' * (half != 1)}" if grouped else "of them"
    most = f"{half} {them} make{'s' * (half == 1)} half of the decision"
    return f"{paths} from {latents} to the output" + (f"; {most}" if len(ranked) > 1 else "")
