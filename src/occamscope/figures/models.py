"""All models side by side: accuracy against size, and which latents the networks select."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from occamscope.figures.style import (
    BLACK,
    BLUE,
    DOUBLE_MM,
    GREY,
    ORANGE,
    FigureResult,
    in_order,
    latent_label,
    latent_number,
    look_of,
    open_chart,
    percent,
    settle,
    stretch_accuracy,
    styled,
)

METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}


@styled
def draw_accuracy_size(
    accuracy: pd.DataFrame, metric: str = "accuracy", split: str = "test"
) -> FigureResult:
    """Draw accuracy against size for every model, networks of all seeds included.

    Parameters
    ----------
    accuracy : one row per model: kind in {"black_box", "forest", "dense", "sparse", "law"},
        parameters (non-zero weights) or complexity (nodes), the metric in 0..1 with _low and
        _high[, model, seed, density, chosen]
    metric : "accuracy" or "balanced_accuracy"
    split : part of the split that the metric was measured on, for the axis

    Returns
    -------
    FigureResult
        Data: one row per model with `size` (as drawn), `jitter` (factor on the size of a seed's
        dot), `group` and `middle` (the member at the group's median, drawn large with its
        interval).
    """
    data = _sized(accuracy, metric)
    figure = open_chart(DOUBLE_MM, 80, _accuracy_title(data, metric))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for kind in in_order(data["kind"]):
        own = data[data["kind"] == kind]
        look = look_of(kind)
        many = own.groupby("group")["group"].transform("size") > 1
        dots = own[many & ~own["middle"]] if kind != "law" else own[~own["middle"]]
        axes.plot(
            dots["size"] * dots["jitter"], dots[metric], linestyle="none", marker=look.marker,
            markersize=4 if kind == "law" else 2.6, markerfacecolor=look.colour,
            markeredgewidth=0, alpha=0.55,
        )  # fmt: skip
        _draw_middles(axes, own[own["middle"]], kind, metric)
    low = data[metric].min()
    lows = data.loc[data["middle"], f"{metric}_low"].min()
    stretch_accuracy(axes, np.nanmin([low, lows]))
    axes.set(
        xlabel="size: nodes (laws, forest), non-zero weights and biases (networks)",
        ylabel=f"{METRICS.get(metric, metric)} on the {split} part",
    )
    axes.set_xlim(data["size"].min() / 1.6, data["size"].max() * 2.2)
    _write_words(axes, data[data["middle"]], metric)
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    axes.legend(handles=_kind_handles(data, metric), loc="lower right", frameon=True, framealpha=1,
        edgecolor="none",
    )  # fmt: skip
    settle(figure)
    return FigureResult(figure, data)


@styled
def draw_selection(
    selection: pd.DataFrame,
    jaccard: pd.DataFrame,
    names: pd.DataFrame | Mapping[str, str] | None = None,
) -> FigureResult:
    """Draw how often each latent is selected at each density, and how far networks agree.

    Parameters
    ----------
    selection : density, latent, selected, seeds, frequency, low, high
    jaccard : density, mean, low, high of the pairwise Jaccard index
    names : latent, name; latents that are "inactive" are left out unless selected

    Returns
    -------
    FigureResult
        Data: the rows drawn, with `quantity` "selection frequency" or "pairwise Jaccard index".
    """
    latents = _selected_latents(selection, names)
    shown = selection[selection["latent"].isin(latents)]
    densities = sorted(shown["density"].unique())
    title = _selection_title(shown, densities)
    figure = open_chart(DOUBLE_MM, 32 + 14 * len(densities), title)
    right = figure.add_gridspec(len(densities), 2, width_ratios=[3.2, 1])
    panels = [figure.add_subplot(right[row, 0]) for row in range(len(densities))]
    for axes, density in zip(panels, densities, strict=True):
        own = shown[shown["density"] == density].set_index("latent").reindex(latents)
        _draw_frequencies(axes, own, density)
    _label_latents(panels[-1], latents, names)
    panels[(len(panels) - 1) // 2].set_ylabel("share of\nnetworks")
    _draw_agreement(figure.add_subplot(right[:, 1]), jaccard, densities)
    agreement = jaccard.rename(columns={"mean": "frequency"}).assign(
        quantity="pairwise Jaccard index"
    )
    data = pd.concat([shown.assign(quantity="selection frequency"), agreement], ignore_index=True)
    settle(figure)
    return FigureResult(figure, data)


def _sized(accuracy: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Add size, group, jitter and whether a row is its group's middle."""
    data = accuracy.dropna(subset=[metric]).reset_index(drop=True)
    for column in (
        "parameters",
        "complexity",
        "density",
        "seed",
        f"{metric}_low",
        f"{metric}_high",
    ):
        if column not in data:
            data[column] = np.nan
    small = data["kind"].isin(["law", "forest"]) & data["complexity"].notna()
    data["size"] = data["complexity"].where(small, data["parameters"].fillna(data["complexity"]))
    data = data[data["size"] > 0].reset_index(drop=True)
    data["group"] = [
        kind if pd.isna(density) or kind in ("law", "dense") else f"{kind} {100 * density:g} %"
        for kind, density in zip(data["kind"], data["density"], strict=True)
    ]
    spread = np.random.default_rng(0).uniform(-1, 1, len(data))
    several = data.groupby("group")["group"].transform("size") > 1
    same = data.groupby("group")["size"].transform("nunique") < 4
    data["jitter"] = np.where(several & same & (data["kind"] != "law"), 1.12**spread, 1.0)
    data["middle"] = False
    for group, rows in data.groupby("group", sort=False):
        data.loc[_middles(rows, metric) if group != "law" else _chosen(rows), "middle"] = True
    return data


