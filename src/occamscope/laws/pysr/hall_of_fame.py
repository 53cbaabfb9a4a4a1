"""Read the table that PySR keeps while it searches."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

# Complexity,Loss,"Equation": a line that a kill cut short has no closing quote.
_ROW = re.compile(r'(?P<complexity>[0-9]{1,9}),(?P<loss>[^,"]{1,40}),"(?P<equation>[^"]*)"')
_JULIA_FLOAT32 = re.compile(r"\b([0-9]+(?:\.[0-9]+)?)f([+-]?[0-9]+)\b")
_SAFE = re.compile(r"\bsafe_(log|sqrt)\b")


class HallOfFameRow(NamedTuple):
    """A row as PySR wrote it: nodes, PySR's own loss, the equation in x0, x1, ..."""

    complexity: int
    loss: float
    equation: str


def hall_of_fame_path(folder: Path) -> Path:
    """Where PySR keeps its table below a run's folder."""
    return folder / "run" / "hall_of_fame.csv"


def read_hall_of_fame(path: Path) -> list[HallOfFameRow]:
    """Return the rows of a hall of fame, the smallest first; none if there is no file.

    PySR overwrites `path` and then a copy of it, `path`.bak, so that a kill damages one of
    them at most. Complete rows of both are returned; equal ones once.
    """
    rows: dict[HallOfFameRow, None] = {}
    for file in (path, path.with_name(path.name + ".bak")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        rows.update(dict.fromkeys(row for line in text.splitlines() if (row := _read(line))))
    return sorted(rows)


def _read(line: str) -> HallOfFameRow | None:
    """Read one line; None for the header, a damaged line and a law without a loss."""
    match = _ROW.fullmatch(line.strip())
    if match is None:
        return None
    try:
        loss = float(julia_numbers(match["loss"]))
    except ValueError:
        return None
    if math.isnan(loss):
        return None
    equation = _SAFE.sub(r"\1", julia_numbers(match["equation"]))
    return HallOfFameRow(int(match["complexity"]), loss, equation)


def julia_numbers(text: str) -> str:
    """Write Julia's Float32 literals as Python's: 1.5f-7 as 1.5e-7."""
    return _JULIA_FLOAT32.sub(r"\1e\2", text)
