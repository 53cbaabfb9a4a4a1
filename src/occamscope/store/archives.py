"""Read members of a zip archive without unpacking it, and refuse hostile ones.

Nothing is extracted, so that no member can be written anywhere; names that leave the archive are
refused all the same, because ids and later copies are made from them.
"""

import stat
import zipfile
from pathlib import Path, PurePosixPath

from occamscope.errors import InputError

MAX_MEMBER_BYTES = 256 * 2**20
"""Largest declared size of one member; a crop of 64 x 64 pixels has some 4 KiB."""

MAX_ARCHIVE_BYTES = 64 * 2**30
"""Largest declared size of all members together."""

# What operating systems and archivers add of their own.
_CLUTTER = ("__macosx", "thumbs.db", "desktop.ini")


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip archive for reading.

    Raises
    ------
    InputError
        If it is not there, or is no whole zip archive.
    """
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be opened ({reason}). Check the path.") from error
    except Exception as error:  # zipfile raises whatever a damaged directory leads it to
        raise InputError(
            f"{path.name}: is not a whole zip archive ({error}). Copy it again, or zip the folder "
            "anew."
        ) from error


def safe_members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Files of the archive: name with forward slashes -> name in the archive.

    Raises
    ------
    InputError
        For absolute names, names with '..', links, encrypted or repeated members, other methods
        than deflate, and declared sizes beyond `MAX_MEMBER_BYTES` and `MAX_ARCHIVE_BYTES`.
    """
    label = Path(archive.filename or "archive").name
    members: dict[str, str] = {}
    total = 0
    for info in archive.infolist():
        problem = _problem(info)
        name = info.filename.replace("\\", "/")
        if not problem and name in members:
            problem = "stands in it twice"
        total += info.file_size
        if not problem and total > MAX_ARCHIVE_BYTES:
            problem = f"brings the announced total above {MAX_ARCHIVE_BYTES >> 30} GiB"
        if problem:
            raise InputError(
                f"{label}: refused, because its member {_shown(info.filename)} {problem}. "
                "Zip the folder of images anew."
            )
        if not name.endswith("/") and not is_clutter(name):
            members[name] = info.filename
    return members


def _problem(info: zipfile.ZipInfo) -> str:
    """Why a member is refused; empty if it is harmless."""
    if leaves_folder(info.filename):
        return "points outside the archive"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by an unusual method"  # whose output zipfile cannot bound
    if info.file_size > MAX_MEMBER_BYTES:
        return f"announces {info.file_size:,} bytes, more than {MAX_MEMBER_BYTES:,}"
    return ""


def leaves_folder(name: str) -> bool:
    """Whether a relative file name is absolute, goes up, or holds control characters."""
    path = name.replace("\\", "/")
    drive = len(path) > 1 and path[1] == ":"
    odd = not path.strip() or any(ord(c) < 32 for c in path)
    return odd or drive or path.startswith("/") or ".." in path.split("/")


def is_clutter(name: str) -> bool:
    """Whether a file is a by-product of the operating system (hidden, `__MACOSX`, thumbnails)."""
    parts = PurePosixPath(name).parts
    return any(p.startswith(".") or p.casefold() in _CLUTTER for p in parts)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:77] + "...")


def read_member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """Content of one member, never more than it announces.

    Raises
    ------
    InputError
        If the member is damaged; its length and checksum are verified.
    """
    try:
        size = archive.getinfo(member).file_size
        with archive.open(member) as stream:
            return stream.read(size)  # read() alone would unpack a lying member as a whole
    except Exception as error:  # zipfile and zlib raise whatever the damaged bytes lead them to
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{name}: is damaged inside its zip archive ({reason}). Copy the archive again."
        ) from error
