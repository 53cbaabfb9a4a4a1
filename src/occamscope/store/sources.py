"""List the user's fields and their masks, and name them (crops: see `crop_sources`).

Only the standard library is imported here at module level, because the Snakefile lists fields in an
environment that holds Snakemake alone. Names are relative to the input folder and use forward
slashes, so that ids made from them are the same on every machine.
"""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from occamscope.errors import InputError

TIFF_SUFFIXES = (".tif", ".tiff")
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, ".png")
MASK_SUFFIXES = ("_masks", "_cp_masks", "_labels", ".label")
"""What a mask's name adds to its field's: Cellpose, StarDist and TrackMate's habits."""


def natural_key(name: str) -> tuple:
    """Sort key that puts 'frame 2' before 'frame 10'; ties fall to the plain string."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((int(p), "") if p.isdecimal() else (-1, p) for p in parts), name


def stem_of(name: str | os.PathLike[str]) -> str:
    """File name without its ending: 'a' for 'a.tif' and 'a.ome.tif'."""
    stem = PurePosixPath(os.fspath(name)).stem
    return stem[:-4] if stem.casefold().endswith(".ome") else stem


def input_root(path_or_glob: str | os.PathLike[str]) -> Path:
    """Folder to which names are relative: the folder itself, or the fixed part of a glob."""
    path = Path(path_or_glob)
    if path.is_dir():
        return path
    if path.exists() or not glob.has_magic(str(path)):
        return path.parent
    fixed = []
    for part in path.parent.parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def relative_name(path: Path, root: Path) -> str:
    """Name of an input file in tables and ids."""
    return path.relative_to(root).as_posix()


def list_fields(path_or_glob: str | os.PathLike[str]) -> list[Path]:
    """TIFF files of a folder (not of folders in it), or whatever a glob matches, naturally sorted.

    Masks that lie beside their field under the field's name and one of `MASK_SUFFIXES` are left
    out, and so are hidden files.

    Raises
    ------
    InputError
        If there is none; says what lies there instead.
    """
    root = input_root(path_or_glob)
    found = {relative_name(p, root): p for p in _matching(Path(path_or_glob), TIFF_SUFFIXES)}
    names = {_without_ending(name) for name in found}
    fields = [name for name in found if not _is_mask_of_any(_without_ending(name), names)]
    if not fields:
        raise InputError(_nothing_found(Path(path_or_glob)))
    return [found[name] for name in sorted(fields, key=natural_key)]


def _matching(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Visible files of a folder with one of the endings, the file itself, or a glob's matches."""
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [p for p in path.iterdir() if p.suffix.casefold() in suffixes]
    else:
        files = glob_files(path)
    return [p for p in files if p.is_file() and not p.name.startswith(".")]


