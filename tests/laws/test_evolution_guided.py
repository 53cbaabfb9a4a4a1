"""Guided insertion: the term with the largest promise, with its coefficient."""

import numpy as np
import pytest

from occamscope.laws.evolution.engine import EvolutionEngine
from occamscope.laws.evolution.grammar import new_grammar
from occamscope.laws.evolution.guided import (
    FUNCTIONS,
    PLAIN,
    REPLACED,
    SHIFTED,
    TIMES,
    choose_insertion,
    find_insertion,
    write_insertion,
)
from occamscope.laws.evolution.problem import pack_problem
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.evolution.rng import draw, new_stream
from occamscope.laws.evolution.terms import TOP, find_terms, new_terms
from occamscope.laws.evolution.tokens import CONSTANT, EXP, LOG, SQRT, SQUARE, measure_sizes
from occamscope.laws.spec import SearchSpec


def insertions(kernels, text, y, X, operators=("+", "-", "*", "square"), count=60, form=None):
    """Laws after one guided insertion into the law `text` for targets y under mse."""
    packed = pack_problem(X, y, np.ones(len(y)), "mse", False, 40, powers="/" in operators)
    spec = SearchSpec(loss="mse", operators=operators, maxsize=30)
    grammar = new_grammar(spec, kernels.names, np.ones(11))
    token, constant = kernels.program(text)
    n = len(token)
    size = np.zeros(n, np.int64)
    measure_sizes(token, n, size)
    state, terms, found = new_stream(0, 0), new_terms(), []
    for _ in range(count):
        node, chosen = choose_insertion(state, grammar, n)
        if node < 0 or form not in (None, chosen):
            continue
        if not find_insertion(
            state, token, constant, n, packed, packed.rows, 32, 1.0, 0.0, node, chosen, terms
        ):
            continue
        q = draw(state, terms.gain)
        if q < 0:
            continue
        out, values = np.zeros(60, np.int16), np.zeros(60)
        m = write_insertion(token, constant, n, size, node, chosen, terms, q, grammar, out, values)
        found.append(to_expression(out[:m], values[:m], kernels.names))
    return found


def data(n=2000):
    return np.random.default_rng(0).normal(size=(n, 3))


def test_a_missing_product_is_put_in_with_its_coefficient(kernels):
    X = data()
    y = X[:, 0] + 2.5 * X[:, 1] * X[:, 2]
    found = insertions(kernels, "z0", y, X)
    planted = [law for law in found if law.to_text().startswith("z0 + z1*z2*2.")]
    assert len(planted) > 0.3 * len(found)
    assert abs(planted[0].constants()[0] - 2.5) < 0.2


def test_a_missing_factor_is_put_in(kernels):
    X = data()
    y = X[:, 0] * (1 - 0.7 * X[:, 1])
    texts = [law.to_text() for law in insertions(kernels, "z0", y, X)]
    assert any(text.startswith("z0*(z1*(-0.") and text.endswith(" + 1.0)") for text in texts)


def test_a_term_of_coefficient_one_comes_without_constant(kernels):
    X = data()
    texts = {law.to_text() for law in insertions(kernels, "z0", X[:, 0] - X[:, 2] ** 2, X)}
    assert "z0 - z2**2" in texts


def test_it_improves_the_loss_nearly_always(kernels):
    X = data()
    y = np.sin(X[:, 0]) + X[:, 1] ** 2 * X[:, 2]
    before = np.mean((X[:, 0] - y) ** 2)
    found = insertions(kernels, "z0", y, X)
    with_constant = [law for law in found if law.constants()]
    after = [np.mean((law.evaluate(X) - y) ** 2) for law in with_constant]
    assert np.mean(np.array(after) < before) > 0.95


def test_it_needs_sums_and_products(kernels):
    X = data(600)
    assert insertions(kernels, "z0", X[:, 1], X, operators=("-", "*")) == []


