"""The engine with a stand-in for PySR that writes what PySR writes (`stand_in/`)."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import occamscope
from occamscope.errors import InputError
from occamscope.laws.constraints import violation
from occamscope.laws.control import SearchControl
from occamscope.laws.engines import EngineError
from occamscope.laws.front import Front
from occamscope.laws.loss import mean_loss
from occamscope.laws.pysr.engine import INSTALL_COMMANDS, PySREngine
from occamscope.laws.pysr.hall_of_fame import hall_of_fame_path
from occamscope.laws.spec import SearchSpec

HERE = Path(__file__).parent
NAMES = ("S", "z17")  # S is a name that sympy, hence PySR, uses itself
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
Y = np.where(X[:, 0] - X[:, 1] ** 2 > -0.7, 1.0, -1.0)
SPEC = SearchSpec(evaluations=1000, seed=3)
FOUND = ["S", "S - z17**2", "S + 0.7 - z17**2"]


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Put fakes of pysr and juliapkg before the real ones of the worker process."""
    monkeypatch.setenv("PYTHONPATH", str(HERE / "stand_in"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return lambda mode: monkeypatch.setenv("STAND_IN", mode)


@pytest.fixture
def run_folder(tmp_path):
    return tmp_path / "run1"


def fit(run_folder=None, spec=SPEC, data=(X, Y), names=NAMES, **arguments):
    engine = PySREngine(run_folder=run_folder, poll_s=0.05)
    return engine.fit(*data, spec, names, **arguments)


def sent(run_folder):
    """The arguments that PySR was given."""
    return json.loads((run_folder / "arguments.json").read_text())


def gone(pid):
    """True once a process has ended, waiting for it a little."""
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.05)
    return False


def pid(run_folder, name="pid"):
    return (run_folder / "run" / name).read_text()


# ---------------------------------------------------------------- what comes back


def test_laws_come_back_under_the_datas_names(stand_in):
    table = fit().table
    assert table["expression"].tolist() == FOUND
    assert set(table["engine"]) == {"pysr"}


def test_losses_are_computed_anew_with_an_output_scale(stand_in):
    front = fit()
    for row, law in zip(front.table.itertuples(), front.expressions(), strict=True):
        assert row.loss == mean_loss(row.output_scale * law.evaluate(X), Y, "hinge")
    assert front.table["loss"].iloc[-1] == 0.0
    assert front.stopped == "budget"


def test_an_offset_is_fitted_where_the_spec_gives_one(stand_in):
    table = fit(spec=replace(SPEC, output_offset=True)).table
    assert table["output_offset"].abs().max() > 0
    assert table["loss"].iloc[1] < 1e-6  # S - z17**2 + b needs no constant of its own


def test_unreadable_and_oversized_laws_are_left_out_aloud_and_once(stand_in):
    lines = []
    texts = fit(progress=lines.append).table["expression"]
    assert not texts.str.contains("99").any()
    assert len([line for line in lines if "left out 'gamma(x0)'" in line]) == 1


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"required_variables": ("z17",)}, FOUND[1:]),
        ({"maxsize": 4}, FOUND[:2]),
        ({"maxdepth": 2}, FOUND[:1]),
        ({"max_constant": 0.5}, FOUND[:2]),
        ({"nested_constraints": {"-": {"+": 0}}}, FOUND[:2]),
        ({"complexity_of_operators": {"square": 9}}, FOUND),
    ],
)
def test_laws_that_break_a_limit_stay_out_of_the_front(stand_in, limits, kept):
    spec = replace(SPEC, **limits)
    front = fit(spec=spec)
    assert front.table["expression"].tolist() == kept
    assert all(violation(law, spec) is None for law in front.expressions())


def test_excluded_variables_do_not_reach_pysr_and_names_stay_right(
    stand_in, run_folder, monkeypatch
):
    monkeypatch.setenv("STAND_IN_LAWS", "x0 - square(x2);x2")
    data = (np.column_stack([X[:, 0], RNG.normal(size=120), X[:, 1]]), Y)
    spec = replace(SPEC, excluded_variables=("noise",))
    front = fit(run_folder, spec, data, ("S", "noise", "z17"))
    assert sent(run_folder)["fit"] == {"variable_names": ["x0", "x2"]}
    np.testing.assert_array_equal(np.load(run_folder / "X.npy"), X)
    assert front.table["expression"].tolist() == ["z17", "S - z17**2"]


