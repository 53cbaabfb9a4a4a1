"""The compiled evaluation against float64 numpy."""

import numpy as np
import pytest

from occamscope.laws.evolution.evaluation import loss_at, program_loss
from occamscope.laws.evolution.operators import BLOCK, apply_operator
from occamscope.laws.evolution.problem import hardest_first, pack_problem, sort_rows
from occamscope.laws.evolution.ramp_scaling import RAMP_TOLERANCE
from occamscope.laws.evolution.tokens import CODES, CONSTANT, FIRST_VARIABLE, NAMES
from occamscope.laws.loss import LOSSES, MARGIN_LOSSES, fit_output_scale, mean_loss

UNARY = {
    "square": np.square, "cube": lambda x: x**3, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "abs": np.abs, "neg": np.negative, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
    "inv": lambda x: 1 / x,
}  # fmt: skip
BINARY = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def on_block(name, a, b):
    """Apply an operator to two blocks of numbers."""
    memory = np.concatenate([a, b, np.zeros(BLOCK)]).astype(np.float32)
    apply_operator(CODES[name], memory.ctypes.data, 0, BLOCK, 2 * BLOCK)
    return memory[2 * BLOCK :]


@pytest.mark.parametrize("name", UNARY)
def test_unary_operators_agree_with_numpy_to_float32(name):
    x = np.linspace(-9, 9, BLOCK, dtype=np.float32)
    with np.errstate(all="ignore"):
        expected = UNARY[name](x.astype(np.float64))
    np.testing.assert_allclose(on_block(name, x, x), expected, rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_keep_the_order_of_their_operands(name):
    a, b = np.random.default_rng(0).normal(size=(2, BLOCK)).astype(np.float32)
    np.testing.assert_allclose(on_block(name, a, b), BINARY[name](a, b), rtol=1e-6)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh", "inv", "sin", "cos", "abs"])
def test_special_values_follow_ieee_rules(name):
    x = np.resize([np.nan, np.inf, -np.inf, 0.0, -1.0, 100.0, -100.0, 88.0], BLOCK)
    with np.errstate(all="ignore"):
        expected = UNARY[name](x)
        expected = np.where(expected > 3.4e38, np.inf, expected)
    np.testing.assert_allclose(on_block(name, x, x), expected, rtol=2e-6, atol=1e-6)


def with_rounding(token, constant, n, X, noise):
    """Values by numpy with every part off by 1e-6; nan where a part leaves float32's range."""
    stack, lost = [], np.zeros(len(X), bool)
    for code, number in zip(token[:n], constant[:n], strict=True):
        if code >= FIRST_VARIABLE:
            value = X[:, code - FIRST_VARIABLE]
        elif code == CONSTANT:
            value = np.full(len(X), number)
        elif NAMES[code] in BINARY:
            right, left = stack.pop(), stack.pop()
            value = BINARY[NAMES[code]](left, right)
        else:
            operand = stack.pop()
            value = UNARY[NAMES[code]](operand)
            lost |= (NAMES[code] in ("sin", "cos")) & ~(np.abs(operand) < 1e4)
        lost |= (value != 0) & ~((np.abs(value) > 1e-30) & (np.abs(value) < 1e30))
        stack.append(value * (1 + 1e-6 * noise.choice([-1, 1], len(X))))
    return np.where(lost, np.nan, stack[-1])


def test_random_programs_have_numpys_values(kernels):
    X, _, packed = kernels.make_problem()
    compared, noise = 0, np.random.default_rng(0)
    for law, token, constant, n in kernels.random_programs(300):
        expected = law.evaluate(X.astype(np.float32))
        # Where rounding to float32 is magnified, there is nothing to compare.
        tame = np.ones(len(X), bool)
        for _ in range(4):
            with np.errstate(all="ignore"):
                nearby = with_rounding(token, constant, n, X, noise)
                tame &= np.abs(nearby - expected) < 1e-4 * np.abs(expected)
        found = kernels.values(token, constant, n, packed)[: len(X)]
        np.testing.assert_allclose(found[tame], expected[tame], 1e-3, 1e-6, err_msg=str(law))
        compared += tame.sum()
    assert compared > 30_000


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 7])
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_is_the_weighted_mean_over_the_real_rows(kernels, loss, n):
    weight = np.random.default_rng(1).uniform(0.1, 3.0, n)
    X, y, packed = kernels.make_problem(n, loss, weight=weight)
    token, constant = kernels.program("z0*z1 - 0.5*z2 + 0.25")
    f = X[:, 0] * X[:, 1] - 0.5 * X[:, 2] + 0.25
    found, scale, _ = program_loss(token, constant, len(token), packed, packed.rows, np.inf)
    assert scale == 1.0
    assert found == pytest.approx(mean_loss(f, y, loss, weight), rel=1e-5)


