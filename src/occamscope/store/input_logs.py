"""`inputs.csv`: what every input file is, whether it is used, and why not.

One row a file: the columns of `images.INPUT_COLUMNS` and, for fields, `sha256`. `status` is ok,
quarantined (an image that cannot be used) or ignored (a file that is no crop).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from occamscope.store.images import INPUT_COLUMNS
from occamscope.store.quarantine import duplicate_message
from occamscope.store.sources import IMAGE_SUFFIXES
from occamscope.store.tables import read_table

SHOWN = 5
"""Files that one message names; the rest is counted."""

_WHOLE_NUMBERS = ("pages", "height", "width")


def inputs_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of rows from `describe_image`."""
    table = pd.DataFrame(list(rows))
    return table.astype(dict.fromkeys(_WHOLE_NUMBERS, "Int64"))


def ignored_row(name: str) -> dict[str, Any]:
    """Row of a file that lies among the crops and is none."""
    image = PurePosixPath(name).suffix.casefold() in IMAGE_SUFFIXES
    reason = "is not listed in the manifest" if image else "is no TIFF or PNG"
    message = f"{name}: {reason}"
    return dict.fromkeys(INPUT_COLUMNS) | {"file": name, "status": "ignored", "message": message}


def read_input_logs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Logs of all bundles as one table of text, in order."""
    columns = (*INPUT_COLUMNS, "sha256")
    return pd.concat([read_table(path, text=columns) for path in paths], ignore_index=True)


def quarantine_copies(inputs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Find copies of a file in another bundle.

    Returns
    -------
    (the log with the copies quarantined, why each copy is left out by its name)
    """
    copies: dict[str, str] = {}
    if "sha256" in inputs:
        used = inputs[inputs["status"] == "ok"]
        first = used.groupby("sha256")["file"].transform("first")
        for name, original in zip(used["file"], first, strict=True):
            if name != original:
                copies[name] = duplicate_message(name, original)
    inputs = inputs.copy()
    found = inputs["file"].isin(copies)
    inputs.loc[found, "status"] = "quarantined"
    inputs.loc[found, "message"] = inputs.loc[found, "file"].map(copies)
    return inputs, copies


def nothing_usable(inputs: pd.DataFrame) -> str:
    """What to say where no input file can be used, with the reasons of the first ones."""
    messages = list(inputs.loc[inputs["status"] == "quarantined", "message"])
    shown = "".join(f"\n  {message}" for message in messages[:SHOWN])
    more = len(messages) - SHOWN
    tail = f"\n  and {more} more" if more > 0 else ""
    return f"none of the {len(messages)} input images can be used:{shown}{tail}"