def test_products_that_pysr_turned_are_turned_back(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_LAWS", "(x0 - square(x1)) * x1")
    front = fit(spec=replace(SPEC, constraints={"*": (1, -1)}))
    assert front.table["expression"].tolist() == ["z17*(S - z17**2)"]


def test_weights_reach_pysr_and_the_losses(stand_in, run_folder):
    weight = np.where(Y > 0, 1.0, 0.5)
    front = fit(run_folder, sample_weight=weight)
    saved = np.load(run_folder / "weights.npy", allow_pickle=False)
    np.testing.assert_array_equal(saved, weight)
    values = front.table["output_scale"][1] * front.expression(1).evaluate(X)
    assert front.table["loss"][1] == mean_loss(values, Y, "hinge", weight)


def test_an_absolute_loss_is_searched_and_scored(stand_in, run_folder):
    y = X[:, 0] - X[:, 1] ** 2
    front = fit(run_folder, replace(SPEC, loss="mae"), (X, y))
    assert sent(run_folder)["model"]["elementwise_loss"] == "L1DistLoss()"
    assert front.table["loss"].min() == 0.0


# ---------------------------------------------------------------- limits and watching


def test_a_time_limit_keeps_what_was_found_and_says_so(stand_in, run_folder):
    stand_in("hang")
    lines = []
    front = fit(run_folder, control=SearchControl(time_limit_s=3.0), progress=lines.append)
    assert front.stopped == "time" and not front.complete
    assert front.table["expression"].tolist() == FOUND
    assert gone(pid(run_folder))
    assert "no law yet" in lines[0]
    assert any("5 laws, best loss 0 with 8 nodes" in line for line in lines)
    assert any("stopped after 3 s" in line for line in lines)


def test_a_time_limit_before_the_first_law_gives_an_empty_front(stand_in):
    stand_in("hang before the first law")
    front = fit(control=SearchControl(time_limit_s=1.0))
    assert (len(front), front.stopped) == (0, "time")


def test_pysrs_own_clock_is_set_below_ours_and_counts_julias_start(stand_in, run_folder):
    stand_in("own limit")
    start = time.monotonic()
    front = fit(run_folder, control=SearchControl(time_limit_s=3.0))
    assert front.stopped == "time"
    assert time.monotonic() - start < 3.5
    finished = json.loads((run_folder / "finished.json").read_text())
    assert 0 < finished["seconds"] < 3.0
    assert 0 < sent(run_folder)["model"]["timeout_in_seconds"] <= 3.0


def test_generations_are_pysrs_iterations(stand_in, run_folder):
    spec = replace(SPEC, evaluations=10**6)
    front = fit(run_folder, spec, control=SearchControl(generations=5))
    assert sent(run_folder)["model"]["niterations"] == 5
    assert front.stopped == "generations" and front.complete
    assert fit(spec=spec, control=SearchControl(generations=10**6)).stopped == "budget"


def test_a_watcher_sees_the_front_grow(stand_in):
    seen = []
    front = fit(
        spec=replace(SPEC, evaluations=15 * 380 * 2 * 10),
        control=SearchControl(watch=seen.append, watch_every_s=0.01),
    )
    last = seen[-1]
    assert list(last.rows) == [
        (row.complexity, row.loss, row.expression) for row in front.table.itertuples()
    ]
    assert last.evaluations == last.budget == 15 * 380 * 2 * 10
    assert [s.generation for s in seen] == sorted(s.generation for s in seen)
    assert seen[-1].generation == 5  # as the stand-in printed
    assert all(s.seconds <= t.seconds for s, t in zip(seen, seen[1:], strict=False))
    assert seen[0].rows == () or len(seen[0].rows) <= len(last.rows)


# ---------------------------------------------------------------- interrupts, crashes, kills


def interrupt(line):
    if "5 laws" in line:
        raise KeyboardInterrupt


def test_ctrl_c_returns_the_front_found_so_far_and_leaves_no_process(stand_in, run_folder):
    stand_in("hang")
    front = fit(run_folder, progress=interrupt)
    assert front.stopped == "interrupt" and not front.complete
    assert front.table["expression"].tolist() == FOUND
    assert gone(pid(run_folder))


def test_what_pysr_started_itself_ends_with_it(stand_in, run_folder):
    stand_in("children")
    fit(run_folder, progress=interrupt)
    assert gone(pid(run_folder)) and gone(pid(run_folder, "child"))


def test_a_watcher_that_breaks_leaves_no_process_behind(stand_in, run_folder):
    stand_in("hang")

    def broken(line):
        if "5 laws" in line:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(run_folder, progress=broken)
    assert gone(pid(run_folder))


def test_an_interrupt_that_pysr_took_itself_is_told(stand_in):
    stand_in("interrupted")
    assert fit().stopped == "interrupt"


def caller(run_folder, tmp_path):
    """Start a process that searches without an end, and wait for its first laws."""
    code = (
        "import numpy as np; from occamscope.laws.pysr.engine import PySREngine;"
        "from occamscope.laws.spec import SearchSpec; y = np.tile([-1.0, 1.0], 60);"
        f"front = PySREngine(run_folder={str(run_folder)!r}, poll_s=0.05)"
        ".fit(np.c_[y, y], y, SearchSpec(), ['S', 'z17']);"
        "print(front.stopped, len(front), flush=True)"
    )
    source = str(Path(occamscope.__file__).parents[1])
    path = os.pathsep.join([str(HERE / "stand_in"), source])
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    for _ in range(400):
        if hall_of_fame_path(run_folder).exists() and pid(run_folder):
            break
        time.sleep(0.05)
    return started


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
@pytest.mark.faults
def test_a_killed_caller_leaves_no_process_behind(stand_in, tmp_path, run_folder):
    stand_in("hang")
    started = caller(run_folder, tmp_path)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert gone(pid(run_folder))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
@pytest.mark.faults
def test_ctrl_c_in_a_terminal_reaches_the_caller_alone(stand_in, tmp_path, run_folder):
    stand_in("hang")
    started = caller(run_folder, tmp_path)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to the whole group
    printed, _ = started.communicate(timeout=30)
    assert printed.split()[0] == "interrupt" and int(printed.split()[1]) >= 1
    assert gone(pid(run_folder))


def test_a_crash_shows_pysrs_last_words(stand_in):
    stand_in("crash")
    with pytest.raises(EngineError, match=r"status 1(.|\n)*Julia fell over"):
        fit()


def test_a_crash_without_words_is_told(stand_in):
    stand_in("quiet crash")
    with pytest.raises(EngineError, match=r"status 3(.|\n)*printed nothing"):
        fit()


def test_a_crash_at_the_end_does_not_lose_what_was_found(stand_in):
    stand_in("crash at the end")
    with pytest.raises(EngineError, match="resume_from='") as caught:
        fit()
    folder = Path(str(caught.value).rpartition("resume_from='")[2].rstrip("'"))
    stand_in("")
    front = fit(resume_from=folder)
    assert front.table["expression"].tolist() == FOUND


def test_a_kill_in_the_middle_of_a_write_loses_nothing(stand_in, run_folder):
    stand_in("killed while it writes")
    with pytest.raises(EngineError, match="status -9"):
        fit(run_folder)
    assert len(hall_of_fame_path(run_folder).read_text()) == 60
    stand_in("")
    front = fit(run_folder, resume_from=run_folder)
    assert front.table["expression"].tolist() == FOUND


def test_bytes_that_are_no_text_spoil_nothing(stand_in):
    stand_in("garbled")
    lines, seen = [], []
    front = fit(control=SearchControl(watch=seen.append), progress=lines.append)
    assert front.table["expression"].tolist() == FOUND
    assert len([line for line in lines if "left out" in line]) == 2  # gamma and the garbled one
    assert all(line.isascii() for line in lines) and seen[-1].generation == 5
    stand_in("garbled crash")
    with pytest.raises(EngineError, match=r"status 7(.|\n)*Julia fell over"):
        fit()


def test_a_temporary_folder_goes(stand_in, tmp_path):
    fit()
    stand_in("crash")
    with pytest.raises(EngineError):
        fit()
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- resume


def test_a_killed_search_resumes_from_its_hall_of_fame(stand_in, run_folder):
    fit(run_folder)
    front = fit(run_folder, resume_from=run_folder, guesses=["S*z17", "exp(S)"])
    guesses = sent(run_folder)["model"]["guesses"]
    assert guesses == ["x0", "x0 - square(x1)", "x0 + 0.7 - square(x1)", "x0*x1"]
    assert len(front) == 3


def test_an_earlier_search_is_not_overwritten(stand_in, run_folder):
    fit(run_folder)
    with pytest.raises(EngineError, match="resume from it or name another folder"):
        fit(run_folder)


def test_features_may_have_moved_since_the_killed_search(stand_in, run_folder, tmp_path):
    fit(run_folder)
    lines = []
    front = fit(
        tmp_path / "run2", data=(X[:, ::-1], Y), names=("z17", "S"), resume_from=run_folder,
        progress=lines.append,
    )  # fmt: skip
    guesses = sent(tmp_path / "run2")["model"]["guesses"]
    assert guesses[0] == "x1"
    assert "S - z17**2" in front.table["expression"].tolist()
    fit(tmp_path / "run3", names=("z17", "T"), resume_from=run_folder, progress=lines.append)
    assert any("left out 'S'" in line for line in lines)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_run_cannot_be_resumed(stand_in, tmp_path, name):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "arguments.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="holds no PySR search"):
        fit(resume_from=tmp_path / name)


def test_a_front_is_a_start_like_any_other(stand_in, run_folder):
    front = Front.from_expressions(["z17*S"], X, Y, SPEC, NAMES, engine="evolution")
    fit(run_folder, resume_from=front)
    assert sent(run_folder)["model"]["guesses"] == ["x1*x0"]


def test_a_checkpoint_holds_laws_and_iterations_and_is_resumed(stand_in, run_folder):
    stand_in("hang")
    spec, states = replace(SPEC, evaluations=15 * 380 * 2 * 40), []
    control = SearchControl(checkpoint=states.append, checkpoint_every_s=0.01)
    fit(spec=spec, control=control, progress=interrupt)
    state = states[-1]
    assert json.loads(json.dumps(state.numbers)) == state.numbers
    assert (state.numbers["generation"], len(state.numbers["laws"])) == (5, 4)
    stand_in("")
    seen = []
    front = fit(run_folder, spec, control=SearchControl(resume=state, watch=seen.append))
    assert sent(run_folder)["model"]["niterations"] == 35
    assert sent(run_folder)["model"]["guesses"] == [
        "x0",
        "x0 - square(x1)",
        "x0 + 0.7 - square(x1)",
    ]
    assert front.table["expression"].tolist() == FOUND
    assert seen[-1].seconds > state.numbers["seconds"]
    assert seen[-1].generation == 10


def test_a_checkpoint_of_other_data_is_refused(stand_in):
    states = []
    control = SearchControl(checkpoint=states.append, checkpoint_every_s=0.0)
    fit(control=control)
    with pytest.raises(InputError, match="of other data or settings"):
        fit(data=(X + 1, Y), control=SearchControl(resume=states[-1]))


# ---------------------------------------------------------------- what is missing


def test_missing_pieces_are_named_with_two_commands(stand_in):
    stand_in("no julia")
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


@pytest.mark.parametrize("guess", ["S +", "other", "__import__('os')"])
def test_a_guess_that_cannot_be_read_is_refused_before_anything_starts(guess):
    with pytest.raises(InputError, match="expression"):
        PySREngine(python="/nowhere/python").fit(X, Y, SPEC, NAMES, guesses=[guess])
