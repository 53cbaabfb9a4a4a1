"""Read one intensity image (TIFF, OME-TIFF, PNG) into pages, with what the file says about itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from occamscope.errors import InputError
from occamscope.store.axes import check_stated_axes, resolve_axes, squeeze_singletons, to_pages
from occamscope.store.pixel_size import UNKNOWN, PixelSize, merge_with_config
from occamscope.store.quarantine import QuarantinedFile
from occamscope.store.raster import MAX_PIXELS, Raster, load_raster

INPUT_COLUMNS = (
    *("file", "axes", "pages", "height", "width", "dtype", "minimum", "maximum"),
    *("pixel_size_um", "pixel_size_source", "status", "message"),
)
"""Columns of the inputs log, one row a file."""

_REMEDY = "Convert it to 8 or 16 bit without sign (Fiji: Image > Type), or to 32-bit float."


@dataclass(frozen=True)
class ImageStack:
    """One channel of one image file.

    Attributes
    ----------
    pages : ndarray (T, H, W)
        uint8, uint16 or float32; intensities as stored.
    axes : str
        What the file's dimensions longer than 1 were taken for, such as 'YX' or 'TCYX'.
    pixel_size_um : float or None
        Micrometres per pixel; None if neither the file nor the config says.
    pixel_size_source : str or None
        'ome', 'imagej', 'resolution' (TIFF or PNG resolution tags) or 'config'.
    dtype : str
        As stored in the file.
    minimum, maximum : float
        Over all pages.
    name : str
        The file's name in logs and ids.
    note : str
        What a reader of the inputs log should know; empty as a rule.
    """

    pages: np.ndarray
    axes: str
    pixel_size_um: float | None
    pixel_size_source: str | None
    dtype: str
    minimum: float
    maximum: float
    name: str
    note: str = ""


def read_image(
    path_or_bytes: Path | str | bytes,
    name: str,
    axes: str | None = None,
    channel: int = 0,
    pixel_size_um: float | None = None,
    *,
    ignore_pixel_size_tags: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> ImageStack:
    """Read a greyscale image of 2 dimensions, a movie, or one channel of a hyperstack.

    Parameters
    ----------
    path_or_bytes : Path, str or bytes
        File on disk, or its content.
    name : str
        Name of the file in messages, logs and ids: relative to the input folder.
    axes : str, optional
        Axes of the file in its own order, such as 'TCYX'. Checked against the file's metadata.
    channel : int
        Channel to use, counted from 0.
    pixel_size_um : float, optional
        Micrometres per pixel if the user knows; checked against the file's metadata.
    ignore_pixel_size_tags : bool
        Trust `pixel_size_um` alone, for files whose metadata are known to be wrong.
    max_pixels : int
        Larger images are refused from the header, before memory is set aside.

    Raises
    ------
    InputError
        One sentence that names the file, what is wrong with it and the remedy.
    """
    stated = None if axes is None else check_stated_axes(axes)
    source = Path(path_or_bytes) if isinstance(path_or_bytes, str) else path_or_bytes
    raster = load_raster(source, name, max_pixels)
    _refuse_colour(raster, name)
    named = resolve_axes(raster.letters, raster.pixels.shape, raster.firm, stated, name)
    pixels = squeeze_singletons(raster.pixels, raster.letters)
    pages = to_pages(pixels, named, channel, raster.firm, name)
    dtype = str(raster.pixels.dtype)
    tag = UNKNOWN if ignore_pixel_size_tags else raster.pixel_size
    size = merge_with_config(tag, pixel_size_um, name)
    guessed = "T" in named and "T" not in raster.letters and stated is None
    remark = "pages taken as time points" if guessed else ""
    return _stack(_checked_values(pages, name), named, size, dtype, name, remark)


def _refuse_colour(raster: Raster, name: str) -> None:
    if raster.colour == "colour":
        raise InputError(
            f"{name}: is a colour image (RGB). Export the fluorescence channel as a greyscale "
            "image (Fiji: Image > Color > Split Channels)."
        )
    if raster.colour == "palette":
        raise InputError(
            f"{name}: has indexed colours, whose values are no intensities. Export it as greyscale."
        )
    if raster.colour == "inverted":
        raise InputError(
            f"{name}: is stored inverted (0 is white). Save it with 0 as black "
            "(Fiji: Image > Lookup Tables > Invert LUT, then save)."
        )


def _checked_values(pages: np.ndarray, name: str) -> np.ndarray:
    """Pages as uint8, uint16 or float32; other kinds of numbers are refused."""
    if pages.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(pages)
    if pages.dtype.kind != "f":
        raise InputError(f"{name}: has values of type {pages.dtype}. {_REMEDY}")
    with np.errstate(over="ignore"):
        pages = np.ascontiguousarray(pages, dtype=np.float32)
    bad = int(pages.size - np.count_nonzero(np.isfinite(pages)))
    if bad:
        raise InputError(
            f"{name}: {bad} pixels are NaN or infinite. Fill them with the background's value, "
            "or export the raw image."
        )
    return pages


def _stack(
    pages: np.ndarray, axes: str, size: PixelSize, dtype: str, name: str, remark: str
) -> ImageStack:
    note = "; ".join(text for text in (remark, size.note) if text)
    low, high = float(pages.min()), float(pages.max())
    return ImageStack(pages, axes, size.um, size.source, dtype, low, high, name, note)


def describe_image(image: ImageStack | QuarantinedFile) -> dict[str, Any]:
    """One row of the inputs log (`INPUT_COLUMNS`); empty cells are None."""
    row: dict[str, Any] = dict.fromkeys(INPUT_COLUMNS)
    if isinstance(image, QuarantinedFile):
        return row | {"file": image.name, "status": "quarantined", "message": image.message}
    pages, height, width = image.pages.shape
    return row | {
        "file": image.name,
        "axes": image.axes,
        "pages": pages,
        "height": height,
        "width": width,
        "dtype": image.dtype,
        "minimum": image.minimum,
        "maximum": image.maximum,
        "pixel_size_um": image.pixel_size_um,
        "pixel_size_source": image.pixel_size_source,
        "status": "ok",
        "message": image.note,
    }
