"""Turn prepared nuclei into rows of `crops.h5`: ids, classes, labels, and what was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occamscope.store.crops import COLUMNS, CropSet

QUALITY_COLUMNS = ("source", "frame", "object_label", "y", "x", "class_name", "reason")


@dataclass(frozen=True)
class Identity:
    """Where nuclei come from, one value a nucleus (n,).

    Attributes
    ----------
    source, group : str
        File relative to the input folder; plate, movie or field, "" where unknown.
    frame, object_label : int
    y, x : float
        Centroid in source px.
    class_name : str
        "" where unlabelled.
    """

    source: Sequence[str]
    group: Sequence[str]
    frame: Sequence[int]
    object_label: Sequence[int]
    y: Sequence[float]
    x: Sequence[float]
    class_name: Sequence[str]


def crop_id(source: str, frame: int, object_label: int) -> str:
    """Stable id of a crop: 16 hexadecimal digits."""
    return hashlib.sha256(f"{source}\0{frame}\0{object_label}".encode()).hexdigest()[:16]


def to_crop_set(prepared: Any, who: Identity, task: Mapping[str, str]) -> CropSet:
    """Crops with their table.

    Parameters
    ----------
    prepared : object with images, windows, masks, intensity_scale, background, contrast_to_noise
    who : their identity
    task : names of the "negative" and the "positive" class
    """
    labels = {task["negative"]: 0, task["positive"]: 1}
    table = pd.DataFrame(
        {
            "source": list(who.source),
            "group": list(who.group),
            "frame": np.asarray(who.frame, np.int64),
            "object_label": np.asarray(who.object_label, np.int64),
            "y": np.asarray(who.y, float),
            "x": np.asarray(who.x, float),
            "class_name": list(who.class_name),
            "label": np.array([labels.get(name, -1) for name in who.class_name], np.int64),
            "intensity_scale": np.asarray(prepared.intensity_scale, float),
            "background": np.asarray(prepared.background, float),
            "contrast_to_noise": np.asarray(prepared.contrast_to_noise, float),
        }
    )
    table["crop_id"] = [
        crop_id(source, frame, label)
        for source, frame, label in zip(
            table["source"], table["frame"], table["object_label"], strict=True
        )
    ]
    return CropSet(prepared.images, prepared.windows, prepared.masks, table[list(COLUMNS)], {})


def split_off(crops: CropSet, reasons: Sequence[str]) -> tuple[CropSet, pd.DataFrame]:
    """Separate usable crops from those with a reason against them.

    Parameters
    ----------
    reasons : (n,) why a crop is left out, "" for a usable one

    Returns
    -------
    (usable crops, table with `QUALITY_COLUMNS` of the others)
    """
    bad = np.array([reason != "" for reason in reasons], bool)
    excluded = crops.table[bad].assign(reason=[reason for reason in reasons if reason])
    return crops.take(~bad), excluded[list(QUALITY_COLUMNS)]


def reasons_of(excluded: pd.DataFrame, n: int) -> list[str]:
    """Why each of n crops is left out ("" for a usable one), from rows of (object, reason)."""
    reasons = [""] * n
    for position, reason in zip(excluded["object"], excluded["reason"], strict=True):
        reasons[position] = reasons[position] or str(reason)
    return reasons
