"""Turn prepared nuclei into rows of `crops.h5`: ids, classes, labels, and what was left out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.store.crops import COLUMNS, FLOAT_COLUMNS, INTEGER_COLUMNS, CropSet
from occamscope.store.text_tables import nearest

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


def no_crops(size: int) -> CropSet:
    """A set of no crops of `size` x `size` px: what a bundle without nuclei contributes."""
    pixels = np.zeros((0, size, size), np.uint8)
    kinds = dict.fromkeys(INTEGER_COLUMNS, np.int64) | dict.fromkeys(FLOAT_COLUMNS, np.float64)
    table = pd.DataFrame({name: pd.Series(dtype=kinds.get(name, object)) for name in COLUMNS})
    return CropSet(pixels, pixels, pixels.astype(bool), table, {})


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
    excluded = crops.table[bad].assign(reason=[reason for reason in reasons if reason != ""])
    return crops.take(~bad), excluded[list(QUALITY_COLUMNS)]


def reasons_of(excluded: pd.DataFrame, n: int) -> list[str]:
    """Why each of n crops is left out ("" for a usable one), from rows of (object, reason)."""
    reasons = [""] * n
    for position, reason in zip(excluded["object"], excluded["reason"], strict=True):
        reasons[position] = reasons[position] or str(reason)
    return reasons


def quality_table(excluded: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of what was left out, also where that is nothing."""
    filled = [table for table in excluded if len(table)]
    columns = list(QUALITY_COLUMNS)
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def files_left_out(inputs: pd.DataFrame) -> pd.DataFrame:
    """Rows with `QUALITY_COLUMNS` for the quarantined files of an inputs log."""
    aside = inputs[inputs["status"] == "quarantined"]
    table = pd.DataFrame({"source": aside["file"], "reason": aside["message"]})
    return table.reindex(columns=list(QUALITY_COLUMNS))


def require_classes(task: Mapping[str, str], usable: pd.Series, excluded: pd.DataFrame) -> None:
    """Check that there are crops of both classes of the task.

    Parameters
    ----------
    task : names of the "negative" and the "positive" class
    usable : class names of the crops that are left, "" where unlabelled
    excluded : table with class_name and reason of the crops that were left out

    Raises
    ------
    InputError
        Naming the class, what there is instead, and what became of its crops.
    """
    named = usable[usable != ""]
    if named.empty and not len(excluded[excluded["class_name"].isin(task.values())]):
        raise InputError(
            f"none of the {len(usable)} nuclei has a class: give a label table as "
            "input.fields.labels, or crops in class folders or with a manifest"
        )
    for role in ("negative", "positive"):
        name = task[role]
        if (named == name).any():
            continue
        reasons = excluded.loc[excluded["class_name"] == name, "reason"].value_counts()
        if len(reasons):
            listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            raise InputError(
                f"all {reasons.sum()} nuclei of the class {name} were left out ({listed}): "
                "see parts/*_quality.csv, and correct the images or their labels"
            )
        there = ", ".join(sorted(set(named))) or "no other"
        raise InputError(
            f"no nucleus has the class {name} (task.{role}); the classes are {there}"
            f"{nearest(name, set(named))}: correct task.{role}, or label nuclei of that class"
        )
