"""Nuclei of windows without pixel size: their area in the windows' own pixels."""

import numpy as np
import pytest

from occamscope.imaging.crop import CropSettings
from occamscope.imaging.segment import SegmentationSettings
from occamscope.imaging.window_areas import window_areas


def discs(side: int, radius: float, n: int = 3) -> np.ndarray:
    """Bright discs in the middle of noisy windows (n, side, side), counts."""
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    edge = np.clip(radius - np.hypot(rows, columns) + 0.5, 0, 1)
    noise = np.random.default_rng(0).normal(0, 10, (n, side, side))
    return (400 + 800 * edge + noise).astype(np.uint16)


def areas(windows: np.ndarray) -> np.ndarray:
    return window_areas(windows, SegmentationSettings(), CropSettings())


@pytest.mark.parametrize(("side", "radius"), [(64, 13), (64, 8), (80, 16), (200, 40), (300, 45)])
def test_areas_are_in_the_pixels_of_the_window(side, radius):
    assert areas(discs(side, radius)) == pytest.approx(np.pi * radius**2, rel=0.15)


def test_a_window_without_a_nucleus_has_none():
    assert (areas(discs(64, -9)) == 0).all()


def test_windows_too_narrow_to_segment_have_none():
    assert list(areas(discs(12, 4))) == [0, 0, 0]
