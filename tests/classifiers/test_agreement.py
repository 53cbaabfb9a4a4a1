"""Agreement in names, against sets worked out by hand and a plain loop."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.agreement import name_agreement
from occamscope.errors import InputError

UPRIGHT, DIAGONAL = "elongation (0/90 deg)", "elongation (45/135 deg)"
FIRST = ["size", UPRIGHT, "inactive", "size"]
SECOND = ["inactive", "texture", DIAGONAL, "other", "size"]
A = np.array([[1, 1, 0, 1], [1, 0, 1, 0]], bool)  # {size, upright}, {size}
B = np.array([[0, 0, 1, 0, 1], [0, 1, 0, 1, 1]], bool)  # {diagonal, size}, {texture, other, size}


def test_pairs_by_hand():
    """1/3, 1/4; 1/2, 1/3."""
    result = name_agreement([A, B], [FIRST, SECOND], seed=0)
    assert result.mean == pytest.approx((1 / 3 + 1 / 4 + 1 / 2 + 1 / 3) / 4)
    assert result.table.values.tolist() == [[0, 1, pytest.approx(result.mean)]]


def test_without_direction_both_components_are_one():
    """1, 1/4; 1/2, 1/3."""
    result = name_agreement([A, B], [FIRST, SECOND], seed=0, strip_direction=True)
    assert result.mean == pytest.approx((1 + 1 / 4 + 1 / 2 + 1 / 3) / 4)


def test_only_brackets_at_the_end_are_a_direction():
    live = [np.ones((1, 1), bool)] * 2
    words = [["ring (a) width"], ["ring width"]]
    assert name_agreement(live, words, seed=0, strip_direction=True).mean == 0


def test_other_agrees_with_no_other():
    live, words = [np.ones((2, 2), bool)] * 2, [["size", "other"]] * 2
    assert name_agreement(live, words, seed=0).mean == pytest.approx(1 / 3)
    assert name_agreement(live, words, seed=0, unnamed=()).mean == 1
    assert name_agreement(live, words, seed=0, ignore=("other",)).mean == 1


def test_networks_that_listen_to_nothing_agree():
    live = [np.array([[False, True]])] * 2
    assert name_agreement(live, [["size", "inactive"]] * 2, seed=0).mean == 1


def test_the_table_has_a_row_for_each_pair_of_vae_seeds():
    live = [A, A, np.array([[0, 0, 0, 1]], bool)]
    words = [FIRST, FIRST, ["a", "b", "c", "d"]]
    result = name_agreement(live, words, seed=0)
    assert result.table[["first", "second"]].values.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert result.table["jaccard"].tolist() == pytest.approx([0.75, 0, 0])
    assert result.mean == pytest.approx(4 * 0.75 / (4 + 2 + 2))  # every pair of networks counts 1


WORDS = st.sampled_from(["size", UPRIGHT, DIAGONAL, "texture", "inactive", "other"])


@st.composite
def vaes(draw):
    """Live matrices and names of two to four VAE seeds."""
    live, names = [], []
    for _ in range(draw(st.integers(2, 4))):
        words = draw(st.lists(WORDS, min_size=1, max_size=5))
        rows = draw(st.integers(1, 4))
        live.append(np.array(draw(st.lists(st.booleans(), min_size=rows * len(words),
                                           max_size=rows * len(words)))).reshape(rows, -1))  # fmt: skip
        names.append(words)
    return live, names


@settings(max_examples=60, deadline=None)
@given(vaes(), st.booleans())
def test_the_mean_is_that_of_a_plain_loop(sample, strip):
    live, names = sample

    def meaning(vae, row):
        words = {names[vae][j] for j in np.flatnonzero(row)} - {"inactive"}
        words = {f"other {vae}" if w == "other" else w for w in words}
        return {w.split(" (")[0] if strip else w for w in words}

    values = []
    for a in range(len(live)):
        for b in range(a + 1, len(live)):
            for first, second in product(live[a], live[b]):
                m, n = meaning(a, first), meaning(b, second)
                values.append(len(m & n) / len(m | n) if m | n else 1.0)
    result = name_agreement(live, names, seed=1, strip_direction=strip, resamples=50)
    assert result.mean == pytest.approx(np.mean(values))
    assert 0 <= result.low <= result.high <= 1


def test_the_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(0)
    live = [rng.random((12, 6)) < 0.5 for _ in range(3)]
    words = list("abcdef")
    result = name_agreement(live, [words] * 3, seed=0, resamples=4000)
    means = []
    for _ in range(1500):
        drawn = [own[rng.integers(0, 12, 12)] for own in live]
        means.append(name_agreement(drawn, [words] * 3, seed=0, resamples=1).mean)
    low, high = np.quantile(means, [0.025, 0.975])
    assert result.low == pytest.approx(low, abs=0.01) and result.high == pytest.approx(
        high, abs=0.01
    )
    assert result.low < result.mean < result.high


def test_a_seed_repeats():
    first, again = (name_agreement([A, B], [FIRST, SECOND], seed=3) for _ in range(2))
    assert (first.low, first.high) == (again.low, again.high)


@pytest.mark.parametrize(
    ("live", "names", "match"),
    [
        ([A], [FIRST], "two or more"),
        ([A, B], [FIRST], "names of 1"),
        ([A, B], [FIRST, FIRST], "VAE seed 1"),
        ([A[:0], B], [FIRST, SECOND], "VAE seed 0"),
        ([A[0], B], [FIRST, SECOND], "VAE seed 0"),
    ],
)
def test_unsuitable_networks_are_refused(live, names, match):
    with pytest.raises(InputError, match=match):
        name_agreement(live, names, seed=0)
