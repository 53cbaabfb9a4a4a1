"""Adversarial steps in latent space: flips decoded to nuclei, and how far models withstand."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from occamscope.figures.style import (
    DOUBLE_MM,
    SIGNED_MAP,
    FigureResult,
    axes_at,
    in_order,
    look_of,
    open_chart,
    open_sheet,
    settle,
    show_image,
    size_mm,
    styled,
    text_at,
)

LABEL_MM, GROUP_MM, NOTE_MM, BAR_MM = 21.0, 2.5, 4.0, 17.0
NORMS = {"l2": "L2", "linf": "L∞"}
METHODS = {"pgd": "-", "fgsm": (0, (1.5, 1.2)), "smallest": (0, (5, 1.5))}


@styled
def draw_flips(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    table: pd.DataFrame,
    class_names: Sequence[str] = ("negative", "positive"),
    confident: NDArray[np.floating] | None = None,
    level: float = 0.95,
) -> FigureResult:
    """Draw decoded nuclei before and after the smallest flip of each model, and the difference.

    And after its confident flip, where that is given.

    Parameters
    ----------
    before : float (k, H, W), or (m, k, H, W) if the models start from different codes
    after : float (m, k, H, W); 1.0 = robust maximum of a nucleus
    table : m k rows in the order of `after` (all crops of the first model first): kind (or
        model), label (class before, 0 or 1), distance (prior sd)[, reached, new_class: whether
        an independent judge calls the flipped nucleus the other class, counted: whether the
        judge and the model were right before]
    class_names : of label 0 and label 1
    confident : float (m, k, H, W), after flips of which the model is sure; `table` then has
        confident_distance[, confident_reached, confident_new_class, confident_counted]
    level : probability of the new class that those reach

    Returns
    -------
    FigureResult
        Data: `table` with column (place in the figure), mean_abs_difference of the images and,
        with `confident`, confident_mean_abs_difference.
    """
    after = np.asarray(after, float)
    models, crops = after.shape[:2]
    before = np.broadcast_to(np.asarray(before, float), after.shape)
    data = table.reset_index(drop=True)
    if "kind" not in data:
        data = data.assign(kind=data["model"])
    difference = after - before
    order = np.argsort(data["label"].to_numpy()[:crops], kind="stable")
    column = np.empty(crops, int)
    column[order] = np.arange(crops)
    data = data.assign(
        column=np.tile(column, models),
        mean_abs_difference=np.abs(difference).mean((2, 3)).ravel(),
    )
    if confident is not None:
        confident = np.asarray(confident, float)
        change = np.abs(confident - before).mean((2, 3)).ravel()
        data = data.assign(confident_mean_abs_difference=change)
        confident = confident[:, order]
    images = before[:, order], after[:, order], difference[:, order], confident
    return FigureResult(_FlipSheet(data, *images, class_names, level).draw(), data)


@styled
def draw_attack_curves(curves: pd.DataFrame, flips: pd.DataFrame) -> FigureResult:
    """Draw accuracy under attacks of growing length, and how far the smallest flips are.

    Lines are medians over the seeds of a kind, bands reach from the lowest to the highest seed.

    Parameters
    ----------
    curves : kind, method (or attack), epsilon (prior sd), accuracy[, norm, model, seed]
    flips : kind, distance (prior sd), reached[, model, seed]; one row a cell and model

    Returns
    -------
    FigureResult
        Data: quantity ("accuracy" or "share flipped"), kind, method, norm, epsilon (or
        distance), median, low, high, models.
    """
    summary = pd.concat([_summarise(curves), flip_shares(flips)], ignore_index=True)
    accuracy = summary[summary["quantity"] == "accuracy"]
    norms = list(dict.fromkeys(accuracy["norm"]))
    wide = 55 * (len(norms) + 1) + 25
    figure = open_chart(min(DOUBLE_MM, wide), 68, _curve_title(flips))
    panels = figure.subplots(1, len(norms) + 1, squeeze=False)[0]
    for axes, norm in zip(panels, norms, strict=False):
        own = accuracy[accuracy["norm"] == norm]
        for (kind, method), line in own.groupby(["kind", "method"], sort=False):
            _draw_band(axes, line, str(kind), METHODS.get(str(method), "-"))
        axes.set(xlabel=f"attack length, {NORMS.get(norm, norm)} (prior sd)", ylim=(0, 1.02))
        axes.set_xlim(0, own["epsilon"].max())
        axes.set_ylabel("accuracy under attack")
        axes.grid(axis="y")
    last = panels[-1]
    for kind, line in summary[summary["quantity"] == "share flipped"].groupby("kind", sort=False):
        _draw_band(last, line, str(kind), "-", marker=False)
    last.set(xlabel="distance of the smallest flip, L2 (prior sd)", ylim=(0, 1.02))
    last.set_ylabel("share of cells flipped")
    last.set_xlim(0, summary.loc[summary["quantity"] == "share flipped", "epsilon"].max())
    last.grid(axis="y")
    handles = _curve_handles(summary)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7))
    settle(figure)
    return FigureResult(figure, summary)


class _FlipSheet:
    """The grid of nuclei: before once (or for each model), then after, difference, confident."""

    def __init__(
        self,
        data: pd.DataFrame,
        before: NDArray,
        after: NDArray,
        difference: NDArray,
        confident: NDArray | None,
        class_names: Sequence[str],
        level: float,
    ) -> None:
        self.data, self.before, self.after, self.difference = data, before, after, difference
        self.confident, self.class_names, self.level = confident, class_names, level
        self.models, self.crops = after.shape[:2]
        self.labels = data[data.index < self.crops].sort_values("column")["label"].to_numpy()
        self.shared = bool((before == before[:1]).all())
        room = DOUBLE_MM - LABEL_MM - BAR_MM - GROUP_MM
        self.cell = min(13.0, room / max(self.crops, 1))
        self.limit = max(0.1, float(np.percentile(np.abs(difference), 99.5)))

    def draw(self) -> Figure:
        """Draw everything and return the figure."""
        sure = self.confident is not None
        rows = (2 + sure) * self.models + (1 if self.shared else self.models)
        body = 6 + rows * self.cell + self.models * ((1 + sure) * NOTE_MM + 1.5) + 2
        width = max(LABEL_MM + self.crops * self.cell + GROUP_MM + BAR_MM, 85.0)
        note = textwrap.wrap(self._note(), int(width / 1.2))
        figure, top = open_sheet(width, body + 2.8 * len(note), _flip_title(self.data, sure))
        self._write_classes(figure, top)
        at = top + 5
        if self.shared:
            at = self._draw_row(figure, at, "reconstruction", self.before[0])
        for place in range(self.models):
            at = self._draw_model(figure, at + 1.5, place)
        self._draw_bar(figure, top + 5)
        text_at(figure, 2, at + 0.5, "\n".join(note), fontsize=6)
        return figure

    def _left(self, column: int) -> float:
        """Columns of class 1 stand a little apart."""
        return LABEL_MM + column * self.cell + GROUP_MM * (self.labels[column] > self.labels[0])

    def _draw_row(
        self, figure: Figure, top: float, word: str, images: NDArray, signed: bool = False
    ) -> float:
        text_at(figure, LABEL_MM - 1.5, top + self.cell / 2, word, va="center", ha="right")
        side = self.cell - 0.6
        for column, image in enumerate(images):
            axes = axes_at(figure, self._left(column) + 0.3, top + 0.3, side, side)
            if signed:
                show_image(axes, image, -self.limit, self.limit, SIGNED_MAP)
            else:
                show_image(axes, image)
        return top + self.cell

    def _draw_model(self, figure: Figure, top: float, place: int) -> float:
        """Draw one model's flips, differences and the numbers under them."""
        rows = self.data.iloc[place * self.crops : (place + 1) * self.crops]
        rows = rows.sort_values("column")
        word = look_of(str(rows["kind"].iloc[0])).label
        if not self.shared:
            top = self._draw_row(figure, top, "before", self.before[place])
        flip = "flipped" if self.confident is None else "smallest flip"
        top = self._draw_row(figure, top, f"{word}\n{flip}", self.after[place])
        top = self._draw_row(figure, top, "difference", self.difference[place], signed=True)
        top = self._write_distances(figure, top, rows, "")
        if self.confident is None:
            return top
        top = self._draw_row(figure, top, f"{word}\nconfident flip", self.confident[place])
        return self._write_distances(figure, top, rows, "confident_")

    def _write_distances(
        self, figure: Figure, top: float, rows: pd.DataFrame, prefix: str
    ) -> float:
        """Write distances with the judge's marks; `prefix` of their columns."""
        text_at(figure, LABEL_MM - 1.5, top + 0.3, "distance", ha="right", fontsize=6)
        for column, (_, row) in enumerate(rows.iterrows()):
            middle = self._left(column) + self.cell / 2
            text_at(figure, middle, top + 0.3, _verdict(row, prefix), ha="center", fontsize=6)
        return top + NOTE_MM

    def _write_classes(self, figure: Figure, top: float) -> None:
        """Write the class before the flip above its columns."""
        w, h = size_mm(figure)
        for label in sorted(set(self.labels)):
            columns = np.flatnonzero(self.labels == label)
            left, right = self._left(columns[0]), self._left(columns[-1]) + self.cell
            name = self.class_names[int(label)]
            text_at(figure, (left + right) / 2, top + 0.5, name, ha="center")
            y = 1 - (top + 4.2) / h
            line = Line2D([(left + 0.3) / w, (right - 0.3) / w], [y, y], color="black")
            line.set_linewidth(0.6)
            figure.add_artist(line)

    def _draw_bar(self, figure: Figure, top: float) -> None:
        """Draw the colour bar of the differences."""
        left = self._left(self.crops - 1) + self.cell + 2
        axes = axes_at(figure, left, top, 2.5, 30)
        colours = ScalarMappable(cmap=SIGNED_MAP)
        colours.set_clim(-self.limit, self.limit)
        bar = figure.colorbar(colours, cax=axes)
        ends = float(f"{self.limit:.1g}") if self.limit >= 0.1 else self.limit
        ends = min(ends, self.limit)
        bar.set_ticks([-ends, 0, ends], labels=[f"−{ends:.2g}", "0", f"+{ends:.2g}"])
        bar.set_label("difference (1 = nucleus)")

    def _note(self) -> str:
        """Explain the distances and the marks beside them."""
        note = "Distance in prior sd"
        if "new_class" in self.data:
            note += (
                "; ✓: an independent judge calls the flipped nucleus the other class, ✗: it does "
                "not, ?: judge or model was wrong before the flip"
            )
        if self.confident is not None:
            note += (
                f". A flip is confident where the model, calibrated on held-out cells, gives the "
                f"new class a probability of {self.level:g}"
            )
        return note + "."


