"""One scale for all crops: micrometres per pixel, or the size of the median nucleus."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from occamscope.errors import InputError


@dataclass(frozen=True)
class Scale:
    """How source pixels become crop pixels.

    Attributes
    ----------
    um_per_px : of the crops; None where no pixel size is known.
    source : "pixel size" or "median nucleus area".
    zoom : crop px per source px, by file.
    message : the choice in one sentence, for logs and claims.
    """

    um_per_px: float | None
    source: str
    zoom: dict[str, float]
    message: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


def choose_scale(objects: pd.DataFrame, um_per_px: float, nucleus_diameter_px: float) -> Scale:
    """Choose the zoom of every file.

    Parameters
    ----------
    objects : one row a nucleus: file, area_px (source pixels), um_per_px (NaN where unknown).
    um_per_px : scale of the crops where pixel sizes are known.
    nucleus_diameter_px : diameter of the median nucleus in a crop where none is known; then all
        files get the same zoom, because they are taken to come from one microscope.

    Raises
    ------
    InputError
        If some files have a pixel size and others have none, or there is no nucleus.
    """
    if objects.empty:
        raise InputError("no nucleus was found in any file: check the images and the segmentation")
    files = objects.groupby("file", sort=True)
    sizes = files["um_per_px"].first().astype(float)
    known = sizes.notna()
    if known.all():
        zoom = {str(name): float(size) / um_per_px for name, size in sizes.items()}
        message = f"crops have {um_per_px:g} um per px, from the pixel size of each file"
        return Scale(um_per_px, "pixel size", zoom, message)
    if known.any():
        raise InputError(
            f"{known.sum()} files have a pixel size and {(~known).sum()} have none, as "
            f"{sizes.index[~known][0]}: set input.fields.um_per_px or input.crops.um_per_px"
        )
    median = float(np.median(objects["area_px"]))
    factor = nucleus_diameter_px / (2 * np.sqrt(median / np.pi))
    message = (
        f"pixel size unknown: the scale makes the median nucleus {nucleus_diameter_px:g} px wide"
    )
    zoom = {str(name): float(factor) for name in sizes.index}
    return Scale(None, "median nucleus area", zoom, message)
