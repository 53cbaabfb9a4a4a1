"""Compiled output scale, offset and base against their plain versions."""

import numpy as np
import pytest

from occamscope.laws.evolution.evaluation import program_loss
from occamscope.laws.evolution.problem import copy_problem, pack_problem
from occamscope.laws.evolution.programs import absorb_output
from occamscope.laws.expressions.expression import parse
from occamscope.laws.loss import MARGIN_LOSSES, fit_output_affine, fit_output_scale, mean_loss

NAMES = ("z0", "z1", "z2")


def problem(loss, seed=0, base=False, offset=True, n=700):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 3))
    y = np.where(X[:, 0] + 0.5 * X[:, 1] ** 2 + random.normal(0, 0.5, n) > 0.8, 1.0, -1.0)
    w = random.uniform(0.2, 2.0, n)
    added = random.normal(0, 1.0, n) if base else None
    return X, y, w, added, pack_problem(X, y, w, loss, True, 40, offset, added)


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
@pytest.mark.parametrize("text", ["z0", "z0 + z1**2", "3.0*z0 - z2", "z0*z1", "-0.01*z0*z0 + z0"])
def test_scale_and_offset_are_the_plain_versions(kernels, text, loss):
    X, y, w, _, packed = problem(loss)
    tokens, constants = kernels.program(text)
    found, s, b = program_loss(tokens, constants, len(tokens), packed, packed.rows, np.inf)
    f = parse(text, NAMES).evaluate(X)
    scale, offset = fit_output_affine(f, y, loss, w)
    best = mean_loss(scale * f + offset, y, loss, w)
    assert found == pytest.approx(mean_loss(s * f + b, y, loss, w), rel=1e-4)
    # The ramp loss has many minima in scale and offset.
    assert found == pytest.approx(best, rel=3e-2 if loss == "ramp" else 5e-3)
    assert s > 0


def test_the_offset_makes_a_threshold_free_of_charge(kernels):
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 3))
    y = np.where(X[:, 0] + random.normal(0, 0.2, 600) > 1.3, 1.0, -1.0)
    tokens, constants = kernels.program("z0")
    without = pack_problem(X, y, np.ones(600), "hinge", True, 40)
    with_offset = pack_problem(X, y, np.ones(600), "hinge", True, 40, free_offset=True)
    loss, s, b = program_loss(tokens, constants, 1, with_offset, with_offset.rows, np.inf)
    assert loss < 0.12 < program_loss(tokens, constants, 1, without, without.rows, np.inf)[0]
    assert -b / s == pytest.approx(1.3, abs=0.15)


@pytest.mark.parametrize("offset", [False, True])
def test_a_base_is_added_before_the_logistic_loss(kernels, offset):
    X, y, w, base, packed = problem("logistic", base=True, offset=offset)
    tokens, constants = kernels.program("z0 + z1**2")
    found, s, b = program_loss(tokens, constants, len(tokens), packed, packed.rows, np.inf)
    f = parse("z0 + z1**2", NAMES).evaluate(X)
    if offset:
        scale, shift = fit_output_affine(f, y, "logistic", w, base)
    else:
        scale, shift = fit_output_scale(f, y, "logistic", w, base), 0.0
    assert found == pytest.approx(mean_loss(scale * f + shift + base, y, "logistic", w), rel=1e-3)
    assert s == pytest.approx(scale, rel=2e-2)
    assert b == pytest.approx(shift, abs=2e-2)


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_a_constant_or_useless_law_has_at_best_the_constants_loss(kernels, loss):
    X, y, w, _, packed = problem(loss)
    best = min(mean_loss(np.full(len(y), b), y, loss, w) for b in np.linspace(-5, 5, 2001))
    for text in ("1.5", "-z0"):
        tokens, constants = kernels.program(text)
        found = program_loss(tokens, constants, len(tokens), packed, packed.rows, np.inf)[0]
        assert found == pytest.approx(best, rel=2e-2)


def test_a_copy_for_another_thread_gives_the_same_losses(kernels):
    packed = problem("hinge")[-1]
    copy = copy_problem(packed)
    assert copy.address != packed.address
    tokens, constants = kernels.program("z0 + z1**2 - 0.3*z2")
    args = (tokens, constants, len(tokens))
    assert program_loss(*args, packed, packed.rows, np.inf) == program_loss(
        *args, copy, copy.rows, np.inf
    )


@pytest.mark.parametrize(
    ("text", "absorbed"),
    [("z0 + 1.0", False), ("2.0*z0 - 3.0", True), ("z0*z1", False), ("1.0 - z0*z0", False)],
)
def test_scale_and_offset_go_into_the_constants_where_they_can(text, absorbed):
    law = parse(text, NAMES)
    written = absorb_output(law, 2.0, 0.7, 50.0)
    X = np.random.default_rng(0).normal(size=(20, 3))
    wanted = 2.0 * law.evaluate(X) + 0.7 if absorbed else law.evaluate(X)
    np.testing.assert_allclose(written.evaluate(X), wanted)
    assert written.complexity() == law.complexity()
