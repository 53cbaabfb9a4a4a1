"""Scores and the running of studies."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import judging
import numpy as np
import pandas as pd
import pytest
from peers import Found
from problems import Problem, planted
from study import Cell, count_seeds, markdown, put_between, run

from occamscope.laws.loss import mean_loss

# A cell's work runs in a process of its own, which must find it by its module's name. It leaves
# a mark, so that a second call is seen.
MARKING = """
from pathlib import Path

def double(cell):
    with Path(cell.task).open("a") as marks:
        marks.write("x")
    if cell.engine == "broken":
        raise ValueError("no such engine")
    return {"twice": 2 * cell.seed}
"""


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Cell], dict[str, Any]]:
    (tmp_path / "marking.py").write_text(MARKING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "marking", raising=False)
    work: Callable[[Cell], dict[str, Any]] = import_module("marking").double
    return work


def test_what_is_finished_is_kept_when_a_cell_fails(
    tmp_path: Path, double: Callable[[Cell], dict[str, Any]]
) -> None:
    cells = [Cell(str(tmp_path / name), name, 3, 1.0) for name in ("fine", "broken", "later")]
    with pytest.raises(ValueError, match="no such engine"):
        run(tmp_path / "study.csv", cells, double, 1)
    assert "fine" in (tmp_path / "study.csv").read_text()


def test_a_study_goes_on_where_it_was_stopped(
    tmp_path: Path, double: Callable[[Cell], dict[str, Any]]
) -> None:
    marks = [tmp_path / name for name in "ab"]
    first = [Cell(str(marks[0]), "engine", 1, 2.0)]
    both = [*first, Cell(str(marks[1]), "engine", 4, 2.0)]
    run(tmp_path / "study.csv", first, double, 1)
    rows = run(tmp_path / "study.csv", both, double, 2)
    assert sorted(rows["twice"]) == [2, 8]
    assert [mark.read_text() for mark in marks] == ["x", "x"]
    # Another time limit is another cell.
    assert len(run(tmp_path / "study.csv", [first[0]._replace(seconds=3.0)], double, 1)) == 1
    assert marks[0].read_text() == "xx"


def test_without_processes_a_study_tells_what_is_there(
    tmp_path: Path, double: Callable[[Cell], dict[str, Any]]
) -> None:
    cells = [Cell(str(tmp_path / name), "engine", k, 2.0) for k, name in enumerate("abc")]
    run(tmp_path / "study.csv", cells[:2], double, 1)
    rows = run(tmp_path / "study.csv", cells[1:], double, 0)
    assert rows["seed"].tolist() == [1]
    assert not (tmp_path / "c").exists()


def test_seeds_are_counted_by_task() -> None:
    rows = pd.DataFrame({"task": list("aabbc"), "seed": [0, 1, 0, 1, 0]})
    assert count_seeds(rows) == "1-2"
    assert count_seeds(rows[rows["task"] != "c"]) == "2"


def test_a_table_replaces_what_stands_between_its_markers() -> None:
    page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin -->\n<!-- y:end -->\n"
    expected = page.replace("old", "new")
    assert put_between(page, "x", "new\n") == expected
    with pytest.raises(ValueError):
        put_between(page, "z", "new\n")


def test_markdown_formats_numbers_and_shows_what_is_missing() -> None:
    table = pd.DataFrame({"name": ["a"], "x": [0.12345], "y": [np.nan]})
    expected = "| name | x | y |\n| --- | --- | --- |\n| a | 0.123 | - |"
    assert markdown(table, {"x": "{:.3f}", "y": "{:.1f}"}) == expected


def test_the_planted_law_is_judged_with_its_scale_written_out() -> None:
    problem = planted("product", 2_000)
    judged = judging.judge(problem, [Found(problem.truth, 9)], "hinge")
    plain = judging.best_within(judged, "pysr", 9)
    scaled = judging.best_within(judged, "pysr", 11)
    assert plain and scaled
    assert plain.pysr == 9 and plain.train == pytest.approx(0.403, abs=0.001)
    assert scaled.pysr == 11 and scaled.train < 0.245 < plain.train
    values = scaled.law.evaluate(problem.X)
    assert mean_loss(values, problem.y, "hinge") == pytest.approx(scaled.train)
    # By Operon's count scale and offset are free, and 0.8*z22 is one node.
    free = judging.best_within(judged, "operon", 5)
    assert free and free.train == scaled.train
    assert judging.best_within(judged, "operon", 4) is None


def test_a_regression_law_gets_its_least_squares_frame() -> None:
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = 3 * X[:, 0] * X[:, 1] - 7
    problem = Problem("toy", False, X, y, X, y, ("a", "b"))
    best = judging.best_within(judging.judge(problem, [Found("a*b", 3)], "mse"), "pysr", 7)
    assert best and best.pysr == 7 and best.test == pytest.approx(0, abs=1e-20)


def test_laws_that_are_undefined_on_the_data_are_not_judged() -> None:
    problem = planted("ring", 500)
    assert judging.judge(problem, [Found("log(z1)", 2), Found("1/0", 3)], "hinge") == []
