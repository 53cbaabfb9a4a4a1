import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import occamscope
from occamscope.laws.engines import EngineError
from occamscope.laws.loss import mean_loss
from occamscope.laws.pysr_engine import INSTALL_COMMANDS, PySREngine, hall_of_fame_path
from occamscope.laws.spec import SearchSpec

NAMES = ("S", "z17")  # S is a name that sympy, hence PySR, uses itself
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
Y = np.where(X[:, 0] - X[:, 1] ** 2 > -0.7, 1.0, -1.0)
SPEC = SearchSpec(evaluations=1000, seed=3)

# What PySR and juliapkg look like to the worker, without Julia. The search's behaviour comes
# from the environment variable STAND_IN.
FAKE_PYSR = """
import json, os, sys, time
from pathlib import Path

assert "numpy" not in sys.modules and "torch" not in sys.modules

class PySRRegressor:
    def __init__(self, **arguments):
        self.arguments = arguments

    def fit(self, X, y, *, weights=None):
        mode = os.environ.get("STAND_IN", "")
        if mode == "crash":
            raise RuntimeError("Julia fell over")
        assert X.shape == (120, 2) and set(y) == {-1.0, 1.0}
        assert weights is None or weights.shape == y.shape
        run = Path(self.arguments["output_directory"]) / self.arguments["run_id"]
        run.mkdir(parents=True, exist_ok=True)
        (run / "pid").write_text(str(os.getpid()))
        laws = [(1, 0.9, "x0"), (4, 0.5, "x0 - square(x1)"), (6, 1e-3, "(x0 + 0.7) - square(x1)"),
                (8, 0.0, "gamma(x0)"), (3, 0.2, "x0 * 99.0")]
        for count in range(1, len(laws) + 1):
            rows = "".join(f'{c},{l},"{e}"\\n' for c, l, e in laws[:count])
            for name in ("hall_of_fame.csv", "hall_of_fame.csv.bak"):
                (run / name).write_text("Complexity,Loss,Equation\\n" + rows)
            time.sleep(0.02)
        if mode == "hang":
            time.sleep(600)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put fakes of pysr and juliapkg before the real ones of the worker process."""
    fakes = {
        "pysr/__init__.py": FAKE_PYSR,
        "juliapkg/__init__.py": "def resolve(dry_run): return dry_run",
        "juliapkg/state.py": "STATE = {'meta': __file__}",
    }
    for name, text in fakes.items():
        path = tmp_path / "fakes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    return monkeypatch.setenv


def fit(engine=None, **arguments):
    return (engine or PySREngine(poll_s=0.05)).fit(X, Y, SPEC, NAMES, **arguments)


def gone(pid):
    """True once a process has ended, waiting for it a little."""
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False


def test_laws_come_back_under_the_datas_names(stand_in):
    table = fit().table
    assert table["expression"].tolist() == ["S", "S - z17**2", "S + 0.7 - z17**2"]
    assert set(table["engine"]) == {"pysr"}


def test_losses_are_computed_anew_with_an_output_scale(stand_in):
    front = fit()
    for row, law in zip(front.table.itertuples(), front.expressions(), strict=True):
        assert row.loss == mean_loss(row.output_scale * law.evaluate(X), Y, "hinge")
    assert front.table["loss"].iloc[-1] == 0.0
    assert front.complete


def test_unreadable_and_oversized_laws_are_left_out_aloud(stand_in):
    lines = []
    texts = fit(progress=lines.append).table["expression"]
    assert not texts.str.contains("99").any()
    assert any("left out 'gamma(x0)'" in line for line in lines)


def test_a_time_limit_keeps_what_was_found_and_says_so(stand_in, tmp_path):
    stand_in("STAND_IN", "hang")
    lines = []
    engine = PySREngine(run_folder=tmp_path / "run1", poll_s=0.05, time_limit_s=3.0)
    front = fit(engine, progress=lines.append)
    assert not front.complete
    assert len(front) == 3
    assert gone((tmp_path / "run1" / "run" / "pid").read_text())
    assert "no law yet" in lines[0]
    assert any("5 laws, best loss 0 with 8 nodes" in line for line in lines)
    assert any("stopped after 3 s" in line for line in lines)


def test_pysrs_own_limit_is_below_ours(stand_in, tmp_path):
    fit(PySREngine(run_folder=tmp_path / "run1", poll_s=0.05, time_limit_s=100.0))
    arguments = json.loads((tmp_path / "run1" / "arguments.json").read_text())
    assert arguments["timeout_in_seconds"] == 80.0


