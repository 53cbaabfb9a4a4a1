import numpy as np
import pytest
from scipy.optimize import minimize

from occamscope.laws.choice.refit import refit
from occamscope.laws.expressions.expression import parse
from occamscope.laws.joint.fit import JointLaw, JointProblem, stratified_rows, without_laws
from occamscope.laws.joint.softmax import cross_entropy, log_priors, rest_values, softmax
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1", "z2")
RNG = np.random.default_rng(3)
X = RNG.normal(size=(400, 3))
TRUE = np.column_stack([1.5 * X[:, 0] - 0.5, (X[:, 1] - 0.4) ** 2, np.zeros(400)])
Y = (softmax(TRUE).cumsum(axis=1) < RNG.random((400, 1))).sum(axis=1)
W = RNG.uniform(0.2, 2.0, 400)
OPERATORS = ("+", "-", "*", "square", "exp", "sin")


def spec(**settings):
    return SearchSpec(loss="logistic", operators=OPERATORS, **settings)


def problem(X=X, y=Y, weight=W, classes=3, **settings):
    return JointProblem(X, y, weight, classes, spec(**settings))


def joint(*texts, scales=None, offsets=None):
    laws = tuple(parse(text, NAMES) if text else None for text in texts)
    K = len(texts)
    return JointLaw(laws, tuple(scales or [1.0] * K), tuple(offsets or [0.0] * K))


def with_parameters(start, theta):
    """Put a vector of parameters, in the order of `JointProblem.model`, into a joint law."""
    theta, laws, scales = list(theta), [], []
    from occamscope.laws.expressions.derivatives import with_constants

    for law in start.laws:
        if law is None:
            laws.append(None)
            scales.append(1.0)
            continue
        count = len(law.constants())
        laws.append(with_constants(law, theta[:count]))
        scales.append(theta[count])
        theta = theta[count + 1 :]
    return JointLaw(tuple(laws), tuple(scales), tuple(theta))


def parameters(start):
    theta = []
    for law, scale in zip(start.laws, start.scales, strict=True):
        theta += [] if law is None else [*law.constants(), scale]
    return np.array([*theta, *start.offsets])


MIXED = [
    joint("1.2*z0 - 0.3", "exp(0.3*z1) + z2", None, scales=[1.3, 0.7, 1.0], offsets=[0.1, -0.2, 0.3]),
    joint("sin(0.8*z0)*z1", "(z1 - 0.4)**2", "z2 + 0.1*z0", scales=[2.0, 0.5, 1.5]),
    joint(None, "z0", None),
]  # fmt: skip


@pytest.mark.parametrize("start", MIXED)
def test_the_gradient_is_that_of_finite_differences(start):
    fitted = problem(output_offset=True)
    gradient, _ = fitted.model(start)
    theta, h = parameters(start), 1e-6
    for i in range(len(theta)):
        step = h * np.eye(len(theta))[i]
        up = fitted.loss(with_parameters(start, theta + step))
        down = fitted.loss(with_parameters(start, theta - step))
        assert gradient[i] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-8)


def test_the_gauss_newton_matrix_is_the_hessian_where_values_are_linear_in_the_parameters():
    # f = c1 z0 + c2 is linear in its constants; the scale, 1, is left out.
    start = joint("0.7*z0 + 0.2", "0.3*z1 - 0.1", None)
    fitted = problem(output_offset=True)
    _, H = fitted.model(start)
    theta, h = parameters(start), 1e-5
    linear = [0, 1, 3, 4, 6, 7, 8]
    for i in linear:
        step = h * np.eye(len(theta))[i]
        up, _ = fitted.model(with_parameters(start, theta + step))
        down, _ = fitted.model(with_parameters(start, theta - step))
        np.testing.assert_allclose(H[i, linear], ((up - down) / (2 * h))[linear], atol=1e-8)


def test_the_matrix_has_no_negative_curvature():
    for start in MIXED:
        _, H = problem().model(start)
        assert np.linalg.eigvalsh(H).min() > -1e-12


def test_a_linear_joint_law_ends_at_the_minimum_of_multinomial_regression():
    fitted, loss = problem(output_offset=True).fit(joint("z0", "-z1", None), 50)

    def value(t):
        d = np.column_stack([t[0] * X[:, 0], t[2] - t[1] * X[:, 1], np.full(len(X), t[3])])
        return cross_entropy(d, Y, W)

    best = minimize(value, np.zeros(4), tol=1e-12)
    assert loss == pytest.approx(best.fun, rel=1e-8)
    assert fitted.scales[:2] == pytest.approx(best.x[:2], rel=1e-3)


