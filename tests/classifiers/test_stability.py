"""The stable set and its error bounds, against hand values, a linear program and simulations."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from occamscope.classifiers.half_samples import half_samples
from occamscope.classifiers.stability import stable_set, unimodal_bound, worst_case_bound
from occamscope.errors import InputError

# (halves, densities, latents): z0 in all halves at density 0, z1 in three at density 1, z2 in two
# at each density but three in all, z3 never
LIVE = np.zeros((4, 2, 4), bool)
LIVE[:, 0, 0] = True
LIVE[:3, 1, 1] = True
LIVE[0, 0, 2] = LIVE[1, 0, 2] = LIVE[1, 1, 2] = LIVE[2, 1, 2] = True

SETS = hnp.arrays(bool, st.tuples(st.integers(2, 8), st.integers(1, 3), st.integers(2, 6)))


@pytest.mark.parametrize(
    ("q", "p", "threshold", "expected"),
    [(5, 100, 0.6, 1.25), (10, 1000, 0.9, 0.125), (3, 10, 1.0, 0.9), (0, 4, 0.75, 0.0)],
)
def test_worst_case_bound_by_hand(q, p, threshold, expected):
    assert worst_case_bound(q, p, threshold) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("q", "p", "threshold", "expected"),
    [
        (10, 100, 0.75, 50 / 49),  # 1 / (2 (.5 - .01)) x 1
        (10, 100, 0.9, 4 * 0.11 / 1.02),
        (5, 50, 1.0, 0.5 * 4 * 0.01 / 1.02),
    ],
)
def test_unimodal_bound_by_hand(q, p, threshold, expected):
    assert unimodal_bound(q, p, threshold, pairs=50) == pytest.approx(expected)


def largest_tail(pairs, both, mean):
    """Largest P(X >= both / pairs) of unimodal distributions on 0, 1 / pairs, ..., 1 of that mean.

    A linear program for each place of the mode; the theorem's constant follows from its value.
    """
    places = np.arange(pairs + 1)
    steps = np.diff(np.eye(pairs + 1), axis=0)  # f[i + 1] - f[i]
    tails = []
    for mode in places:
        slope = np.where(places[:-1] < mode, -1, 1)[:, None] * steps
        found = linprog(
            -(places >= both).astype(float),
            A_ub=slope,
            b_ub=np.zeros(pairs),
            A_eq=[np.ones(pairs + 1), places / pairs],
            b_eq=[1, mean],
        )
        tails += [-found.fun] if found.status == 0 else []
    return max(tails)


@pytest.mark.parametrize("both", range(3, 11))
def test_the_unimodal_constant_is_the_best_there_is(both):
    """A latent selected with probability theta lies in both halves with theta^2, in 2 tau - 1 or
    more of the pairs if its frequency is tau: p C theta^2 latents on average."""
    pairs, theta = 10, 0.3
    tail = largest_tail(pairs, both, theta**2)
    assert unimodal_bound(theta, 1, 0.5 + both / (2 * pairs), pairs) == pytest.approx(tail)


@given(p=st.integers(1, 500), share=st.floats(0, 0.57), pairs=st.integers(2, 60), data=st.data())
def test_the_unimodal_bound_is_the_smaller_one(p, share, pairs, data):
    threshold = 0.5 + data.draw(st.integers(2, pairs)) / (2 * pairs)
    try:
        bound = unimodal_bound(share * p, p, threshold, pairs)
    except InputError:
        assume(False)
    assert bound <= worst_case_bound(share * p, p, threshold) * (1 + 1e-9)


@given(q=st.floats(0, 20), more=st.floats(0, 5), p=st.integers(25, 99), t=st.floats(0.51, 0.9))
def test_the_bound_grows_with_q_and_falls_with_p_and_threshold(q, more, p, t):
    bound = worst_case_bound(q, p, t)
    assert worst_case_bound(q + more, p, t) >= bound
    assert worst_case_bound(q, p + 1, t) <= bound
    assert worst_case_bound(q, p, t + 0.1) <= bound


def test_frequencies_are_the_largest_over_densities_and_q_is_of_their_union():
    result = stable_set(LIVE, threshold=0.75, densities=[0.1, 0.02])
    assert result.table["frequency"].tolist() == [1.0, 0.75, 0.5, 0.0]
    assert result.table["density"].tolist() == [0.1, 0.02, 0.1, 0.1]
    assert result.q == pytest.approx((3 + 3 + 3 + 1) / 4)
    assert result.latents == [0, 1] and result.p == 4
    assert result.bound == pytest.approx(2.5**2 / (0.5 * 4))


def test_intervals_are_wilsons():
    row = stable_set(np.repeat([[True], [False]], [8, 2], axis=0), 0.6).table.iloc[0]
    assert row["low"] == pytest.approx(0.4902, abs=1e-4)
    assert row["high"] == pytest.approx(0.9433, abs=1e-4)


def test_inactive_latents_neither_count_nor_enter():
    live = np.tile([True, False, True, False], (4, 1))
    result = stable_set(live, 0.75, active=np.array([True, True, False, False]))
    assert result.latents == [0] and (result.q, result.p) == (1.0, 2)
    assert result.bound == pytest.approx(1 / (0.5 * 2))


def test_the_threshold_is_the_smallest_that_keeps_to_the_bound():
    live = np.zeros((20, 50), bool)
    live[:, :2] = True
    live[:11, 2] = True
    live[:12, 3] = True
    q = 2 + 23 / 20
    result = stable_set(live, max_false=q**2 / (0.2 * 50))  # reached at .6, 12 of 20
    assert result.threshold == pytest.approx(0.6) and result.latents == [0, 1, 3]
    less = stable_set(live, max_false=q**2 / (0.2 * 50) - 1e-6)
    assert less.threshold == pytest.approx(0.65) and less.latents == [0, 1]


def test_a_threshold_between_two_frequencies_means_the_next():
    result = stable_set(LIVE[:3], 0.7)
    assert result.threshold == 1 and result.latents == [0, 1]


def test_a_frequency_equal_to_the_threshold_is_enough():
    """0.7 x 10 is 7.000000000000001 in floats."""
    live = np.zeros((10, 2), bool)
    live[:7, 0] = True
    assert stable_set(live, 0.7).latents == [0]


def test_the_unimodal_set_takes_its_own_bound():
    live = np.zeros((20, 30), bool)
    live[:, 0] = live[:16, 1] = True
    live[::5, 2] = True
    result = stable_set(live, 0.8, shape="unimodal")
    assert result.bound == pytest.approx(unimodal_bound(2.0, 30, 0.8, pairs=10))
    chosen = stable_set(live, max_false=result.bound, shape="unimodal")
    assert chosen.threshold == pytest.approx(0.8) and chosen.latents == [0, 1]
    with pytest.raises(InputError, match="at frequency 1 is 0.133"):  # 4 / 30, the worst case
        stable_set(live, max_false=result.bound)


@given(live=SETS, low=st.floats(0.51, 1), high=st.floats(0.51, 1))
def test_a_higher_threshold_keeps_a_part_of_the_set(live, low, high):
    low, high = sorted((low, high))
    loose, strict = stable_set(live, low), stable_set(live, high)
    assert set(strict.latents) <= set(loose.latents) and strict.bound <= loose.bound


@given(live=SETS, max_false=st.floats(0.01, 10))
def test_the_bound_asked_for_is_kept(live, max_false):
    try:
        result = stable_set(live, max_false=max_false)
    except InputError:
        q = live.any(axis=1).sum(axis=1).mean()
        assert q**2 / live.shape[2] > max_false
        return
    assert result.bound <= max_false * (1 + 1e-9) and result.threshold > 0.5
    frequency = result.table["frequency"]
    assert result.latents == np.flatnonzero(frequency >= result.threshold - 1e-12).tolist()


@given(live=SETS, data=st.data())
def test_one_more_density_adds_latents_and_doubt(live, data):
    more = data.draw(hnp.arrays(bool, (len(live), 1, live.shape[2])))
    few, many = stable_set(live, 0.6), stable_set(np.concatenate([live, more], axis=1), 0.6)
    assert set(few.latents) <= set(many.latents) and few.q <= many.q and few.bound <= many.bound


def screen(x, y, halves, q):
    """The q columns most correlated with y in each half, bool (halves, columns)."""
    live = np.zeros((len(halves), x.shape[1]), bool)
    for own, half in zip(live, halves, strict=True):
        centred = x[half] - x[half].mean(axis=0)
        score = np.abs(centred.T @ (y[half] - y[half].mean())) / np.sqrt((centred**2).sum(axis=0))
        own[np.argsort(-score)[:q]] = True
    return live


SIGNALS, NOISE, PAIRS, CHOSEN = 2, 40, 10, 12


@pytest.fixture(scope="module")
def trials():
    """Selections on half-samples and, in the same trial, on the same rows with other seeds."""
    found = []
    for trial in range(60):
        rng = np.random.default_rng(trial)
        x = rng.normal(size=(60, SIGNALS + NOISE))
        y = x[:, :SIGNALS].sum(axis=1) + rng.normal(size=60)
        halves = half_samples(60, PAIRS, trial)
        same = np.repeat(halves[:1], 2 * PAIRS, axis=0)
        found.append((screen(x, y, halves, CHOSEN), screen(x, y, same, CHOSEN)))
    return found


@pytest.mark.parametrize("shape", ["any", "unimodal"])
@pytest.mark.parametrize("threshold", [0.65, 0.75, 0.9])
def test_exchangeable_noise_stays_below_the_bound(trials, shape, threshold):
    sets = [stable_set(halves, threshold, shape=shape) for halves, _ in trials]
    false = np.mean([sum(j >= SIGNALS for j in s.latents) for s in sets])
    assert false <= sets[0].bound
    assert threshold > 0.7 or false > 0.3  # the trial is not empty
    assert np.mean([sum(j < SIGNALS for j in s.latents) for s in sets]) > 1.8


def test_seeds_on_the_same_rows_are_no_half_samples(trials):
    """They select the same noise again and again: more than the bound allows."""
    sets = [stable_set(same, 0.9) for _, same in trials]
    assert np.mean([sum(j >= SIGNALS for j in s.latents) for s in sets]) > 2 * sets[0].bound


@pytest.mark.parametrize(
    ("live", "options", "match"),
    [
        (LIVE, {}, "either"),
        (LIVE, {"threshold": 0.6, "max_false": 1}, "either"),
        (LIVE, {"threshold": 0.5}, "0.5 < threshold"),
        (LIVE, {"threshold": 1.1}, "0.5 < threshold"),
        (LIVE, {"threshold": np.nan}, "0.5 < threshold"),
        (LIVE, {"max_false": 0}, "above 0"),
        (LIVE, {"max_false": 0.1}, "sparser"),
        (LIVE, {"max_false": 0.1, "shape": "unimodal"}, "none exists"),
        (LIVE.astype(int), {"threshold": 0.6}, "truth values"),
        (LIVE[:1], {"threshold": 0.6}, "two halves"),
        (LIVE[0, 0], {"threshold": 0.6}, "two halves"),
        (LIVE[:3], {"threshold": 0.9, "shape": "unimodal"}, "even"),
        (LIVE, {"threshold": 0.9, "shape": "bell"}, "'bell'"),
        (LIVE, {"threshold": 0.9, "shape": "unimodal"}, "'any'"),
        (LIVE, {"threshold": 0.9, "densities": [0.1]}, "2 densities"),
        (LIVE, {"threshold": 0.9, "active": [True]}, "4 truth values"),
        (LIVE, {"threshold": 0.9, "active": np.zeros(4, bool)}, "not all false"),
    ],
)
def test_unsuitable_selections_are_refused(live, options, match):
    with pytest.raises(InputError, match=match):
        stable_set(live, **options)


@pytest.mark.parametrize(("q", "p"), [(-1, 4), (5, 4), (0, 0)])
def test_impossible_numbers_are_refused(q, p):
    with pytest.raises(InputError, match="0..p"):
        worst_case_bound(q, p, 0.6)


@pytest.mark.parametrize(
    ("q", "threshold", "match"),
    [(60, 0.9, "0.577"), (10, 0.51, "above"), (50, 0.6, "above"), (10, 0.755, "multiple")],
)
def test_the_unimodal_bound_is_silent_outside_its_range(q, threshold, match):
    with pytest.raises(InputError, match=match):
        unimodal_bound(q, 100, threshold, pairs=50)