def test_an_interrupted_caller_leaves_no_process_behind(stand_in, tmp_path):
    stand_in("STAND_IN", "hang")

    def interrupt(line):
        if "5 laws" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(PySREngine(run_folder=tmp_path / "run1", poll_s=0.05), progress=interrupt)
    assert gone((tmp_path / "run1" / "run" / "pid").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
@pytest.mark.faults
def test_a_killed_caller_leaves_no_process_behind(stand_in, tmp_path):
    stand_in("STAND_IN", "hang")
    code = (
        "import numpy as np; from occamscope.laws.pysr_engine import PySREngine;"
        "from occamscope.laws.spec import SearchSpec; y = np.tile([-1.0, 1.0], 60);"
        f"PySREngine(run_folder={str(tmp_path / 'run1')!r})"
        ".fit(np.c_[y, y], y, SearchSpec(), ['S', 'z17'])"
    )
    source = str(Path(occamscope.__file__).parents[1])
    path = os.pathsep.join([str(tmp_path / "fakes"), source])
    caller = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    pid_file = tmp_path / "run1" / "run" / "pid"
    for _ in range(400):
        if hall_of_fame_path(tmp_path / "run1").exists() and pid_file.read_text():
            break
        time.sleep(0.05)
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    assert gone(pid_file.read_text())


def test_a_killed_search_resumes_from_its_hall_of_fame(stand_in, tmp_path):
    engine = PySREngine(run_folder=tmp_path / "run1", poll_s=0.05)
    fit(engine)
    front = fit(engine, resume_from=tmp_path / "run1", guesses=["S*z17", "exp(S)"])
    arguments = json.loads((tmp_path / "run1" / "arguments.json").read_text())
    assert arguments["guesses"] == ["x0", "x0 - square(x1)", "x0 + 0.7 - square(x1)", "x0*x1"]
    assert len(front) == 3


def test_an_earlier_search_is_not_overwritten(stand_in, tmp_path):
    engine = PySREngine(run_folder=tmp_path / "run1", poll_s=0.05)
    fit(engine)
    with pytest.raises(EngineError, match="resume from it or name another folder"):
        fit(engine)


def test_a_crash_shows_pysrs_last_words(stand_in):
    stand_in("STAND_IN", "crash")
    with pytest.raises(EngineError, match=r"status 1(.|\n)*Julia fell over"):
        fit()


def test_weights_reach_pysr_and_the_losses(stand_in, tmp_path):
    weight = np.where(Y > 0, 1.0, 0.5)
    engine = PySREngine(run_folder=tmp_path / "run1", poll_s=0.05)
    front = fit(engine, sample_weight=weight)
    saved = np.load(tmp_path / "run1" / "weights.npy", allow_pickle=False)
    np.testing.assert_array_equal(saved, weight)
    values = front.table["output_scale"][1] * front.expression(1).evaluate(X)
    assert front.table["loss"][1] == mean_loss(values, Y, "hinge", weight)


def test_missing_pieces_are_named_with_two_commands(stand_in, tmp_path):
    julia = tmp_path / "fakes" / "juliapkg" / "__init__.py"
    julia.write_text("def resolve(dry_run): raise Exception('no network')")
    ok, message = PySREngine().available()
    assert not ok
    assert "Julia" in message
    assert all(command in message for command in INSTALL_COMMANDS)
    with pytest.raises(EngineError, match="load_all_packages"):
        fit()


def test_an_interpreter_that_is_not_there_is_reported():
    ok, message = PySREngine(python="/nowhere/python").available()
    assert not ok
    assert "/nowhere/python" in message


def test_the_probe_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    monkeypatch.setenv("JULIA_DEPOT_PATH", str(tmp_path / "depot"))
    ok, _ = PySREngine().available()
    assert not ok
    assert not list(tmp_path.iterdir())


@pytest.mark.pysr
def test_real_pysr_finds_a_product_law_twice_the_same(tmp_path):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 3))
    y = np.where(z[:, 0] * z[:, 1] - z[:, 2] > 0.3, 1.0, -1.0)
    spec = SearchSpec(evaluations=300_000, islands=5, maxsize=9, seed=1)
    fronts = [
        PySREngine(run_folder=tmp_path / name).fit(z, y, spec, ["z3", "z17", "z29"])
        for name in ("a", "b")
    ]
    assert fronts[0].complete
    assert fronts[0].table.equals(fronts[1].table)
    law = fronts[0].expression(-1)
    assert set(law.variables()) == {"z3", "z17", "z29"}
    assert np.mean(np.sign(law.evaluate(z)) == y) > 0.98


@pytest.mark.pysr
def test_real_pysr_takes_guesses_and_resumes(tmp_path):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 2))
    target = z[:, 0] * z[:, 1] ** 2 - 1.5
    spec = SearchSpec(loss="mse", evaluations=20_000, islands=3)
    engine = PySREngine(run_folder=tmp_path / "run1")
    engine.fit(z, target, spec, ["a", "b"], guesses=["a*b**2 - 1.5"])
    front = engine.fit(z, target, spec, ["a", "b"], resume_from=tmp_path / "run1")
    assert front.table["loss"].iloc[-1] < 1e-6


@pytest.mark.pysr
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])
def test_real_pysr_takes_every_loss_and_weights(loss):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(200, 2))
    y = np.where(z[:, 0] > 0.2, 1.0, -1.0)
    spec = SearchSpec(loss=loss, operators="paper", evaluations=20_000, islands=3)
    front = PySREngine().fit(z, y, spec, ["a", "b"], sample_weight=np.ones(200))
    assert front.table["loss"].iloc[-1] < 0.2