def test_two_classes_end_where_the_refit_of_one_law_does():
    y = (Y == 0).astype(int)
    law = parse("(z0 + 0.1)*(z1 - 0.2) + 0.5*z0", NAMES)
    one = refit(law, X, 2.0 * y - 1, spec(), W)
    two = JointLaw((None, law), (1.0, 1.0), (0.0, 0.0))
    _, loss = problem(y=y, classes=2).fit(two, 100)
    assert loss == pytest.approx(one.loss, rel=1e-7)


@pytest.mark.parametrize("start", MIXED)
def test_a_fit_never_raises_the_loss(start):
    fitted = problem()
    value = fitted.loss(start)
    for steps in (0, 1, 5, 30):
        after, loss = fitted.fit(start, steps)
        assert loss <= value
        assert loss == pytest.approx(fitted.loss(after), rel=1e-12)
        value = loss


@pytest.mark.parametrize("k", [0, 1])
def test_one_class_can_be_fitted_alone(k):
    start, fitted = MIXED[0], problem()
    after, loss = fitted.fit(start, 30, only=k)
    other = 1 - k
    assert after.laws[other] == start.laws[other]
    assert after.scales[other] == start.scales[other]
    assert after.laws[k] != start.laws[k]
    assert loss == pytest.approx(fitted.loss(after), rel=1e-12)
    assert fitted.fit(start, 30)[1] <= loss < fitted.loss(start)
    y = np.where(k == Y, 1.0, -1.0)
    base = start.offsets[k] - rest_values(start.decision(X), k)
    one = refit(start.laws[k], X, y, spec(), W, base, steps=100)
    with_one = start.with_class(k, one.law, one.output_scale, start.offsets[k])
    assert loss == pytest.approx(fitted.loss(with_one), rel=1e-4)


def test_what_is_not_free_stays():
    start = joint("0.5*z0", "z1", None, scales=[1.0, 1.0, 1.0], offsets=[-1.0, -0.9, -1.4])
    after, _ = problem(output_scale=False).fit(start, 20)
    assert after.scales == start.scales
    assert after.offsets == start.offsets
    assert after.laws[0].constants() != start.laws[0].constants()


def test_constants_stay_within_their_bound():
    after, _ = problem(output_scale=False, max_constant=0.6).fit(
        joint("0.5*z0", "9.0*z1", None), 20
    )
    assert after.laws[0].constants() == (0.6,)
    assert abs(after.laws[1].constants()[0]) <= 0.6


def test_scales_stay_positive_where_a_law_speaks_for_the_wrong_class():
    after, loss = problem().fit(joint("-z0", None, None), 30)
    assert after.scales[0] > 0
    assert loss <= problem().loss(joint(None, None, None)) + 1e-5


def test_weights_are_repetitions_of_rows():
    w = RNG.integers(0, 3, 400).astype(float)
    repeated = np.repeat(np.arange(400), w.astype(int))
    start = joint("0.5*z0 + 0.1", "z1**2", None)
    _, one = problem(weight=w).fit(start, 20)
    _, other = problem(X[repeated], Y[repeated], np.ones(len(repeated))).fit(start, 20)
    assert one == pytest.approx(other, rel=1e-9)


def test_an_undefined_start_has_an_infinite_loss():
    start = JointLaw((parse("log(z0)", NAMES), None, None), (1.0,) * 3, (0.0,) * 3)
    assert problem().fit(start, 5)[1] == np.inf


def test_without_laws_the_loss_is_the_entropy_of_the_priors():
    priors = log_priors(Y, 3, W)
    expected = -np.sum(np.exp(priors) * priors)
    assert problem().loss(without_laws(priors)) == pytest.approx(expected, rel=1e-12)


def test_chosen_rows_keep_the_shares_of_the_classes():
    y = np.repeat([0, 1, 2], [9000, 900, 20])
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(y))
    rows, w = stratified_rows(y, weight, 600, seed=1)
    assert np.bincount(y[rows]).tolist() == [200, 200, 20]
    np.testing.assert_allclose(np.bincount(y[rows], w), np.bincount(y, weight), rtol=1e-12)
    again, _ = stratified_rows(y, weight, 600, seed=1)
    assert (rows == again).all()
    assert (np.diff(rows) > 0).all()
