"""A front for the reader: a table for a terminal, and one for a notebook."""

from __future__ import annotations

import html
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Hashable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

# Significant digits of the constants in what is shown; the front's table holds them exactly.
DIGITS = 4
PICK = ">>>>"
GAP = "  "
# Columns give way before the expression gets narrower than this.
NARROWEST_LAW = 20

# Heading and format of each column that is shown where it is there.
_FORMATS = {
    "complexity": ("complexity", "{:.0f}"),
    "loss": ("loss", "{:.4g}"),
    "score": ("score", "{:.3g}"),
    "validation_loss": ("val. loss", "{:.4g}"),
    "validation_accuracy": ("accuracy", "{:.3f}"),
    "validation_balanced_accuracy": ("balanced", "{:.3f}"),
    "validation_r2": ("val. R2", "{:.3f}"),
    "cv_loss": ("cv loss", "{:.4g}"),
    "cv_standard_error": ("+-", "{:.2g}"),
    "output_scale": ("scale", "{:.4g}"),
    "output_offset": ("offset", "{:.4g}"),
    "engine": ("engine", "{}"),
    "loss_name": ("loss name", "{}"),
    "target": ("target", "{}"),
    "seed": ("seed", "{}"),
}
# Where a row comes from is a column only if the rows differ in it.
_ORIGIN = ("engine", "loss_name", "target", "seed")
# What gives way first on a narrow terminal.
_LEAST_NEEDED = (
    "seed", "target", "loss_name", "cv_standard_error", "validation_accuracy", "score", "engine",
    "validation_loss", "validation_r2", "cv_loss", "output_scale", "output_offset",
    "validation_balanced_accuracy", "loss", "complexity",
)  # fmt: skip
_STOPPED = {
    "time": "Stopped by the time limit: more time may find better laws.",
    "interrupt": "Stopped by the user: these are the laws found so far.",
}
_NUMBER = re.compile(r"`[^`]*`|(?<![\w.])[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?")
# Pieces of an expression between which a line may end.
_PIECE = re.compile(
    r"\s*(?:`[^`]*`\(*|\*\*-?[0-9]+|[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?|\w+\(*|\(+|\S)"
)


class Found(Protocol):
    """A front of single or joint laws."""

    @property
    def table(self) -> pd.DataFrame:
        """One row a law, the smallest first."""
        ...

    @property
    def stopped(self) -> str:
        """Why the search ended, one of `front.STOPPED`."""
        ...


def front_text(front: Found, pick: Hashable = None, width: int | None = None) -> str:
    """Write a front for a terminal, and say if its search was cut short.

    Parameters
    ----------
    front : what a search found
    pick : index label of the row to point at
    width : columns of the terminal; None asks it
    """
    width = terminal_width() if width is None else width
    head, note = (
        textwrap.wrap(text, width) for text in (summary(front.table), stop_note(front.stopped))
    )
    table = [format_front(front.table, pick, width)] if len(front.table) else []
    return "\n".join([*head, *table, *note])


def front_html(front: Found, pick: Hashable = None) -> str:
    """Write a front for a notebook, with laws typeset by MathJax; see `front_text`."""
    note = stop_note(front.stopped)
    head = f"<p>{html.escape(summary(front.table))}</p>"
    tail = f"<p><em>{html.escape(note)}</em></p>" if note else ""
    return f"<div>{head}{format_front_html(front.table, pick)}{tail}</div>"


def terminal_width() -> int:
    """Columns of the terminal, or of $COLUMNS; 80 where there is none."""
    return max(shutil.get_terminal_size().columns, 1)


def stop_note(stopped: str) -> str:
    """Say that a clock or the user cut a search short; nothing if neither did."""
    return _STOPPED.get(stopped, "")


def summary(rows: pd.DataFrame) -> str:
    """Say in a line how many laws there are and where they come from."""
    if len(rows) == 0:
        return "no law: none that the search saw has a finite loss within its limits"
    facts = []
    for name, form in (("loss_name", "{} loss"), ("engine", "{}"), ("seed", "seed {}")):
        if name in rows and rows[name].nunique() == 1:
            facts.append(form.format(rows[name].iloc[0]))
    count = f"{len(rows)} law{'s' * (len(rows) != 1)}"
    return _printable(f"{count} ({', '.join(facts)})" if facts else count)


def format_front(rows: pd.DataFrame, pick: Hashable = None, width: int | None = None) -> str:
    """Write the table as PySR prints it, with >>>> before the picked row.

    No line is longer than the terminal is wide: long expressions take several lines, and on
    a narrow terminal the columns that matter least are left out. Constants are rounded to
    `DIGITS` digits.

    Parameters
    ----------
    rows : a front's table
    pick : index label of the row to point at
    width : columns of the terminal; None asks it
    """
    width = terminal_width() if width is None else width
    laws = [_printable(short_numbers(text)) for text in rows["expression"]]
    columns = _columns(rows)
    names = list(columns)
    for name in _LEAST_NEEDED:
        if _width_of([columns[n] for n in names], pick) + NARROWEST_LAW <= width:
            break
        names = [n for n in names if n != name]
    shown = [columns[n] for n in names]
    room = max(width - _width_of(shown, pick), 1)
    lines = [_line(None if pick is None else "", [c[0] for c in shown], shown, "expression"[:room])]
    for i, label in enumerate(rows.index):
        mark = None if pick is None else PICK if label == pick else ""
        first, *more = wrap_law(laws[i], room)
        lines.append(_line(mark, [c[i + 1] for c in shown], shown, first))
        blank = None if pick is None else ""
        lines += [_line(blank, [""] * len(shown), shown, part) for part in more]
    return "\n".join(line[:width].rstrip() for line in lines)


