"""One PySR search in a process of its own: `python -m occamscope.laws.pysr.worker FOLDER`.

The process never imports torch: Julia and torch in one process can crash (PySR issue 347).
FOLDER holds what `pysr_engine` wrote: `arguments.json` for PySRRegressor ("model") and its fit
("fit"), `X.npy`, `y.npy` and perhaps `weights.npy`. PySR keeps `hall_of_fame.csv` in FOLDER/run
up to date; `finished.json` says why the search ended. With `--probe` instead of a folder, the
exit status says whether PySR could run: 0 yes, 3 Julia's packages are missing, 4 PySR is missing.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

READY, NO_JULIA, NO_PYSR = 0, 3, 4

# Kept of the time limit for the cycle under way and the way out, the longer of the two.
RESERVE_SHARE, RESERVE_S = 0.05, 1.0
_START = time.monotonic()


def probe() -> int:
    """Check the installation without a start of Julia, the network or an import of PySR."""
    if importlib.util.find_spec("pysr") is None or importlib.util.find_spec("juliapkg") is None:
        return NO_PYSR
    try:
        import juliapkg
        from juliapkg.state import STATE

        # Nothing was ever resolved: say so without the folder that resolve() would create.
        if not Path(STATE["meta"]).exists():
            return NO_JULIA
        return READY if juliapkg.resolve(dry_run=True) else NO_JULIA
    except Exception as error:  # juliapkg raises bare exceptions
        print(error)
        return NO_JULIA


def end_with_parent() -> None:
    """Ask Linux to end this process when its parent dies; elsewhere do nothing."""
    if sys.platform != "linux":
        return
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def search(folder: Path) -> None:
    """Run the search that the folder describes."""
    from pysr import PySRRegressor  # starts Julia; before numpy, as PySR asks

    arguments = read_arguments((folder / "arguments.json").read_text(encoding="utf-8"))
    limit = arguments["model"].get("timeout_in_seconds")
    if limit is not None:
        reserve = max(RESERVE_SHARE * limit, RESERVE_S)
        limit = max(limit - reserve - (time.monotonic() - _START), 0.1)  # Julia's start counts
        arguments["model"]["timeout_in_seconds"] = limit
    model = PySRRegressor(**arguments["model"])
    start = time.monotonic()
    X, y, weights = (_load(folder, name) for name in ("X", "y", "weights"))
    model.fit(X, y, weights=weights, **arguments["fit"])
    seconds = time.monotonic() - start
    stopped = "time" if limit is not None and seconds >= limit else "budget"
    if getattr(model, "interrupted_", False):
        stopped = "interrupt"
    report = {"seconds": seconds, "stopped": stopped}
    (folder / "finished.json").write_text(json.dumps(report), encoding="utf-8")


def read_arguments(text: str) -> dict[str, Any]:
    """Read what the engine wrote; limits of two operands become tuples again for PySR."""
    arguments = json.loads(text)
    limits = arguments["model"].get("constraints")
    if limits is not None:
        arguments["model"]["constraints"] = {
            name: tuple(sides) if isinstance(sides, list) else sides
            for name, sides in limits.items()
        }
    return arguments


def _load(folder: Path, name: str) -> np.ndarray | None:
    """Read an array that the engine wrote; None if it wrote none of that name."""
    import numpy as np

    path = folder / f"{name}.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None


if __name__ == "__main__":
    if sys.argv[1:] == ["--probe"]:
        sys.exit(probe())
    end_with_parent()
    search(Path(sys.argv[1]))
