"""List crops of single nuclei: class folders, a zip of them, or a manifest CSV.

Only the standard library is imported at module level (see `sources`); `crop_reading` reads them.
"""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from occamscope.errors import InputError
from occamscope.store.archives import is_clutter, open_archive, read_member, safe_members
from occamscope.store.sources import IMAGE_SUFFIXES, glob_files, group_of, natural_key
from occamscope.store.text_tables import Problems, nearest

MANIFEST_NAME = "manifest.csv"
MAX_CROP_BYTES = 256 * 2**20


@dataclass(frozen=True)
class CropEntry:
    """One crop on the user's disk.

    Attributes
    ----------
    name : str
        Path relative to the input folder or inside the zip, forward slashes; of several zips taken
        by a pattern, the zip's name comes first.
    path : Path
        The image file, or the zip that holds it.
    member : str or None
        Name inside the zip.
    class_name, group, source : str or None
        None if unlabelled, or not said.
    frame, y, x : number or None
        Where in its source the crop was cut, as the manifest says.
    pixel_size_um : float or None
        From the manifest, or from the file's metadata once it has been read.
    pixel_size_source : str or None
        'manifest', or as in `images.ImageStack`.
    """

    name: str
    path: Path
    member: str | None = None
    class_name: str | None = None
    group: str | None = None
    source: str | None = None
    frame: int | None = None
    y: float | None = None
    x: float | None = None
    pixel_size_um: float | None = None
    pixel_size_source: str | None = None


