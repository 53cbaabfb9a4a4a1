"""Nuclei as the models see them: window, prepared crop, reconstruction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from occamscope.figures.scale_bar import draw_scale_bar
from occamscope.figures.style import (
    DOUBLE_MM,
    FigureResult,
    axes_at,
    open_sheet,
    percent,
    show_image,
    size_mm,
    styled,
    text_at,
)
from occamscope.scale import WHITE

ROWS = ("window", "prepared crop", "reconstruction")
DISPLAY_WHITE = 1.15  # the robust maximum of a nucleus is 1.0
LABEL_MM, CLASS_GAP_MM, HEAD_MM = 21.0, 2.5, 5.0


@styled
def draw_samples(
    windows: NDArray[np.uint8],
    images: NDArray[np.uint8],
    reconstructions: NDArray[np.floating],
    class_names: Sequence[str],
    um_per_px: float | None = None,
    per_class: int = 6,
    most: int = 14,
) -> FigureResult:
    """Draw nuclei by class: window, prepared crop and its reconstruction.

    Parameters
    ----------
    windows, images : uint8 (n, H, W), 196 = 1.0
    reconstructions : float (n, H, W), 1.0 = robust maximum of a nucleus
    class_names : (n,) class of each nucleus; classes are drawn in the order of first occurrence
    um_per_px : pixel size of the crops; the scale bar is in px where it is unknown
    per_class : nuclei drawn of each class, the first ones
    most : nuclei drawn at most

    Returns
    -------
    FigureResult
        Data: one row per nucleus drawn (column, crop, class, mean of the three images,
        reconstruction_r2). R2 = 1 - squared error / squared deviation from the mean, over the
        pixels of one prepared crop.
    """
    shown = choose_columns(class_names, per_class, most)
    stacks = [np.asarray(windows) / WHITE, np.asarray(images) / WHITE, np.asarray(reconstructions)]
    stacks = [stack[shown["crop"].to_numpy()] for stack in stacks]
    r2, overall = reconstruction_r2(stacks[1], stacks[2])
    data = shown.assign(
        window_mean=stacks[0].mean((1, 2)),
        prepared_mean=stacks[1].mean((1, 2)),
        reconstruction_mean=stacks[2].mean((1, 2)),
        reconstruction_r2=r2,
    )
    gaps = CLASS_GAP_MM * (shown["class"].nunique() - 1)
    cell = min(14.0, (DOUBLE_MM - LABEL_MM - 3 - gaps) / max(len(shown), 1))
    width = max(LABEL_MM + 3 + gaps + cell * len(shown), 85.0)
    title = f"Reconstructions explain {percent(overall)} of the variance of these crops"
    figure, top = open_sheet(width, HEAD_MM + 3 * cell + 6, title)
    _draw_grid(figure, data, stacks, top + HEAD_MM, cell)
    draw_scale_bar(figure.axes[0], stacks[0].shape[1:], um_per_px, share=0.4)
    return FigureResult(figure, data)


def choose_columns(class_names: Sequence[str], per_class: int, most: int) -> pd.DataFrame:
    """Choose the first crops of every class: column, crop (row of the input), class."""
    labels = pd.Series([str(name) for name in class_names], dtype=object)
    classes = list(dict.fromkeys(labels))
    per_class = max(1, min(per_class, most // max(len(classes), 1)))
    crops = [int(i) for name in classes for i in labels.index[labels == name][:per_class]]
    return pd.DataFrame(
        {"column": range(len(crops)), "crop": crops, "class": [labels[i] for i in crops]}
    )


def reconstruction_r2(images: ArrayLike, reconstructions: ArrayLike) -> tuple[NDArray, float]:
    """Share of the pixel variance explained, per crop (n,) and over all crops together.

    A crop without any variance has no R2 (NaN).
    """
    x = np.asarray(images, float)
    error = ((x - np.asarray(reconstructions, float)) ** 2).sum((1, 2))
    total = ((x - x.mean((1, 2), keepdims=True)) ** 2).sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(total > 0, 1 - error / total, np.nan)
    overall = 1 - error.sum() / total.sum() if total.sum() > 0 else np.nan
    return each, float(overall)


def _draw_grid(
    figure: Figure, data: pd.DataFrame, stacks: list[NDArray], top: float, cell: float
) -> None:
    for row, name in enumerate(ROWS):
        text_at(figure, 2, top + (row + 0.5) * cell, name, va="center")
    text_at(figure, 2, top + 3 * cell + 1, "R²")
    lefts, previous, left = [], None, LABEL_MM
    for column, (name, r2) in enumerate(zip(data["class"], data["reconstruction_r2"], strict=True)):
        left += CLASS_GAP_MM if previous not in (None, name) else 0
        lefts.append(left)
        for row, stack in enumerate(stacks):
            axes = axes_at(figure, left + 0.3, top + row * cell + 0.3, cell - 0.6, cell - 0.6)
            show_image(axes, stack[column], vmax=DISPLAY_WHITE)
        text = "–" if np.isnan(r2) else f"{r2:.2f}"
        text_at(figure, left + cell / 2, top + 3 * cell + 1, text, ha="center", fontsize=6.5)
        previous, left = name, left + cell
    for name in dict.fromkeys(data["class"]):
        own = [x for x, c in zip(lefts, data["class"], strict=True) if c == name]
        _write_class(figure, name, own[0], own[-1] + cell, top)


def _write_class(figure: Figure, name: str, left: float, right: float, top: float) -> None:
    """Write a class above its columns with a line under the word."""
    w, h = size_mm(figure)
    text_at(figure, (left + right) / 2, top - 1.2, name, ha="center", va="bottom")
    y = 1 - (top - 0.7) / h
    figure.add_artist(
        Line2D([(left + 0.3) / w, (right - 0.3) / w], [y, y], color="black", linewidth=0.6)
    )
