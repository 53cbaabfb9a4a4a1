import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, gaussian_filter, label
from skimage.filters import threshold_otsu


def draw_windows(n, seed):
    """Ellipses of 196 grey values with texture, noise of 6 and, in half of them, a neighbour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] - 31.5
    windows = np.empty((n, 64, 64), np.uint8)
    for i in range(n):
        image = np.zeros((64, 64))
        places = [(0.0, 0.0)] + ([(30.0, 24.0)] if rng.random() < 0.5 else [])
        for cy, cx in places:
            a, e, t = rng.uniform(8, 17), rng.uniform(0.3, 1), rng.uniform(0, np.pi)
            u, v = (
                np.cos(t) * (x - cx) + np.sin(t) * (y - cy),
                np.cos(t) * (y - cy) - np.sin(t) * (x - cx),
            )
            image = np.maximum(image, 196.0 * ((u / a) ** 2 + (v / (a * e)) ** 2 < 1))
        image *= 1 + 0.1 * gaussian_filter(rng.normal(size=(64, 64)), 1.5) * 5
        image = gaussian_filter(image, rng.uniform(0.8, 1.6)) + rng.normal(0, 6, (64, 64))
        windows[i] = np.clip(np.rint(image), 0, 255)
    return windows


def segment(window):
    """The central part above Otsu's threshold after a blur, as a window's segmentation does."""
    smooth = gaussian_filter(window.astype(float), 1)
    if np.ptp(smooth) == 0:
        return np.zeros(window.shape, bool)
    parts, n = label(binary_fill_holes(smooth > threshold_otsu(smooth)))
    y, x = np.mgrid[:64, :64] - 31.5
    weight = np.bincount(parts.ravel(), np.exp(-(x**2 + y**2).ravel() / 128), n + 1)
    weight[0] = -1
    return parts == weight.argmax()


@pytest.fixture(scope="session")
def windows():
    return draw_windows(400, 0)


@pytest.fixture(scope="session")
def segment_windows():
    return lambda stack: np.stack([segment(w) for w in stack])