def _middles(rows: pd.DataFrame, metric: str) -> list[int]:
    """Return the member nearest to the group's median metric, the smaller one of two."""
    away = (rows[metric] - rows[metric].median()).abs().round(12)
    return [rows.assign(away=away).sort_values(["away", "size"], kind="stable").index[0]]


def _chosen(rows: pd.DataFrame) -> list[int]:
    if "chosen" not in rows:
        return list(rows.index[:1]) if len(rows) == 1 else []
    return list(rows.index[rows["chosen"].eq(True)])


def _draw_middles(axes: Axes, rows: pd.DataFrame, kind: str, metric: str) -> None:
    """Draw the medians, or the chosen law, large and with their intervals."""
    look = look_of(kind)
    for _, row in rows.iterrows():
        low, high = row[f"{metric}_low"], row[f"{metric}_high"]
        if np.isfinite([low, high]).all():
            axes.plot([row["size"]] * 2, [low, high], color=look.colour, linewidth=1.1)
        axes.plot(
            row["size"], row[metric], marker=look.marker, color=look.colour, linestyle="none",
            markersize=9 if kind == "law" else 5.5, markeredgecolor="white" if kind != "law"
            else BLACK, markeredgewidth=0.6, zorder=4,
        )  # fmt: skip


def _write_words(axes: Axes, rows: pd.DataFrame, metric: str) -> None:
    """Write densities and nodes above the markers, higher where they would meet."""
    taken: list[tuple[float, float]] = []
    for _, row in rows.sort_values("size", kind="stable").iterrows():
        word = _word(row)
        if not word:
            continue
        high = row[f"{metric}_high"]
        y = high if np.isfinite(high) else row[metric]
        x_mm, y_mm = np.multiply(_place(axes, row["size"], y), (160, 60))
        while any(abs(x_mm - a) < 0.75 * len(word) + 3 and abs(y_mm - b) < 2.8 for a, b in taken):
            y_mm += 0.4
        taken.append((x_mm, y_mm))
        raised = (y_mm - 60 * _place(axes, row["size"], y)[1]) * 72 / 25.4
        axes.annotate(
            word, (row["size"], y), (0, 3.5 + raised), textcoords="offset points", ha="center",
            va="bottom", fontsize=6.5,
        )  # fmt: skip


