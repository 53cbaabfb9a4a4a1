"""PySR, the engine of the paper, in a separate process behind the common engine protocol.

PySR (Cranmer 2023, arXiv 2305.01582) runs in `pysr_worker`. This module writes the data and
PySR's arguments into a folder, watches the hall of fame that PySR keeps there, and scores
what it finds once more in float64, with the output scale that PySR's losses lack.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.engines import EngineError
from occamscope.laws.expression import Expression, parse
from occamscope.laws.front import Front, check_data
from occamscope.laws.hall_of_fame import read_hall_of_fame
from occamscope.laws.loss import check_weights
from occamscope.laws.pysr_arguments import julia_text, numbered_names, pysr_arguments, takes_guess
from occamscope.laws.pysr_worker import NO_PYSR, READY
from occamscope.laws.spec import SearchSpec

Progress = Callable[[str], None]

# PySR's own time limit, as a share of ours: the rest is for Julia's start and the last cycle.
SEARCH_SHARE = 0.8
HEARTBEAT_S = 60.0

INSTALL_COMMANDS = (
    "python -m pip install 'pysr>=1.5'",
    'python -c "import pysr; pysr.load_all_packages()"',
)


@dataclass(frozen=True)
class PySREngine:
    """Settings of the PySR engine; what is searched for stands in `SearchSpec`.

    With equal settings, seed and versions two runs are identical (PySR's deterministic
    serial mode), unless the time limit ends one of them. Several searches at once are several
    seeds in several processes.
    """

    name: ClassVar[str] = "pysr"

    # Folder for data, log and hall of fame; kept, so that a killed search can go on. None:
    # a temporary one.
    run_folder: str | Path | None = None
    # The process is ended after this time and its hall of fame so far is the result; None:
    # no limit. Julia's start counts.
    time_limit_s: float | None = None
    # Interpreter of an environment with occamscope and PySR.
    python: str = sys.executable
    # What the interpreter runs; the folder's path is appended.
    worker: tuple[str, ...] = ("-m", "occamscope.laws.pysr_worker")
    # How often to look at the hall of fame.
    poll_s: float = 2.0

    def available(self) -> tuple[bool, str]:
        """Say whether PySR and Julia are installed, and the two commands if they are not.

        Neither Julia nor the network is touched.
        """
        command = [self.python, *self.worker, "--probe"]
        try:
            status = subprocess.run(
                command, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True,
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
        resume_from: str | Path | None = None,
        progress: Progress | None = None,
        target: str = "labels",
    ) -> Front:
        """Search with PySR; see `Engine.fit`.

        Parameters
        ----------
        resume_from : the `run_folder` of a killed search: its hall of fame joins the guesses.
            PySR can resume no other way; the budget starts anew and the result differs from
            an uninterrupted run's.

        Raises
        ------
        EngineError
            If PySR is missing, ends with an error, or the folder holds an earlier search.
        """
        report = progress or (lambda line: None)
        X, y = check_data(X, y, spec, feature_names)
        weight = check_weights(sample_weight, len(y))
        ok, message = self.available()
        if not ok:
            raise EngineError(message)
        earlier = found_laws(Path(resume_from), feature_names, report) if resume_from else []
        starts = [*earlier, *(parse(text, feature_names) for text in guesses)]
        with self._folder(resume_from) as folder:
            write_inputs(folder, X, y, weight, self._arguments(spec, folder, starts))
            complete = self._run(folder, report)
            found = found_laws(folder, feature_names, report)
        return Front.from_expressions(
            [*found, *earlier], X, y, spec, feature_names, engine=self.name, target=target,
            sample_weight=weight, stopped="budget" if complete else "time",
        )  # fmt: skip

    @contextmanager
    def _folder(self, resume_from: str | Path | None) -> Iterator[Path]:
        """Give the run's folder; never one with another search's results."""
        if self.run_folder is None:
            with TemporaryDirectory(prefix="occamscope_pysr_") as name:
                yield Path(name)
            return
        folder = Path(self.run_folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        going_on = resume_from is not None and Path(resume_from).absolute() == folder
        if hall_of_fame_path(folder).exists() and not going_on:
            raise EngineError(
                f"{folder} holds an earlier PySR search; resume from it or name another folder"
            )
        (folder / "finished.json").unlink(missing_ok=True)
        yield folder

    def _arguments(
        self, spec: SearchSpec, folder: Path, starts: Sequence[Expression]
    ) -> dict[str, Any]:
        """Return PySRRegressor's arguments for this search."""
        arguments = pysr_arguments(spec, folder)
        if self.time_limit_s is not None:
            arguments["timeout_in_seconds"] = SEARCH_SHARE * self.time_limit_s
        texts = [julia_text(law) for law in starts if takes_guess(law, spec)]
        if texts:
            arguments["guesses"] = list(dict.fromkeys(texts))
        return arguments

    def _run(self, folder: Path, report: Progress) -> bool:
        """Run the worker to its end or the time limit; True if the search was complete."""
        start = time.monotonic()
        log_path = folder / "worker.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [self.python, *self.worker, str(folder)], env=_environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                in_time = self._watch(process, folder, start, report)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
        if not in_time:
            report(f"pysr: stopped after {self.time_limit_s:.0f} s; the front is what it had found")
            return False
        if process.returncode != 0:
            tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-15:])
            raise EngineError(
                f"PySR ended with status {process.returncode}; its last words:\n{tail}"
            )
        return not self._timed_out(folder)

    def _watch(
        self, process: subprocess.Popen[bytes], folder: Path, start: float, report: Progress
    ) -> bool:
        """Report news of the hall of fame until the process ends; False at the time limit."""
        last_news, last_line = "", start
        while True:
            try:
                process.wait(timeout=self.poll_s)
                return True
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            news = describe(read_hall_of_fame(hall_of_fame_path(folder)))
            if news != last_news or now - last_line > HEARTBEAT_S:
                report(f"pysr: {now - start:.0f} s, {news}")
                last_news, last_line = news, now
            if self.time_limit_s is not None and now - start > self.time_limit_s:
                return False

    def _timed_out(self, folder: Path) -> bool:
        """True if PySR stopped by its own time limit."""
        path = folder / "finished.json"
        if self.time_limit_s is None or not path.exists():
            return False
        seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
        return seconds >= SEARCH_SHARE * self.time_limit_s


