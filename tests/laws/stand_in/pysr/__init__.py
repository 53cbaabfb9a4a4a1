"""A stand-in for PySR without Julia: it writes what PySR writes, as slowly as it is told to.

The environment variable STAND_IN says how it behaves; see `PySRRegressor.fit`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

assert "numpy" not in sys.modules and "torch" not in sys.modules

LAWS = [
    (1, "0.9", "x0"),
    (4, "0.5", "x0 - square(x1)"),
    (6, "1.0f-3", "(x0 + 0.7) - square(x1)"),
    (8, "0.0", "gamma(x0)"),
    (3, "0.2", "x0 * 99.0"),
]


class PySRRegressor:
    def __init__(self, **arguments):
        self.arguments = arguments

    def fit(self, X, y, *, weights=None, variable_names=None):
        mode = os.environ.get("STAND_IN", "")
        if mode == "crash":
            raise RuntimeError("Julia fell over")
        if mode == "quiet crash":
            os._exit(3)
        assert X.shape == (len(y), len(variable_names))
        assert weights is None or weights.shape == y.shape
        self.run = Path(self.arguments["output_directory"]) / self.arguments["run_id"]
        self.run.mkdir(parents=True, exist_ok=True)
        (self.run / "pid").write_text(str(os.getpid()))
        if mode == "hang before the first law":
            time.sleep(600)
        if mode == "children":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            (self.run / "child").write_text(str(child.pid))
        wanted = os.environ.get("STAND_IN_LAWS")
        laws = [(1, "0.5", text) for text in wanted.split(";")] if wanted else LAWS
        for count in range(1, len(laws) + 1):
            self.write(laws[:count])
            print(f"Progress: {count} / 10 total iterations ({10 * count}.000%)", flush=True)
            time.sleep(0.02)
        if mode == "garbled":
            sys.stdout.buffer.write(b"\xff\xfe\x00 not text\n")
            sys.stdout.flush()
            with (self.run / "hall_of_fame.csv").open("ab") as table:
                table.write(b'5,0.1,"x0 + \xff\xfe"\n\xc3\x28,,"\n')
            time.sleep(0.2)
        if mode == "garbled crash":
            sys.stdout.buffer.write(b"\xff\xfe Julia fell over")
            sys.stdout.flush()
            os._exit(7)
        if mode in ("hang", "children"):
            time.sleep(600)
        if mode == "own limit":
            time.sleep(self.arguments["timeout_in_seconds"])
        if mode == "killed while it writes":
            self.write(laws, cut=60)
            os.kill(os.getpid(), 9)
        if mode == "crash at the end":
            raise RuntimeError("sympy fell over")
        self.interrupted_ = mode == "interrupted"

    def write(self, laws, cut=None):
        """Write the table and then its copy, as SymbolicRegression.jl does."""
        rows = "".join(f'{size},{loss},"{law}"\n' for size, loss, law in laws)
        text = "Complexity,Loss,Equation\n" + rows
        for name in ("hall_of_fame.csv", "hall_of_fame.csv.bak"):
            (self.run / name).write_text(text if cut is None else text[:cut])
            if cut is not None:
                return
