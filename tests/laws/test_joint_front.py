import json

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

from occamscope.errors import InputError
from occamscope.laws.display import format_front
from occamscope.laws.expressions.expression import parse
from occamscope.laws.joint.fit import JointLaw
from occamscope.laws.joint.front import JOINT_COLUMNS, JointFront
from occamscope.laws.joint.softmax import cross_entropy, softmax
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1")
CLASSES = ("setosa", "versi color", "50%_v")
RNG = np.random.default_rng(2)
X = RNG.normal(size=(200, 2))
TRUE = np.column_stack([2 * X[:, 0], np.zeros(200), X[:, 1] ** 2 - 0.5])
LABELS = (softmax(TRUE).cumsum(axis=1) < RNG.random((200, 1))).sum(axis=1)


def joint(*texts, scales=(1.0, 1.0, 1.0), offsets=(0.0, 0.0, 0.0)):
    return JointLaw(tuple(t and parse(t, NAMES) for t in texts), tuple(scales), tuple(offsets))


CANDIDATES = [
    joint(None, None, None),
    joint("z0", None, None),
    joint("z0", None, "z1**2", scales=(2.0, 1.0, 1.0), offsets=(0.0, 0.1, -0.4)),
    joint("z0", "z1", None),  # no better than what is smaller
    joint("2.0*z0", None, "z1**2 - 0.5"),
    joint("log(z0)", None, None),
    joint("z0 - 60.0", None, None),
]


def front(candidates=CANDIDATES, weight=None, **settings):
    spec = SearchSpec(loss="logistic", seed=4, **settings)
    return JointFront.from_joints(
        candidates, X, LABELS, spec, NAMES, CLASSES, engine="test", sample_weight=weight
    )


def test_the_front_holds_what_nothing_smaller_beats():
    table = front().table
    assert tuple(table.columns) == JOINT_COLUMNS
    assert table["expression"].tolist()[:2] == ["0", "setosa: z0"]
    assert table["complexity"].is_monotonic_increasing
    assert (np.diff(table["loss"]) < 0).all()
    assert set(table["loss_name"]) == {"cross_entropy"}
    assert set(table["seed"]) == {4}


def test_losses_are_the_weighted_cross_entropies_of_the_laws_as_written():
    weight = RNG.uniform(0, 2, 200)
    made = front(weight=weight)
    for row in range(len(made)):
        laws = [parse(law.to_text(), NAMES) for law in made.laws[row]]
        values = np.column_stack([law.evaluate(X) for law in laws])
        values = made.scales[row] * values + made.offsets[row]
        np.testing.assert_array_equal(values, made.decision(row, X))
        assert made.table["loss"][row] == cross_entropy(values, LABELS, weight)


def test_a_law_that_breaks_a_limit_is_left_out_with_its_row():
    assert "60" not in " ".join(front().table["expression"])
    assert front(maxsize=1).table["complexity"].tolist() == [0, 1]
    only = front(required_variables=("z0",)).table["expression"]
    assert only.tolist() == ["setosa: z0"]


def test_the_size_of_a_row_is_that_of_all_its_laws_under_the_costs():
    made = front([joint("2.0*z0", None, "z1**2")], complexity_of_constants=3)
    assert made.table["complexity"].tolist() == [5 + 2]


def test_predictions_and_probabilities_follow_the_decision_values():
    made = front()
    last = len(made) - 1
    p = made.probabilities(last, X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (made.predict(last, X) == p.argmax(axis=1)).all()
    assert (made.predict(last, X) == made.decision(last, X).argmax(axis=1)).all()


def test_calibration_changes_probabilities_not_predictions():
    blunt = joint("z0", None, "z1**2", scales=(20.0, 1.0, 10.0), offsets=(0.0, 0.0, -5.0))
    made = front([blunt])
    calibrated = made.calibrated(X, LABELS)
    assert calibrated.temperatures[0] == pytest.approx(10.0, rel=0.4)
    assert (calibrated.predict(0, X) == made.predict(0, X)).all()
    chosen = np.arange(200), LABELS
    before, after = made.probabilities(0, X)[chosen], calibrated.probabilities(0, X)[chosen]
    assert np.log(after).mean() > np.log(before).mean()
    np.testing.assert_allclose(
        calibrated.probabilities(0, X), softmax(made.decision(0, X), calibrated.temperatures[0])
    )


def test_a_class_without_rows_has_no_probability():
    absent = joint("z0", None, None, offsets=(0.0, 0.0, -np.inf))
    y = np.where(LABELS == 2, 1, LABELS)
    made = JointFront.from_joints(
        [absent], X, y, SearchSpec(), NAMES, CLASSES, engine="test"
    ).calibrated(X, y)
    assert (made.probabilities(0, X)[:, 2] == 0).all()
    again = JointFront.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False)))
    assert again.offsets[0, 2] == -np.inf


def test_json_gives_the_same_front_back():
    made = front().calibrated(X[:50], LABELS[:50])
    made.table["validation_accuracy"] = np.linspace(0.5, 0.9, len(made))
    again = JointFront.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.table.equals(made.table)
    assert (again.joints, again.names, again.classes) == (made.joints, made.names, made.classes)
    assert (again.stopped, again.temperatures) == (made.stopped, made.temperatures)


def test_labels_of_numpy_become_plain():
    spec = SearchSpec(loss="logistic")
    made = JointFront.from_joints(
        CANDIDATES, X, LABELS, spec, NAMES, np.array([3, 5, 7]), engine="test"
    )
    assert made.classes == (3, 5, 7)
    assert json.loads(json.dumps(made.to_dict()))["classes"] == [3, 5, 7]
    assert made.table["expression"][1] == "3: z0"


@pytest.mark.parametrize("key", ["form", "names", "classes", "joints", "table", "temperatures"])
def test_a_missing_key_is_named(key):
    data = front().to_dict()
    del data[key]
    with pytest.raises(InputError, match=key):
        JointFront.from_dict(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["joints"].pop(),
        lambda d: d["joints"][0].pop("scales"),
        lambda d: d["joints"][1]["laws"].append(None),
        lambda d: d["joints"][1].update(laws=["__import__('os')", None, None]),
        lambda d: d["table"].pop("loss"),
        lambda d: d["temperatures"].append(1.0),
    ],
)
def test_damaged_data_end_in_one_message(spoil):
    data = front().to_dict()
    spoil(data)
    with pytest.raises(InputError):
        JointFront.from_dict(data)


def test_latex_names_the_classes_and_can_be_drawn():
    made = front()
    shown = made.table["latex"].iloc[-1]
    assert shown.startswith(r"f_{\mathrm{setosa}} = ")
    assert r"f_{\mathrm{50\%\_v}}" in shown
    MathTextParser("path").parse(f"${shown}$")
    spaced = front([joint(None, "z0", None)]).table["latex"][0]
    MathTextParser("path").parse(f"${spaced}$")
    assert r"versi\ color" in spaced


def test_an_unknown_end_is_refused():
    with pytest.raises(ValueError, match="stopped"):
        JointFront(front().table, front().joints, NAMES, CLASSES, "tired")


def test_the_front_prints_as_others_do():
    assert ">>>>" in format_front(front().table, pick=1)


def test_an_empty_front_keeps_its_columns():
    empty = front([])
    assert len(empty) == 0
    assert tuple(empty.table.columns) == JOINT_COLUMNS
    assert empty.scales.shape == (0, 3)
