"""Tables in which a person says what is what: classes of nuclei in fields, and lists of crops."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from occamscope.errors import InputError
from occamscope.store.archives import leaves_folder
from occamscope.store.pixel_size import PLAUSIBLE_UM
from occamscope.store.text_tables import (
    Problems,
    TextTable,
    nearest,
    parse_number,
    read_text_table,
    require_columns,
)

if TYPE_CHECKING:
    import pandas as pd

MANIFEST_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file",),
    "label": ("label", "class"),
    "group": ("group", "plate"),
    "source": ("source", "position"),
    "frame": ("frame",),
    "y": ("y",),
    "x": ("x",),
    "pixel_size_um": ("pixel_size_um",),
}
"""What a manifest may say of a crop, and the column names looked for, the first one present."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ManifestRow:
    """One crop as the manifest describes it; None where it does not say."""

    file: str
    class_name: str | None
    group: str | None
    source: str | None
    frame: int | None
    y: float | None
    x: float | None
    pixel_size_um: float | None


def read_label_table(
    path: Path,
    fields: Iterable[str],
    shapes: Mapping[str, Shape] | None = None,
) -> "pd.DataFrame":
    """Read the classes of nuclei in fields: a CSV with the columns file, frame, y, x, class.

    Parameters
    ----------
    path : Path
        The table. `file` is a field's name relative to the input folder, or its bare file name
        where that is unique; frame counts from 0; y and x are pixels, y down.
    fields : iterable of str
        Names of the fields that are there.
    shapes : mapping of str to (frames, height, width), optional
        Shapes of fields, to refuse points outside. With one frame a file, `frame` may be left out.

    Returns
    -------
    DataFrame
        file (str, as in `fields`), frame (int64), y, x (float64), class_name (str); rows as in the
        table.

    Raises
    ------
    InputError
        All problems in one message, with row and column.
    """
    import pandas as pd

    frame = pd.DataFrame(_label_columns(path, fields, shapes))
    return frame.astype({"frame": "int64", "y": "float64", "x": "float64"})


def check_label_table(path: Path, fields: Iterable[str]) -> None:
    """Raise InputError for what `read_label_table` would refuse, but for the points' places.

    Needs the standard library alone: the Snakefile asks before any image is read.
    """
    _label_columns(path, fields, {})


def _label_columns(
    path: Path, fields: Iterable[str], shapes: Mapping[str, Shape] | None
) -> dict[str, list]:
    table = read_text_table(path, path.name)
    stacks = shapes is None or any(s[0] > 1 for s in shapes.values())
    framed = "frame" in table.header or stacks
    require_columns(table, ("file", *(["frame"] if framed else []), "y", "x", "class"))
    problems = Problems(table.name)
    if not table.rows:
        raise InputError(f"{table.name}: has no rows. Write one row for each labelled nucleus.")
    known = _names_by_alias(fields)
    columns: dict[str, list] = {
        "file": [_field(cell, row, known, problems) for row, cell in _cells(table, "file")],
        "frame": _numbers(table, "frame", problems, integer=True)
        if framed
        else [0.0] * len(table.rows),
        "y": _numbers(table, "y", problems),
        "x": _numbers(table, "x", problems),
        "class_name": table.column("class"),
    }
    for row, cell in _cells(table, "class"):
        if not cell:
            problems.add(row, "class", "is blank; name the class or delete the row")
    _check_points(columns, shapes or {}, problems)
    problems.raise_if_any()
    return columns


def _cells(table: TextTable, column: str) -> Iterable[tuple[int, str]]:
    """Row number as in a spreadsheet and cell."""
    return enumerate(table.column(column), start=2)


def _numbers(
    table: TextTable, column: str, problems: Problems, *, integer: bool = False
) -> list[float | None]:
    return [
        parse_number(cell, row, column, problems, integer=integer)
        for row, cell in _cells(table, column)
    ]


def _names_by_alias(fields: Iterable[str]) -> dict[str, list[str]]:
    """Fields by full name and by bare file name."""
    known: dict[str, list[str]] = {}
    for name in fields:
        for alias in {name, PurePosixPath(name).name}:
            known.setdefault(alias, []).append(name)
    return known


def _field(cell: str, row: int, known: Mapping[str, list[str]], problems: Problems) -> str:
    """The field that a cell names; a problem if there is none, or more than one."""
    name = cell.replace("\\", "/").removeprefix("./")
    matches = known.get(name, [])
    if name in matches:
        return name
    if len(matches) == 1:
        return matches[0]
    if matches:
        problems.add(row, "file", f"'{cell}' is in several folders: {', '.join(matches[:3])}")
    else:
        problems.add(row, "file", f"'{cell}' is not there{nearest(name, known)}")
    return ""


