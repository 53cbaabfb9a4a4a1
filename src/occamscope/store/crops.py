"""`crops.h5`: nucleus crops, the contract between images and everything after them.

::

    crops.h5
    ├─ images           (n, H, W) uint8   prepared crop: 196 = robust maximum, masked, centred
    ├─ windows          (n, H, W) uint8   the same without masking: neighbours are visible
    ├─ masks            (n, H, W) bool    the nucleus
    ├─ crop_id          (n,) str          hash of source file, frame and object; joins every table
    ├─ label            (n,) int64        1 positive, 0 negative, -1 neither or unlabelled
    ├─ class_name       (n,) str          the class as the user named it, "" where unlabelled
    ├─ group            (n,) str          plate, movie or field: never divided by a split
    ├─ source           (n,) str          file, relative to the input folder
    ├─ frame, y, x      (n,) int64, float64, float64   page of the file, centroid in source pixels
    ├─ object_label     (n,) int64        label of the object in its page
    ├─ intensity_scale  (n,) float64      divisor of the normalisation, in source intensity units
    ├─ background       (n,) float64      subtracted background, in source intensity units
    ├─ contrast_to_noise (n,) float64     (nucleus - background) / noise
    └─ attributes: class_names, um_per_px or absent, scale_source, zoom, normalisation

Images are chunked to about 1 MiB with a fletcher32 checksum and not compressed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.store.atomic import atomic_path
from occamscope.store.provenance import DamagedFileError, verify

CHUNK_BYTES = 2**20  # fits a processor's cache: 1.2 times faster to read than 4 MiB
IMAGE_FIELDS = ("images", "windows", "masks")
TEXT_COLUMNS = ("crop_id", "class_name", "group", "source")
INTEGER_COLUMNS = ("label", "frame", "object_label")
FLOAT_COLUMNS = ("y", "x", "intensity_scale", "background", "contrast_to_noise")
COLUMNS = (
    "crop_id",
    "label",
    "class_name",
    "group",
    "source",
    "frame",
    "y",
    "x",
    "object_label",
    "intensity_scale",
    "background",
    "contrast_to_noise",
)


@dataclass(frozen=True)
class CropSet:
    """Crops in memory.

    Attributes
    ----------
    images, windows : uint8 (n, H, W)
        Prepared crops, with and without masking; 196 is the robust maximum of the nucleus.
    masks : bool (n, H, W)
    table : DataFrame (n rows)
        The columns of the module docstring, in the order of `COLUMNS`.
    attributes : dict
        JSON-able facts about the whole set.
    """

    images: np.ndarray
    windows: np.ndarray
    masks: np.ndarray
    table: pd.DataFrame
    attributes: dict

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> np.ndarray:
        return self.table["label"].to_numpy()

    def take(self, rows: np.ndarray) -> CropSet:
        """Crops at the given row numbers or boolean mask."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        # Pixels may have been left out on reading: then there is nothing to take.
        pixels = {
            name: getattr(self, name)[rows] if len(getattr(self, name)) else getattr(self, name)
            for name in IMAGE_FIELDS
        }
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True), **pixels)


def write_crops(path: str | Path, parts: Iterable[CropSet], attributes: dict) -> int:
    """Write crops that arrive in parts, in bounded memory, and return their number.

    Raises
    ------
    InputError
        If two crops share an id (the same image came twice).
    """
    count = 0
    seen: set[str] = set()
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        for part in parts:
            repeated = seen.intersection(part.table["crop_id"])
            if repeated:
                raise InputError(f"crop ids occur twice, as in {sorted(repeated)[0]}")
            seen.update(part.table["crop_id"])
            _append(file, part, count)
            count += len(part)
        for name, value in attributes.items():
            if value is not None:
                file.attrs[name] = value
    return count


def read_crops(path: str | Path, images: bool = True) -> CropSet:
    """Read `crops.h5` after checking its checksum.

    Parameters
    ----------
    images : bool
        False leaves the pixels out (arrays of length 0): enough to join tables.

    Raises
    ------
    DamagedFileError
        If the file is not what was written.
    """
    with h5py.File(verify(path), "r", locking=False) as file:
        table = pd.DataFrame({name: _read_column(file, name) for name in COLUMNS})
        arrays = [file[name][:] if images else file[name][:0] for name in IMAGE_FIELDS]
        attributes = {name: _plain(value) for name, value in file.attrs.items()}
    return CropSet(arrays[0], arrays[1], arrays[2], table, attributes)


def read_pixels(path: str | Path, name: str = "images") -> np.ndarray:
    """One of `images`, `windows`, `masks` alone, guarded by HDF5's own checksums (fletcher32).

    The fast way in for loops over large sets; `read_crops` checks the whole file and joins tables.

    Raises
    ------
    DamagedFileError
        If a chunk is not what was written.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file[name][:]
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read: {error}") from error


def _append(file: h5py.File, part: CropSet, start: int) -> None:
    stop = start + len(part)
    for name in IMAGE_FIELDS:
        data = getattr(part, name)
        if name not in file:
            rows = max(1, CHUNK_BYTES // int(np.prod(data.shape[1:])))
            file.create_dataset(
                name,
                shape=(0, *data.shape[1:]),
                dtype=data.dtype,
                fletcher32=True,
                maxshape=(None, *data.shape[1:]),
                chunks=(rows, *data.shape[1:]),
            )
        file[name].resize(stop, axis=0)
        file[name][start:stop] = data
    for name in COLUMNS:
        if name not in file:
            file.create_dataset(
                name, shape=(0,), maxshape=(None,), dtype=_dtype(name), chunks=(4096,)
            )
        file[name].resize(stop, axis=0)
        values = part.table[name]
        file[name][start:stop] = list(values) if name in TEXT_COLUMNS else values.to_numpy()


def _dtype(name: str) -> object:
    if name in TEXT_COLUMNS:
        return h5py.string_dtype("utf-8")
    return np.int64 if name in INTEGER_COLUMNS else np.float64


def _read_column(file: h5py.File, name: str) -> np.ndarray:
    column = file[name]
    return column.asstr()[:].astype(object) if name in TEXT_COLUMNS else column[:]


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
