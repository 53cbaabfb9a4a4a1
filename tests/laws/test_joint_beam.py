import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from occamscope.laws.expressions.expression import parse
from occamscope.laws.joint.beam import (
    NONE,
    Beam,
    Candidates,
    Pool,
    State,
    fit_newcomers,
    shifted,
    structure,
)
from occamscope.laws.joint.fit import JointLaw, JointProblem, without_laws
from occamscope.laws.joint.softmax import cross_entropy, log_priors, softmax
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1", "z2")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 3))
TRUE = np.column_stack([2 * X[:, 0] * X[:, 1], 1.5 * X[:, 2] - 0.5, np.zeros(300)])
Y = (softmax(TRUE).cumsum(axis=1) < RNG.random((300, 1))).sum(axis=1)
SHARE = np.full(300, 1 / 300)
PRIORS = log_priors(Y, 3)
LAWS = [["z0*z1", "z0", "z0*z1 - 0.1"], ["z2", "z2 - 0.4", "z1"], ["-z2", "z0 + z1"]]


def problem(**settings):
    return JointProblem(X, Y, np.ones(300), 3, SearchSpec(loss="logistic", **settings))


def pools(of, laws=LAWS):
    made = [Pool(of) for _ in laws]
    for pool, texts in zip(made, laws, strict=True):
        for text in texts:
            pool.add(parse(text, NAMES))
    return made


def start(of):
    prior = without_laws(PRIORS)
    return State(prior, 0, of.loss(prior), (NONE,) * 3)


def search(of, width=3, laws=LAWS):
    return Beam(of, pools(of, laws), width).run([start(of)])


def test_the_beam_finds_what_trying_all_combinations_finds():
    of = problem()
    found = {}
    for state in search(of, width=4):
        found.setdefault(state.complexity, of.fit(state.joint, 50)[1])
    best = {}
    for texts in itertools.product(*([None, *own] for own in LAWS)):
        laws = tuple(text and parse(text, NAMES) for text in texts)
        size = sum(law.complexity() for law in laws if law)
        fitted = of.fit(JointLaw(laws, (1.0,) * 3, tuple(PRIORS)), 50)[1]
        best[size] = min(fitted, best.get(size, np.inf))
    lowest = np.inf
    for size in sorted(best):
        if best[size] < lowest * (1 - 1e-4):
            assert found[size] == pytest.approx(best[size], rel=1e-4)
            lowest = best[size]


def test_states_grow_in_size_and_fall_in_loss():
    states = search(problem(), width=1)
    assert [s.complexity for s in states] == sorted({s.complexity for s in states})
    assert (np.diff([s.loss for s in states]) < 0).all()
    assert states[0].joint.laws == (None, None, None)


def test_the_planted_combination_is_found_with_one_class_left_without_a_law():
    of = problem(output_offset=True)
    best = next(s for s in search(of) if s.complexity == 4)
    assert [law and law.to_text() for law in best.joint.laws] == ["z0*z1", "z2", None]
    assert best.members == (0, 0, NONE)


def test_a_state_that_was_given_is_not_lost():
    of = problem()
    law = JointLaw(
        (parse("z0*z1", NAMES), parse("z2 - 0.4", NAMES), None), (2.0, 1.5, 1.0), (0.0,) * 3
    )
    given = State(law, 6, of.loss(law), (0, 1, NONE))
    made = pools(of, [["z0*z1"], ["z2", "z2 - 0.4"], []])
    alone = Beam(of, made, 1).run([given])
    assert alone[-1] is given


def test_enough_ends_the_search_with_what_was_fitted():
    of = problem()
    states = Beam(of, pools(of), 2).run([start(of)], enough=lambda: True)
    assert [s.complexity for s in states] == [0]


def test_a_pool_keeps_one_law_of_a_structure_and_no_useless_ones():
    pool = pools(problem(), [["z0 - 1.0", "z0 - 2.0", "3.0", "log(z0)", "z1"]])[0]
    assert [law.to_text() for law in pool.laws] == ["z0 - 2.0", "z1"]
    assert pool.sizes == [3, 1]


