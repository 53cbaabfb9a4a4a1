"""Pareto fronts of the law searches: one loss function against another."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from occamscope.figures.formulas import fit_formula
from occamscope.figures.style import (
    DOUBLE_MM,
    GREY,
    LOSSES,
    FigureResult,
    axes_at,
    in_order,
    look_of,
    open_sheet,
    stretch_accuracy,
    styled,
    text_at,
)

ACCURACY = "validation_balanced_accuracy"
TARGETS = {"labels": "found on the labels", "logits": "found on a network's logits"}
LEFT_MM, LOSS_MM, RIGHT_MM, PANEL_MM = 15.0, 58.0, 92.0, 85.0


@styled
def draw_fronts(front: pd.DataFrame) -> FigureResult:
    """Draw complexity against the searches' own losses and against validation accuracy.

    Parameters
    ----------
    front : loss_name, complexity, loss, validation_balanced_accuracy[, engine, target, seed,
        on_front, chosen, expression, latex]

    Returns
    -------
    FigureResult
        Data: the rows of `front` (all are drawn: those on no front as dots in the left panels).
    """
    data = front.reset_index(drop=True)
    defaults: dict[str, Any] = {"target": "labels", "on_front": True, "chosen": False}
    data = data.assign(**{name: v for name, v in defaults.items() if name not in data})
    data = data.assign(on_front=data["on_front"].eq(True), chosen=data["chosen"].eq(True))
    losses = in_order(data["loss_name"], LOSSES)
    chosen = data[data["chosen"]].head(1)
    tall = max(68.0, 27.0 * len(losses))
    caption = _Caption(chosen)
    figure, top = open_sheet(DOUBLE_MM, tall + 12 + caption.height_mm, _front_title(data))
    gap = 7.0
    high = (tall - gap * (len(losses) - 1)) / max(len(losses), 1)
    for place, loss in enumerate(losses):
        axes = axes_at(figure, LEFT_MM, top + place * (high + gap), LOSS_MM, high)
        _draw_losses(axes, data[data["loss_name"] == loss], loss)
        _complexity_axis(axes, data, place == len(losses) - 1)
    axes = axes_at(figure, RIGHT_MM, top, PANEL_MM, tall)
    _draw_accuracies(axes, data, losses)
    caption.write(figure, top + tall + 11)
    return FigureResult(figure, data)


def _draw_losses(axes: Axes, rows: pd.DataFrame, loss: str) -> None:
    """Draw the loss of every law of one loss function, the front as a line."""
    look = look_of(loss, LOSSES)
    off = rows[~rows["on_front"]]
    axes.plot(
        off["complexity"], off["loss"], linestyle="none", marker=".", markersize=3,
        color=GREY, alpha=0.4, markeredgewidth=0,
    )  # fmt: skip
    for target, own in rows[rows["on_front"]].groupby("target", sort=False):
        axes.plot(*_steps(own, "loss"), **_line(loss, str(target)))  # type: ignore[arg-type]
    positive = rows["loss"].min() > 0
    if positive and rows["loss"].max() / rows["loss"].min() > 20:
        axes.set_yscale("log")
    elif len(rows):
        axes.set_ylim(bottom=0)
    axes.set_ylabel(f"{look.label} loss")
    axes.grid(axis="y")
    chosen = rows[rows["chosen"]].head(1)
    _ring(axes, chosen, "loss")


def _draw_accuracies(axes: Axes, data: pd.DataFrame, losses: list[str]) -> None:
    """Draw the validation accuracy of the laws on the fronts of all losses together."""
    fronts = data[data["on_front"] & data[ACCURACY].notna()]
    for (loss, target), own in fronts.groupby(["loss_name", "target"], sort=False):
        axes.plot(*_steps(own, ACCURACY), **_line(str(loss), str(target)))  # type: ignore[arg-type]
    _ring(axes, data[data["chosen"]].head(1), ACCURACY)
    axes.set_ylabel("balanced accuracy on the validation part")
    lowest = fronts[ACCURACY].min() if len(fronts) else 0.5
    stretch_accuracy(axes, float(max(lowest, 0.45)))
    _complexity_axis(axes, data, True)
    axes.grid(axis="y")
    handles = [
        Line2D([], [], label=look_of(loss, LOSSES).label, **_line(loss, "labels"))  # type: ignore[arg-type]
        for loss in losses
    ]
    if data["target"].nunique() > 1:
        handles += [
            Line2D([], [], linestyle="none", marker="o", color=GREY, markersize=4, label=words,
                   markerfacecolor=GREY if target == "labels" else "white")
            for target, words in TARGETS.items()
        ]  # fmt: skip
    if data["chosen"].any():
        handles.append(
            Line2D([], [], linestyle="none", marker="o", markersize=8, markerfacecolor="none",
                   color="black", label="law chosen")
        )  # fmt: skip
    axes.legend(handles=handles, loc="lower right", frameon=True, edgecolor="none", framealpha=1)


def _line(loss: str, target: str) -> dict[str, object]:
    """Colour and marker say the loss, filled or open the target."""
    look = look_of(loss, LOSSES)
    return {
        "color": look.colour, "linestyle": look.line, "marker": look.marker, "markersize": 3.8,
        "markerfacecolor": look.colour if target == "labels" else "white", "linewidth": 0.9,
    }  # fmt: skip


def _steps(rows: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Points of a front by complexity; laws found by several searches once."""
    ordered = rows.sort_values(["complexity", column], kind="stable")
    ordered = ordered.drop_duplicates(["complexity", column])
    return ordered["complexity"], ordered[column]


