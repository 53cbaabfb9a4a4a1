"""Outlines of the segmented nuclei on fields or crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours, regionprops

from occamscope.figures.samples import DISPLAY_WHITE, choose_columns
from occamscope.figures.scale_bar import draw_scale_bar
from occamscope.figures.style import (
    DOUBLE_MM,
    ORANGE,
    FigureResult,
    axes_at,
    open_sheet,
    show_image,
    styled,
    text_at,
)
from occamscope.scale import WHITE

GAMMA = 0.6  # of the display: dim interphase nuclei beside bright mitoses


@styled
def draw_overlays(
    pages: NDArray | Sequence[NDArray],
    labels: NDArray | Sequence[NDArray],
    um_per_px: float | None = None,
    names: Sequence[str] = (),
    window_px: int = 640,
    most: int = 4,
) -> FigureResult:
    """Draw the outlines of all objects on contrast-stretched fields.

    Parameters
    ----------
    pages : (k, H, W) fields, any number type; or a list of fields of different sizes
    labels : (k, H, W) label images, 0 = background
    um_per_px : pixel size of the fields; the scale bar is in px where it is unknown
    names : what to write above each field
    window_px : of a larger field the square part with the most objects is shown
    most : fields drawn at most, the first ones

    Returns
    -------
    FigureResult
        Data: one row per object of the fields drawn (field, object, y_px, x_px, area_px,
        [area_um2,] shown).
    """
    fields = [np.asarray(page, float) for page in list(pages)[:most]]
    masks = [np.asarray(label) for label in list(labels)[: len(fields)]]
    titles = [names[i] if i < len(names) else f"field {i + 1}" for i in range(len(fields))]
    parts = [densest_window(mask, window_px) for mask in masks]
    tables = [
        _object_table(mask, name, part, um_per_px)
        for mask, name, part in zip(masks, titles, parts, strict=True)
    ]
    data = pd.concat(tables, ignore_index=True)
    columns = min(2, len(fields))
    cell = ((DOUBLE_MM if columns == 2 else 120.0) - 1) / columns - 3
    shapes = [mask[part].shape for mask, part in zip(masks, parts, strict=True)]
    tallest = max(height / width for height, width in shapes) * cell
    rows = -(-len(fields) // columns)
    body = rows * (tallest + 6)
    title = _overlay_title(len(data), len(fields))
    figure, top = open_sheet(columns * (cell + 3) + 1, body, title)
    for i, (field, mask, part) in enumerate(zip(fields, masks, parts, strict=True)):
        left, above = 2 + (i % columns) * (cell + 3), top + (i // columns) * (tallest + 6)
        text_at(figure, left, above, _field_caption(titles[i], tables[i], mask, part))
        high = cell * shapes[i][0] / shapes[i][1]
        axes = axes_at(figure, left, above + 3.7, cell, high)
        show_image(axes, stretch_contrast(field)[part])
        draw_outlines(axes, mask[part])
        draw_scale_bar(axes, shapes[i], um_per_px)
    return FigureResult(figure, data)


@styled
def draw_crop_masks(
    windows: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    classes: Sequence[str],
    per_class: int = 20,
    most: int = 100,
) -> FigureResult:
    """Draw a sheet of crops with the outlines of their masks, class by class.

    Parameters
    ----------
    windows : uint8 (n, H, W), 196 = 1.0
    masks : bool (n, H, W)
    classes : (n,) class of each crop
    per_class : crops drawn of each class, the first ones
    most : crops drawn at most

    Returns
    -------
    FigureResult
        Data: one row per crop drawn (column, crop, class, area_px).
    """
    shown = choose_columns(classes, per_class, most)
    data = shown.assign(area_px=[int(np.sum(masks[i])) for i in shown["crop"]])
    columns, label = 10, 24.0
    cell = (DOUBLE_MM - label - 3) / columns
    groups = [group for _, group in data.groupby("class", sort=False)]
    rows = sum(-(-len(group) // columns) for group in groups)
    title = f"One nucleus outlined in each of {len(data)} crops"
    figure, top = open_sheet(DOUBLE_MM, rows * cell + 1.5 * len(groups), title)
    for group in groups:
        text_at(figure, 2, top + cell / 2, str(group["class"].iloc[0]), va="center")
        for place, crop in enumerate(group["crop"]):
            left, above = label + place % columns * cell, top + place // columns * cell
            axes = axes_at(figure, left + 0.3, above + 0.3, cell - 0.6, cell - 0.6)
            show_image(axes, windows[crop] / WHITE, vmax=DISPLAY_WHITE)
            draw_outlines(axes, np.asarray(masks[crop], int))
        top += -(-len(group) // columns) * cell + 1.5
    return FigureResult(figure, data)


def stretch_contrast(field: NDArray) -> NDArray[np.float64]:
    """Scale the 1st to the 99.8th percentile to 0..1 and lift dark parts (gamma 0.6)."""
    low, high = np.nanpercentile(field, [1, 99.8])
    return np.clip((field - low) / max(high - low, 1e-9), 0, 1) ** GAMMA


def densest_window(labels: NDArray, window_px: int) -> tuple[slice, slice]:
    """Find the square of at most `window_px` that holds the most pixels of objects."""
    starts = [range(0, max(n - window_px, 0) + 1, max(window_px // 4, 1)) for n in labels.shape]
    inside = np.pad(np.cumsum(np.cumsum(labels > 0, 0), 1), ((1, 0), (1, 0)))

    def covered(y: int, x: int) -> int:
        y2, x2 = (min(s + window_px, n) for s, n in zip((y, x), labels.shape, strict=True))
        return int(inside[y2, x2] - inside[y, x2] - inside[y2, x] + inside[y, x])

    y, x = max(((y, x) for y in starts[0] for x in starts[1]), key=lambda at: covered(*at))
    return slice(y, y + window_px), slice(x, x + window_px)


def draw_outlines(axes: Axes, labels: NDArray) -> None:
    """Draw a closed line around every object of a label image, holes included."""
    lines = []
    for region in regionprops(labels):
        padded = np.pad(region.image, 1).astype(float)
        for line in find_contours(padded, 0.5):
            y, x = (approximate_polygon(line, 0.35) - 1 + np.array(region.bbox[:2])).T
            lines.append(np.column_stack([x, y]))
    axes.add_collection(LineCollection(lines, colors=ORANGE, linewidths=0.7))


def _object_table(
    labels: NDArray, name: str, part: tuple[slice, slice], um_per_px: float | None
) -> pd.DataFrame:
    """List the objects of one field; `shown` where the centroid lies in the part drawn."""
    rows = []
    for region in regionprops(labels):
        y, x = region.centroid
        inside = all(s.start <= at < s.stop for s, at in zip(part, (y, x), strict=True))
        rows.append((name, region.label, y, x, float(region.area), inside))
    columns = ["field", "object", "y_px", "x_px", "area_px", "shown"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(area_um2=table["area_px"] * um_per_px**2) if um_per_px else table


def _overlay_title(objects: int, fields: int) -> str:
    where = "the field" if fields == 1 else f"{fields} fields"
    return f"{objects} object{'' if objects == 1 else 's'} outlined in {where}"


def _field_caption(
    name: str, table: pd.DataFrame, labels: NDArray, part: tuple[slice, slice]
) -> str:
    caption = f"{name}: {len(table)} object{'' if len(table) == 1 else 's'}"
    if labels[part].shape != labels.shape:
        caption += f", {int(table['shown'].sum())} in the part shown"
    return caption
