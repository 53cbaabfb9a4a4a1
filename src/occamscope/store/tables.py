"""CSV tables and JSON documents."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occamscope.store.atomic import write_text
from occamscope.store.provenance import DamagedFileError, verify

# Identifiers and names stay text even where they look like numbers ("0012", "1e5").
TEXT_COLUMNS = ("crop_id", "class", "class_name", "group", "source", "file", "model", "expression")


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a CSV with floats at full precision (they read back equal) and Unix line ends."""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, lineterminator="\n")
    write_text(path, buffer.getvalue())


def read_table(path: str | Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a CSV written by `write_table`.

    A column whose filled cells are all numbers becomes numeric with NaN for empty cells, all True or
    False becomes boolean; the rest, `TEXT_COLUMNS` and the columns in `text` stay text.

    Raises
    ------
    DamagedFileError
        If the file is not what was written.
    """
    try:
        table = pd.read_csv(verify(path), dtype=str, keep_default_na=False, na_filter=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DamagedFileError(f"{path} is not a readable table: {error}") from error
    for name in table.columns.difference([*TEXT_COLUMNS, *text]):
        table[name] = _typed(table[name])
    return table


def read_tables(paths: Iterable[str | Path], text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Tables of several bundles as one; those without rows, whose cells have no type, add nothing."""
    tables = [read_table(path, text) for path in paths]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled or tables[:1], ignore_index=True)


def _typed(cells: pd.Series) -> pd.Series:
    filled = cells[cells != ""]
    if filled.empty:
        return cells
    if set(filled) <= {"True", "False"} and len(filled) == len(cells):
        return cells == "True"
    try:
        if len(filled) == len(cells):
            return pd.Series([int(cell) for cell in cells], cells.index, dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        # Python's float reads back the very bits that were printed.
        return pd.Series([float(cell) if cell else np.nan for cell in cells], cells.index)
    except ValueError:
        return cells


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON with sorted keys; NaN and infinities are refused by being turned into null."""
    text = json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON written by `write_json`, after checking its checksum."""
    try:
        return json.loads(verify(path).read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise DamagedFileError(f"{path} is not readable JSON: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
