"""Read a label mask: an integer image in which 0 is background and 1..n are nuclei."""

from pathlib import Path

import numpy as np

from occamscope.errors import InputError
from occamscope.store.axes import check_stated_axes, resolve_axes, squeeze_singletons, to_pages
from occamscope.store.raster import Raster, load_raster

_LARGEST = int(np.iinfo(np.int32).max)
_BINARY_VALUES = (255, 65535)


def read_label_mask(
    path: Path | str,
    name: str | None = None,
    axes: str | None = None,
    shape: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Read the nuclei that Cellpose, StarDist or a person outlined.

    Any integer image will do; floats that hold whole numbers are converted. A mask of two values
    (boolean, or 0 and 255 as ImageJ writes it) is divided into its connected components, page by
    page, pixels that touch at a corner included.

    Parameters
    ----------
    path : Path or str
    name : str, optional
        Name of the file in messages; by default the bare file name.
    axes : str, optional
        Axes of the file where its metadata do not say, such as 'TYX'.
    shape : (int, int, int), optional
        (T, H, W) of the image that the mask belongs to.

    Returns
    -------
    ndarray (T, H, W), int32

    Raises
    ------
    InputError
        For a coloured picture of labels, values that are no labels, or another shape.
    """
    path = Path(path)
    name = name or path.name
    raster = load_raster(path, name)
    if raster.colour == "colour":
        raise InputError(
            f"{name}: is a coloured picture, not a label image. Export the labels themselves as an "
            "integer TIFF (Cellpose: 'save masks as TIF')."
        )
    labels = _integers(_pages(raster, axes, name), name)
    if shape is not None and labels.shape != tuple(shape):
        raise InputError(
            f"{name}: has shape {labels.shape} (frames, height, width), its image {tuple(shape)}. "
            "Give the mask that was made from this image."
        )
    return labels


def _pages(raster: Raster, axes: str | None, name: str) -> np.ndarray:
    """Mask as (T, H, W); a stack whose slices ImageJ only calls z holds time points."""
    letters = raster.letters if raster.firm else raster.letters.replace("Z", "Q")
    stated = None if axes is None else check_stated_axes(axes)
    named = resolve_axes(letters, raster.pixels.shape, raster.firm, stated, name)
    if "C" in named:
        raise InputError(f"{name}: has several channels. Export the label image alone.")
    return to_pages(squeeze_singletons(raster.pixels, letters), named, 0, raster.firm, name)


def _integers(pages: np.ndarray, name: str) -> np.ndarray:
    if pages.dtype.kind == "c" or not _whole(pages):
        raise InputError(
            f"{name}: holds values that are no whole numbers, so it is no label image. "
            "Give the label mask, not the probability map."
        )
    low, high = (pages.min(), pages.max()) if pages.size else (0, 0)
    if low < 0 or high > _LARGEST:
        raise InputError(
            f"{name}: labels run from {low} to {high}; they must lie in 0 to {_LARGEST}. "
            "Number the nuclei from 1."
        )
    if pages.dtype == bool or (high in _BINARY_VALUES and not np.any((pages > 0) & (pages < high))):
        return _components(pages > 0)
    return pages.astype(np.int32)


def _whole(pages: np.ndarray) -> bool:
    return pages.dtype.kind != "f" or bool(np.all(np.isfinite(pages) & (pages == np.rint(pages))))


def _components(foreground: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    touching = np.ones((3, 3), dtype=int)
    return np.stack([ndimage.label(page, touching)[0] for page in foreground]).astype(np.int32)
