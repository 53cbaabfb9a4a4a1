"""`split/fold-<k>.csv`: the part of every crop, joined to crops by id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.store.crops import CropSet, read_crops
from occamscope.store.tables import read_table, write_table

PARTS = ("train", "validation", "calibration", "judge", "test")


@dataclass(frozen=True)
class SplitCrops:
    """Crops with the part of each.

    Attributes
    ----------
    crops : CropSet
    part : str array (n,)
        One of `PARTS`.
    """

    crops: CropSet
    part: np.ndarray

    def rows(self, *parts: str, labelled: bool = True) -> np.ndarray:
        """Row numbers of the crops of some parts, by default of those with a label (0 or 1)."""
        chosen = np.isin(self.part, parts)
        if labelled:
            chosen &= self.crops.labels >= 0
        return np.flatnonzero(chosen)

    def rows_or_validation(self, part: str) -> np.ndarray:
        """Labelled rows of a part, or of validation where a small data set has none of its own.

        The split says so in a warning, which travels into the claims.
        """
        rows = self.rows(part)
        both = len(np.unique(self.crops.labels[rows])) == 2
        return rows if both else self.rows("validation")

    def take(self, *parts: str, labelled: bool = True) -> CropSet:
        """Crops of some parts, by default those with a label."""
        return self.crops.take(self.rows(*parts, labelled=labelled))


def write_split(path: str | Path, crops: CropSet, part: np.ndarray) -> None:
    """Write the part of every crop."""
    table = crops.table[["crop_id", "group", "label"]].assign(part=part)
    write_table(path, table)


def read_split(split_path: str | Path, crops_path: str | Path, images: bool = True) -> SplitCrops:
    """Read crops and the part of each.

    Raises
    ------
    InputError
        If a crop has no part: the split was made from other crops.
    """
    crops = read_crops(crops_path, images=images)
    table: pd.DataFrame = read_table(split_path).set_index("crop_id")
    missing = set(crops.table["crop_id"]) - set(table.index)
    if missing:
        raise InputError(
            f"{split_path} lacks crop {sorted(missing)[0]} of {crops_path}: it was made from other "
            "crops. Remedy: snakemake --forcerun split_crops"
        )
    part = table.loc[crops.table["crop_id"], "part"].to_numpy(dtype=str)
    return SplitCrops(crops, part)
