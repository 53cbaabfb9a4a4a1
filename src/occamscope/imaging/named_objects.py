"""Give the objects of a label image the classes of a label table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

CONFLICT = "two rows of the label table give it different classes"


@dataclass(frozen=True)
class NamedObjects:
    """Classes of n objects.

    Attributes
    ----------
    class_name : (n,) str, "" where no row of the table lies on the object
    row : (n,) int, index of that row in the table, -1 where there is none
    conflict : (n,) bool, rows of different classes lie on the object
    unmatched : rows that lie on no object
    """

    class_name: NDArray[np.object_]
    row: NDArray[np.int64]
    conflict: NDArray[np.bool_]
    unmatched: int

    def add_conflicts(self, reasons: list[str]) -> list[str]:
        """Reasons against objects, with `CONFLICT` where there is none yet and classes conflict."""
        return [r or (CONFLICT if c else "") for r, c in zip(reasons, self.conflict, strict=True)]


def name_objects(
    labels: NDArray[np.integer],
    objects: NDArray[np.integer],
    points: pd.DataFrame,
    tolerance_px: float = 6.0,
) -> NamedObjects:
    """Match the points of a label table with objects.

    A point names the object that it lies in, else the nearest one within `tolerance_px`: the
    centroid of a bent plate or of an anaphase lies beside its mask. Points inside win over points
    beside; of several beside, the nearest wins.

    Parameters
    ----------
    labels : (H, W), 0 = background
    objects : (n,) labels in the order wanted
    points : rows of one page: y, x (px, y down), class_name; the index is returned in `row`
    """
    position = {int(label): k for k, label in enumerate(objects)}
    name = np.full(len(objects), "", object)
    row = np.full(len(objects), -1, np.int64)
    conflict = np.zeros(len(objects), bool)
    distance, found = _nearest_object(labels, points)
    unmatched = 0
    for k in np.argsort(distance, kind="stable"):
        place = position.get(int(found[k]))
        if distance[k] > tolerance_px or place is None:
            unmatched += 1
        elif row[place] < 0:
            name[place] = points["class_name"].iloc[k]
            row[place] = points.index[k]
        elif distance[k] == 0 and name[place] != points["class_name"].iloc[k]:
            conflict[place] = True
    return NamedObjects(name, row, conflict, unmatched)


def _nearest_object(
    labels: NDArray[np.integer], points: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance in px and label of the object nearest to each point; infinite without objects."""
    if points.empty or not labels.any():
        return np.full(len(points), np.inf), np.zeros(len(points), np.int64)
    away, nearest = distance_transform_edt(labels == 0, return_indices=True)
    y, x = (
        np.clip(np.rint(points[axis].to_numpy(float)).astype(int), 0, size - 1)
        for axis, size in zip("yx", labels.shape, strict=True)
    )
    return away[y, x], labels[nearest[0][y, x], nearest[1][y, x]].astype(np.int64)
