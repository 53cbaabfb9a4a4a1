"""Run a search in a process of its own, and leave nothing of it behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from occamscope.laws.engines import EngineError

TAIL = 15  # lines of the log in an error message


def run_process(
    command: Sequence[str],
    log: Path,
    look: Callable[[], None],
    every_s: float,
    limit_s: float | None = None,
) -> str:
    """Run a command to its end, a time limit or Ctrl-C, and look at its work meanwhile.

    The process has a session of its own: Ctrl-C in a terminal reaches only the caller. When
    this function returns or raises, the process and all that it started are gone.

    Parameters
    ----------
    command : what to run
    log : file for what the process prints
    look : called about every `every_s` seconds
    limit_s : end the process after this time

    Returns
    -------
    "ended", "time" or "interrupt"

    Raises
    ------
    EngineError
        If the process ends with another status than 0; with its last words.
    """
    start = time.monotonic()
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=printed,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            in_time = _watch(process, look, start, every_s, limit_s)
        except KeyboardInterrupt:
            return "interrupt"
        finally:
            end_group(process)
    if in_time and process.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        words = "\n".join(lines[-TAIL:]) or "(it printed nothing)"
        raise EngineError(f"PySR ended with status {process.returncode}; its last words:\n{words}")
    return "ended" if in_time else "time"


def _watch(
    process: subprocess.Popen[bytes],
    look: Callable[[], None],
    start: float,
    every_s: float,
    limit_s: float | None,
) -> bool:
    """Look now and then until the process ends; False at the time limit."""
    while True:
        now = time.monotonic() - start
        wait = every_s if limit_s is None else min(every_s, limit_s - now)
        if wait <= 0:
            return False
        try:
            process.wait(timeout=wait)
            return True
        except subprocess.TimeoutExpired:
            look()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group, with the group, and take note of its end."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        pass  # nothing of the group is left
    process.wait()


def environment() -> dict[str, str]:
    """Return a worker's environment: ours, and the package where it is not installed.

    Julia may collect garbage with one thread: the search itself is serial, and PySR would
    take half the cores.
    """
    source = str(Path(__file__).parents[3])
    paths = [source, os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(path for path in paths if path)
    return {"JULIA_NUM_GC_THREADS": "1", **os.environ, "PYTHONPATH": path}
