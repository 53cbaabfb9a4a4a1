"""Who wrote a file, from what, and whether it is still what was written.

Every output `x` has a sidecar `x.meta.json` with its SHA-256, the rule, digests of the rule's params
and code, the seed and the versions of the libraries that shape numbers. Sidecars hold no times, hosts
or run names: the same work gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

META_SUFFIX = ".meta.json"
VERSIONED = ("occamscope", "numpy", "torch", "numba", "scikit-image", "scikit-learn", "scipy")


class DamagedFileError(RuntimeError):
    """A file is not what was written; the message names it and the remedy."""


@dataclass(frozen=True)
class Provenance:
    """What made a file."""

    rule: str = ""
    params: str = ""
    code: str = ""
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)


_current: ContextVar[Provenance] = ContextVar("provenance", default=Provenance())  # noqa: B039


@contextmanager
def writing_as(provenance: Provenance) -> Iterator[None]:
    """Within this context every file written by `store` carries `provenance`."""
    token = _current.set(provenance)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Provenance:
    """Provenance of the files that are written now."""
    return _current.get()


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries that shape numbers."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def digest_of(value: object) -> str:
    """16 hexadecimal digits of a JSON-able value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def meta_path(path: str | Path) -> Path:
    """Path of the sidecar of `path`."""
    return Path(f"{path}{META_SUFFIX}")


def write_meta(path: Path, content: Path) -> None:
    """Write the sidecar of `path`, whose bytes lie for now in `content`."""
    record = {"sha256": file_digest(content), **asdict(current())}
    target = meta_path(path)
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
    temporary.replace(target)


def read_meta(path: str | Path) -> dict:
    """Sidecar of `path`, or an empty dict where it has none (a user's own file)."""
    sidecar = meta_path(path)
    return json.loads(sidecar.read_text("utf-8")) if sidecar.is_file() else {}


def verify(path: str | Path) -> Path:
    """Check that a file is what was written, and return its path.

    Raises
    ------
    DamagedFileError
        If the file is absent, or its bytes differ from the checksum in its sidecar.
    """
    path = Path(path)
    if not path.is_file():
        raise DamagedFileError(f"{path} is missing: run snakemake again to make it")
    meta = read_meta(path)
    if meta and meta["sha256"] != file_digest(path):
        rule = meta.get("rule") or "the rule that makes it"
        raise DamagedFileError(
            f"{path} differs from its checksum in {meta_path(path).name}: it was damaged or edited "
            f"after it was written. Remedy: snakemake --forcerun {rule}"
        )
    return path
