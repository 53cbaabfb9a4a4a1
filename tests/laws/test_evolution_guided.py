"""Guided insertion: the term with the largest promise, with its coefficient."""

import numpy as np

from occamscope.laws.evolution.grammar import new_grammar
from occamscope.laws.evolution.guided import insert_guided
from occamscope.laws.evolution.problem import pack_problem
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.evolution.rng import new_stream
from occamscope.laws.evolution.tokens import measure_sizes
from occamscope.laws.spec import SearchSpec


def insertions(kernels, text, y, X, operators=("+", "-", "*", "square"), count=60):
    """Laws after one guided insertion into the law `text` for targets y under mse."""
    packed = pack_problem(X, y, np.ones(len(y)), "mse", False, 40)
    spec = SearchSpec(loss="mse", operators=operators, maxsize=30)
    grammar = new_grammar(spec, kernels.names, np.ones(11))
    token, constant = kernels.program(text)
    n = len(token)
    size = np.zeros(n, np.int64)
    measure_sizes(token, n, size)
    state, found = new_stream(0, 0), []
    for _ in range(count):
        out, values = np.zeros(40, np.int16), np.zeros(40)
        m = insert_guided(
            state, grammar, token, constant, n, size, packed, packed.rows, 32, 1.0, 0.0, out, values
        )
        if m:
            found.append(to_expression(out[:m], values[:m], kernels.names))
    return found


def data(n=2000):
    return np.random.default_rng(0).normal(size=(n, 3))


def test_a_missing_product_is_put_in_with_its_coefficient(kernels):
    X = data()
    y = X[:, 0] + 2.5 * X[:, 1] * X[:, 2]
    found = insertions(kernels, "z0", y, X)
    planted = [law for law in found if law.to_text().startswith("z0 + z2*z1*2.")]
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