def _check_points(
    columns: Mapping[str, list], shapes: Mapping[str, Shape], problems: Problems
) -> None:
    """Points must lie in their field, and no point may stand in the table twice."""
    seen: dict[tuple, int] = {}
    rows = zip(*(columns[c] for c in ("file", "frame", "y", "x")), strict=True)
    for row, (file, frame, y, x) in enumerate(rows, start=2):
        if not file or None in (frame, y, x):
            continue
        first = seen.setdefault((file, frame, y, x), row)
        if first != row:
            problems.add(row, "file", f"the same point of '{file}' as in row {first}")
        if file not in shapes:
            continue
        for column, value, limit in zip(
            ("frame", "y", "x"), (frame, y, x), shapes[file], strict=True
        ):
            if value >= limit:
                text = f"{value:g} lies outside '{file}' (0 to {limit - 1})"
                problems.add(row, column, text)


def read_manifest(
    source: Path | bytes, name: str, columns: Mapping[str, str] | None = None
) -> list[ManifestRow]:
    """Read a list of crops: a CSV with `file`, `label` and more (`MANIFEST_COLUMNS`).

    Parameters
    ----------
    source : Path or bytes
        The table or its content.
    name : str
        Its name in messages.
    columns : mapping, optional
        Columns under other names, such as ``{"group": "plate", "label": "phenotype"}``.

    Returns
    -------
    list of ManifestRow
        A blank label means unlabelled; other blank cells mean not said.

    Raises
    ------
    InputError
        All problems in one message, with row and column.
    """
    table = read_text_table(source, name)
    chosen = _choose_columns(table, columns or {})
    problems = Problems(name)
    cells = {role: table.column(column) for role, column in chosen.items()}
    rows = []
    for index in range(len(table.rows)):
        values = {role: cells[role][index] for role in chosen}
        rows.append(_manifest_row(values, index + 2, chosen, problems))
    _check_manifest(rows, chosen, problems)
    problems.raise_if_any()
    if not rows:
        raise InputError(f"{name}: has no rows. Write one row for each crop.")
    return rows


def _choose_columns(table: TextTable, mapping: Mapping[str, str]) -> dict[str, str]:
    """Column of each role that the table has."""
    for role in mapping:
        if role not in MANIFEST_COLUMNS:
            raise InputError(
                f"column mapping: '{role}' is not one of {', '.join(MANIFEST_COLUMNS)}"
                f"{nearest(role, MANIFEST_COLUMNS)}. Correct the config."
            )
    require_columns(table, list(mapping.values()))
    chosen = {}
    for role, names in MANIFEST_COLUMNS.items():
        present = [n for n in ([mapping[role]] if role in mapping else names) if n in table.header]
        if present:
            chosen[role] = present[0]
        elif role in ("file", "label"):
            require_columns(table, [role])
    return chosen


def _manifest_row(
    cells: Mapping[str, str], row: int, chosen: Mapping[str, str], problems: Problems
) -> ManifestRow:
    def number(role: str, integer: bool = False) -> float | None:
        text = cells.get(role, "")
        return parse_number(text, row, chosen[role], problems, integer=integer) if text else None

    file = cells["file"].replace("\\", "/").removeprefix("./")
    if leaves_folder(file):
        problem = "is blank" if not file else f"'{file}' points outside the folder of the manifest"
        problems.add(row, chosen["file"], problem)
    frame = number("frame", integer=True)
    size = number("pixel_size_um")
    low, high = PLAUSIBLE_UM
    if size is not None and not low <= size <= high:
        text = f"{size:g} um per pixel is outside {low} to {high}"
        problems.add(row, chosen["pixel_size_um"], text)
    return ManifestRow(
        file,
        cells["label"] or None,
        cells.get("group") or None,
        cells.get("source") or None,
        None if frame is None else int(frame),
        number("y"),
        number("x"),
        size,
    )


def _check_manifest(rows: list[ManifestRow], chosen: Mapping[str, str], problems: Problems) -> None:
    """A crop stands in the list once, and groups are named for all crops or for none."""
    first: dict[str, int] = {}
    grouped = any(r.group is not None for r in rows)
    for number, row in enumerate(rows, start=2):
        if row.file and first.setdefault(row.file, number) != number:
            text = f"'{row.file}' stands in row {first[row.file]} already"
            problems.add(number, chosen["file"], text)
        if grouped and row.group is None:
            problems.add(number, chosen["group"], "is blank, though other rows name a group")