def _place(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return where data lie in the axes, 0..1 from the lower left."""
    at, low, high = axes.transScale.transform(
        [(x, y), *zip(axes.get_xlim(), axes.get_ylim(), strict=True)]
    )
    across, up = (at - low) / (high - low)
    return float(across), float(up)


def _word(row: pd.Series) -> str:
    """What to write beside a model's marker."""
    if row["kind"] == "law":
        return f"{row['size']:g} nodes"
    if row["kind"] == "sparse" and np.isfinite(row["density"]):
        return f"{100 * row['density']:g} %"
    return ""


def _kind_handles(data: pd.DataFrame, metric: str) -> list[Line2D]:
    handles = []
    for kind in in_order(data["kind"]):
        look = look_of(kind)
        own = data[data["kind"] == kind]
        label = look.label
        if kind == "sparse" and own["density"].notna().any():
            label += " (% of the weights)"
        if kind == "law" and len(own) > 1:
            label = "law chosen (small: others found)"
        handles.append(
            Line2D([], [], linestyle="none", marker=look.marker, color=look.colour, label=label)
        )
    if data.groupby("group").size().drop("law", errors="ignore").max() > 1:
        handles.append(
            Line2D([], [], linestyle="none", marker=".", color=GREY, label="small: single seeds")
        )
    if data[f"{metric}_low"].notna().any():
        handles.append(Line2D([], [], color=GREY, linewidth=1.1, label="95 % interval (sampling)"))
    return handles


def _accuracy_title(data: pd.DataFrame, metric: str) -> str:
    """Say how the chosen law compares with the black box."""
    law = data[(data["kind"] == "law") & data["middle"]]
    box = data[(data["kind"] == "black_box") & data["middle"]]
    if law.empty or box.empty:
        return f"{METRICS.get(metric, metric).capitalize()} against size"
    ratio = law[metric].iloc[0] / box[metric].iloc[0]
    return (
        f"A law of {law['size'].iloc[0]:g} nodes has {percent(ratio, 1)} of the "
        f"{METRICS.get(metric, metric)} of the black box"
    )


def _selected_latents(
    selection: pd.DataFrame, names: pd.DataFrame | Mapping[str, str] | None
) -> list[str]:
    """Latents with an active name or selected by a sparse network, most selected first."""
    named: set[str] = set()
    if names is not None:
        pairs = (
            names.items() if isinstance(names, Mapping) else names[["latent", "name"]].to_numpy()
        )
        named = {str(z) for z, name in pairs if name != "inactive"}
    sparse = selection[selection["density"] < 1]
    sparse = selection if sparse.empty else sparse
    mean = sparse.groupby("latent")["frequency"].mean()
    chosen = [z for z in mean.index if z in named or mean[z] > 0]
    return sorted(chosen, key=lambda z: (-mean[z], latent_number(z)))


def _selection_title(shown: pd.DataFrame, densities: list[float]) -> str:
    """Say which latents all networks of the sparsest kind select."""
    own = shown[shown["density"] == densities[0]]
    always = list(own.loc[own["selected"] == own["seeds"], "latent"])
    which = ", ".join(always) if always else "no latent"
    seeds = int(own["seeds"].max())
    return f"With {100 * densities[0]:g} % of the weights, all {seeds} networks select {which}"


def _label_latents(
    axes: Axes, latents: list[str], names: pd.DataFrame | Mapping[str, str] | None
) -> None:
    """Write the latents with their names: below one another where there is room, else slanted."""
    few = len(latents) <= 8
    labels = [latent_label(names, z) for z in latents]
    if few:
        labels = [label.replace(": ", "\n").replace(" (", "\n(") for label in labels]
    axes.set_xticks(range(len(latents)), labels)
    axes.tick_params(axis="x", length=0)
    if not few:
        for label in axes.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


def _draw_frequencies(axes: Axes, own: pd.DataFrame, density: float) -> None:
    """Draw the frequencies of one density as bars from 0 with Wilson intervals."""
    x = np.arange(len(own))
    axes.bar(x, own["frequency"], width=0.55, color=ORANGE if density < 1 else BLUE)
    known = own["low"].notna() & own["high"].notna()
    axes.vlines(x[known], own["low"][known], own["high"][known], color=BLACK, linewidth=0.8)
    axes.set(xlim=(-0.6, len(own) - 0.4), ylim=(0, 1.05), xticks=[])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="y")
    seeds = own["seeds"].max()
    count = f", {seeds:.0f} networks" if np.isfinite(seeds) else ""
    axes.set_title(f"{100 * density:g} % of the weights{count}", fontsize=6.5, pad=2)


def _draw_agreement(axes: Axes, jaccard: pd.DataFrame, densities: list[float]) -> None:
    """Draw the mean pairwise Jaccard index of every density with its interval."""
    own = jaccard.set_index("density").reindex(densities)
    y = np.arange(len(own))
    known = own["low"].notna() & own["high"].notna()
    axes.hlines(y[known], own["low"][known], own["high"][known], color=BLACK, linewidth=0.8)
    axes.plot(own["mean"], y, linestyle="none", marker="D", color=BLACK, markersize=4)
    for place, value in zip(y, own["mean"], strict=True):
        if np.isfinite(value):
            axes.annotate(f"{value:.2f}", (value, place), (0, 4), textcoords="offset points",
                          ha="center", va="bottom", fontsize=6.5)  # fmt: skip
    axes.set(xlim=(0, 1.08), ylim=(len(own) - 0.5, -0.5), xlabel="pairwise Jaccard index")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks(y, [f"{100 * d:g} %" for d in densities])
    axes.set_title("agreement of the selections", fontsize=6.5, pad=2)
    axes.grid(axis="x")
