"""Decode one TIFF or PNG into an array with the axes and pixel size that the file states.

The policy of what an intensity image or a label mask may hold lies in `images` and `label_masks`.
Files are data from strangers: sizes are checked in the header before memory is set aside, no other
file that the metadata name is opened, and whatever a decoder raises becomes one `InputError`.
"""

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL.PngImagePlugin import PngImageFile

from occamscope.errors import InputError
from occamscope.store.pixel_size import (
    UNKNOWN,
    PixelSize,
    size_from_imagej,
    size_from_ome,
    size_from_resolution,
)
from occamscope.store.tiff_structure import MAX_PAGES, check_tiff_structure

MAX_PIXELS = 2**30
"""Most pixels of one file, all pages and channels together (2 GiB at 16 bit)."""

_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_OTHER_HEADS = {
    **{b"\xff\xd8\xff": "a JPEG", b"GIF8": "a GIF", b"BM": "a BMP", b"PK\x03\x04": "a zip archive"},
    **{b"ZISRAWFILE": "a Zeiss CZI file", b"\xda\xce\xbe\n": "a Nikon ND2 file"},
    **{b"\x89HDF": "an HDF5 file", b"\x93NUMPY": "a NumPy array", b"%PDF": "a PDF"},
}
_OME_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_OME_SIZE = re.compile(r"""\bSize[ZCT]\s*=\s*["'](\d+)""")
_OME_COUNT = re.compile(r"""\b(?:PlaneCount|NumPlanes|IFD|First[ZCT])\s*=\s*["'](\d+)""")
_UM_PER_TIFF_UNIT = {2: 25_400.0, 3: 10_000.0}


@dataclass(frozen=True)
class Raster:
    """Decoded pixels of one file.

    Attributes
    ----------
    pixels : ndarray
        As stored, native byte order.
    letters : str
        One letter a dimension: T, Z, C, Y, X, S (samples of a colour); others mean "not said".
    firm : bool
        False where a Z is only ImageJ's default name for a stack.
    colour : str
        'grey', 'inverted' (0 is white), 'palette' (values are indices of colours) or 'colour'.
    pixel_size : PixelSize
        From the file's metadata.
    """

    pixels: np.ndarray
    letters: str
    firm: bool
    colour: str
    pixel_size: PixelSize


def load_raster(source: Path | bytes, name: str, max_pixels: int = MAX_PIXELS) -> Raster:
    """Read one TIFF or PNG file from disk or memory.

    Raises
    ------
    InputError
        One sentence with the file's name and the remedy for anything that is not a whole, readable
        image of at most `max_pixels` pixels.
    """
    with _open(source, name) as stream:
        head = stream.read(16)
        if head[:4] in _TIFF_HEADS:
            pages = check_tiff_structure(stream, name, max_pixels)
            reader = "TIFF"
        elif head[:8] == _PNG_HEAD:
            _check_png_size(stream, name, max_pixels)
            reader = "PNG"
        else:
            raise _not_an_image(head, name)
        stream.seek(0)
        with _one_error(reader, name):
            raster = (
                _read_tiff(stream, name, max_pixels, pages)
                if reader == "TIFF"
                else _read_png(stream, name)
            )
    if raster.pixels.size == 0:
        raise InputError(f"{name}: holds no pixels. Export the image again.")
    return raster


@contextlib.contextmanager
def _open(source: Path | bytes, name: str) -> Iterator[BinaryIO]:
    """The file as a stream; errors of the operating system named."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{name}: cannot be opened ({reason}). Check the path.") from error
    with stream:
        yield stream


@contextlib.contextmanager
def _one_error(reader: str, name: str) -> Iterator[None]:
    """Whatever a decoder raises on damaged data, as one message."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever the damaged bytes lead them to
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{name}: cannot be read as {reader} ({reason}). Copy or export the file again."
        ) from error


def _not_an_image(head: bytes, name: str) -> InputError:
    if not head:
        return InputError(f"{name}: is empty (0 bytes). Copy or export the file again.")
    kind = next((k for h, k in _OTHER_HEADS.items() if head.startswith(h)), "another kind of file")
    return InputError(
        f"{name}: is {kind}, not a TIFF or PNG. Export it as greyscale TIFF (8 or 16 bit)."
    )


def _read_tiff(stream: BinaryIO, name: str, max_pixels: int, pages: int) -> Raster:
    # A name without a folder, and these flags, keep tifffile from opening neighbouring files.
    with tifffile.TiffFile(
        stream, name="image.tif", _multifile=False, is_mmstack=False, is_ndtiff=False
    ) as tif:
        first = tif.pages.first
        size = _tiff_pixel_size(tif, first, name)
        series = _only_series(tif, name)
        if series.size > max_pixels:
            raise InputError(
                f"{name}: holds {series.size:,} values, more than the {max_pixels:,} allowed for "
                "one file. Crop it, or split the movie into several files."
            )
        _check_complete(tif, series, name, pages)
        pixels = np.asarray(series.asarray(maxworkers=1))
        imagej = series.kind == "imagej"
        firm = not imagej or bool((tif.imagej_metadata or {}).get("hyperstack"))
        colour = _tiff_colour(first, imagej, series.axes)
    return Raster(_native(pixels), series.axes, firm, colour, size)