def _verdict(row: pd.Series, prefix: str) -> str:
    """Distance of a flip with the judge's mark."""
    distance, new_class = row[f"{prefix}distance"], row.get(f"{prefix}new_class")
    if not row.get(f"{prefix}reached", True) or not np.isfinite(distance):
        return "no flip"
    mark = ""
    if new_class is not None and pd.notna(new_class):
        mark = " ✓" if new_class else " ✗"
        if not row.get(f"{prefix}counted", True):
            mark = " ?"
    return f"{distance:.2f}{mark}"


def _flip_title(data: pd.DataFrame, sure: bool) -> str:
    """Compare the median distances of the flips that are shown."""
    words = []
    for kind, own in data.groupby("kind", sort=False):
        medians = [_median(own, prefix) for prefix in ("", "confident_")[: 1 + sure]]
        words.append(f"{look_of(str(kind)).label} {', '.join(medians)}")
    if sure:
        what = "Median steps of these crops that flip the class, and make the model sure of it"
        return f"{what}: {'; '.join(words)} prior sd"
    what = "Smallest steps that flip the class, median of these crops"
    return f"{what}: {', '.join(words)} prior sd"


def _median(flips: pd.DataFrame, prefix: str) -> str:
    """Median distance, where cells that were not flipped are farther than all others."""
    distance = flips[f"{prefix}distance"].fillna(np.inf)
    if f"{prefix}reached" in flips:
        distance = distance.where(flips[f"{prefix}reached"].astype(bool), np.inf)
    median = distance.median()
    return f"{median:.2f}" if np.isfinite(median) else "none"