def _ring(axes: Axes, chosen: pd.DataFrame, column: str) -> None:
    """Put a ring around the chosen law."""
    axes.plot(
        chosen["complexity"], chosen[column], linestyle="none", marker="o", markersize=9,
        markerfacecolor="none", color="black", markeredgewidth=1.1, zorder=5,
    )  # fmt: skip


def _complexity_axis(axes: Axes, data: pd.DataFrame, last: bool) -> None:
    largest = data["complexity"].max() if len(data) else 10
    axes.set_xlim(0, largest + 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if last:
        axes.set_xlabel("complexity (nodes)")
    else:
        axes.set_xticklabels([])


class _Caption:
    """The chosen law's formula under the panels."""

    def __init__(self, chosen: pd.DataFrame) -> None:
        self.head, self.formula, self.size, self.height_mm = "", "", 8.0, 0.0
        if chosen.empty:
            return
        row = chosen.iloc[0]
        found = " ".join(str(row[c]) for c in ("engine",) if c in chosen)
        loss = look_of(str(row["loss_name"]), LOSSES).label
        self.head = f"Law chosen: {row['complexity']:g} nodes, {loss} loss"
        self.head += f", {row['target']}" + (f", {found}" if found else "")
        written = [c for c in ("latex", "expression") if c in chosen and pd.notna(row[c])]
        lines = 0
        if written:
            text = str(row[written[0]])
            body = f"f = {text}" if written[0] == "latex" else _as_latex(text)
            self.formula, self.size, lines = fit_formula(body, DOUBLE_MM - 4)
        self.height_mm = 4.0 + lines * 5.0

    def write(self, figure: Figure, top: float) -> None:
        """Write at mm from the top of the figure."""
        if self.head:
            text_at(figure, 2, top, self.head)
            text_at(figure, 2, top + 3.8, self.formula, fontsize=self.size, linespacing=1.3)


def _as_latex(text: str) -> str:
    """Typeset an expression's plain text as it stands."""
    escaped = text.replace("_", r"\_").replace("**", "^").replace("*", r"\,")
    return "f = " + re.sub(r"\bz([0-9]+)", r"z_{\1}", escaped)


def _front_title(data: pd.DataFrame) -> str:
    """Say with how many nodes each loss reaches 99 % of the best validation accuracy."""
    fronts = data[data["on_front"] & data[ACCURACY].notna()]
    if fronts.empty:
        return "Pareto fronts of the laws found"
    floor = 0.99 * fronts[ACCURACY].max()
    words = []
    for loss in in_order(fronts["loss_name"], LOSSES):
        good = fronts[(fronts["loss_name"] == loss) & (fronts[ACCURACY] >= floor)]
        nodes = f"with {good['complexity'].min():g} nodes" if len(good) else "not at all"
        words.append(f"{look_of(loss, LOSSES).label} {nodes}")
    return f"99 % of the best validation accuracy: {', '.join(words)}"
