"""Checkpoints of a law search: a `SearchState` in one .npz file, without pickle.

An .npz file is a zip archive with a checksum for every part, so that a damaged file is noticed
without a sidecar: state and checksum cannot disagree after a kill. The numbers lie beside the
arrays as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from occamscope.laws.control import SearchState
from occamscope.store.atomic import whole_path
from occamscope.store.provenance import DamagedFileError

# What the first part of such a file says; the number rises when the form changes.
_FORM = "occamscope law search 1"
_DOCUMENT, _ARRAY = "document", "array/"


def write_search_state(path: str | Path, state: SearchState) -> None:
    """Write a state in one step: a kill leaves the earlier file or the new one, whole.

    Parameters
    ----------
    state : arrays of plain numbers, and numbers that JSON can hold (tuples come back as lists)

    Raises
    ------
    TypeError
        If an array holds Python objects or a number is none that JSON knows.
    """
    document = {
        "form": _FORM,
        "digest": state.digest,
        "numbers": dict(state.numbers),
        "arrays": sorted(state.arrays),
    }
    text = json.dumps(document, sort_keys=True, default=_plain)
    arrays = {f"{_ARRAY}{name}": np.asarray(value) for name, value in state.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"search state: {name} holds Python objects")
    arrays[_DOCUMENT] = np.frombuffer(text.encode(), np.uint8)
    with whole_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # names cannot be savez's own


def read_search_state(path: str | Path) -> SearchState:
    """Read what `write_search_state` wrote.

    Raises
    ------
    DamagedFileError
        If the file is missing, cut short, altered, or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DamagedFileError(f"{path} is missing: there is no search to go on with")
    try:
        with np.load(path, allow_pickle=False) as parts:
            document = json.loads(parts[_DOCUMENT].tobytes())
            if document["form"] != _FORM:
                raise ValueError(f"its form is {document['form']!r}, not {_FORM!r}")
            arrays = {name: parts[f"{_ARRAY}{name}"] for name in document["arrays"]}
        return SearchState(document["digest"], arrays, document["numbers"])
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged bytes
        raise DamagedFileError(
            f"{path} is no whole checkpoint of a law search ({error}): delete it or start "
            "without resume"
        ) from error


def find_search_state(path: str | Path) -> SearchState | None:
    """Return the state in a file, None if there is no such file yet; else as `read_search_state`."""
    return read_search_state(path) if Path(path).exists() else None


def _plain(value: object) -> object:
    """Turn numpy's numbers and paths into what JSON can hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.tolist()
    raise TypeError(f"search state: {value!r} is no number that JSON can hold")