def format_front_html(rows: pd.DataFrame, pick: Hashable = None) -> str:
    """Write the table in HTML: the laws in LaTeX for MathJax, and as text to copy.

    Parameters
    ----------
    rows : a front's table
    pick : index label of the row to point at
    """
    columns = _columns(rows)
    heads = ["", *(column[0] for column in columns.values()), "law", "expression"]
    body = ["<tr>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>"]
    for i, label in enumerate(rows.index):
        text = short_numbers(str(rows["expression"].iloc[i]))
        latex = str(rows["latex"].iloc[i]) if "latex" in rows else ""
        cells = [PICK if pick is not None and label == pick else ""]
        cells += [column[i + 1] for column in columns.values()]
        parts = [f"<td>{html.escape(cell)}</td>" for cell in cells]
        parts.append(f'<td style="text-align:left">{_typeset(latex)}</td>')
        parts.append(f'<td style="text-align:left"><code>{html.escape(text)}</code></td>')
        bold = ' style="font-weight:bold"' if cells[0] else ""
        body.append(f"<tr{bold}>{''.join(parts)}</tr>")
    return f"<table>{''.join(body)}</table>"


def short_numbers(text: str, digits: int = DIGITS) -> str:
    """Round the numbers in an expression's text to so many significant digits.

    Names, also those in backticks, and exponents stay as they are.
    """

    def shorten_one(match: re.Match[str]) -> str:
        number = match.group()
        return number if number[0] == "`" else f"{float(number):.{digits}g}"

    return _NUMBER.sub(shorten_one, text)


def shorten(text: str, width: int) -> str:
    """Cut a text that takes more than so many columns, with "..." at its end."""
    text = _printable(text)
    if columns_of(text) <= width:
        return text
    dots = "..."[: max(width, 0)]
    while text and columns_of(text) + len(dots) > width:
        text = text[:-1]
    return text + dots


def wrap_law(text: str, width: int) -> list[str]:
    """Break an expression into lines of at most so many columns (at least one line).

    Lines end where a summand ends if that leaves them half full, otherwise between any two
    pieces; a piece that is too long is cut. Joined, the lines are the text without its spaces.
    """
    lines: list[list[str]] = [[]]
    for piece in _pieces(text, width):
        line = lines[-1]
        if line and columns_of("".join(line).strip() + piece) > width:
            kept, moved = _last_sum(line, width)
            lines[-1] = kept
            lines.append([*moved, piece])
        else:
            line.append(piece)
    # What was moved to a next line and did not fit there is cut again.
    return [part for line in lines for part in _cut("".join(line).strip(), width)] or [""]


def _pieces(text: str, width: int) -> list[str]:
    """Split a text into pieces of at most so many columns."""
    return [part for piece in _PIECE.findall(text) for part in _cut(piece, width)]


def _cut(text: str, width: int) -> list[str]:
    """Cut a text into parts of at most so many columns, a character at least."""
    parts, part = [], ""
    for character in text:
        if part and columns_of(part + character) > width:
            parts.append(part)
            part = ""
        part += character
    return [*parts, part] if part else parts


def _last_sum(line: list[str], width: int) -> tuple[list[str], list[str]]:
    """Part a line before its last summand if at least half of the width stays filled."""
    for i in range(len(line) - 1, 0, -1):
        if re.fullmatch(r"\s+[-+]", line[i]) and columns_of("".join(line[:i])) >= width / 2:
            return line[:i], line[i:]
    return line, []


def columns_of(text: str) -> int:
    """Columns that a text takes in a terminal: 2 for wide characters, 0 for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _printable(text: str) -> str:
    """Replace characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _columns(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return heading and cells of every column but the expression that is worth showing."""
    shown = {}
    for name, (heading, form) in _FORMATS.items():
        if name not in rows or (name in _ORIGIN and rows[name].nunique() <= 1):
            continue
        if name in ("output_scale", "output_offset") and not _has_offset(rows):
            continue
        shown[name] = [heading, *(_printable(form.format(value)) for value in rows[name])]
    return shown


def _has_offset(rows: pd.DataFrame) -> bool:
    """True if a law's sign is not that of its expression alone."""
    return "output_offset" in rows and bool(np.any(rows["output_offset"].to_numpy() != 0))


def _width_of(columns: Sequence[Sequence[str]], pick: Hashable) -> int:
    """Width of all that stands before the expression."""
    marks = 0 if pick is None else len(PICK + GAP)
    return marks + sum(max(map(columns_of, column)) + len(GAP) for column in columns)


def _line(
    mark: str | None, cells: Sequence[str], columns: Sequence[Sequence[str]], law: str
) -> str:
    """Write one line: the mark, numbers to the right of their columns, the law."""
    parts = [] if mark is None else [mark.ljust(len(PICK))]
    for cell, column in zip(cells, columns, strict=True):
        parts.append(" " * (max(map(columns_of, column)) - columns_of(cell)) + cell)
    return GAP.join([*parts, law])


def _typeset(latex: str) -> str:
    """Put LaTeX between the signs that MathJax looks for; empty if it holds such a sign."""
    if not latex or re.search(r"(?<!\\)\$", latex):
        return ""
    return f"${html.escape(latex)}$"