def test_nothing_is_inserted_where_the_loss_is_undefined(kernels):
    X = data(600)
    assert insertions(kernels, "log(z0)", X[:, 1], X) == []


WITH_DIVISION = ("+", "-", "*", "/", "square", "sqrt", "exp")


def positive(n=2000):
    return np.random.default_rng(1).uniform(1.0, 3.0, size=(n, 3))


def test_a_term_takes_the_place_of_a_wrong_one_inside_a_function(kernels):
    X = positive()
    y = X[:, 0] * np.exp(0.2 * X[:, 1] * X[:, 2] - 0.3)
    laws = insertions(kernels, "z0*exp(0.5*z1)", y, X, WITH_DIVISION, 400, SHIFTED)
    inside = [law for law in laws if law.to_text().startswith("z0*exp(")]
    losses = [np.mean((law.evaluate(X) - y) ** 2) for law in inside]
    # One Newton step in every row: near enough for the fit of constants that follows.
    assert set(inside[int(np.argmin(losses))].variables()) == {"z0", "z1", "z2"}
    assert min(losses) < 0.2 * y.var()


def test_a_term_without_a_coefficient_takes_a_place(kernels):
    X = positive()
    y = X[:, 2] - X[:, 1] / X[:, 0]
    laws = insertions(kernels, "z2 - z1", y, X, WITH_DIVISION, 300, REPLACED)
    assert "z2 - z1/z0" in {law.to_text() for law in laws}


def test_terms_are_products_of_powers_where_division_is_allowed(kernels):
    X = positive()
    for y, wanted in [
        (X[:, 2] + X[:, 0] ** 2 / X[:, 1] ** 2, "z2 + z0**2/z1**2"),
        (X[:, 2] + X[:, 0] * X[:, 1] / X[:, 2], "z2 + z0*z1/z2"),
        (X[:, 2] - 1 / X[:, 1], "z2 - 1.0/z1"),
    ]:
        laws = insertions(kernels, "z2", y, X, WITH_DIVISION, 200, PLAIN)
        assert wanted in {law.to_text() for law in laws}


def test_no_power_of_a_column_that_comes_near_to_zero(kernels):
    X = np.random.default_rng(2).normal(size=(600, 3))
    X[0, 1] = 0.0
    y = X[:, 0] * X[:, 1]
    laws = insertions(kernels, "z2", y, X, WITH_DIVISION, 100)
    assert laws and not any("/z1" in law.to_text() for law in laws)


@pytest.mark.parametrize("powers", [False, True])
@pytest.mark.parametrize("centred", [False, True])
def test_gains_are_those_of_least_squares(kernels, powers, centred):
    """Reference: the weighted regression of -g / h on each of the best terms, by numpy."""
    rng = np.random.default_rng(3)
    X = rng.uniform(1.0, 2.0, size=(512, 3))
    g, h = rng.normal(size=512), rng.uniform(0.1, 1.0, size=512)
    g -= h * g.sum() / h.sum()  # the best constant is 0
    packed = pack_problem(X, X[:, 0], np.ones(512), "mse", False, 40, powers=powers)
    packed.memory[packed.node_gradient : packed.node_gradient + 512] = g
    packed.memory[packed.node_curvature : packed.node_curvature + 512] = h
    terms = new_terms()
    weight = h.sum() if centred else np.inf
    find_terms(new_stream(0, 0), packed, packed.rows, 32, weight, terms)
    factors = np.hstack([X, 1 / X, X**2, 1 / X**2]).T
    for q in range(TOP):
        b = np.prod([factors[c] for c in terms.factors[3 * q : 3 * q + 3] if c >= 0], axis=0)
        design = np.stack([b, np.ones(512)] if centred else [b], axis=1)
        root = np.sqrt(h)
        fit, *_ = np.linalg.lstsq(design * root[:, None], -g / root, rcond=None)
        gain = (g**2 / h).sum() - (h * (-g / h - design @ fit) ** 2).sum()
        assert np.isclose(terms.gain[q], gain, rtol=2e-2)
        assert np.isclose(terms.coefficient[q], fit[0], rtol=1e-2)
        assert not centred or np.isclose(terms.shift[q], fit[1], rtol=1e-2)
    assert (np.diff(terms.gain) <= 0).all() and terms.gain[-1] > 0