def _summarise(curves: pd.DataFrame) -> pd.DataFrame:
    """Median and range over seeds of the accuracy at every length."""
    table = curves.rename(columns={"attack": "method"})
    if "norm" not in table:
        table = table.assign(norm="l2")
    keys = ["kind", "method", "norm", "epsilon"]
    groups = table.groupby(keys, sort=False)["accuracy"]
    summary = groups.agg(median="median", low="min", high="max", models="size").reset_index()
    ranks = {kind: i for i, kind in enumerate(in_order(summary["kind"]))}
    summary = summary.assign(rank=summary["kind"].map(ranks)).sort_values(
        ["rank", "method", "norm", "epsilon"], kind="stable"
    )
    return summary.drop(columns="rank").assign(quantity="accuracy")


def flip_shares(flips: pd.DataFrame, points: int = 101) -> pd.DataFrame:
    """Share of each model's cells that a step of some length flips, over seeds.

    Cells whose flip was not reached never count as flipped.

    Returns
    -------
    quantity, kind, method "smallest", norm "l2", epsilon, median, low, high, models
    """
    distance = flips["distance"].where(flips["reached"].astype(bool), np.inf)
    distance = distance.where(np.isfinite(distance), np.inf)
    finite = distance[np.isfinite(distance)]
    grid = np.linspace(0, float(np.quantile(finite, 0.99)) if len(finite) else 1.0, points)
    keys = [c for c in ("kind", "model", "seed") if c in flips]
    tables = []
    for kind in in_order(flips["kind"]):
        own = flips["kind"] == kind
        models = [rows for _, rows in distance[own].groupby([flips.loc[own, key] for key in keys])]
        shares = np.array([np.mean(d.to_numpy()[:, None] <= grid, axis=0) for d in models])
        table = pd.DataFrame(
            {
                "epsilon": grid,
                "median": np.median(shares, axis=0),
                "low": shares.min(axis=0),
                "high": shares.max(axis=0),
            }
        )
        tables.append(table.assign(kind=kind, models=len(shares)))
    return pd.concat(tables, ignore_index=True).assign(
        quantity="share flipped", method="smallest", norm="l2"
    )


