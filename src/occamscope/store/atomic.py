"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from occamscope.store.provenance import write_meta


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success move it into place with its checksum.

    Parameters
    ----------
    path : path
        The final file. Its folder is made where needed.

    Yields
    ------
    pathlib.Path
        Write here. The suffix is that of `path`, so that libraries which look at it work.
    """
    with whole_path(path) as temporary:
        yield temporary
        write_meta(Path(path), temporary)


@contextmanager
def whole_path(path: str | Path) -> Iterator[Path]:
    """Like `atomic_path`, without a checksum beside the file: for files that hold their own."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically, with Unix line ends on every system."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def _flush(path: Path) -> None:
    """Ask the disk to keep what was written, so that a power cut leaves no empty file behind."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
