"""PySR, the engine of the paper, in a separate process behind the common engine protocol.

PySR (Cranmer 2023, arXiv 2305.01582) runs in `pysr_worker`. This module writes the data and
PySR's arguments into a folder, watches the hall of fame that PySR keeps there, and scores
what it finds once more in float64, with the output scale that PySR's losses lack.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState, Snapshot
from occamscope.laws.engines import EngineError
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import Front, check_data
from occamscope.laws.loss import check_weights
from occamscope.laws.pysr.arguments import (
    iterations_for,
    julia_text,
    kept_columns,
    numbered_names,
    pysr_arguments,
    takes_guess,
)
from occamscope.laws.pysr.finds import LOG, Finds, earlier_laws, reason_to_end, write_inputs
from occamscope.laws.pysr.hall_of_fame import hall_of_fame_path
from occamscope.laws.pysr.process import environment, run_process
from occamscope.laws.pysr.worker import NO_PYSR, READY
from occamscope.laws.search_digest import digest_of
from occamscope.laws.spec import SearchSpec

Progress = Callable[[str], None]
Array = NDArray[np.float64]

HEARTBEAT_S = 60.0

INSTALL_COMMANDS = (
    "python -m pip install 'pysr>=2.7'",
    'python -c "import pysr; pysr.load_all_packages()"',
)


@dataclass(frozen=True)
class PySREngine:
    """Settings of the PySR engine; what is searched for stands in `SearchSpec`.

    With equal settings, seed and versions two runs are identical (PySR's deterministic
    serial mode), unless a time limit ends one of them. Several searches at once are several
    seeds in several processes.
    """

    name: ClassVar[str] = "pysr"

    # Folder for data, log and hall of fame; kept, so that a killed search can go on. None:
    # a temporary one.
    run_folder: str | Path | None = None
    # Interpreter of an environment with occamscope and PySR.
    python: str = sys.executable
    # What the interpreter runs; the folder's path is appended.
    worker: tuple[str, ...] = ("-m", "occamscope.laws.pysr.worker")
    # How often to look at the hall of fame, at least.
    poll_s: float = 2.0

    def available(self) -> tuple[bool, str]:
        """Say whether PySR and Julia are installed, and the two commands if they are not.

        Neither Julia nor the network is touched.
        """
        command = [self.python, *self.worker, "--probe"]
        try:
            status = subprocess.run(
                command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=120, check=False,
            ).returncode  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return False, f"PySR could not be probed ({error}). {install_message()}"
        if status == READY:
            return True, "PySR and Julia are installed"
        missing = "PySR is" if status == NO_PYSR else "Julia or PySR's Julia packages are"
        return False, f"{missing} not installed. {install_message()}"

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        spec: SearchSpec,
        feature_names: Sequence[str],
        sample_weight: ArrayLike | None = None,
        guesses: Sequence[str] = (),
        resume_from: str | Path | Front | None = None,
        progress: Progress | None = None,
        target: str = "labels",
        *,
        control: SearchControl | None = None,
    ) -> Front:
        """Search with PySR; see `Engine.fit`.

        PySR cannot add a base to a law, so there is no such argument. Of `control`, `threads`
        is passed over: PySR repeats itself on one thread only.

        Parameters
        ----------
        resume_from : the `run_folder` of a killed search, or a front: the laws join the
            guesses. PySR can resume no other way; the budget starts anew and the result
            differs from an uninterrupted run's. With `control.resume` it is the same, but
            the iterations and the time that were used count.
        control : limits, progress, checkpoints. A limit in seconds covers Julia's start. A
            generation is one of PySR's iterations; evaluations are estimated from them.

        Raises
        ------
        EngineError
            If PySR is missing, ends with an error, or the folder holds an earlier search.
        """
        report = progress or (lambda line: None)
        X, y = check_data(X, y, spec, feature_names)
        weight = check_weights(sample_weight, len(y))
        control = control or SearchControl()
        texts = [parse(text, feature_names) for text in guesses]
        kept_columns(spec, feature_names)
        ok, message = self.available()
        if not ok:
            raise EngineError(message)
        search = _Search(self, X, y, weight, spec, tuple(feature_names), control, report)
        search.take_up(resume_from)
        with self._folder(resume_from) as folder:
            finds = Finds(folder, feature_names, spec, report)
            stopped = search.run(finds, texts)
            found = finds.laws()
        return Front.from_expressions(
            [*found, *search.known], X, y, spec, feature_names, engine=self.name, target=target,
            sample_weight=weight, stopped=stopped,
        )  # fmt: skip

    @contextmanager
    def _folder(self, resume_from: object) -> Iterator[Path]:
        """Give the run's folder; never one with another search's results.

        A temporary one goes, unless PySR broke down after it had found something.
        """
        if self.run_folder is None:
            folder = Path(mkdtemp(prefix="occamscope_pysr_"))
            try:
                yield folder
            except EngineError as error:
                if hall_of_fame_path(folder).exists():
                    raise EngineError(
                        f"{error}\nWhat it had found: resume_from='{folder}'"
                    ) from None
                shutil.rmtree(folder, ignore_errors=True)
                raise
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(folder, ignore_errors=True)
            return
        folder = Path(self.run_folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        going_on = isinstance(resume_from, str | Path) and Path(resume_from).absolute() == folder
        if hall_of_fame_path(folder).exists() and not going_on:
            raise EngineError(
                f"{folder} holds an earlier PySR search; resume from it or name another folder"
            )
        (folder / "finished.json").unlink(missing_ok=True)
        yield folder


class _Search:
    """One call of the engine."""

    def __init__(
        self, engine: PySREngine, X: Array, y: Array, weight: Array | None, spec: SearchSpec,
        names: tuple[str, ...], control: SearchControl, report: Progress,
    ) -> None:  # fmt: skip
        self.engine, self.X, self.y, self.weight = engine, X, y, weight
        self.spec, self.names, self.control, self.report = spec, names, control, report
        self.begin = time.monotonic()
        self.before = 0  # iterations of the search that this one goes on with
        self.known: list[Expression] = []  # laws of earlier searches
        self.news, self.last_line = "", self.begin
        self.next_watch = self.begin
        self.next_checkpoint = self.begin + control.checkpoint_every_s

    # ---------------------------------------------------------------- what there was

    @cached_property
    def digest(self) -> str:
        weight = np.ones(len(self.y)) if self.weight is None else self.weight
        return digest_of(self.X, self.y, weight, self.engine.name, self.spec, self.names)

    def take_up(self, resume_from: str | Path | Front | None) -> None:
        """Take up the state to continue from, and the laws of an earlier folder or front."""
        if self.control.resume is not None:
            self.restore(self.control.resume)
        if isinstance(resume_from, Front):
            texts = resume_from.table["expression"]
            self.known += [parse(text, self.names) for text in texts]
        elif resume_from is not None:
            self.known += earlier_laws(Path(resume_from), self.names, self.spec, self.report)

    def restore(self, state: SearchState) -> None:
        """Go on from a checkpoint."""
        if state.digest != self.digest:
            raise InputError(
                "laws: the checkpoint is of other data or settings; start without resume, or "
                "with what it was made from"
            )
        self.before = int(state.numbers["generation"])
        self.begin -= float(state.numbers["seconds"])
        self.known += [parse(text, self.names) for text in state.numbers["laws"]]

    # ---------------------------------------------------------------- the run

    def run(self, finds: Finds, guesses: Sequence[Expression]) -> str:
        """Run PySR in the folder of `finds`; return why it ended, one of `front.STOPPED`."""
        folder = finds.folder
        arguments = self.arguments(folder, [*self.known, *guesses])
        kept = kept_columns(self.spec, self.names)
        names = [numbered_names(len(self.names))[i] for i in kept]
        document = {"model": arguments, "fit": {"variable_names": names}, "names": self.names}
        write_inputs(folder, self.X[:, kept], self.y, self.weight, document)
        every = self.engine.poll_s
        if self.control.watch is not None:
            every = min(every, self.control.watch_every_s)
        ended = run_process(
            [self.engine.python, *self.engine.worker, str(folder)], folder / LOG,
            lambda: self.look(finds), every, self.time_left(),
        )  # fmt: skip
        stopped = reason_to_end(folder) if ended == "ended" else ended
        if stopped == "budget" and arguments["niterations"] < self.left():
            stopped = "generations"
        if stopped in ("time", "interrupt"):
            self.checkpoint(finds)
        self.watch(finds, self.before + finds.iterations(), whole=stopped == "budget")
        if stopped == "time":
            self.report(f"pysr: stopped after {self.seconds():.0f} s; the front is what it found")
        if stopped == "interrupt":
            self.report("pysr: interrupted; the front is what it found")
        return stopped

    def arguments(self, folder: Path, starts: Sequence[Expression]) -> dict[str, Any]:
        """Return PySRRegressor's arguments for this search."""
        arguments = pysr_arguments(self.spec, folder, self.names)
        arguments["niterations"] = self.left()
        if self.control.generations is not None:
            most = max(self.control.generations - self.before, 1)
            arguments["niterations"] = min(self.left(), most)
        left = self.time_left()
        if left is not None:
            arguments["timeout_in_seconds"] = left
        texts = [julia_text(law, self.spec) for law in starts if takes_guess(law, self.spec)]
        if texts:
            arguments["guesses"] = list(dict.fromkeys(texts))
        return arguments

    def left(self) -> int:
        """Return how many iterations the budget still has."""
        return max(iterations_for(self.spec) - self.before, 1)

    def seconds(self) -> float:
        """Time since the search began, that before a resume included."""
        return time.monotonic() - self.begin

    def time_left(self) -> float | None:
        limit = self.control.time_limit_s
        return None if limit is None else max(limit - self.seconds(), 0.0)

    # ---------------------------------------------------------------- while it runs

    def look(self, finds: Finds) -> None:
        """Report what is new."""
        now, control = time.monotonic(), self.control
        news = describe(finds)
        if news != self.news or now - self.last_line > HEARTBEAT_S:
            self.report(f"pysr: {self.seconds():.0f} s, {news}")
            self.news, self.last_line = news, now
        if now >= self.next_watch:
            self.next_watch = now + control.watch_every_s
            self.watch(finds, self.before + finds.iterations())
        if now >= self.next_checkpoint:
            self.next_checkpoint = now + control.checkpoint_every_s
            self.checkpoint(finds)

    def watch(self, finds: Finds, iterations: int, whole: bool = False) -> None:
        """Hand out a snapshot; `whole` if the budget was used."""
        if self.control.watch is None:
            return
        budget = self.spec.evaluations
        share = 1.0 if whole else iterations / iterations_for(self.spec)
        self.control.watch(
            Snapshot(
                generation=iterations, evaluations=min(round(share * budget), budget), aborted=0,
                budget=budget, seconds=self.seconds(),
                rows=finds.rows(self.X, self.y, self.weight),
            )
        )  # fmt: skip

    def checkpoint(self, finds: Finds) -> None:
        """Hand out what was found: all that PySR can go on with."""
        if self.control.checkpoint is None:
            return
        laws = dict.fromkeys(law.to_text() for law in [*finds.laws(), *self.known])
        numbers = {
            "laws": list(laws),
            "generation": self.before + finds.iterations(),
            "seconds": self.seconds(),
        }
        self.control.checkpoint(SearchState(self.digest, {}, numbers))


def install_message() -> str:
    """Return how to install PySR: two commands, the second one on a machine with network."""
    return "To install: " + " && ".join(INSTALL_COMMANDS)


def describe(finds: Finds) -> str:
    """Say in a few words how far a hall of fame has come, in PySR's own numbers."""
    rows = finds.table()
    if not rows:
        return "no law yet (Julia starts and compiles)"
    best = min(rows, key=lambda row: row.loss)
    return f"{len(rows)} laws, best loss {best.loss:.4g} with {best.complexity} nodes"
