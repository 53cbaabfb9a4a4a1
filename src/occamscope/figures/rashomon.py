"""The Rashomon set: laws of nearly the same accuracy, what they use and where they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from occamscope.figures.formulas import fit_formula
from occamscope.figures.style import (
    DOUBLE_MM,
    GREY,
    MODELS,
    SHARE_MAP,
    FigureResult,
    axes_at,
    latent_label,
    open_sheet,
    percent,
    size_mm,
    styled,
    text_at,
)

ACCURACY, ERROR = "validation_balanced_accuracy", "validation_standard_error"
MOST_LAWS, MOST_VARIABLES, LONGEST_NAME = 15, 16, 24
# Columns from the left, in mm: cluster, law, variables, nodes, accuracy, agreement.
CLUSTER_MM, LAW_MM, DOTS_MM, DOTS_WIDTH_MM = 5.5, 13.0, 17.0, 56.0
NODES_MM, ACCURACY_MM, ACCURACY_WIDTH_MM = 80.0, 87.0, 34.0
MAP_MM, MAP_WIDTH_MM, LOSS_MM = 128.0, 49.0, 17.0
LETTER_MM, SLANT_DEG = 1.32, 60
Z95 = 1.96


@styled
def draw_rashomon(
    table: pd.DataFrame,
    uses: pd.DataFrame,
    agreement: pd.DataFrame,
    agreement_off: pd.DataFrame,
    importance: pd.DataFrame | None = None,
    epsilon: float | None = None,
    names: pd.DataFrame | Mapping[str, str] | None = None,
) -> FigureResult:
    """Draw the laws of a Rashomon set as rows: variables, size, accuracy, agreement.

    The `MOST_LAWS` most accurate laws are drawn, in the order of the table, and of their
    variables the `MOST_VARIABLES` that most laws use.

    Parameters
    ----------
    table : law, cluster, latex, complexity, validation_balanced_accuracy,
        validation_standard_error; one row a law, cluster by cluster
    uses : (laws, variables) of bool, rows named by law
    agreement, agreement_off : (laws, laws) share of rows decided alike, on the data and off it;
        rows and columns named by law
    importance : variable, lowest, mean, highest: balanced accuracy lost when it is shuffled
    epsilon : width of the set, for the title and the band in the accuracy panel
    names : latent, name of variables

    Returns
    -------
    FigureResult
        Data: rows told apart by `element`: "law" (the table's columns), "use" (law, variable),
        "agreement" (law, other, on_data, off_data), "importance".
    """
    kept = table[table["law"].isin(table["law"].nsmallest(MOST_LAWS))].reset_index(drop=True)
    title = _title(len(table), uses, epsilon)
    uses = uses.loc[kept["law"]]
    counts = uses.sum().sort_values(ascending=False, kind="stable")
    counts = counts[counts > 0]
    shown = list(counts.index[:MOST_VARIABLES])
    sheet = _Sheet(kept, shown, importance is not None, title, names)
    sheet.write_heads(names)
    _draw_uses(sheet.panel(DOTS_MM, DOTS_WIDTH_MM), uses[shown])
    _draw_accuracies(sheet.panel(ACCURACY_MM, ACCURACY_WIDTH_MM), kept, epsilon)
    pairs = _pairs(kept, agreement, agreement_off)
    if len(kept) > 1:
        sheet.draw_map(pairs)
    tables = [kept.assign(element="law"), _long(uses).assign(element="use")]
    tables.append(pairs.assign(element="agreement"))
    if importance is not None:
        own = importance.set_index("variable").reindex(shown).reset_index()
        sheet.draw_losses(own)
        tables.append(own.assign(element="importance"))
    sheet.write_notes(len(counts) - len(shown), epsilon)
    sheet.write_formulas()
    return FigureResult(sheet.figure, pd.concat(tables, ignore_index=True))


@dataclass(frozen=True)
class _Formula:
    """A law as it is written below the panels."""

    law: int
    text: str
    size: float
    lines: int


class _Sheet:
    """The figure and where its rows lie."""

    def __init__(
        self,
        table: pd.DataFrame,
        variables: list[str],
        with_losses: bool,
        title: str,
        names: pd.DataFrame | Mapping[str, str] | None,
    ) -> None:
        self.table, self.variables, self.rows = table, variables, len(table)
        labels = [_short(latent_label(names, v)) for v in variables]
        slanted = LETTER_MM * np.sin(np.radians(SLANT_DEG)) * max(map(len, labels), default=0)
        self.head_mm = max(8.0, slanted + 3.0)
        self.row_mm = min(5.2, MAP_WIDTH_MM / max(self.rows, 1))
        self.high_mm = self.rows * self.row_mm
        self.formulas = [
            _formula(int(law), latex)
            for law, latex in zip(table["law"], table["latex"], strict=True)
        ]
        self.below_mm = LOSS_MM + 5.0 if with_losses else 17.0
        written = sum(2.0 + 3.1 * formula.lines * formula.size / 8 for formula in self.formulas)
        body = self.head_mm + self.high_mm + self.below_mm + written + 8.0
        self.figure, self.top = open_sheet(DOUBLE_MM, body, title)
        self.first_mm = self.top + self.head_mm

    def panel(self, left_mm: float, width_mm: float) -> Axes:
        """Add axes whose rows are the laws, 0 on top."""
        axes = axes_at(self.figure, left_mm, self.first_mm, width_mm, self.high_mm)
        axes.set_ylim(self.rows - 0.5, -0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_facecolor("none")  # the rules between clusters lie below
        return axes

    def row_top(self, row: float) -> float:
        return self.first_mm + (row + 0.5) * self.row_mm

    def write_heads(self, names: pd.DataFrame | Mapping[str, str] | None) -> None:
        """Write what stands left of and above the rows."""
        bottom = self.first_mm - 1.5
        centred = {"ha": "center", "va": "bottom"}
        text_at(self.figure, CLUSTER_MM, bottom, "cluster", **centred)
        text_at(self.figure, LAW_MM, bottom, "law", **centred)
        text_at(self.figure, NODES_MM, bottom, "nodes", **centred)
        for text, left in (
            ("balanced accuracy on the\nvalidation part (95 % interval)", ACCURACY_MM),
            (
                "decided alike, in per cent: on the data\n(below the diagonal), around it (above)",
                MAP_MM,
            ),
        ):
            if left == ACCURACY_MM or self.rows > 1:
                text_at(self.figure, left, bottom, text, va="bottom", linespacing=1.15)
        step = DOTS_WIDTH_MM / max(len(self.variables), 1)
        for i, variable in enumerate(self.variables):
            text_at(
                self.figure, DOTS_MM + (i + 0.5) * step - 0.8, bottom,
                _short(latent_label(names, variable)), va="bottom", rotation=SLANT_DEG,
                rotation_mode="anchor",
            )  # fmt: skip
        for row, law in enumerate(self.table.to_dict("records")):
            middle = {"ha": "center", "va": "center"}
            text_at(self.figure, LAW_MM, self.row_top(row), str(law["law"]), **middle)
            text_at(self.figure, NODES_MM, self.row_top(row), f"{law['complexity']:g}", **middle)
        for edge in np.flatnonzero(np.diff(self.table["cluster"])):
            self.rule(self.row_top(edge + 0.5))
        for cluster, own in self.table.groupby("cluster", sort=False):
            rows = own.index.to_numpy()
            text_at(self.figure, CLUSTER_MM, self.row_top(rows.mean()), str(cluster), ha="center",
                    va="center")  # fmt: skip

    def rule(self, top_mm: float) -> None:
        """Draw a hairline between two clusters."""
        width, high = size_mm(self.figure)
        ends = np.array([2.0, ACCURACY_MM + ACCURACY_WIDTH_MM]) / width
        y = 1 - top_mm / high
        self.figure.add_artist(Line2D(ends, [y, y], color="0.75", linewidth=0.6, zorder=0))

    def draw_map(self, pairs: pd.DataFrame) -> None:
        """Draw agreement: on the data below the diagonal, off it above."""
        side = self.high_mm
        axes = axes_at(self.figure, MAP_MM, self.first_mm, side, side)
        place = {law: i for i, law in enumerate(self.table["law"])}
        values = np.full((self.rows, self.rows), np.nan)
        for law, other, on_data, off_data in pairs.itertuples(index=False):
            i, j = sorted((place[law], place[other]))
            values[j, i], values[i, j] = on_data, off_data
        norm = Normalize(min(0.5, float(np.nanmin(values))), 1.0)
        colours = matplotlib.colormaps[SHARE_MAP]
        axes.imshow(values, cmap=colours, norm=norm, interpolation="nearest")
        axes.set_facecolor("0.93")
        size = 5.5 if self.rows <= 11 else 4.4
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                # 99.6 is not 100: all rows or not is a difference in kind.
                number = np.floor(100 * value + 1e-9)
                dark = norm(value) > 0.6
                axes.text(j, i, f"{number:.0f}", ha="center", va="center", fontsize=size,
                          color="white" if dark else "black")  # fmt: skip
        axes.set_yticks([])
        axes.set_xticks(range(self.rows), [str(law) for law in self.table["law"]])
        axes.tick_params(length=0, labelsize=6.5 if self.rows <= 11 else 5)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("law")
        _draw_bar(self.figure, ScalarMappable(norm, colours), self.first_mm + side + 10)

    def draw_losses(self, importance: pd.DataFrame) -> None:
        """Draw below the dots what laws lose without each variable."""
        top = self.first_mm + self.high_mm + 3.5
        axes = axes_at(self.figure, DOTS_MM, top, DOTS_WIDTH_MM, LOSS_MM - 4)
        x = np.arange(len(importance))
        axes.vlines(x, importance["lowest"], importance["highest"], color=GREY, linewidth=1.4)
        axes.plot(x, importance["mean"], "_", color="black", markersize=6, markeredgewidth=1.3)
        axes.set_xlim(-0.5, max(len(importance), 1) - 0.5)
        axes.set_ylim(bottom=min(0.0, float(importance["lowest"].min(skipna=True) or 0.0)))
        axes.set_xticks([])
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.grid(axis="y")
        words = (
            "accuracy lost when its values are shuffled\n(line: range over the laws, dash: mean)"
        )
        self.note(words, DOTS_MM, top + LOSS_MM - 3.2)

    def note(self, text: str, left_mm: float, top_mm: float) -> None:
        """Write in small grey letters."""
        text_at(self.figure, left_mm, top_mm, text, color=GREY, fontsize=6, linespacing=1.15)

    def write_notes(self, left_out: int, epsilon: float | None) -> None:
        """Explain below the accuracies what is not in the panels."""
        lines = ["laws are numbered by accuracy"]
        if epsilon is not None:
            lines.insert(0, f"grey: within {epsilon:g} of the best;")
        if left_out:
            lines.append(f"{left_out} rarer variables are not shown")
        self.note("\n".join(lines), ACCURACY_MM, self.first_mm + self.high_mm + 7)

    def write_formulas(self) -> None:
        """List the laws below the panels."""
        top = self.first_mm + self.high_mm + self.below_mm + 4.0
        for formula in self.formulas:
            text_at(self.figure, LAW_MM, top, str(formula.law), ha="center")
            text_at(self.figure, DOTS_MM, top, formula.text, fontsize=formula.size,
                    linespacing=1.25)  # fmt: skip
            top += 2.0 + 3.1 * formula.lines * formula.size / 8


def _draw_uses(axes: Axes, uses: pd.DataFrame) -> None:
    """Dot the variables of each law; faint dots for the others, to guide the eye."""
    rows, columns = np.nonzero(np.ones(uses.shape, bool))
    axes.plot(columns, rows, ".", color="0.85", markersize=2.5)
    rows, columns = np.nonzero(uses.to_numpy(dtype=bool))
    axes.plot(columns, rows, "o", color="black", markersize=4.2)
    axes.set_xlim(-0.5, max(uses.shape[1], 1) - 0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _draw_accuracies(axes: Axes, table: pd.DataFrame, epsilon: float | None) -> None:
    """Draw each law's accuracy with its interval, and the band of the set."""
    look = MODELS["law"]
    y = np.arange(len(table))
    value, half = table[ACCURACY].to_numpy(float), Z95 * table[ERROR].to_numpy(float)
    low, high = np.maximum(value - half, 0), np.minimum(value + half, 1)
    best = float(value.max())
    if epsilon is not None:
        axes.axvspan(best - epsilon, best, color="0.9", linewidth=0, zorder=-1)
    axes.hlines(y, low, high, color=look.colour, linewidth=1.1)
    axes.plot(
        value, y, linestyle="none", marker="o", color=look.colour, markersize=4,
        markeredgecolor="white", markeredgewidth=0.6,
    )  # fmt: skip
    left = min(float(low.min()), best - (epsilon or 0.0))
    right = min(1.0, float(high.max()))
    axes.set_xlim(left - 0.04 * (right - left), right + 0.04 * (right - left))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x")


def _draw_bar(figure: Figure, colours: ScalarMappable, top_mm: float) -> None:
    """Draw the colour scale of the agreement."""
    axes = axes_at(figure, MAP_MM, top_mm, 30, 1.8)
    bar = figure.colorbar(colours, cax=axes, orientation="horizontal")
    bar.outline.set_linewidth(0.4)
    bar.ax.xaxis.set_major_locator(MaxNLocator(3))
    bar.ax.xaxis.set_major_formatter(lambda share, _: percent(share))


def _pairs(
    table: pd.DataFrame, agreement: pd.DataFrame, agreement_off: pd.DataFrame
) -> pd.DataFrame:
    """One row a pair of the laws drawn."""
    laws = table["law"].tolist()
    rows = [
        (a, b, agreement.loc[a, b], agreement_off.loc[a, b])
        for i, a in enumerate(laws)
        for b in laws[i + 1 :]
    ]
    return pd.DataFrame(rows, columns=["law", "other", "on_data", "off_data"])


def _long(uses: pd.DataFrame) -> pd.DataFrame:
    """One row a law and a variable that it uses."""
    rows, columns = np.nonzero(uses.to_numpy(dtype=bool))
    return pd.DataFrame({"law": uses.index[rows], "variable": uses.columns[columns]})


def _formula(law: int, latex: str) -> _Formula:
    text, size, lines = fit_formula(f"f = {latex}", DOUBLE_MM - DOTS_MM - 2, 7.5)
    return _Formula(law, text, size, lines)


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_NAME else label[: LONGEST_NAME - 1] + "…"


def _title(total: int, uses: pd.DataFrame, epsilon: float | None) -> str:
    """Say how many laws there are and what they have in common."""
    always = [name for name in uses.columns if uses[name].all()]
    width = f" within {epsilon:g} of the best accuracy" if epsilon is not None else ""
    if total == 1:
        return f"One law alone{width}"
    what = f"all use {', '.join(always[:4])}" if always else "no variable is in all of them"
    drawn = f" (the best {MOST_LAWS} shown)" if total > MOST_LAWS else ""
    return f"{total} different laws{width}{drawn}: {what}"
