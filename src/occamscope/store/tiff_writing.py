"""Write multi-page TIFFs with their pixel size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from occamscope.store.atomic import atomic_path


def write_tiff(path: str | Path, pages: np.ndarray, um_per_px: float) -> None:
    """Write pages (T, H, W) as an ImageJ hyperstack: axes and pixel size are in the file.

    No date and no fresh identifier is written (OME-TIFF needs a UUID): the same pages give the same
    bytes.
    """
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pages,
            imagej=True,
            resolution=(1 / um_per_px, 1 / um_per_px),
            metadata={"axes": "TYX", "unit": "um"},
            datetime=None,
        )
