"""Failure modes: what the models say of images that hold no proper nucleus."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from occamscope.figures.samples import DISPLAY_WHITE
from occamscope.figures.style import (
    BLUE,
    DOUBLE_MM,
    GREY,
    VERMILLION,
    FigureResult,
    axes_at,
    in_order,
    look_of,
    open_sheet,
    percent,
    show_image,
    size_mm,
    styled,
    text_at,
)
from occamscope.scale import WHITE

ROW_MM, HEAD_MM, CELL_MM = 14.0, 10.0, 10.6
# Left edges and widths of the columns, mm.
IMAGES_MM, SHARE_MM, MARGIN_MM, GATE_MM, TERMS_MM = 19.0, 66.0, 95.0, 128.5, 142.5
SHARE_WIDE, MARGIN_WIDE, GATE_WIDE = 24.0, 29.0, 10.0
MOST_TERMS, TERM_LETTERS = 3, 22
# Names that other tables use for the same columns.
SYNONYMS = {
    "share_positive": "positive_share",
    "margin_low": "margin_q05",
    "margin_high": "margin_q95",
    "gate_caught": "caught_share",
    "contribution": "pull",
}


@styled
def draw_failures(
    examples: Mapping[str, tuple[NDArray, NDArray]],
    summary: pd.DataFrame,
    terms: pd.DataFrame | None = None,
    class_names: Sequence[str] = ("negative", "positive"),
) -> FigureResult:
    """Draw for each kind of probe two examples, class, margin, gate and the deciding terms.

    Parameters
    ----------
    examples : kind of probe -> (windows, prepared images), each uint8 (k, H, W), 196 = 1.0; the
        first two are drawn
    summary : probe, model, positive_share, margin_median, margin_q05, margin_q95,
        caught_share[, positive_low, positive_high, called, n]; rows are drawn in its order
    terms : probe, term, pull (how far the term pulled the score towards the class that was
        called)[, share of the absolute pulls]
    class_names : of a score below and above 0

    Returns
    -------
    FigureResult
        Data: the rows of `summary` and of `terms` that are drawn, told apart by `element`.
    """
    summary = summary.rename(columns=SYNONYMS)
    probes = list(dict.fromkeys(summary["probe"]))
    strongest = strongest_terms(terms, probes)
    models = in_order(summary["model"])
    body = HEAD_MM + ROW_MM * len(probes) + 9
    width = DOUBLE_MM if len(strongest) else TERMS_MM
    figure, top = open_sheet(width, body, _failure_title(summary))
    _write_heads(figure, top, class_names, models, len(strongest) > 0)
    limits = _margin_limits(summary)
    top += HEAD_MM
    for place, probe in enumerate(probes):
        above, last = top + place * ROW_MM, place == len(probes) - 1
        own = summary[summary["probe"] == probe].set_index("model").reindex(models)
        word = str(probe).replace("_", " ")
        text_at(figure, 2, above + ROW_MM / 2 - 1, word, va="center")
        _draw_examples(figure, examples.get(probe), above)
        high = ROW_MM - 3.5
        share = axes_at(figure, SHARE_MM, above + 0.5, SHARE_WIDE, high)
        _draw_shares(share, own, last)
        margin = axes_at(figure, MARGIN_MM, above + 0.5, MARGIN_WIDE, high)
        _draw_margins(margin, own, limits, last)
        _draw_gate(axes_at(figure, GATE_MM, above + 0.5, GATE_WIDE, high), own, last)
        mine = strongest[strongest["probe"] == probe]
        if len(mine):
            wide = DOUBLE_MM - TERMS_MM - 2
            _draw_terms(axes_at(figure, TERMS_MM, above + 0.5, wide, high), mine)
    data = pd.concat(
        [summary.assign(element="model"), strongest.assign(element="term")], ignore_index=True
    )
    return FigureResult(figure, data)


def strongest_terms(terms: pd.DataFrame | None, probes: Sequence[str]) -> pd.DataFrame:
    """The terms of each probe with the largest absolute pulls, and their share of all pulls."""
    if terms is None or terms.empty:
        return pd.DataFrame(columns=["probe", "term", "pull", "share"])
    table = terms.rename(columns=SYNONYMS)
    table = table[table["probe"].isin(probes)]
    if "share" not in table:
        total = table["pull"].abs().groupby(table["probe"]).transform("sum")
        table = table.assign(share=table["pull"] / total.where(total > 0, 1.0))
    order = table["share"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].groupby("probe", sort=False).head(MOST_TERMS).reset_index(drop=True)


def short_term(term: str) -> str:
    """Write a term of a law for a narrow column: three digits, real powers and dots."""
    text = re.sub(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?", lambda found: f"{float(found[0]):.3g}", term)
    text = text.replace("**2", "²").replace("**3", "³").replace("**", "^")
    text = text.replace("*", "·").replace("-", "−")
    return text if len(text) <= TERM_LETTERS else text[: TERM_LETTERS - 1] + "…"


def _write_heads(
    figure: Figure, top: float, class_names: Sequence[str], models: list[str], terms: bool
) -> None:
    """Write what the columns are, and the legend of the models."""
    heads = [
        (2, "probe"),
        (IMAGES_MM, "examples\n(window, prepared, twice)"),
        (SHARE_MM, f"called {class_names[1]}\nby each model"),
        (MARGIN_MM, "decision score\n(median, 5 to 95 %)"),
        (GATE_MM, "caught by\nthe gate"),
    ]
    if terms:
        heads.append((TERMS_MM, "terms that decide\n(share of the pull)"))
    for left, word in heads:
        text_at(figure, left, top + 3, word, fontsize=6.5, linespacing=1.1)
    handles = [
        Line2D([], [], linestyle="none", marker=look_of(m).marker, color=look_of(m).colour,
               label=look_of(m).label, markersize=4.5)
        for m in models
    ]  # fmt: skip
    w, h = size_mm(figure)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(SHARE_MM / w, 1 - (top - 0.8) / h),
        ncols=len(models), columnspacing=1.0, handletextpad=0.1, borderaxespad=0, borderpad=0,
    )  # fmt: skip


def _draw_examples(figure: Figure, pair: tuple[NDArray, NDArray] | None, above: float) -> None:
    """Draw window and prepared image of the first two examples."""
    if pair is None:
        return
    stacks = [np.asarray(images, float) / WHITE for images in pair]
    for column in range(min(2, len(stacks[0]))):
        for i, stack in enumerate(stacks):
            left = IMAGES_MM + column * (2 * CELL_MM + 1.2) + i * CELL_MM
            axes = axes_at(figure, left, above + 0.5, CELL_MM - 0.5, CELL_MM - 0.5)
            show_image(axes, stack[column], vmax=DISPLAY_WHITE)


def _rows(axes: Axes, own: pd.DataFrame) -> NDArray:
    """Set up the y axis for one line a model."""
    axes.set_ylim(len(own) - 0.5, -0.5)
    axes.set_yticks([])
    return np.arange(len(own))


def _bottom(axes: Axes, last: bool, label: str) -> None:
    """Label the x axis of the lowest row only."""
    if last:
        axes.set_xlabel(label, fontsize=6.5)
    else:
        axes.tick_params(labelbottom=False)


def _draw_shares(axes: Axes, own: pd.DataFrame, last: bool) -> None:
    """Draw the share called positive for each model with its interval."""
    y = _rows(axes, own)
    for place, (model, row) in zip(y, own.iterrows(), strict=True):
        look = look_of(str(model))
        axes.plot([0, row["positive_share"]], [place] * 2, color=look.colour, linewidth=2.2)
        if "positive_low" in row and np.isfinite([row["positive_low"], row["positive_high"]]).all():
            ends = [row["positive_low"], row["positive_high"]]
            axes.plot(ends, [place] * 2, color="black", linewidth=0.6)
        axes.plot(
            row["positive_share"], place, marker=look.marker, color=look.colour, markersize=3.5,
            clip_on=False, zorder=5,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.axvline(0.5, color="0.85", linewidth=0.6, zorder=0)
    _bottom(axes, last, "share of probes")


def _margin_limits(summary: pd.DataFrame) -> float:
    """Largest absolute score drawn, the same for all rows."""
    columns = [c for c in ("margin_median", "margin_q05", "margin_q95") if c in summary]
    scores = summary[columns].to_numpy(float)
    return max(1.5, float(np.abs(scores[np.isfinite(scores)]).max(initial=0)))


def _draw_margins(axes: Axes, own: pd.DataFrame, limit: float, last: bool) -> None:
    """Draw the scores of each model: median and middle 90 %, linear up to 1, then logarithmic."""
    y = _rows(axes, own)
    for place, (model, row) in zip(y, own.iterrows(), strict=True):
        look = look_of(str(model))
        ends = [row.get("margin_q05", np.nan), row.get("margin_q95", np.nan)]
        if np.isfinite(ends).all():
            axes.plot(ends, [place] * 2, color=look.colour, linewidth=1)
        axes.plot(
            row["margin_median"], place, marker=look.marker, color=look.colour, markersize=3.5
        )
    axes.axvline(0, color="black", linewidth=0.6, zorder=0)
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set_xlim(-1.3 * limit, 1.3 * limit)
    powers = [10.0**p for p in range(1, 8) if 10.0**p <= 1.3 * limit]
    end = powers[-1] if powers else 1.0
    ticks = [-end, 0.0, end]
    axes.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    axes.minorticks_off()
    _bottom(axes, last, "score (logit or f)")


def _draw_gate(axes: Axes, own: pd.DataFrame, last: bool) -> None:
    """Draw the share that the gate catches as one bar with its number."""
    share = own["caught_share"].dropna()
    value = float(share.iloc[0]) if len(share) else np.nan
    axes.barh(0, value, height=0.5, color=GREY)
    word = "–" if np.isnan(value) else f"{100 * value:.3g} %"
    axes.text(0.0, -0.42, word, fontsize=6.5, va="bottom")
    axes.set(xlim=(0, 1), ylim=(0.8, -1.2), yticks=[])
    axes.set_xticks([0, 1], ["0", "1"])
    _bottom(axes, last, "share")


def _draw_terms(axes: Axes, own: pd.DataFrame) -> None:
    """Write the terms, each behind its share of the pull, signed by colour too."""
    for place, (term, share) in enumerate(zip(own["term"], own["share"], strict=True)):
        number = f"{share:+.2f}".replace("-", "−")
        colour = VERMILLION if share >= 0 else BLUE
        axes.text(0.19, place, number, va="center", ha="right", fontsize=6, color=colour)
        axes.text(0.22, place, short_term(str(term)), va="center", fontsize=6)
    axes.set(xlim=(0, 1), ylim=(max(MOST_TERMS, len(own)) - 0.5, -0.5))
    axes.set_axis_off()


def _failure_title(summary: pd.DataFrame) -> str:
    """Say how many kinds of probe the gate catches nearly always, real crops apart."""
    caught = summary.groupby("probe", sort=False)["caught_share"].first()
    probes = caught.drop("real", errors="ignore")
    if probes.empty or probes.isna().all():
        return "What the models say of images without a proper nucleus"
    sure = int((probes >= 0.99).sum())
    title = f"The gate catches {sure} of {len(probes)} kinds of probe in at least 99 % of cases"
    if "real" in caught and np.isfinite(caught["real"]):
        title += f", real crops in {percent(caught['real'], 1)}"
    return title