def test_a_term_with_a_constant_is_fitted_like_a_line(kernels):
    """Wanted values on a line of x0 / x1: coefficient and shift are those of the line."""
    X = positive()
    y = np.exp(0.7 - 0.4 * X[:, 0] / X[:, 1])
    laws = insertions(kernels, "exp(z2*0.1)", y, X, WITH_DIVISION, 400, SHIFTED)
    texts = [law.to_text() for law in laws if "z0*(-" in law.to_text()]
    assert any(text.startswith("exp(z0*(-0.") and "/z1 + " in text for text in texts)


INVERTIBLE = {CONSTANT: lambda z: z, SQRT: np.sqrt, EXP: np.exp, LOG: np.log, SQUARE: np.square}


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_of_a_term_is_found_in_one_step(kernels, function, inverse, times):
    """y = z0 + F(a + c b), or z0 + z1 F(a + c b), from the law z0 + z1: exactly, under mse."""
    X = positive()
    z = 1.5 + 0.3 * X[:, 1] ** 2 / X[:, 2]
    value = 1 / INVERTIBLE[function](z) if inverse else INVERTIBLE[function](z)
    y = X[:, 0] + (X[:, 1] * value if times else value)
    packed = pack_problem(X, y, np.ones(len(y)), "mse", False, 40, powers=True)
    operators = (*WITH_DIVISION, "log")
    grammar = new_grammar(SearchSpec(loss="mse", operators=operators), kernels.names, np.ones(11))
    token, constant = kernels.program("z0 + z1")
    size, terms = np.ones(3, np.int64), new_terms()
    form = (TIMES if times else SHIFTED) + 2 * FUNCTIONS.index(function) + inverse
    assert find_insertion(
        new_stream(0, 0), token, constant, 3, packed, packed.rows, 32, 1.0, 0.0, 1, form, terms
    )
    out, values = np.zeros(60, np.int16), np.zeros(60)
    m = write_insertion(token, constant, 3, size, 1, form, terms, 0, grammar, out, values)
    law = to_expression(out[:m], values[:m], kernels.names)
    np.testing.assert_allclose(law.evaluate(X), y, rtol=1e-4)
    np.testing.assert_allclose([terms.shift[0], terms.coefficient[0]], [1.5, 0.3], rtol=1e-3)


def test_no_function_of_a_term_where_it_cannot_have_the_values(kernels):
    X = positive()
    packed = pack_problem(X, X[:, 0] - 5.0, np.ones(len(X)), "mse", False, 40, powers=True)
    token, constant = kernels.program("z0 + z1")
    for function in (SQRT, EXP, SQUARE):
        form = SHIFTED + 2 * FUNCTIONS.index(function)
        assert not find_insertion(
            new_stream(0, 0), token, constant, 3, packed, packed.rows, 32, 1.0, 0.0, 1, form,
            new_terms(),
        )  # fmt: skip


def test_a_law_of_the_hall_of_fame_grows_by_a_function_at_once():
    X = np.random.default_rng(0).uniform(1.0, 2.0, size=(600, 3))
    X[:, 0] *= 10
    y = X[:, 0] / np.sqrt(1.5 - 0.3 * X[:, 2] ** 2 / X[:, 1])
    # One round and what follows it: too few for chance.
    spec = SearchSpec(loss="mse", operators=WITH_DIVISION, maxsize=25, evaluations=3_000)
    engine = EvolutionEngine(cycles=100, guided_powers=0.0)
    front = engine.fit(X, y, spec, ("z0", "z1", "z2"))
    assert front.table["loss"].min() < 1e-9 * y.var()