@pytest.mark.parametrize("text", ["0.01*z0 + 0.3*z1", "40*z0*z1", "z2", "-z0 - 3", "z1**2 + 1"])
@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_free_scale_gives_the_exact_minimum_over_the_scale(kernels, loss, text):
    X, y, packed = kernels.make_problem(1500, loss, free_scale=True)
    y[:] = np.where(X[:, 0] + X[:, 1] > 0.3, 1.0, -1.0)
    weight = np.random.default_rng(2).uniform(0.5, 2.0, len(y))
    packed = pack_problem(X, y, weight, loss, True, 40)
    token, constant = kernels.program(text)
    f = kernels.values(token, constant, len(token), packed)[: len(y)].astype(np.float64)
    best = mean_loss(fit_output_scale(f, y, loss, weight) * f, y, loss, weight)
    found, scale, _ = program_loss(token, constant, len(token), packed, packed.rows, np.inf)
    precision = RAMP_TOLERANCE if loss == "ramp" else 1e-4
    assert found == pytest.approx(best, rel=precision)
    assert mean_loss(scale * f, y, loss, weight) == pytest.approx(best, rel=precision)


@pytest.mark.parametrize("free_scale", [False, True])
@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_early_abort_turns_away_exactly_what_exceeds_the_budget(kernels, loss, free_scale):
    _, _, packed = kernels.make_problem(4 * BLOCK, loss, free_scale)
    turned_away = 0
    for _, token, constant, n in kernels.random_programs(100, operators=("+", "-", "*")):
        full = program_loss(token, constant, n, packed, packed.rows, np.inf)[0]
        for budget in (0.5 * full, 0.999 * full, full, 1.001 * full, 3 * full):
            found = program_loss(token, constant, n, packed, packed.rows, budget)[0]
            assert found == (full if budget >= full else np.inf)
            turned_away += np.isinf(found)
    assert turned_away == 200


@pytest.mark.parametrize("text", ["log(z0)", "sqrt(z0 - 9)", "exp(exp(z0 + 9))", "(z0 - z0)/0"])
@pytest.mark.parametrize("free_scale", [False, True])
def test_an_undefined_value_makes_the_loss_infinite(kernels, free_scale, text):
    _, _, packed = kernels.make_problem(300, "hinge", free_scale)
    token, constant = kernels.program(text)
    assert program_loss(token, constant, len(token), packed, packed.rows, np.inf)[0] == np.inf


def test_a_weight_of_two_equals_a_duplicated_row(kernels):
    X, y, _ = kernels.make_problem(200, "hinge")
    weight = np.where(np.arange(200) < 50, 2.0, 1.0)
    weighted = pack_problem(X, y, weight, "hinge", True, 40)
    twice = np.r_[np.arange(200), np.arange(50)]
    repeated = pack_problem(X[twice], y[twice], np.ones(250), "hinge", True, 40)
    for _, token, constant, n in kernels.random_programs(50, operators=("+", "*", "square")):
        a = program_loss(token, constant, n, weighted, weighted.rows, np.inf)[0]
        b = program_loss(token, constant, n, repeated, repeated.rows, np.inf)[0]
        assert a == pytest.approx(b, rel=1e-4)


def test_loss_over_the_first_rows_leaves_out_the_others(kernels):
    X, y, packed = kernels.make_problem(3 * BLOCK, "mse")
    token, constant = kernels.program("z0")
    part = loss_at(token, constant, 1, packed, BLOCK, 1.0, 0.0, np.inf)
    assert part == pytest.approx(np.sum((X[:BLOCK, 0] - y[:BLOCK]) ** 2) / len(y), rel=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "mse"])
def test_sorted_rows_are_the_same_problem_with_the_hardest_rows_first(kernels, loss):
    rng = np.random.default_rng(5)
    X, weight = rng.uniform(0.5, 2.0, size=(700, 3)), rng.uniform(0.1, 2.0, 700)
    y = rng.choice([-1.0, 1.0], 700) if loss == "hinge" else rng.normal(size=700)
    packed = pack_problem(X, y, weight, loss, False, 40)
    law = next(kernels.random_programs(1, seed=3, nodes=5, operators=("+", "-", "*")))[0]
    token, constant = kernels.program(law.to_text())
    n = len(token)
    before = program_loss(token, constant, n, packed, packed.rows, np.inf)[0]
    columns = packed.memory[: 3 * packed.rows].reshape(3, -1).copy()
    order = hardest_first(packed, law.evaluate, 1.3, 0.0)
    f = 1.3 * law.evaluate(X)
    share = weight * (np.maximum(1 - y * f, 0) if loss == "hinge" else np.abs(f - y))
    assert set(order[order >= 700]) == set(range(700, packed.rows))
    assert (np.diff(share[order[order < 700]]) <= 1e-6).all()
    assert (order[-(packed.rows - 700) :] >= 700).all() or (share == 0).any()
    sort_rows(packed, order)
    np.testing.assert_array_equal(
        packed.memory[: 3 * packed.rows].reshape(3, -1), columns[:, order]
    )
    after = program_loss(token, constant, n, packed, packed.rows, np.inf)[0]
    assert np.isclose(after, before, rtol=1e-5)
