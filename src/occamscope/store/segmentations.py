"""`segmentation/bundle_<k>.h5`: label images of the fields of a bundle.

::

    bundle_0000.h5
    └─ 0000, 0001, ...  (T, H, W) int32, gzip   0 background, 1... objects of a page
       └─ attribute: file                        name of the field, relative to the input folder
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from occamscope.store.atomic import atomic_path
from occamscope.store.provenance import verify


def write_label_images(path: str | Path, items: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write (file name, labels (T, H, W)) pairs one after another."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        for index, (name, labels) in enumerate(items):
            data = file.create_dataset(
                f"{index:04d}", data=labels.astype(np.int32), compression="gzip", fletcher32=True
            )
            data.attrs["file"] = name


def read_label_images(
    path: str | Path, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Label images by file name; of all files, or of those named (absent ones are left out)."""
    wanted = None if names is None else set(names)
    with h5py.File(verify(path), "r", locking=False) as file:
        return {
            data.attrs["file"]: data[:]
            for data in file.values()
            if wanted is None or data.attrs["file"] in wanted
        }
