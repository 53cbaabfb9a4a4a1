"""Runs the cells of a study in processes of one thread, and keeps what is finished.

A cell is one (task, engine, seed). Its row is appended to the study's CSV as soon as it is
done; a study that is started again skips the rows that are there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

RESULTS = Path(__file__).resolve().parents[1] / "results"
PAGE = RESULTS.parents[1] / "docs" / "laws" / "comparison.md"
# One thread in whatever library a cell calls; read by them when they are loaded.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Cell(NamedTuple):
    """One search: what, by whom, with which seed, for how many processor seconds."""

    task: str
    engine: str
    seed: int
    seconds: float


def arguments(question: str) -> argparse.Namespace:
    """Read the options that all studies share."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--quick", action="store_true", help="a few cells of a second or two")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0 reports what is there")
    parser.add_argument("--engines", nargs="+", help="only these")
    parser.add_argument("--tasks", nargs="+", help="only these")
    parser.add_argument("--seeds", type=int, help="so many seeds instead of the study's")
    parser.add_argument("--seconds", type=float, help="instead of the study's, for every search")
    parser.add_argument("--results", type=Path, help="folder for table and rows")
    options = parser.parse_args()
    if options.results is None:
        # What is no full run leaves the results alone.
        partial = options.quick or options.seconds or options.seeds or options.tasks
        options.results = Path(tempfile.mkdtemp()) if partial else RESULTS
    return options


def cells(
    options: argparse.Namespace,
    tasks: Iterable[str],
    engines: Iterable[str],
    seeds: int,
    seconds: float,
    quick_seconds: float = 2.0,
) -> list[Cell]:
    """List a study's cells, the seeds outermost: what is cut short is balanced."""
    if options.quick:
        seeds, seconds = 1, quick_seconds
    seeds, seconds = options.seeds or seeds, options.seconds or seconds
    tasks = [task for task in tasks if not options.tasks or task in options.tasks]
    engines = [engine for engine in engines if not options.engines or engine in options.engines]
    return [
        Cell(task, engine, seed, seconds)
        for seed in range(seeds) for task in tasks for engine in engines
    ]  # fmt: skip


def run(
    path: Path, cells: Sequence[Any], work: Callable[[Any], dict[str, Any]], jobs: int
) -> pd.DataFrame:
    """Do the cells that are not in the file yet; return all rows of the given cells.

    Parameters
    ----------
    cells : `Cell`s, or named tuples of another study with at least task, engine and seed
    work : function of a module's top level, called in a process of its own
    jobs : so many processes; with 0 nothing is done that is not in the file
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = type(cells[0]) if cells else Cell
    done = set()
    if path.exists():
        keys = pd.read_csv(path, dtype={"task": str})[list(kind._fields)]
        done = {kind(*row) for row in keys.itertuples(index=False)}
    if jobs:
        _work_off(path, [cell for cell in cells if cell not in done], work, jobs)
    rows = pd.read_csv(path, dtype={"task": str}).fillna({"law": ""})
    wanted = set(cells)
    keep = [kind(*row) in wanted for row in rows[list(kind._fields)].itertuples(index=False)]
    return rows[keep].reset_index(drop=True)


def _work_off(
    path: Path, waiting: Sequence[Any], work: Callable[[Any], dict[str, Any]], jobs: int
) -> None:
    """Do the cells in processes of their own; append each row when it is done."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    context = multiprocessing.get_context("spawn")
    start = time.perf_counter()
    pool = ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1)
    futures = {pool.submit(work, cell): cell for cell in waiting}
    try:
        for k, future in enumerate(as_completed(futures), 1):
            cell, row = futures[future], future.result()
            frame = pd.DataFrame([{**cell._asdict(), **row}])
            frame.to_csv(path, mode="a", header=not path.exists(), index=False)
            minutes = (time.perf_counter() - start) / 60
            print(
                f"{k}/{len(waiting)}, {minutes:.0f} min: {cell.task}, {cell.engine}, "
                f"seed {cell.seed}",
                flush=True,
            )
    finally:
        pool.shutdown(cancel_futures=True)


def versions(names: Iterable[str] = ("numba", "pyoperon", "gplearn")) -> str:
    """Say which versions were compared."""
    found = []
    for name in names:
        with suppress(PackageNotFoundError):  # not every study needs every peer
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def markdown(table: pd.DataFrame, formats: dict[str, str] | None = None) -> str:
    """Write a table in Markdown; `formats` by column, as for str.format."""
    shown = table.astype(object)
    for name, pattern in (formats or {}).items():
        shown[name] = ["-" if pd.isna(value) else pattern.format(value) for value in table[name]]
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.astype(str).values.tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def count_seeds(rows: pd.DataFrame) -> str:
    """Return how many seeds every task has, e.g. "3", or "2-3" where a study is not complete."""
    counts = rows.groupby("task")["seed"].nunique()
    return "-".join(dict.fromkeys(str(n) for n in (counts.min(), counts.max())))


def report(path: Path, parts: Iterable[str], page: Path = PAGE) -> None:
    """Print the parts and write them to a Markdown file; those of a full run go into a page."""
    text = "\n\n".join(parts) + "\n"
    path.write_text(text)
    if path.parent == RESULTS:
        page.write_text(put_between(page.read_text(), path.stem, text))
    print("\n" + text)


def put_between(page: str, name: str, text: str) -> str:
    """Replace what stands between a page's markers of that name."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, rest = page.split(begin)
    return before + begin + text + end + rest.split(end)[1]
