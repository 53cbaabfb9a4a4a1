"""The fit of constants against exact solvers, finite differences and planted laws."""

import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear, minimize

from occamscope.errors import InputError
from occamscope.laws.choice.refit import refit, smoothed_loss
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import score_law
from occamscope.laws.loss import LOSSES, mean_loss
from occamscope.laws.loss_derivatives import loss_derivatives
from occamscope.laws.spec import SearchSpec

NAMES = ("a", "b", "c")
LINEAR = parse("1.0*a + 0.5*b - 0.3*c + 0.1", NAMES)
SMOOTH = ("squared_hinge", "logistic", "mse")
OPERATORS = ("+", "-", "*", "/", "square", "exp", "tanh", "sin")


def linear_data(seed, noise=1.0, n=200):
    """Features, a noisy linear target, weights with zeros among them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 10.0, 0.1]
    target = X @ [1.0, -0.2, 5.0] + 0.3 + noise * rng.normal(size=n)
    return X, target, rng.integers(0, 4, n).astype(float)


def targets(values, loss):
    return values if loss in ("mse", "mae") else np.where(values > 0, 1.0, -1.0)


def spec(loss, **settings):
    return SearchSpec(
        **{"loss": loss, "max_constant": 1e6, "output_scale": False, "operators": OPERATORS}
        | settings
    )


def lowest_by_linear_program(X, y, w, loss):
    """Smallest mean hinge or absolute error of c X + c0, as a linear program."""
    n, d = X.shape
    A, slack = np.column_stack([X, np.ones(n)]), np.eye(n)
    if loss == "hinge":
        left, right = -np.column_stack([y[:, None] * A, slack]), -np.ones(n)
    else:
        left = np.vstack([np.column_stack([A, -slack]), np.column_stack([-A, -slack])])
        right = np.concatenate([y, -y])
    cost = np.concatenate([np.zeros(d + 1), w / w.sum()])
    bounds = [(None, None)] * (d + 1) + [(0, None)] * n
    return linprog(cost, A_ub=left, b_ub=right, bounds=bounds).fun


@pytest.mark.parametrize("noise", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("loss", ["hinge", "mae"])
def test_a_linear_law_has_the_loss_of_the_linear_program(loss, noise):
    X, target, w = linear_data(1, noise)
    y = targets(target, loss)
    found = refit(LINEAR, X, y, spec(loss), w)
    assert found.loss == pytest.approx(lowest_by_linear_program(X, y, w, loss), abs=1e-7)


@pytest.mark.parametrize("loss", SMOOTH)
def test_a_linear_law_has_the_loss_of_a_general_minimiser(loss):
    X, target, w = linear_data(2)
    y = targets(target, loss)
    A = np.column_stack([X, np.ones(len(X))])
    other = minimize(lambda c: mean_loss(A @ c, y, loss, w), np.zeros(4), options={"gtol": 1e-8})
    assert refit(LINEAR, X, y, spec(loss), w).loss <= other.fun + 1e-12


def test_bounds_on_constants_are_met_at_the_bounded_minimum():
    X, target, _ = linear_data(3)
    found = refit(LINEAR, X, target, spec("mse", max_constant=0.9))
    A = np.column_stack([X, np.ones(len(X))])
    exact = lsq_linear(A, target, bounds=(-0.9, 0.9))
    assert max(map(abs, found.law.constants())) <= 0.9
    assert found.loss == pytest.approx(2 * exact.cost / len(X), rel=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "text",
    [
        "1.5*a - 0.8*exp(-0.6*b) + 0.4",
        "tanh(1.2*a + 0.5*b) - 0.3",
        "(a - 0.7)**2 - 1.3*sin(0.9*b) - 0.5",
        "1.2*a/(b**2 + 0.8) - 0.2",
    ],
)
def test_planted_constants_are_found_again_from_wrong_ones(text, loss):
    planted = parse(text, NAMES)
    X = np.random.default_rng(4).normal(size=(400, 3))
    y = targets(planted.evaluate(X), loss)
    digits = iter([0.6, 1.5, 0.7, 1.4, 0.8])
    start = planted.to_text()
    for constant in planted.constants():
        start = start.replace(repr(constant), repr(round(constant * next(digits), 3)), 1)
    before = refit(parse(start, NAMES), X, y, spec(loss), steps=0)
    found = refit(parse(start, NAMES), X, y, spec(loss, max_constant=50.0))
    own = mean_loss(planted.evaluate(X), y, loss)
    assert found.loss < 0.8 * before.loss
    # With a margin loss the planted law is a point like any other; else it is the minimum.
    assert found.loss <= own + (1e-6 if loss in ("mse", "mae") else 0)
    if loss in ("mse", "mae"):
        np.testing.assert_allclose(found.law.constants(), planted.constants(), rtol=1e-4)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])
def test_a_free_scale_and_offset_stand_for_two_constants(loss):
    X, target, w = linear_data(5)
    y = targets(target, loss)
    written = refit(parse("1.0*a + 1.0*b + 1.0*c + 1.0", NAMES), X, y, spec(loss), w)
    start = parse("a + 0.5*b - 0.3*c", NAMES)
    free = refit(start, X, y, spec(loss, output_scale=True, output_offset=True), w)
    assert free.loss == pytest.approx(written.loss, abs=2e-6)
    values = free.output_scale * free.law.evaluate(X) + free.output_offset
    assert free.loss == mean_loss(values, y, loss, w)


def test_false_labels_move_the_threshold_of_a_hinge_and_not_that_of_a_ramp():
    rng = np.random.default_rng(18)
    X = rng.standard_t(8, size=(2000, 3))
    y = np.where(rng.random(2000) < 0.03, -1, 1) * targets(
        X[:, 0] * (X[:, 1] ** 2 + X[:, 2] ** 2) - 1.0, "ramp"
    )
    start = parse("a*(b**2 + c**2) - 1.2", NAMES)
    threshold = {
        loss: refit(start, X, y, spec(loss, output_scale=True)).law.constants()[-1]
        for loss in ("hinge", "ramp")
    }
    assert threshold["ramp"] == pytest.approx(1.0, abs=0.05)
    assert threshold["hinge"] > 1.15


@pytest.mark.parametrize("loss", LOSSES)
def test_the_result_is_never_worse_than_the_start(loss):
    X = np.random.default_rng(6).normal(size=(60, 3))
    y = targets(X[:, 0] * X[:, 1], loss)
    for text in ("sin(40.0*a)*3.0", "exp(9.0*a) - 5.0", "0.001/(a - 0.3)", "a", "2.0"):
        law, wanted = parse(text, NAMES), spec(loss, output_scale=True)
        start = refit(law, X, y, wanted, steps=0)
        assert refit(law, X, y, wanted).loss <= start.loss


def random_tree(rng, depth=4):
    """A tree of any operators with constants that are often special."""
    if depth == 0 or rng.random() < 0.25:
        if rng.random() < 0.5:
            return tree.constant(rng.choice([0.0, 1.0, -2.0, 0.3, 50.0, 1e-8]))
        return tree.variable(str(rng.choice(NAMES)))
    name = str(rng.choice([*tree.SEARCH_OPERATORS, "pow"]))
    if name == "pow":
        return tree.power(random_tree(rng, depth - 1), int(rng.choice([-9, -2, 4, 9])))
    operands = [random_tree(rng, depth - 1) for _ in range(tree.SEARCH_OPERATORS[name])]
    return tree.call(name, *operands)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", LOSSES)
def test_any_law_on_any_data_is_fitted_or_left_alone(loss):
    rng, better = np.random.default_rng(18), 0
    for _ in range(80):
        n = int(rng.integers(1, 40))
        X = rng.normal(size=(n, 3)) * 10 ** rng.uniform(-3, 3)
        X[rng.random((n, 3)) < 0.1] = 0.0
        y = targets(rng.normal(size=n) * 10 ** rng.uniform(-3, 3), loss)
        wanted = spec(loss, max_constant=50.0, output_scale=bool(rng.integers(2)))
        law = Expression(random_tree(rng), NAMES)
        start, found = refit(law, X, y, wanted, steps=0), refit(law, X, y, wanted)
        assert found.loss <= start.loss
        assert score_law(found.law, X, y, wanted)[0] == found.loss
        assert max(map(abs, found.law.constants()), default=0.0) <= 50.0
        better += found.loss < start.loss
    assert better > 10


def test_a_step_of_no_use_changes_nothing():
    X, target, _ = linear_data(7)
    best = refit(LINEAR, X, target, spec("mse"))
    again = refit(best.law, X, target, spec("mse"))
    np.testing.assert_allclose(again.law.constants(), best.law.constants(), rtol=1e-6)


def test_the_structure_stays_and_only_constants_change():
    X, target, _ = linear_data(8)
    found = refit(LINEAR, X, target, spec("mse")).law
    assert found.complexity() == LINEAR.complexity()
    assert found.variables() == LINEAR.variables()
    assert found == found.tidy()


def test_constants_beyond_the_bound_are_brought_inside_first():
    X = np.random.default_rng(9).normal(size=(50, 3))
    found = refit(parse("70.0*a", NAMES), X, 60.0 * X[:, 0], spec("mse", max_constant=50.0))
    assert found.law.constants() == (50.0,)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_no_weight_have_no_say(loss):
    X, target, w = linear_data(10)
    y = targets(target, loss)
    X[0], w[0] = 1e9, 0.0
    whole, part = (
        refit(LINEAR, X, y, spec(loss), w),
        refit(LINEAR, X[w > 0], y[w > 0], spec(loss), w[w > 0]),
    )
    assert whole.loss == pytest.approx(part.loss, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_weight_of_two_is_a_row_given_twice(loss):
    X, target, w = linear_data(11)
    y = targets(target, loss)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    weighted, repeated = (
        refit(LINEAR, X, y, spec(loss), w),
        refit(LINEAR, X[rows], y[rows], spec(loss)),
    )
    assert weighted.loss == pytest.approx(repeated.loss, rel=1e-6, abs=1e-9)


def test_a_base_is_added_before_the_loss():
    X, target, w = linear_data(12)
    y = targets(target, "logistic")
    base = 0.5 * X[:, 0] - 1.0
    law = parse("1.0*b + 0.2", NAMES)
    found = refit(law, X, y, spec("logistic"), w, base=base)
    A = np.column_stack([X[:, 1], np.ones(len(X))])
    exact = minimize(
        lambda c: mean_loss(A @ c + base, y, "logistic", w), [0, 0], options={"gtol": 1e-9}
    )
    np.testing.assert_allclose(found.law.constants(), exact.x, atol=1e-5)
    scaled = refit(parse("0.2 - b", NAMES), X, y, spec("logistic", output_scale=True), w, base=base)
    assert scaled.loss == pytest.approx(exact.fun, abs=1e-9)
    values = scaled.output_scale * scaled.law.evaluate(X) + base
    assert scaled.loss == mean_loss(values, y, "logistic", w)


def test_a_free_offset_is_fitted_beside_a_base():
    X, target, w = linear_data(12)
    y, base = targets(target, "logistic"), 0.5 * X[:, 0] - 1.0
    free = spec("logistic", output_scale=True, output_offset=True)
    found = refit(parse("2.0 - b", NAMES), X, y, free, w, base=base)
    written = refit(parse("1.0*b + 0.2", NAMES), X, y, spec("logistic"), w, base)
    assert found.loss == pytest.approx(written.loss, abs=1e-12)
    values = found.output_scale * found.law.evaluate(X) + found.output_offset + base
    assert found.loss == mean_loss(values, y, "logistic", w)


@pytest.mark.filterwarnings("error")
def test_rows_with_enormous_derivatives_do_not_spoil_the_fit():
    X = np.random.default_rng(19).normal(size=(100, 3))
    X[0] = [600.0, 0.0, 0.0]
    y = np.where((np.exp(np.minimum(X[:, 0], 600)) - 2 * X[:, 1] > 0.5), 1.0, -1.0)
    law = parse("1.3*exp(1.1*a) - 1.0*b - 0.2", NAMES)
    assert (
        refit(law, X, y, spec("hinge")).loss < 0.7 * refit(law, X, y, spec("hinge"), steps=0).loss
    )


def test_an_undefined_law_is_given_back_with_an_infinite_loss():
    X = np.random.default_rng(13).normal(size=(50, 3))
    found = refit(parse("sqrt(a) + 1.0", NAMES), X, X[:, 0], spec("mse"))
    assert found.loss == np.inf
    assert found.law == parse("sqrt(a) + 1.0", NAMES)


def test_a_base_of_another_length_is_refused():
    X, target, _ = linear_data(14)
    with pytest.raises(InputError, match="base"):
        refit(LINEAR, X, target, spec("mse"), base=np.zeros(3))


@pytest.mark.parametrize("smooth", [1.0, 0.1, 1e-3])
@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives_of_the_losses_are_those_of_finite_differences(loss, smooth):
    rng = np.random.default_rng(15)
    y = targets(rng.normal(size=200), loss)
    f, h = 2 * rng.normal(size=200), 1e-4 * smooth
    away = np.abs(1 - y * f) > 10 * h  # the squared hinge's curvature jumps there
    low, high = (smoothed_loss(f + k * h, y, loss, smooth)[away] for k in (-1, 1))
    low_slope, high_slope = (loss_derivatives(f + k * h, y, loss, smooth)[0][away] for k in (-1, 1))
    slope, curvature, _ = (v[away] for v in loss_derivatives(f, y, loss, smooth))
    np.testing.assert_allclose(slope, (high - low) / (2 * h), atol=1e-6)
    bend = (high_slope - low_slope) / (2 * h)
    bend = np.maximum(bend, 0) if loss == "ramp" else bend
    np.testing.assert_allclose(curvature, bend, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_parabola_of_the_damping_lies_above_the_loss_everywhere(loss):
    rng = np.random.default_rng(16)
    y = targets(rng.normal(size=500), loss)
    f, move = 3 * rng.normal(size=500), 5 * rng.normal(size=500)
    slope, curvature, bound = loss_derivatives(f, y, loss, 0.1)
    parabola = smoothed_loss(f, y, loss, 0.1) + slope * move + 0.5 * bound * move**2
    assert (smoothed_loss(f + move, y, loss, 0.1) <= parabola + 1e-12).all()
    assert (curvature <= bound + 1e-12).all()


@pytest.mark.parametrize("loss", ["hinge", "mae"])
def test_the_smoothed_loss_lies_above_the_true_one_and_comes_close(loss):
    rng = np.random.default_rng(17)
    y = targets(rng.normal(size=200), loss)
    f = 2 * rng.normal(size=200)
    exact = smoothed_loss(f, y, loss, 0.0)
    for smooth in (1.0, 0.1, 1e-4):
        gap = smoothed_loss(f, y, loss, smooth) - exact
        assert (gap >= 0).all()
        assert gap.max() <= smooth
