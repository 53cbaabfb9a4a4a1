"""Read listed crops one by one; what cannot be used is handed on with the reason."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from occamscope.errors import InputError
from occamscope.store.archives import open_archive, read_member
from occamscope.store.crop_sources import CropEntry, CropListing, read_whole
from occamscope.store.images import ImageStack, describe_image, read_image
from occamscope.store.quarantine import DuplicateFinder, QuarantinedFile, duplicate_message

MAX_CROP_PIXELS = 2**24
"""4096 x 4096 pixels: a crop holds one nucleus."""


class _Contents:
    """Reads crops one after the other, with the zip of the last one kept open."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._archive: ZipFile | None = None

    def read(self, entry: CropEntry) -> bytes:
        if entry.member is None:
            return read_whole(entry.path, entry.name)
        if self._archive is None or self._path != entry.path:
            self.close()
            self._archive, self._path = open_archive(entry.path), entry.path
        return read_member(self._archive, entry.member, entry.name)

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None


def iter_crops(
    listing: CropListing,
    channel: int = 0,
    pixel_size_um: float | None = None,
    *,
    ignore_pixel_size_tags: bool = False,
) -> Iterator[tuple[CropEntry, np.ndarray] | QuarantinedFile]:
    """Read crops one by one, in the listing's order.

    Parameters
    ----------
    listing : CropListing
    channel : int
        Channel of crops that have several, counted from 0.
    pixel_size_um : float, optional
        Micrometres per pixel of all crops of which the manifest does not say it.
    ignore_pixel_size_tags : bool
        As in `images.read_image`.

    Yields
    ------
    (CropEntry, ndarray (h, w)) or QuarantinedFile
        A crop with its pixel size filled in, uint8, uint16 or float32; or a file that cannot be
        used (damaged, colour, several pages, the same bytes as an earlier one) and why.
    """
    finder = DuplicateFinder()
    classes: dict[str, str | None] = {}
    with closing(_Contents()) as contents:
        for entry in listing.entries:
            try:
                content = contents.read(entry)
                um = pixel_size_um if entry.pixel_size_um is None else entry.pixel_size_um
                read = _read_crop(entry, content, channel, um, ignore_pixel_size_tags)
            except InputError as error:
                yield QuarantinedFile(entry.name, str(error))
                continue
            first = finder.first_copy(entry.name, content)
            if first is None:
                classes[entry.name] = entry.class_name
                yield read
            else:
                yield _duplicate(entry, first, classes[first])


def _read_crop(
    entry: CropEntry, content: bytes, channel: int, um: float | None, ignore_tags: bool
) -> tuple[CropEntry, np.ndarray]:
    stack = read_image(
        content,
        entry.name,
        channel=channel,
        pixel_size_um=um,
        ignore_pixel_size_tags=ignore_tags,
        max_pixels=MAX_CROP_PIXELS,
    )
    if len(stack.pages) != 1:
        raise InputError(
            f"{entry.name}: holds {len(stack.pages)} pages; a crop is one image. "
            "Save the pages as files of their own."
        )
    source = stack.pixel_size_source
    if source == "config" and entry.pixel_size_um is not None:
        source = "manifest"
    filled = replace(entry, pixel_size_um=stack.pixel_size_um, pixel_size_source=source)
    return filled, stack.pages[0]


def _duplicate(entry: CropEntry, first: str, first_class: str | None) -> QuarantinedFile:
    message = duplicate_message(entry.name, first)
    if entry.class_name != first_class:
        message += f" Their classes differ: {first_class} there, {entry.class_name} here."
    return QuarantinedFile(entry.name, message)


def describe_crop(entry: CropEntry, image: np.ndarray) -> dict[str, Any]:
    """One row of the inputs log (`images.INPUT_COLUMNS`) for a crop from `iter_crops`."""
    stack = ImageStack(
        image[None],
        "YX",
        entry.pixel_size_um,
        entry.pixel_size_source,
        str(image.dtype),
        minimum=float(image.min()),
        maximum=float(image.max()),
        name=entry.name,
    )
    return describe_image(stack)
