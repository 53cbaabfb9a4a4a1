"""Where the objects of label images are and how large."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def locate_objects(labels: NDArray[np.integer]) -> pd.DataFrame:
    """Centroid and area of every object.

    Parameters
    ----------
    labels : (T, H, W), 0 = background.

    Returns
    -------
    Table with frame, object_label, y, x (centroid; px, row and column) and area_px.
    """
    columns = ["frame", "object_label", "y", "x", "area_px"]
    tables = [_locate_in_page(page, frame) for frame, page in enumerate(labels)]
    return pd.concat(tables, ignore_index=True)[columns]


def _locate_in_page(page: NDArray[np.integer], frame: int) -> pd.DataFrame:
    rows, columns = np.nonzero(page)
    found, inverse = np.unique(page[rows, columns], return_inverse=True)
    area = np.bincount(inverse, minlength=len(found)).astype(float)
    centre = {
        name: np.bincount(inverse, place, minlength=len(found)) / np.maximum(area, 1)
        for name, place in (("y", rows), ("x", columns))
    }
    return pd.DataFrame({"frame": frame, "object_label": found, "area_px": area} | centre)