def _draw_band(
    axes: Axes, line: pd.DataFrame, kind: str, style: object, marker: bool = True
) -> None:
    """Draw the median of a kind of model with the range of its seeds."""
    look = look_of(kind)
    if (line["models"] > 1).any():
        axes.fill_between(
            line["epsilon"], line["low"], line["high"], color=look.colour, alpha=0.18, linewidth=0
        )
    marks = {"marker": look.marker} if marker else {"marker": look.marker, "markevery": (6, 12)}
    axes.plot(
        line["epsilon"], line["median"], color=look.colour, linestyle=style, markersize=3.2, **marks
    )  # type: ignore[arg-type]


def _curve_handles(summary: pd.DataFrame) -> list[Line2D]:
    handles = [
        Line2D([], [], color=look_of(k).colour, marker=look_of(k).marker, label=look_of(k).label)
        for k in in_order(summary["kind"])
    ]
    methods = [m for m in METHODS if m in set(summary["method"]) and m != "smallest"]
    if len(methods) > 1:
        handles += [
            Line2D([], [], color="0.4", linestyle=METHODS[m], label=m.upper())  # type: ignore[arg-type]
            for m in methods
        ]
    if (summary["models"] > 1).any():
        handles.append(
            Line2D([], [], color="0.4", alpha=0.25, linewidth=5, label="range over seeds")
        )
    return handles


def _curve_title(flips: pd.DataFrame) -> str:
    """Compare the median distances of the smallest flips."""
    distance = flips["distance"].where(flips["reached"].astype(bool), np.inf)
    medians = distance.groupby(flips["kind"]).median()
    words = [f"{look_of(kind).label} {medians[kind]:.2f}" for kind in in_order(flips["kind"])]
    return f"Median smallest flip: {', '.join(words)} prior sd"
