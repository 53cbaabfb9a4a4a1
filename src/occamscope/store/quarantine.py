"""Files that are set aside: listed with the reason, never dropped in silence."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class QuarantinedFile:
    """A file that cannot be used, and why; the message names the file and the remedy."""

    name: str
    message: str


@dataclass
class DuplicateFinder:
    """Remembers the content (sha256) of every file seen and tells which name had it first."""

    _first: dict[bytes, str] = field(default_factory=dict)

    def first_copy(self, name: str, content: Path | bytes) -> str | None:
        """Name of an earlier file with the same bytes, or None if this content is new."""
        first = self._first.setdefault(_sha256(content), name)
        return None if first == name else first


def _sha256(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def find_duplicates(items: Iterable[tuple[str, Path | bytes]]) -> list[QuarantinedFile]:
    """Second and further copies of the same file among (name, path or content) pairs.

    A nucleus that is present twice could stand in the training and the test part at once.
    """
    finder = DuplicateFinder()
    found = []
    for name, content in items:
        first = finder.first_copy(name, content)
        if first is not None:
            found.append(QuarantinedFile(name, duplicate_message(name, first)))
    return found


def duplicate_message(name: str, first: str) -> str:
    """What to say about `name`, which has the same bytes as `first`."""
    return f"{name}: is the same file as {first}, which is used. Remove one of the two."
