"""Derivatives of the compiled loss against finite differences in float64."""

import numpy as np
import pytest

from occamscope.laws.evolution.constants import find_summand, fit_constants, solve_damped
from occamscope.laws.evolution.evaluation import loss_gradient, node_derivatives, program_loss
from occamscope.laws.evolution.problem import pack_problem
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.loss import LOSSES, MARGIN_LOSSES

TEXTS = [
    "0.7*z0 - 0.3*z1*z2 + 0.2",
    "exp(0.3*z0)*(z1 - 0.4) / (z2**2 + 1.5)",
    "tanh(0.8*z0 + 0.1) - cos(0.5*z1)*sin(0.9*z2)",
    "sqrt(z0**2 + 0.5) + log(z1**2 + 1.2) - abs(z2 - 0.3)",
    "inv(z0**2 + 1.1) - (0.6 + z1)**3 * 0.2 - (-(z2*0.5))",
    "0.4 / (z0**2 + 0.7) + (0.3 - z1)**2",
]


def smooth_loss(f, y, loss, smooth):
    """Loss of every row as the derivatives see it."""
    if loss == "mae":
        return np.sqrt((f - y) ** 2 + smooth**2)
    margin = y * f
    if loss in ("hinge", "ramp"):
        kinks = (0, 2) if loss == "ramp" else (0,)
        rises = [1 - margin - kink for kink in kinks]
        rises = [0.5 * (np.sqrt(rise**2 + smooth**2) + rise) for rise in rises]
        return rises[0] - rises[1] if loss == "ramp" else rises[0]
    if loss == "squared_hinge":
        return np.maximum(0, 1 - margin) ** 2
    return np.logaddexp(0, -margin) if loss == "logistic" else (f - y) ** 2


def smooth_slope(f, y, loss, smooth, h):
    """Derivative of the smooth loss by central differences."""
    up, down = smooth_loss(f + h, y, loss, smooth), smooth_loss(f - h, y, loss, smooth)
    return (up - down) / (2 * h)


def curvature(f, y, loss, smooth, h=1e-4):
    """Second derivative of the smooth loss by central differences; 0 where it is negative."""
    if loss == "squared_hinge":  # jumps at the kink
        return 2.0 * (y * f < 1)
    up = smooth_slope(f + h, y, loss, smooth, h)
    return np.maximum((up - smooth_slope(f - h, y, loss, smooth, h)) / (2 * h), 0)


def majoriser(f, y, loss, smooth):
    """Curvature of a parabola that touches the smooth loss and lies above it."""
    if loss == "mae":
        return 1 / np.sqrt((f - y) ** 2 + smooth**2)
    if loss in ("hinge", "ramp"):  # the ramp's second hinge has a tangent for majoriser
        return 0.5 / np.sqrt((1 - y * f) ** 2 + smooth**2)
    return np.full_like(f, 0.25 if loss == "logistic" else 2.0)


def jacobian(kernels, token, constant, X, h=1e-5):
    """d f / d constants by central differences."""
    where = np.flatnonzero(token == 0)
    columns = []
    for i in where:
        step = np.zeros(len(constant))
        step[i] = h
        up = to_expression(token, constant + step, kernels.names).evaluate(X)
        down = to_expression(token, constant - step, kernels.names).evaluate(X)
        columns.append((up - down) / (2 * h))
    return np.column_stack(columns)


