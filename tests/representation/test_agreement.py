"""Agreement of constructed models, where the right matches are known."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from occamscope.errors import InputError
from occamscope.representation.agreement import agreement, codes_agreement, pairwise_agreement
from occamscope.representation.effects import (
    Effects,
    image_effects,
    measured_effects,
    similarity,
)
from occamscope.representation.traverse import describe_traversals, traverse

VALUES = np.linspace(-3, 3, 7)


@pytest.fixture(scope="module")
def decode(ellipse):
    """Size, ellipticity (two), brightness, ring."""

    def one(z):
        return ellipse(
            500 * np.exp(0.3 * z[0]),
            (0.1 * z[1], 0.1 * z[2]),
            light=np.exp(0.15 * z[3]),
            hollow=0.1 * z[4],
        )

    return lambda codes: np.stack([one(z) for z in codes])


def effects_of(decode, mixing: np.ndarray) -> Effects:
    """Of a model whose codes, times `mixing` (latents, 5), are the quantities of `decode`."""
    units = range(len(mixing))
    decoded = traverse(lambda codes: decode(codes @ mixing), len(mixing), units, VALUES)
    return image_effects(decoded, units, VALUES)


def turned(degrees: float, a: int = 1, b: int = 2) -> np.ndarray:
    """Mixing that turns quantities a and b in their plane."""
    mixing, angle = np.eye(5), np.radians(degrees)
    mixing[a, a] = mixing[b, b] = np.cos(angle)
    mixing[a, b], mixing[b, a] = np.sin(angle), -np.sin(angle)
    return mixing


def random_effects(units: int, pairs=(), seed: int = 0) -> Effects:
    """Latents of random changes in few dimensions, so that all are somewhat alike."""
    changes = np.random.default_rng(seed).normal(size=(units, 3, 4))
    changes /= np.sqrt((changes**2).sum(axis=(1, 2), keepdims=True))
    return Effects(tuple(range(units)), changes, tuple(pairs))


def test_a_model_with_other_numbers_and_signs_agrees_fully(decode):
    order = [3, 0, 4, 2, 1]
    other = np.eye(5)[order] * np.array([[1], [-1], [-1], [1], [-1]])
    found = agreement(effects_of(decode, np.eye(5)), effects_of(decode, other))
    assert found.score == pytest.approx(1, abs=1e-3)
    assert found.matches["first"].tolist() == ["z0", "z1", "z2", "z3", "z4"]
    assert found.matches["second"].tolist() == [f"z{order.index(i)}" for i in range(5)]


def test_pairs_in_equal_frames_are_matched_latent_by_latent(decode):
    effects = effects_of(decode, np.eye(5))
    assert effects.pairs == ((1, 2),)
    assert (agreement(effects, effects).matches["pair"] == -1).all()


def test_each_latent_that_one_model_lacks_counts_as_zero(decode):
    whole, part = effects_of(decode, np.eye(5)), effects_of(decode, np.eye(5)[[4, 0, 3]])
    for found, sides in (
        (agreement(whole, part), ("first", "second")),
        (agreement(part, whole), ("second", "first")),
    ):
        assert found.score == pytest.approx(3 / 5, abs=1e-3)
        lonely = found.matches[found.matches[sides[1]] == ""]
        assert lonely[sides[0]].tolist() == ["z1", "z2"]
        assert (lonely["similarity"] == 0).all() and (lonely["pair"] == -1).all()


@pytest.mark.parametrize("degrees", [10, 22.5, 45, 70])
def test_ellipticity_in_a_turned_frame_is_matched_as_a_pair(decode, degrees):
    first, second = effects_of(decode, np.eye(5)), effects_of(decode, turned(degrees))
    found = agreement(first, second)
    pair = found.matches[found.matches["pair"] == 0]
    assert set(pair["first"]) == set(pair["second"]) == {"z1", "z2"}
    assert found.score > 0.97
    single = found.similarity.to_numpy()
    alone = single[linear_sum_assignment(-single)].mean()
    expected = max(np.cos(np.radians(degrees)), np.sin(np.radians(degrees))) ** 2
    assert alone == pytest.approx((3 + 2 * expected) / 5, abs=0.05)
    # Within the pair, a latent stands beside the one whose component is nearer to its own.
    assert (pair["first"] == pair["second"]).all() == (degrees <= 45)


def test_a_mixture_of_different_quantities_is_no_agreement(decode):
    """Brightness and ring, turned by 45 degrees: the plane is the same, but no frame is free."""
    found = agreement(effects_of(decode, np.eye(5)), effects_of(decode, turned(45, 3, 4)))
    alike = found.matches["similarity"].to_numpy()
    assert alike[:3].min() > 0.99 and alike[3:].mean() < 0.8
    assert (found.matches["pair"] == -1).all()
    assert set(found.matches["second"][3:]) == {"z3", "z4"}


def test_tables_of_measured_quantities_agree_as_pictures_do(decode, measure):
    tables = []
    for mixing in (np.eye(5), turned(30)[[2, 0, 1, 3]]):
        n = len(mixing)
        decoded = traverse(lambda z, m=mixing: decode(z @ m), n, range(n), VALUES)
        tables.append(describe_traversals(decoded, measure, range(n), VALUES))
    found = agreement(*(measured_effects(table) for table in tables))
    matches = found.matches.set_index("first")
    assert matches["second"].tolist() == ["z1", "z2", "z0", "z3", ""]
    assert matches["similarity"].iloc[:4].min() > 0.95
    assert matches["pair"].tolist() == [-1, 0, 0, -1, -1]


@pytest.mark.parametrize("sizes", [(1, 1), (5, 5), (4, 7), (7, 4)])
def test_without_pairs_the_matching_is_the_linear_assignment(sizes):
    first, second = random_effects(sizes[0], seed=1), random_effects(sizes[1], seed=2)
    single = similarity(first.changes, second.changes)
    rows, columns = linear_sum_assignment(-single)
    found = agreement(first, second)
    assert found.score == pytest.approx(single[rows, columns].sum() / max(sizes))
    met = found.matches[(found.matches["first"] != "") & (found.matches["second"] != "")]
    assert met["second"].tolist() == [f"z{j}" for j in columns]


def best_by_trial(first: Effects, second: Effects) -> float:
    """Largest sum over all matchings with any pairs taken as a whole."""
    single = similarity(first.changes, second.changes)
    best = 0.0
    n = len(first.units)
    for order in permutations(range(n)):
        candidates = []
        for pair in first.pairs:
            image = tuple(sorted(order[i] for i in pair))
            if image in second.pairs:
                groups = np.zeros((2, n))
                groups[0, list(pair)], groups[1, list(image)] = 1, 1
                joint = similarity(first.changes, second.changes, groups[:1], groups[1:])[0, 0]
                candidates.append(2 * joint - sum(single[i, order[i]] for i in pair))
        alone = sum(single[i, order[i]] for i in range(n))
        best = max(best, alone + sum(max(gain, 0) for gain in candidates))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_no_other_matching_with_pairs_is_better(seed):
    first = random_effects(5, [(0, 1), (2, 4)], seed)
    second = random_effects(5, [(0, 3), (1, 2)], seed + 100)
    found = agreement(first, second)
    assert 5 * found.score == pytest.approx(best_by_trial(first, second), abs=2e-4)
    assert sorted(found.matches["second"]) == ["z0", "z1", "z2", "z3", "z4"]


def test_agreement_is_symmetric_and_within_0_and_1():
    for a, b in combinations(range(4), 2):
        one, other = random_effects(4, [(0, 2)], a), random_effects(6, [(1, 5), (2, 3)], b)
        score = agreement(one, other).score
        assert 0 < score < 1 and agreement(other, one).score == pytest.approx(score)


def test_models_without_latents_do_not_agree():
    none, some = Effects((), np.zeros((0, 0, 4)), ()), random_effects(2)
    assert agreement(none, some).score == agreement(some, none).score == 0
    assert agreement(none, none).score == 0
    assert agreement(none, some).matches["second"].tolist() == ["z0", "z1"]


def test_several_models_are_compared_two_by_two(decode):
    models = {
        "0": effects_of(decode, np.eye(5)),
        "1": effects_of(decode, turned(40)),
        "2": effects_of(decode, np.eye(5)[:2]),
    }
    table = pairwise_agreement(models).set_index(["first", "second"])
    assert list(table.index) == [("0", "1"), ("0", "2"), ("1", "2")]
    assert table["agreement"].iloc[:2].tolist() == pytest.approx([1, 0.4], abs=0.03)
    assert table["pairs"].tolist() == [1, 0, 0]
    assert table["second_latents"].tolist() == [5, 2, 2]
    with pytest.raises(InputError, match="two models"):
        pairwise_agreement({"0": models["0"]})


def matches_of(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["first", "second", "similarity", "pair"])


def test_codes_of_matched_latents_are_correlated_and_pairs_turned_first():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(500, 4))
    angle = np.radians(33)
    second = np.column_stack(
        [
            np.cos(angle) * first[:, 3] + np.sin(angle) * first[:, 1],
            -first[:, 0] + rng.normal(size=500),
            np.sin(angle) * first[:, 3] - np.cos(angle) * first[:, 1],
        ]
    )
    matches = matches_of(
        ("z0", "z1", 0.9, -1), ("z1", "z2", 0.9, 0), ("z2", "", 0.0, -1), ("z3", "z0", 0.9, 0)
    )
    table = codes_agreement(matches, first, second)
    single = np.corrcoef(first[:, 0], second[:, 1])[0, 1] ** 2
    assert table["r2"].tolist() == pytest.approx([single, 1, 0, 1], abs=1e-3)
    apart = codes_agreement(matches.assign(pair=-1), first, second)
    assert apart["r2"][1] == pytest.approx(np.cos(angle) ** 2, abs=0.05)


def test_latents_that_only_the_second_model_has_get_0():
    codes = np.random.default_rng(0).normal(size=(20, 2))
    table = codes_agreement(matches_of(("z1", "z1", 1.0, -1), ("", "z0", 0.0, -1)), codes, codes)
    assert table["r2"].tolist() == pytest.approx([1, 0])
    assert len(codes_agreement(matches_of(), codes, codes)) == 0


def test_what_does_not_suit_is_refused():
    wide = Effects((0,), np.ones((1, 3, 9)), ())
    with pytest.raises(InputError, match="4 and 9 features"):
        agreement(random_effects(2), wide)
    matches = matches_of(("z1", "z0", 1.0, -1))
    with pytest.raises(InputError, match="same crops"):
        codes_agreement(matches, np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(InputError, match="z1 is not among the first"):
        codes_agreement(matches, np.zeros((3, 1)), np.zeros((3, 1)))