def install_message() -> str:
    """Return how to install PySR: two commands, the second one on a machine with network."""
    return "To install: " + " && ".join(INSTALL_COMMANDS)


def hall_of_fame_path(folder: Path) -> Path:
    """Where PySR keeps its table below a run's folder."""
    return folder / "run" / "hall_of_fame.csv"


def found_laws(folder: Path, names: Sequence[str], report: Progress) -> list[Expression]:
    """Read the laws of a run's hall of fame, under the data's names."""
    numbered = numbered_names(len(names))
    laws = []
    for row in read_hall_of_fame(hall_of_fame_path(folder)):
        try:
            laws.append(parse(row.equation, numbered).renamed(names))
        except InputError as error:
            report(f"pysr: left out '{row.equation}': {error}")
    return laws


def describe(rows: Sequence[Any]) -> str:
    """Say in a few words how far a hall of fame has come."""
    if not rows:
        return "no law yet (Julia starts and compiles)"
    best = min(rows, key=lambda row: row.loss)
    return f"{len(rows)} laws, best loss {best.loss:.4g} with {best.complexity} nodes"


def write_inputs(
    folder: Path,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    arguments: dict[str, Any],
) -> None:
    """Write what the worker reads."""
    np.save(folder / "X.npy", X, allow_pickle=False)
    np.save(folder / "y.npy", y, allow_pickle=False)
    (folder / "weights.npy").unlink(missing_ok=True)
    if weight is not None:
        np.save(folder / "weights.npy", weight, allow_pickle=False)
    text = json.dumps(arguments, indent=1, sort_keys=True)
    (folder / "arguments.json").write_text(text, encoding="utf-8")


def _environment() -> dict[str, str]:
    """Return the worker's environment: ours, and the package where it is not installed."""
    source = str(Path(__file__).parents[2])
    paths = [source, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
