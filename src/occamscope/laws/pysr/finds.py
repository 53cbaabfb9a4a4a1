"""What a PySR search has found so far, read from its folder while it runs and after it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import score_law
from occamscope.laws.pysr.arguments import numbered_names, turned_products
from occamscope.laws.pysr.hall_of_fame import HallOfFameRow, hall_of_fame_path, read_hall_of_fame
from occamscope.laws.spec import SearchSpec

LOG = "worker.log"
# PySR writes about every five seconds: Progress: 12 / 300 total iterations (4.000%)
_PROGRESS = re.compile(r"^Progress: ([0-9]{1,12}) / [0-9]+ total iterations", re.MULTILINE)
_LOG_TAIL = 65_536  # bytes; one report is a few kilobytes

Rows = tuple[tuple[int, float, str], ...]


class Finds:
    """The laws in a run's folder.

    Parameters
    ----------
    folder : of the run
    names : features of the data, for which PySR knows x0, x1, ...
    spec : the search's settings
    report : called once with each equation that cannot be read
    """

    def __init__(
        self, folder: Path, names: Sequence[str], spec: SearchSpec, report: Callable[[str], None]
    ) -> None:
        self.folder, self.spec, self.report = folder, spec, report
        self.names = tuple(names)
        self._read: dict[str, Expression | None] = {}
        self._scores: dict[str, tuple[int, float, str] | None] = {}

    def table(self) -> list[HallOfFameRow]:
        """Return the hall of fame as PySR wrote it, the smallest law first."""
        return read_hall_of_fame(hall_of_fame_path(self.folder))

    def laws(self) -> list[Expression]:
        """Return the laws of the hall of fame, the smallest first."""
        found = (self._law(text) for text in dict.fromkeys(row.equation for row in self.table()))
        return [law for law in found if law is not None]

    def _law(self, equation: str) -> Expression | None:
        """Read an equation once, under the data's names; None if it cannot be read."""
        if equation not in self._read:
            self._read[equation] = None
            try:
                law = parse(equation, numbered_names(len(self.names))).renamed(self.names)
                self._read[equation] = turned_products(law, self.spec)
            except InputError as error:
                self.report(f"pysr: left out {equation[:80]!a}: {error}")
        return self._read[equation]

    def rows(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
    ) -> Rows:
        """Return (complexity, loss, expression) of the front so far, each law scored once."""
        scored = {self._score(law, X, y, weight) for law in self.laws()}
        front: list[tuple[int, float, str]] = []
        for row in sorted(row for row in scored if row is not None):
            if np.isfinite(row[1]) and (not front or row[1] < front[-1][1]):
                front.append(row)
        return tuple(front)

    def _score(
        self,
        law: Expression,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
    ) -> tuple[int, float, str] | None:
        """Score a law as the front will; None if it breaks a limit."""
        text = law.tidy().to_text()
        if text not in self._scores:
            row = None
            if violation(law, self.spec) is None:
                loss, _, _ = score_law(law, X, y, self.spec, weight)
                row = (complexity_of(law, self.spec), loss, text)
            self._scores[text] = row
        return self._scores[text]

    def iterations(self) -> int:
        """Return how many iterations PySR says that it has done."""
        try:
            with (self.folder / LOG).open("rb") as log:
                log.seek(0, 2)
                log.seek(max(log.tell() - _LOG_TAIL, 0))
                tail = log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return 0
        done = _PROGRESS.findall(tail)
        return int(done[-1]) if done else 0


def write_inputs(
    folder: Path,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    arguments: Mapping[str, object],
) -> None:
    """Write what the worker reads: data, and arguments as JSON."""
    np.save(folder / "X.npy", X, allow_pickle=False)
    np.save(folder / "y.npy", y, allow_pickle=False)
    (folder / "weights.npy").unlink(missing_ok=True)
    if weight is not None:
        np.save(folder / "weights.npy", weight, allow_pickle=False)
    text = json.dumps(arguments, indent=1, sort_keys=True)
    (folder / "arguments.json").write_text(text, encoding="utf-8")


def reason_to_end(folder: Path) -> str:
    """Return why PySR ended by itself: "budget", "time" or "interrupt"."""
    finished = json.loads((folder / "finished.json").read_text(encoding="utf-8"))
    return str(finished["stopped"])


def earlier_laws(
    folder: Path, names: Sequence[str], spec: SearchSpec, report: Callable[[str], None]
) -> list[Expression]:
    """Return what an earlier run found, as laws of the present data's features.

    Laws of features that are no more are left out aloud.

    Raises
    ------
    InputError
        If the folder holds no PySR run.
    """
    try:
        arguments = json.loads((folder / "arguments.json").read_text(encoding="utf-8"))
        old_names = [str(name) for name in arguments["names"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"laws: {folder} holds no PySR search to resume") from None
    laws = []
    for law in Finds(folder, old_names, spec, report).laws():
        try:
            laws.append(parse(law.to_text(), names))
        except InputError as error:
            report(f"pysr: left out '{law}': {error}")
    return laws