def _native(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _only_series(tif: tifffile.TiffFile, name: str) -> Any:
    """The file's one image; several of different shapes are refused."""
    if tif.is_ome:
        _check_ome_counts(tif.ome_metadata or "", name)
    series = tif.series
    if len(series) != 1:
        shapes = ", ".join(str(s.shape) for s in series[:4])
        raise InputError(
            f"{name}: holds {len(series)} images of different kinds (shapes {shapes}). "
            "Export the one to use as a TIFF of its own."
        )
    if tif.is_ome and series[0].kind != "ome" and "FileName=" in (tif.ome_metadata or ""):
        raise InputError(
            f"{name}: is one part of an OME-TIFF that is spread over several files. "
            "Export the whole image as one OME-TIFF."
        )
    return series[0]


def _check_ome_counts(xml: str, name: str) -> None:
    """Counts from which tifffile would make lists of any length."""
    counts = [int(n) for n in _OME_COUNT.findall(xml)]
    for pixels in _OME_PIXELS.findall(xml):
        counts.append(math.prod(int(n) for n in _OME_SIZE.findall(pixels)))
    if max(counts, default=0) > MAX_PAGES:
        raise InputError(
            f"{name}: the OME metadata announce {max(counts):,} planes, more than the "
            f"{MAX_PAGES:,} allowed. Export the image again, or split it into several files."
        )


def _check_complete(tif: tifffile.TiffFile, series: Any, name: str, pages: int) -> None:
    """Planes that the metadata announce and the file lacks would be read as zeros, or dropped."""
    planes = series.size // max(1, int(np.prod(series.keyframe.shape)))
    announced = int((tif.imagej_metadata or {}).get("images", 1))
    if None in series.pages or announced > planes or planes < pages:
        raise InputError(
            f"{name}: the TIFF lacks planes that its metadata announce, or has more "
            f"({pages} pages, {planes} planes read). Copy or export the file again."
        )


def _tiff_colour(page: Any, imagej: bool, axes: str) -> str:
    photometric = int(page.photometric)
    if photometric == 2 and page.planarconfig == 2 and axes[0] in "TZC":
        return "grey"  # tifffile stored any 3 planes as the planes of a colour, with their axis
    if "S" in axes or photometric not in (0, 1, 3):
        return "colour"
    if photometric == 3:  # ImageJ stores a look-up table with plain intensities
        return "grey" if imagej else "palette"
    return "inverted" if photometric == 0 else "grey"


def _tiff_pixel_size(tif: tifffile.TiffFile, page: Any, name: str) -> PixelSize:
    """OME metadata, else ImageJ's, else the resolution tags."""
    if tif.is_ome:
        size = size_from_ome(page.description, name)
        if size is not UNKNOWN:
            return size
    per_unit = _resolution(page)
    if tif.is_imagej:
        size = size_from_imagej((tif.imagej_metadata or {}).get("unit"), per_unit)
        if size is not UNKNOWN:
            return size
    unit = page.tags.valueof(296, default=2)
    if per_unit is None or unit not in _UM_PER_TIFF_UNIT:
        return UNKNOWN
    return size_from_resolution(_UM_PER_TIFF_UNIT[int(unit)], per_unit)


def _resolution(page: Any) -> tuple[float, float] | None:
    """XResolution and YResolution, pixels per unit."""
    values = [page.tags.valueof(code) for code in (282, 283)]
    if any(not isinstance(v, tuple) or len(v) != 2 or v[1] == 0 for v in values):
        return None
    (xn, xd), (yn, yd) = values
    return xn / xd, yn / yd


def _check_png_size(stream: BinaryIO, name: str, max_pixels: int) -> None:
    stream.seek(16)
    width, height = (int.from_bytes(stream.read(4), "big") for _ in range(2))
    if width * height > max_pixels:
        raise InputError(
            f"{name}: the header announces {width} x {height} pixels, more than the "
            f"{max_pixels:,} allowed for one file. Crop it."
        )


def _read_png(stream: BinaryIO, name: str) -> Raster:
    # Not Image.open: it tries every format, and its own size guard is a global setting.
    with PngImageFile(stream) as image:
        if getattr(image, "n_frames", 1) != 1:
            raise InputError(f"{name}: is an animated PNG. Export the frames as one TIFF stack.")
        dpi = image.info.get("dpi")
        size = UNKNOWN
        if dpi is not None:
            size = size_from_resolution(25_400.0, (float(dpi[0]), float(dpi[1])))
        image.load()
        mode = image.mode
        pixels = np.asarray(image)
    if mode == "I":  # older Pillow widens 16 bit to 32
        pixels = pixels.astype(np.uint16)
    colour = {"L": "grey", "I": "grey", "I;16": "grey", "1": "grey", "P": "palette"}.get(mode)
    letters = "YX" if pixels.ndim == 2 else "YXS"
    return Raster(_native(pixels), letters, True, colour or "colour", size)