def test_the_structure_does_not_depend_on_the_constants():
    a, b = parse("2.0*z0 - 0.3*z1", NAMES), parse("-1.5*z0 - 7.0*z1", NAMES)
    assert structure(a) == structure(b) != structure(parse("z0 - 0.3*z1", NAMES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z0 + 1.0", "z0 + 3.0"), ("z0 - 1.0", "z0 - -1.0"), ("1.0 - (z0 - z1)", "3.0 - (z0 - z1)"),
        ("z0 - (z1 - 1.0)", "z0 - (z1 - 3.0)"), ("(z0 - 0.5)*z1 + z2", None), ("2.0*z0", None),
    ],
)  # fmt: skip
def test_a_summand_goes_into_a_constant_of_the_top_level_sum(text, expected):
    law = shifted(parse(text, NAMES), 2.0)
    assert (law is None) == (expected is None)
    if law is not None:
        np.testing.assert_allclose(
            law.evaluate(X), parse(text, NAMES).evaluate(X) + 2.0, rtol=1e-12
        )
        assert law == parse(expected, NAMES)


@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("offset", [True, False])
def test_a_newcomer_gets_the_scale_and_offset_of_the_lowest_cross_entropy(k, offset):
    decision = 0.7 * TRUE
    columns = np.column_stack([TRUE[:, k] + 0.3 * X[:, 0], X[:, 1], -X[:, 0] * X[:, 1]])
    losses, scales, offsets = fit_newcomers(
        problem(),
        decision,
        -0.2,
        k,
        Candidates.of(list(columns.T.astype(np.float32)), SHARE),
        0.0,
        True,
        np.full(3, offset),
    )

    def value(s, b, column):
        d = decision.copy()
        d[:, k] = s * column - 0.2 + b
        return cross_entropy(d, Y)

    def lowest(column):
        def over_offsets(s):
            if not offset:
                return value(s, 0.0, column)
            return minimize_scalar(lambda b: value(s, b, column)).fun

        return minimize_scalar(over_offsets, bounds=(0.0, 5.0), method="bounded").fun

    for column, loss, s, b in zip(columns.T, losses, scales, offsets, strict=True):
        if not np.isfinite(loss):  # the best factor is negative
            assert value(1e-3, 0.0, column) > value(0.0, 0.0, column) or offset
            continue
        assert s > 0
        assert loss == pytest.approx(value(s, b, column), rel=1e-5)
        assert loss == pytest.approx(lowest(column), rel=1e-4)


def test_a_newcomer_without_a_free_scale_keeps_its_unit():
    _, scales, offsets = fit_newcomers(
        problem(),
        0.7 * TRUE,
        0.0,
        0,
        Candidates.of(list(X.T[:2].astype(np.float32)), SHARE),
        np.array([0.5, 2.0]),
        False,
        np.array([True, False]),
    )
    assert scales.tolist() == [0.5, 2.0]
    assert offsets[0] != 0.0 == offsets[1]


@pytest.mark.parametrize("settings", [{}, {"output_offset": True}, {"output_scale": False}])
def test_an_estimate_is_the_loss_of_the_joint_law_that_comes_with_it(settings):
    of = problem(**settings)
    pool = pools(of)[1]
    joint = JointLaw((parse("z0*z1", NAMES), None, None), (2.0, 1.0, 1.0), tuple(PRIORS))
    members = range(len(pool.laws))
    estimates = pool.estimates(joint, joint.decision(X), 1, members)
    finite = [(loss, new) for loss, new in estimates if np.isfinite(loss)]
    assert len(finite) >= 2
    for loss, new in finite:
        assert loss == pytest.approx(of.loss(new), rel=1e-5)
        assert new.laws[0] == joint.laws[0]
        if not of.spec.free_offset:
            assert new.offsets == pytest.approx(joint.offsets)
