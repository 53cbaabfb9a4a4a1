"""Simulated fields as files."""

import numpy as np

from occamscope.store.images import read_image
from occamscope.store.tiff_writing import write_tiff


def test_pages_axes_and_pixel_size_come_back(tmp_path):
    pages = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)
    write_tiff(tmp_path / "a.tif", pages, 0.65)
    back = read_image(tmp_path / "a.tif", "a.tif")
    assert np.array_equal(back.pages, pages) and back.axes == "TYX"
    assert abs(back.pixel_size_um - 0.65) < 1e-4 and back.pixel_size_source == "imagej"


def test_the_same_pages_give_the_same_bytes(tmp_path):
    pages = np.ones((2, 16, 16), np.uint16)
    for name in ("a.tif", "b.tif"):
        write_tiff(tmp_path / name, pages, 0.65)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
