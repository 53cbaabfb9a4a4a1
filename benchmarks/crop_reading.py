"""Reading crops from `crops.h5` against a loop over loose TIFFs, as ratios in one run.

    python benchmarks/crop_reading.py

Writes the same crops both ways and reads them in turn; prints the table and writes
benchmarks/results/crop_reading.{csv,md}.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from occamscope.store.crops import (
    COLUMNS,
    INTEGER_COLUMNS,
    TEXT_COLUMNS,
    CropSet,
    read_crops,
    read_pixels,
    write_crops,
)

CROPS = 20_000
LOOSE = 4_000  # a loop over all would only take longer
REPEATS = 5
RESULTS = Path(__file__).with_name("results")


def make_crops(n: int) -> CropSet:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 64, 64), dtype=np.uint8)
    table = pd.DataFrame({name: np.zeros(n) for name in COLUMNS})
    table = table.astype(dict.fromkeys(INTEGER_COLUMNS, np.int64))
    for name in TEXT_COLUMNS:
        table[name] = [f"{name}{k}" for k in range(n)]
    return CropSet(images, images, images > 100, table, {})


def rate(read, n: int) -> float:
    """Crops a second, best of `REPEATS` (the disk's cache is warm for both)."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - start)
    return n / min(seconds)


def main() -> None:
    crops = make_crops(CROPS)
    with tempfile.TemporaryDirectory() as folder:
        hdf5 = Path(folder) / "crops.h5"
        write_crops(hdf5, [crops], {})
        files = [Path(folder) / f"{k:05d}.tif" for k in range(LOOSE)]
        for path, image in zip(files, crops.images, strict=False):
            tifffile.imwrite(path, image)
        loose = rate(lambda: np.stack([tifffile.imread(path) for path in files]), LOOSE)
        checked = rate(lambda: read_crops(hdf5), CROPS)
        pixels = rate(lambda: read_pixels(hdf5), CROPS)
    rows = [
        ("loop over loose TIFFs (tifffile)", loose, 1.0),
        ("crops.h5, images (HDF5's checksums)", pixels, pixels / loose),
        (
            "crops.h5, images, windows, masks and table (SHA-256 of the file)",
            checked,
            checked / loose,
        ),
    ]
    table = pd.DataFrame(rows, columns=["reader", "crops_per_s", "ratio"])
    text = ["| reader | crops/s | ratio |", "| --- | --- | --- |"]
    text += [f"| {r.reader} | {r.crops_per_s:,.0f} | {r.ratio:.1f} |" for r in table.itertuples()]
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "crop_reading.csv", index=False)
    (RESULTS / "crop_reading.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
