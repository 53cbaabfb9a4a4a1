import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real images: OCCAMSCOPE_TEST_DATA, or shared/data beside the project."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("OCCAMSCOPE_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no folder of real images (docs/data.md)")
    return folder


@pytest.fixture(scope="session")
def mitocheck(real_data):
    """{phenotype: (n, 64, 64) uint8}"""
    with zipfile.ZipFile(real_data / "mitocheck_h2b" / "crops.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".tif"))
        wanted = {"Interphase", "Metaphase", "Anaphase"}
        crops: dict[str, list] = {name: [] for name in wanted}
        for name in names:
            phenotype = name.split("/")[0]
            if phenotype in wanted:
                crops[phenotype].append(tifffile.imread(io.BytesIO(archive.read(name))))
    return {name: np.stack(stack) for name, stack in crops.items()}


@pytest.fixture(scope="session")
def ellipse():
    """Function: (H, W) bool ellipse, long axis ``angle`` from x towards the rows."""

    def draw(shape, y, x, long_px, short_px, angle=0.0):
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        u = np.cos(angle) * (columns - x) + np.sin(angle) * (rows - y)
        v = np.cos(angle) * (rows - y) - np.sin(angle) * (columns - x)
        return (u / long_px) ** 2 + (v / short_px) ** 2 <= 0.25

    return draw


@pytest.fixture(scope="session")
def photograph():
    """Function: masks and brightnesses above 100 counts, blurred, with noise of 3 counts."""

    def expose(shape, objects, seed=0, background=100.0, noise=3.0, blur=1.0):
        signal = np.zeros(shape)
        for mask, brightness in objects:
            signal = np.maximum(signal, mask * brightness)
        rng = np.random.default_rng(seed)
        return background + gaussian_filter(signal, blur) + rng.normal(0, noise, shape)

    return expose
