"""The files behind crop inputs, for the workflow's graph. Standard library only."""

from pathlib import Path

from occamscope.errors import InputError
from occamscope.store.crop_sources import MANIFEST_NAME, files_below
from occamscope.store.sources import IMAGE_SUFFIXES, glob_files, natural_key


def crop_files(path_or_glob: str) -> list[Path]:
    """Files that a crop input is made of: a zip, zips of a pattern, a manifest with its images,
    or the images of class folders (and their manifest.csv, where there is one).

    Raises
    ------
    InputError
        If nothing is there.
    """
    path = Path(path_or_glob)
    if path.is_dir():
        files = [item for item in files_below(path).values() if _counts(item)]
    elif path.suffix.casefold() == ".csv" and path.is_file():
        beside = [item for item in files_below(path.parent).values() if _is_image(item)]
        files = [path, *beside]
    else:
        files = glob_files(path)
    if not files:
        raise InputError(
            f"{path}: no crops are there. Give a folder of class folders, a zip of one, or a "
            "manifest CSV as input.crops.path (docs/data.md tells how to obtain the data sets)"
        )
    return sorted(files, key=lambda item: natural_key(str(item)))


def _is_image(path: Path) -> bool:
    return path.suffix.casefold() in IMAGE_SUFFIXES


def _counts(path: Path) -> bool:
    return _is_image(path) or path.name.casefold() == MANIFEST_NAME
