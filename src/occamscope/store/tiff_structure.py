"""Check a TIFF's directory chain before any pixel is read.

TIFF readers are lenient: a file that was cut off while it was copied loses its last pages, or gets
zeros for missing strips, without an error. Here every page directory is walked with the standard
library only, so that a damaged file is refused before memory is set aside for what its header says.
"""

import math
import struct
from collections.abc import Mapping
from typing import BinaryIO

from occamscope.errors import InputError

MAX_PAGES = 100_000

# Bytes of one value of each TIFF field type (TIFF 6.0, section 2, and BigTIFF 16-18).
_TYPE_BYTES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
_INTEGER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PLANAR = 256, 257, 258, 259, 277, 284
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_NEEDED = (
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PLANAR, _STRIP_OFFSETS, _ROWS_PER_STRIP),
    *(_STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES),
)
# Tags above are a vendor's own; a stray pointer there harms no pixel.
_LAST_STANDARD_TAG = 32767

_Tags = Mapping[int, tuple[int, ...]]


def check_tiff_structure(stream: BinaryIO, name: str, max_pixels: int) -> int:
    """Refuse a TIFF that is cut off, damaged or larger than allowed.

    Parameters
    ----------
    stream : binary file, seekable
    name : str
        Name of the file in messages.
    max_pixels : int
        Largest number of pixels of all pages together.

    Returns
    -------
    int
        Number of page directories in the chain.

    Raises
    ------
    InputError
        Names the file, what is wrong and the remedy.
    """
    try:
        pages = _walk(stream, name, max_pixels)
    except (struct.error, OverflowError) as error:
        raise _damaged(name, "a page lies beyond the end of the file") from error
    if not pages:
        raise _damaged(name, "it holds no page")
    return pages


def _damaged(name: str, what: str) -> InputError:
    return InputError(
        f"{name}: the TIFF is cut off or damaged ({what}). Copy or export the file again."
    )


def _walk(stream: BinaryIO, name: str, max_pixels: int) -> int:
    """Follow the chain of page directories; return their number."""
    size = stream.seek(0, 2)
    order, big, offset = _read_header(stream)
    seen: set[int] = set()
    pixels = 0
    while offset:
        if offset in seen or len(seen) >= MAX_PAGES:
            raise _damaged(name, "the chain of pages never ends")
        seen.add(offset)
        tags, offset = _read_directory(stream, order, big, offset, size, name)
        pixels += _one(tags, _WIDTH, 0) * _one(tags, _HEIGHT, 0)
        if pixels > max_pixels:
            raise InputError(
                f"{name}: the header announces {pixels:,} pixels, more than the {max_pixels:,} "
                "allowed for one file. Crop it, or split the movie into several files."
            )
        _check_segments(tags, size, name, len(seen))
    return len(seen)


def _read_header(stream: BinaryIO) -> tuple[str, bool, int]:
    """Byte order, BigTIFF or not, and offset of the first directory."""
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    offset = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
    return order, big, offset


def _read_directory(
    stream: BinaryIO, order: str, big: bool, offset: int, size: int, name: str
) -> tuple[dict[int, tuple[int, ...]], int]:
    """Values of the tags that place the pixels, and the offset of the next directory."""
    count_code, entry_bytes, offset_code, inline = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
    stream.seek(offset)
    (count,) = struct.unpack(order + count_code, stream.read(8 if big else 2))
    if count * entry_bytes > size:
        raise _damaged(name, "a page directory is longer than the file")
    block = stream.read(count * entry_bytes)
    (following,) = struct.unpack(order + offset_code, stream.read(inline))
    tags = {}
    for start in range(0, count * entry_bytes, entry_bytes):
        code, kind = struct.unpack(order + "HH", block[start : start + 4])
        (number,) = struct.unpack(order + offset_code, block[start + 4 : start + 4 + inline])
        value = block[start + 4 + inline : start + entry_bytes]
        needed = number * _TYPE_BYTES.get(kind, 1)
        if needed > inline and code <= _LAST_STANDARD_TAG:
            (where,) = struct.unpack(order + offset_code, value)
            if where + needed > size:
                raise _damaged(name, f"tag {code} lies behind the end of the file")
            if code in _NEEDED:
                stream.seek(where)
                value = stream.read(needed)
        if code in _NEEDED and kind in _INTEGER_CODES:
            tags[code] = struct.unpack(f"{order}{number}{_INTEGER_CODES[kind]}", value[:needed])
    return tags, following


def _one(tags: _Tags, code: int, default: int) -> int:
    values = tags.get(code, ())
    return values[0] if values else default


def _check_segments(tags: _Tags, size: int, name: str, page: int) -> None:
    """Every strip or tile of a page must lie inside the file, and none may be missing."""
    tiled = _TILE_OFFSETS in tags
    offsets = tags.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, ())
    counts = tags.get(_TILE_BYTES if tiled else _STRIP_BYTES, ())
    expected = _expected_bytes(tags)
    compressed = _one(tags, _COMPRESSION, 1) != 1
    if not counts and len(offsets) == 1 and not compressed:
        counts = (expected,)  # old writers leave the count of a single strip out
    if len(offsets) != len(counts) or not offsets:
        raise _damaged(name, f"page {page} does not say where its pixels are")
    if any(o == 0 or c == 0 or o + c > size for o, c in zip(offsets, counts, strict=True)):
        raise _damaged(name, f"pixels of page {page} are missing")
    short = len(offsets) < _expected_segments(tags) if compressed else sum(counts) < expected
    if short:
        raise _damaged(name, f"page {page} has fewer pixels than its header says")


def _expected_bytes(tags: _Tags) -> int:
    """Bytes of one uncompressed page."""
    bits = _one(tags, _BITS, 1) * _one(tags, _SAMPLES, 1)
    return math.ceil(_one(tags, _WIDTH, 0) * bits / 8) * _one(tags, _HEIGHT, 0)


def _expected_segments(tags: _Tags) -> int:
    """Number of strips or tiles of one page."""
    width, height = _one(tags, _WIDTH, 0), _one(tags, _HEIGHT, 0)
    if _TILE_OFFSETS in tags:
        across = math.ceil(width / max(1, _one(tags, _TILE_WIDTH, width)))
        down = math.ceil(height / max(1, _one(tags, _TILE_HEIGHT, height)))
    else:
        across, down = 1, math.ceil(height / max(1, _one(tags, _ROWS_PER_STRIP, height)))
    planes = _one(tags, _SAMPLES, 1) if _one(tags, _PLANAR, 1) == 2 else 1
    return across * down * planes
