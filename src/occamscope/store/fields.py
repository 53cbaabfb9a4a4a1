"""Read the fields of a bundle one after another; damaged files and copies are set aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from occamscope.errors import InputError
from occamscope.store.images import ImageStack, describe_image, read_image
from occamscope.store.provenance import file_digest
from occamscope.store.quarantine import QuarantinedFile, duplicate_message
from occamscope.store.sources import relative_name


@dataclass(frozen=True)
class Field:
    """One file.

    Attributes
    ----------
    name : str
        Relative to the input folder: the same on every machine.
    stack : ImageStack or None
        Pages (T, H, W), or None for a file that is set aside.
    row : dict
        Its row of the inputs log, with the SHA-256 of its bytes.
    """

    name: str
    stack: ImageStack | None
    row: dict[str, Any]

    def set_aside(self, reason: str) -> Field:
        """The same file, quarantined after it was read."""
        quarantined = QuarantinedFile(self.name, f"{self.name}: {reason}")
        digest = {"sha256": self.row["sha256"]}
        return Field(self.name, None, describe_image(quarantined) | digest)


def read_bundle(paths: Sequence[str | Path], reading: dict[str, Any]) -> Iterator[Field]:
    """Read files one at a time, in order.

    Parameters
    ----------
    paths : paths of the files
    reading : root, axes, channel, um_per_px, ignore_pixel_size_tags, as in `input.fields`
    """
    first_with: dict[str, str] = {}
    for path in map(Path, paths):
        name = relative_name(path, Path(reading["root"]))
        digest = _digest(path)
        item: ImageStack | QuarantinedFile
        try:
            item = _read(path, name, reading)
            # A file that cannot be used is nobody's original.
            first = first_with.setdefault(digest, name)
            if first != name:
                raise InputError(duplicate_message(name, first))
        except InputError as error:
            item = QuarantinedFile(name, str(error))
        row = describe_image(item) | {"sha256": digest}
        yield Field(name, item if isinstance(item, ImageStack) else None, row)


def _read(path: Path, name: str, reading: dict[str, Any]) -> ImageStack:
    return read_image(
        path,
        name,
        reading["axes"],
        reading["channel"],
        reading["um_per_px"],
        ignore_pixel_size_tags=reading["ignore_pixel_size_tags"],
    )


def _digest(path: Path) -> str:
    """SHA-256 of a file; "" for one that cannot be opened, which the reader then says."""
    try:
        return file_digest(path)
    except OSError:
        return ""
