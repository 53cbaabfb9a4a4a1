"""The files behind crop inputs, for the workflow's graph. Standard library only."""

from pathlib import Path

from occamscope.errors import InputError
from occamscope.store.sources import IMAGE_SUFFIXES, glob_files, natural_key


def crop_files(path_or_glob: str) -> list[Path]:
    """Files that a crop input is made of: a zip, zips of a pattern, a manifest with its images,
    or the images of class folders.

    Raises
    ------
    InputError
        If nothing is there.
    """
    path = Path(path_or_glob)
    if path.is_dir():
        files = [item for item in path.rglob("*") if item.suffix.lower() in IMAGE_SUFFIXES]
    elif path.suffix.lower() == ".csv" and path.is_file():
        beside = path.parent.rglob("*")
        files = [path, *(item for item in beside if item.suffix.lower() in IMAGE_SUFFIXES)]
    else:
        files = glob_files(path)
    if not files:
        raise InputError(
            f"{path}: no crops are there. Give a folder of class folders, a zip of one, or a "
            "manifest CSV as input.crops.path (docs/data.md tells how to obtain the data sets)"
        )
    return sorted(files, key=lambda item: natural_key(str(item)))