def glob_files(pattern: Path) -> list[Path]:
    """What a pattern matches; ** goes into folders. Hidden files match only if it names them."""
    # Path.glob matches hidden files too and refuses patterns such as '**.tif'.
    return [Path(p) for p in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207


def _without_ending(name: str) -> str:
    return str(PurePosixPath(name).with_name(stem_of(name)))


def _is_mask_of_any(stem: str, stems: set[str]) -> bool:
    return any(stem.endswith(s) and stem.removesuffix(s) in stems for s in MASK_SUFFIXES)


def _nothing_found(path: Path) -> str:
    """Why no field was found, from what is there."""
    if glob.has_magic(str(path)) and not path.exists():
        return f"{path}: no file matches. Check the pattern (** goes into folders)."
    if not path.is_dir():
        return f"{path}: no such folder. Check the path in the config."
    if any(p.suffix.casefold() in TIFF_SUFFIXES for p in path.glob("*/**/*")):
        return f"{path}: has TIFFs only in folders inside it. Write '{path}/**/*.tif'."
    kinds = Counter(p.suffix.casefold() or "no ending" for p in path.iterdir() if p.is_file())
    there = ", ".join(f"{n} of {k}" for k, n in sorted(kinds.items())) or "it is empty"
    return f"{path}: holds no TIFF ({there}). Put .tif or .tiff images there, or correct the path."


def refuse_braces(paths: Iterable[str]) -> None:
    """Raise InputError for a path in which Snakemake would see a wildcard, such as 'a{1}.tif'."""
    for path in paths:
        if re.search(r"\{[^{}]*\}", path):
            raise InputError(
                f"{path}: has braces in its name, which the workflow takes for a wildcard. Rename it."
            )


def match_masks(fields: Iterable[Path], masks_path: str | os.PathLike[str]) -> dict[Path, Path]:
    """Label mask of every field: the same stem, or the stem and one of `MASK_SUFFIXES`.

    Parameters
    ----------
    fields : iterable of Path
    masks_path : str
        Folder or glob of TIFF or PNG masks; may be the fields' own folder.

    Raises
    ------
    InputError
        Lists all fields without a mask, and all with more than one.
    """
    fields = list(fields)
    masks = _index_masks(masks_path)
    fields_root = Path(os.path.commonpath([f.parent for f in fields])) if fields else Path()
    matched: dict[Path, Path] = {}
    problems = []
    for field in fields:
        found = _masks_of(field, relative_name(field.parent, fields_root), masks)
        if len(found) == 1:
            matched[field] = found[0]
        else:
            names = ", ".join(m.name for m in found)
            problems.append(f"{field.name}: {f'several ({names})' if found else 'none'}")
    if problems:
        listed = "\n  ".join(problems[:30]) + ("\n  ..." if len(problems) > 30 else "")
        raise InputError(
            f"{masks_path}: {len(problems)} fields do not have exactly one mask. Name each mask as "
            f"its field, or with {', '.join(MASK_SUFFIXES)} added:\n  {listed}"
        )
    return matched


def _index_masks(masks_path: str | os.PathLike[str]) -> dict[tuple[str | None, str], list[Path]]:
    """Masks by (folder relative to the masks' root, stem), and by (None, stem)."""
    root = input_root(masks_path)
    masks: dict[tuple[str | None, str], list[Path]] = {}
    for path in sorted(_matching(Path(masks_path), IMAGE_SUFFIXES)):
        for folder in (relative_name(path.parent, root), None):
            masks.setdefault((folder, stem_of(path)), []).append(path)
    return masks


def _masks_of(
    field: Path, folder: str, masks: Mapping[tuple[str | None, str], list[Path]]
) -> list[Path]:
    """Masks of one field: those in the corresponding folder, else those anywhere."""
    found: list[Path] = []
    for place in (folder, None):
        for suffix in ("", *MASK_SUFFIXES):
            candidates = masks.get((place, stem_of(field) + suffix), [])
            found += [m for m in candidates if m.resolve() != field.resolve()]
        if found:
            break
    return found


def group_of(path: str | os.PathLike[str], pattern: str | None = None) -> str:
    """Group (plate, movie, animal) of a file, which no split divides.

    Parameters
    ----------
    path : str
        Name relative to the input folder.
    pattern : str, optional
        Regular expression with one group, searched in the name, such as ``(PLLT\\d+_\\d+)``.
        By default each file is its own group, named as the file without its ending.

    Raises
    ------
    InputError
        If the pattern is no regular expression with one group, or does not occur in the name.
    """
    name = PurePosixPath(os.fspath(path)).as_posix()
    if pattern is None:
        return _without_ending(name)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"group pattern '{pattern}': {error}. Correct the config.") from error
    if compiled.groups != 1:
        raise InputError(
            f"group pattern '{pattern}' has {compiled.groups} groups in parentheses; it needs one."
        )
    match = compiled.search(name)
    if match is None or not match[1]:
        raise InputError(f"{name}: the group pattern '{pattern}' does not occur in its name.")
    return match[1]
