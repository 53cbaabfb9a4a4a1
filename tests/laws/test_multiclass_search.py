"""Joint laws by the embedded engine, on planted and on real classes."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine

from occamscope.laws.control import SearchControl
from occamscope.laws.engines import get_engine
from occamscope.laws.joint.front import JointFront
from occamscope.laws.joint.multiclass import fit_multiclass
from occamscope.laws.joint.softmax import cross_entropy, softmax
from occamscope.laws.spec import SearchSpec


def names(X):
    return tuple(f"z{i}" for i in range(X.shape[1]))


def spec(evaluations, **settings):
    return SearchSpec(loss="logistic", evaluations=evaluations, **settings)


def drawn(decision, seed):
    random = np.random.default_rng(seed)
    return (softmax(decision).cumsum(axis=1) < random.random((len(decision), 1))).sum(axis=1)


def halves(load):
    data = load()
    X = data.data[:, data.data.std(axis=0) > 0]
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[: len(X) // 2], order[len(X) // 2 :]
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0).clip(1e-9)
    return X[train], data.target[train], X[test], data.target[test]


@pytest.fixture(scope="module")
def planted():
    X = np.random.default_rng(7).normal(size=(1500, 6))
    decision = np.column_stack([2.5 * X[:, 0] * X[:, 1], np.zeros(1500), 2 * X[:, 2] ** 2 - 2])
    y = drawn(decision, 8)
    front = fit_multiclass(X, y, "abc", spec(15_000, output_offset=True), names(X))
    return X, y, decision, front


def test_planted_laws_are_recovered_in_structure(planted):
    X, y, decision, front = planted
    row = front.table["complexity"].tolist().index(5)  # z0*z1 and z2**2, class b the reference
    laws = dict(zip("abc", front.laws[row], strict=True))
    assert set(laws["a"].variables()) == {"z0", "z1"}
    assert laws["a"].operators() == {"*"}
    assert laws["c"].to_text() == "z2**2"
    assert laws["b"].to_text() == "0.0"
    assert front.scales[row, [0, 2]] == pytest.approx([2.5, 2.0], rel=0.15)
    # Its constants are fitted: it is no worse than the truth on the rows it has seen.
    assert front.table["loss"][row] <= cross_entropy(decision, y)


def test_the_planted_size_is_where_the_front_bends(planted):
    _, _, _, front = planted
    row = front.table["complexity"].tolist().index(5)
    gain = -np.diff(front.table["loss"])
    assert front.table["loss"][row] < front.table["loss"][0] - 0.25
    assert gain[row:].max() < 0.1 * gain[row - 1]


def test_a_search_under_way_is_resumed_to_the_same_bytes(planted):
    X, y, _, _ = planted
    kept, s = [], spec(6000, islands=3)
    control = SearchControl(checkpoint=kept.append, checkpoint_every_s=1e-6)
    whole = fit_multiclass(X[:300], y[:300], "abc", s, names(X), control=control).to_dict()
    assert whole == fit_multiclass(X[:300], y[:300], "abc", s, names(X)).to_dict()
    within = [k for k, state in enumerate(kept) if state.numbers["inner"] is not None]
    assert within
    for k in (within[0], within[len(within) // 2], within[-1]):
        control = SearchControl(resume=kept[k])
        again = fit_multiclass(X[:300], y[:300], "abc", s, names(X), control=control)
        assert again.to_dict() == whole


def test_threads_do_not_change_the_result(planted):
    X, y, _, _ = planted
    fronts = [
        fit_multiclass(
            X[:300], y[:300], "abc", spec(4000), names(X), control=SearchControl(threads=threads)
        ).to_dict()
        for threads in (1, 3)
    ]
    assert fronts[0] == fronts[1]


def test_two_classes_have_the_losses_of_the_binary_search():
    X = np.random.default_rng(1).normal(size=(800, 4))
    d = 2 * X[:, 0] * X[:, 1] + X[:, 2]
    y = drawn(np.column_stack([np.zeros(800), d]), 2)
    s = spec(20_000, output_offset=True, maxsize=9)
    joint = fit_multiclass(X, y, ("no", "yes"), s, names(X)).table
    single = get_engine("evolution").fit(X, 2.0 * y - 1, s, names(X)).table
    for size in (3, 5, 7):
        one = single.loc[single["complexity"] <= size, "loss"].min()
        two = joint.loc[joint["complexity"] <= size, "loss"].min()
        assert two == pytest.approx(one, abs=0.005)


@pytest.mark.parametrize(("load", "accuracy"), [(load_iris, 0.9), (load_wine, 0.85)])
def test_short_laws_tell_the_classes_of_real_tables(load, accuracy):
    X, y, X_test, y_test = halves(load)
    front = fit_multiclass(X, y, (0, 1, 2), spec(30_000), names(X))
    row = int(np.flatnonzero(front.table["complexity"] <= 12)[-1])
    assert np.mean(front.predict(row, X_test) == y_test) >= accuracy
    front = JointFront.from_dict(json.loads(json.dumps(front.calibrated(X_test, y_test).to_dict())))
    p = front.probabilities(row, X_test)[np.arange(len(y_test)), y_test]
    assert -np.log(p).mean() < 0.35


def test_twenty_classes_are_told_apart_by_little_work():
    random = np.random.default_rng(3)
    centres = 3.0 * random.normal(size=(20, 4))
    y = np.repeat(np.arange(20), 15)
    X = centres[y] + random.normal(size=(300, 4))
    front = fit_multiclass(
        X, y, [f"class {k}" for k in range(20)], spec(20_000, maxsize=5), names(X)
    )
    assert front.table["loss"][0] == pytest.approx(np.log(20))
    assert front.table["loss"].iloc[-1] < 0.6 * np.log(20)
    assert np.mean(front.predict(len(front) - 1, X) == y) > 0.5


@pytest.mark.slow
def test_digits_are_read_by_ten_short_laws():
    X, y, X_test, y_test = halves(load_digits)
    front = fit_multiclass(X, y, range(10), spec(300_000), names(X))
    row = int(np.flatnonzero(front.table["complexity"] <= 100)[-1])
    assert np.mean(front.predict(row, X_test) == y_test) > 0.85