@pytest.mark.parametrize("free_scale", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("text", TEXTS)
def test_gradient_and_gauss_newton_matrix(kernels, text, loss, free_scale):
    X, y, _ = kernels.make_problem(700, loss)
    w = np.random.default_rng(3).uniform(0.2, 2, 700)
    packed = pack_problem(X, y, w, loss, free_scale, 40)
    token, constant = kernels.program(text)
    s = 1.3 if free_scale else 1.0
    f = to_expression(token, constant, kernels.names).evaluate(X)
    J = s * jacobian(kernels, token, constant, X)
    J = np.column_stack([J, f]) if free_scale else J
    size, h = J.shape[1], 1e-6
    g, H, bound = np.empty(size), np.empty((size, size)), np.empty(size)
    output = np.array([s, 0.0])
    loss_gradient(
        token, constant, len(token), packed, packed.rows, output, packed.smooth, g, H, bound
    )
    slope = (
        smooth_loss(s * f + h, y, loss, packed.smooth)
        - smooth_loss(s * f - h, y, loss, packed.smooth)
    ) / (2 * h)
    w = w / w.sum()
    np.testing.assert_allclose(g, J.T @ (w * slope), rtol=1e-3, atol=2e-5)
    expected = (J.T * (w * curvature(s * f, y, loss, packed.smooth))) @ J
    np.testing.assert_allclose(H, expected, rtol=2e-3, atol=5e-5)
    expected = (J * J).T @ (w * majoriser(s * f, y, loss, packed.smooth))
    np.testing.assert_allclose(bound, expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_majoriser_lies_above_the_smooth_loss(loss):
    random = np.random.default_rng(0)
    f, g = random.normal(0, 3, 2000), random.normal(0, 3, 2000)
    y = random.choice([-1.0, 1.0], 2000)
    slope = smooth_slope(f, y, loss, 0.2, 1e-6)
    parabola = smooth_loss(f, y, loss, 0.2) + slope * (g - f)
    parabola += 0.5 * majoriser(f, y, loss, 0.2) * (g - f) ** 2
    assert (parabola >= smooth_loss(g, y, loss, 0.2) - 1e-5).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_node_derivatives_are_those_with_respect_to_the_nodes_value(kernels, loss):
    X, y, packed = kernels.make_problem(600, loss)
    token, constant = kernels.program("exp(0.2*z0)*z1 + z2")
    node = list(token).index(16)  # z0: d f / d z0 = 0.2 exp(0.2 z0) z1
    assert node_derivatives(token, constant, len(token), packed, packed.rows, 1.5, 0.0, node)
    f = np.exp(0.2 * X[:, 0]) * X[:, 1] + X[:, 2]
    down = 1.5 * 0.2 * np.exp(0.2 * X[:, 0]) * X[:, 1]
    h = 1e-6
    slope = (
        smooth_loss(1.5 * f + h, y, loss, packed.smooth)
        - smooth_loss(1.5 * f - h, y, loss, packed.smooth)
    ) / (2 * h)
    memory, n = packed.memory, len(y)
    gradient = memory[packed.node_gradient :][:n]
    second = memory[packed.node_curvature :][:n]
    np.testing.assert_allclose(gradient, down * slope / n, rtol=1e-3, atol=1e-8)
    expected = down**2 * majoriser(1.5 * f, y, loss, packed.smooth) / n
    np.testing.assert_allclose(second, expected, rtol=1e-3, atol=1e-8)
    np.testing.assert_allclose(memory[packed.node_value :][:n], X[:, 0], rtol=1e-6)


def test_damped_system_is_solved(kernels):
    A = np.random.default_rng(0).normal(size=(5, 4))
    H, g, step = A.T @ A, np.arange(1.0, 5.0), np.empty(4)
    bound = np.array([1.0, 2.0, 0.5, 3.0])
    assert solve_damped(H, g, bound, 4, 0.1, np.empty((4, 4)), step)
    expected = np.linalg.solve(H + 0.1 * np.diag(bound), -g)
    np.testing.assert_allclose(step, expected, rtol=1e-6)


def test_an_indefinite_system_is_refused():
    H = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert not solve_damped(H, np.ones(2), np.ones(2), 2, 0.0, np.empty((2, 2)), np.empty(2))


def test_fitted_constants_are_the_least_squares_solution(kernels):
    X, y, packed = kernels.make_problem(900, "mse")
    token, constant = kernels.program("0.1*z0 + 0.1*z1*z2 + 0.1")
    assert fit_constants(token, constant, len(token), packed, packed.rows, 10, 50.0, np.inf, np.inf)
    A = np.column_stack([X[:, 0], X[:, 1] * X[:, 2], np.ones(900)])
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(constant[token == 0], expected, atol=1e-4)


@pytest.mark.parametrize("free_scale", [False, True])
@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_fitting_constants_finds_the_planted_ones(kernels, loss, free_scale):
    X, _, _ = kernels.make_problem(4000, loss)
    y = np.where(X[:, 0] + 0.5 * X[:, 1] - 0.8 > 0, 1.0, -1.0)
    packed = pack_problem(X, y, np.ones(4000), loss, free_scale, 40)
    token, constant = kernels.program("2*z0 + 2*z1 + 0.1")
    before, _, _ = program_loss(token, constant, len(token), packed, packed.rows, np.inf)
    fit_constants(token, constant, len(token), packed, packed.rows, 40, 50.0, np.inf, np.inf)
    after, _, _ = program_loss(token, constant, len(token), packed, packed.rows, np.inf)
    c = constant[token == 0]
    np.testing.assert_allclose(c[1:] / c[0], [0.5, -0.8], atol=0.05)
    assert after < 0.3 * before


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic", "ramp"])
@pytest.mark.parametrize(
    ("text", "wanted"),
    [("z0*z1 + 20000.0", -900.0), ("z0*z1 - 20000.0", 900.0), ("20000.0 - z0*z1", 900.0)],
)
def test_a_threshold_in_another_unit_is_found_from_afar(kernels, loss, text, wanted):
    X = 30 + 10 * np.random.default_rng(0).normal(size=(1024, 3))
    y = np.where(X[:, 0] * X[:, 1] > 900, 1.0, -1.0) * (-1 if text.startswith("2") else 1)
    packed = pack_problem(X, y, np.ones(1024), loss, True, 40)
    token, constant = kernels.program(text)
    assert fit_constants(token, constant, len(token), packed, packed.rows, 8, 1e6, np.inf, np.inf)
    assert abs(constant[token == 0][0]) == pytest.approx(abs(wanted), rel=0.05)


@pytest.mark.parametrize(
    ("text", "summand"),
    [
        ("z0*z1 + 3.0", 3), ("3.0 - z0*z1", 0), ("z0 - z1 + 3.0", 3), ("3.0 - z0", 0),
        ("3.0*z0 - z1", -1), ("(3.0 - z0)*z1 - z2", -1), ("z0 + z1", -1), ("3.0*z0", -1),
        ("exp(z0 + 3.0)", -1), ("z0", -1),
    ],
)  # fmt: skip
def test_the_constant_added_to_the_whole_law_is_found(kernels, text, summand):
    token, _ = kernels.program(text)
    assert find_summand(token, len(token)) == summand


def test_fitted_constants_stay_within_their_bound(kernels):
    X, _, _ = kernels.make_problem(500, "mse")
    packed = pack_problem(X, 100 * X[:, 0], np.ones(500), "mse", False, 40)
    token, constant = kernels.program("2*z0 + 0.5")
    fit_constants(token, constant, len(token), packed, packed.rows, 10, 7.0, np.inf, np.inf)
    assert np.abs(constant).max() == 7.0


def test_a_law_without_constants_is_left_alone(kernels):
    _, _, packed = kernels.make_problem(500, "hinge", True)
    token, constant = kernels.program("z0*z1")
    assert not fit_constants(
        token, constant, len(token), packed, packed.rows, 10, 7.0, np.inf, np.inf
    )
