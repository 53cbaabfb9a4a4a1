"""Read a CSV that a person made: every cell a string, every problem told with row and column."""

import csv
import difflib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from occamscope.errors import InputError

MAX_SHOWN = 30
"""Problems that one message lists; the rest is counted."""

MAX_BYTES = 512 * 2**20


@dataclass
class Problems:
    """Everything wrong with one table, told in one message.

    Rows are numbered as a spreadsheet shows them: the header is row 1.
    """

    name: str
    lines: list[str] = field(default_factory=list)

    def add(self, row: int, column: str, text: str) -> None:
        """Note a problem of one cell."""
        self.lines.append(f"row {row}, column '{column}': {text}")

    def raise_if_any(self) -> None:
        """Raise one InputError with all that was noted."""
        if not self.lines:
            return
        shown = "\n  ".join(self.lines[:MAX_SHOWN])
        more = len(self.lines) - MAX_SHOWN
        tail = f"\n  and {more} more" if more > 0 else ""
        count = f"{len(self.lines)} problem{'s' if len(self.lines) > 1 else ''}"
        raise InputError(
            f"{self.name}: {count} (row 1 is the header). Correct the table:\n  {shown}{tail}"
        )


@dataclass(frozen=True)
class TextTable:
    """Header and rows of a CSV; cells stripped of surrounding blanks, otherwise as written."""

    name: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def column(self, name: str) -> list[str]:
        """Cells of one column."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def read_text_table(source: Path | bytes, name: str) -> TextTable:
    """Read a comma-separated UTF-8 table with a header; 'NA' stays a name, '007' stays text.

    Raises
    ------
    InputError
        If it cannot be read, is empty, has repeated column names, or rows of another length.
    """
    records = _parse(_decode(source, name), name)
    while records and not any(records[-1]):
        records.pop()  # spreadsheets leave blank rows at the end
    if not records:
        raise InputError(f"{name}: is empty. Write a header and one row for each item.")
    header = tuple(records[0])
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise InputError(f"{name}: is not separated by commas. Save it as CSV with commas.")
    twice = sorted({h for h in header if header.count(h) > 1})
    if twice:
        raise InputError(f"{name}: column '{twice[0]}' stands in the header twice. Rename one.")
    problems = Problems(name)
    for number, cells in enumerate(records[1:], start=2):
        if len(cells) != len(header):
            problems.lines.append(f"row {number}: {len(cells)} cells, the header {len(header)}")
    problems.raise_if_any()
    return TextTable(name, header, [tuple(cells) for cells in records[1:]])


def _decode(source: Path | bytes, name: str) -> str:
    try:
        if isinstance(source, Path):
            if source.stat().st_size > MAX_BYTES:
                raise InputError(f"{name}: is larger than {MAX_BYTES >> 20} MiB. Split it.")
            source = source.read_bytes()
        return source.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{name}: cannot be opened ({reason}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not UTF-8 text. Save it as 'CSV UTF-8'.") from error


def _parse(text: str, name: str) -> list[list[str]]:
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [[cell.strip() for cell in record] for record in reader]
    except csv.Error as error:
        raise InputError(f"{name}: is not a valid CSV ({error}). Save the table anew.") from error


def nearest(word: str, choices: Iterable[str]) -> str:
    """' (nearest: ...)' with the most similar choice, or an empty string."""
    plain = {c.casefold(): c for c in choices}
    close = difflib.get_close_matches(word.casefold(), plain, n=1, cutoff=0.6)
    return f" (nearest: '{plain[close[0]]}')" if close else ""


def require_columns(table: TextTable, names: Sequence[str]) -> None:
    """Refuse a table that lacks columns; each with the nearest name that is there.

    Raises
    ------
    InputError
        One message for all of them.
    """
    lacking = [f"'{n}'{nearest(n, table.header)}" for n in names if n not in table.header]
    if lacking:
        raise InputError(
            f"{table.name}: has no column {', '.join(lacking)}; it has {', '.join(table.header)}. "
            "Rename or add the column."
        )


def parse_number(
    text: str, row: int, column: str, problems: Problems, *, integer: bool = False
) -> float | None:
    """A number >= 0 from a cell; None, with the problem noted, if it is none."""
    try:
        value = float(text.replace("_", "?"))  # Python would read 1_000
    except ValueError:
        problems.add(row, column, f"'{text}' is not a number")
        return None
    if not math.isfinite(value) or value < 0:
        problems.add(row, column, f"{text} is not a number from 0 upwards")
        return None
    if integer and value != int(value):
        problems.add(row, column, f"{text} is not a whole number")
        return None
    return value