@dataclass(frozen=True)
class CropListing:
    """Crops in natural order of their names, and files that are no crops (`ignored`)."""

    entries: tuple[CropEntry, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Where a listed file lies: on disk, or inside a zip."""

    path: Path
    member: str | None = None


def list_crops(
    path: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    group_pattern: str | None = None,
) -> CropListing:
    """List crops in one of three forms; nothing is decoded.

    1. A folder with a folder for each class. Images beside the class folders are unlabelled.
    2. A zip of such a folder, or a pattern for several zips (``annotations/*.zip``).
    3. A manifest CSV (see `label_tables.read_manifest`) with the images beside it; or a folder or
       zip that holds a `manifest.csv`.

    Parameters
    ----------
    path : str
        Folder, zip, pattern or CSV.
    columns : mapping, optional
        Columns of the manifest under other names, such as ``{"group": "plate"}``.
    group_pattern : str, optional
        Regular expression with one group that finds a crop's group in its name, where no manifest
        names one.

    Raises
    ------
    InputError
        If there are no crops, the manifest has faults (all told at once), or a zip is damaged or
        hostile.
    """
    path = Path(path)
    crops: list[CropEntry] = []
    ignored: list[str] = []
    for prefix, files, manifest in _collections(path):
        found = _crops_of(files, manifest, columns, prefix)
        used = {crop.name for crop in found} | {f"{prefix}{manifest}"}
        crops += found
        ignored += [prefix + name for name in files if prefix + name not in used]
    if not crops:
        raise InputError(_no_crops(path, ignored))
    if group_pattern is not None:
        crops = [
            c if c.group is not None else replace(c, group=group_of(c.name, group_pattern))
            for c in crops
        ]
    crops.sort(key=lambda crop: natural_key(crop.name))
    return CropListing(tuple(crops), tuple(sorted(ignored, key=natural_key)))


def _collections(path: Path) -> Iterator[tuple[str, dict[str, _Place], str | None]]:
    """Prefix of names, files by name, and name of the manifest, for each folder or zip."""
    if path.is_dir():
        files = _on_disk(path)
        yield "", files, _find_manifest(files, path.name)
    elif path.suffix.casefold() == ".csv":
        yield "", _on_disk(path.parent) | {path.name: _Place(path)}, path.name
    elif path.suffix.casefold() == ".zip" and (path.exists() or not glob.has_magic(str(path))):
        files = _files_in_zip(path)
        yield "", files, _find_manifest(files, path.name)
    elif glob.has_magic(str(path)):
        for archive in _zips_matching(path):
            files = _files_in_zip(archive)
            yield f"{archive.name}/", files, _find_manifest(files, archive.name)
    else:
        raise InputError(
            f"{path}: is no folder, zip or manifest CSV of crops. Correct the path in the config."
        )


def _zips_matching(pattern: Path) -> list[Path]:
    paths = sorted(glob_files(pattern), key=lambda p: natural_key(str(p)))
    others = [p.name for p in paths if p.suffix.casefold() != ".zip"]
    if not paths or others:
        what = f"matches {others[0]}, which is no zip" if others else "matches no file"
        raise InputError(f"{pattern}: {what}. Write a pattern for zips, or name the folder.")
    names = Counter(p.name for p in paths)
    for name, count in names.items():
        if count > 1:
            raise InputError(f"{pattern}: {count} zips are called {name}. Rename them.")
    return paths


def _files_in_zip(path: Path) -> dict[str, _Place]:
    with open_archive(path) as archive:
        return {name: _Place(path, member) for name, member in safe_members(archive).items()}


def _on_disk(root: Path) -> dict[str, _Place]:
    return {name: _Place(path) for name, path in files_below(root).items()}


def files_below(root: Path) -> dict[str, Path]:
    """Visible files of a folder and of the folders in it, links to folders followed, by name."""
    files: dict[str, Path] = {}
    visited: set[Path] = set()
    for folder, folders, names in os.walk(root, onerror=_unreadable, followlinks=True):
        here = Path(folder)
        if here.resolve() in visited:  # a link that leads back up
            folders.clear()
            continue
        visited.add(here.resolve())
        for name in names:
            relative = (here / name).relative_to(root).as_posix()
            if not is_clutter(relative) and (here / name).is_file():
                files[relative] = here / name
    return files


def _unreadable(error: OSError) -> None:
    reason = error.strerror or error
    raise InputError(f"{error.filename}: cannot be listed ({reason}). Check the path.") from error


def _find_manifest(files: Mapping[str, _Place], label: str) -> str | None:
    """The `manifest.csv` on top, or in the one folder on top."""
    found = [
        name
        for name in files
        if PurePosixPath(name).name.casefold() == MANIFEST_NAME and name.count("/") <= 1
    ]
    on_top = [name for name in found if "/" not in name] or found
    if len(on_top) > 1:
        raise InputError(f"{label}: holds {len(on_top)} files manifest.csv. Leave one.")
    return on_top[0] if on_top else None


def _crops_of(
    files: Mapping[str, _Place],
    manifest: str | None,
    columns: Mapping[str, str] | None,
    prefix: str,
) -> list[CropEntry]:
    """Crops of one folder or zip."""
    if manifest is not None:
        return _from_manifest(files, manifest, columns or {}, prefix)
    if columns:
        raise InputError(
            "columns of a manifest are stated, but there is no manifest.csv. Give the path of the "
            "manifest, or leave the columns out of the config."
        )
    return _from_class_folders(files, prefix)


def _from_class_folders(files: Mapping[str, _Place], prefix: str) -> list[CropEntry]:
    """The class is the topmost folder, below a folder that wraps all of a zip."""
    images = {
        n: p for n, p in files.items() if PurePosixPath(n).suffix.casefold() in IMAGE_SUFFIXES
    }
    parts = [PurePosixPath(n).parts for n in images]
    zipped = any(place.member is not None for place in images.values())
    wrapped = zipped and len({p[0] for p in parts}) == 1 and all(len(p) > 2 for p in parts)
    crops = []
    for (name, place), path in zip(images.items(), parts, strict=True):
        folders = path[1:-1] if wrapped else path[:-1]
        label = folders[0] if folders else None
        crops.append(CropEntry(prefix + name, place.path, place.member, class_name=label))
    return crops


def _from_manifest(
    files: Mapping[str, _Place], manifest: str, columns: Mapping[str, str], prefix: str
) -> list[CropEntry]:
    """Crops that a manifest lists; files that it names must be there."""
    from occamscope.store.label_tables import read_manifest

    content = _content_of(files[manifest], manifest)
    label = prefix + manifest
    rows = read_manifest(content, label, columns)
    folder = manifest.rpartition("/")[0]
    problems = Problems(label)
    crops = []
    for number, row in enumerate(rows, start=2):
        name = f"{folder}/{row.file}" if folder else row.file
        place = files.get(name)
        if place is None:
            column = columns.get("file", "file")
            problems.add(number, column, f"'{row.file}' is not there{_similar(row.file, files)}")
            continue
        crops.append(
            CropEntry(
                prefix + name,
                place.path,
                place.member,
                row.class_name,
                row.group,
                row.source,
                row.frame,
                row.y,
                row.x,
                row.pixel_size_um,
                None if row.pixel_size_um is None else "manifest",
            )
        )
    problems.raise_if_any()
    return crops


def _similar(name: str, files: Mapping[str, _Place]) -> str:
    """The nearest file name, where searching for it costs little."""
    return nearest(name, files) if len(files) <= 5000 else ""


def _no_crops(path: Path, ignored: list[str]) -> str:
    """Why there is no crop, from what is there."""
    kinds = Counter(PurePosixPath(n).suffix.casefold() or "no ending" for n in ignored)
    there = ", ".join(f"{n} of {k}" for k, n in sorted(kinds.items())) or "it is empty"
    hint = f" Write '{path}/*.zip' to read the zips." if ".zip" in kinds else ""
    return (
        f"{path}: holds no TIFF or PNG ({there}). Put a folder of images for each class there, or "
        f"correct the path.{hint}"
    )


def _content_of(place: _Place, name: str) -> bytes:
    if place.member is not None:
        with open_archive(place.path) as archive:
            return read_member(archive, place.member, name)
    return read_whole(place.path, name)


def read_whole(path: Path, name: str) -> bytes:
    """Content of a file of at most `MAX_CROP_BYTES`; InputError if it cannot be read."""
    try:
        if path.stat().st_size > MAX_CROP_BYTES:
            raise InputError(f"{name}: is larger than {MAX_CROP_BYTES >> 20} MiB; no crop is.")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{name}: cannot be opened ({reason}). Check the path.") from error
