import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from occamscope.errors import InputError
from occamscope.evaluation import flip_summary
from occamscope.evaluation.accuracy import wilson_interval
from occamscope.evaluation.code_spread import fit_spread
from occamscope.evaluation.domain_appropriateness import judge_flips
from occamscope.evaluation.flip_search import Flips
from occamscope.evaluation.flip_summary import bootstrap_interval, summarise_flips


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_an_interval_holds_its_value_and_moves_with_the_values(values, seed):
    values = np.array(values)
    found = bootstrap_interval(values, np.median, seed, resamples=300)
    assert found[0] == np.median(values)
    assert values.min() <= found[1] <= found[2] <= values.max()
    doubled = bootstrap_interval(2 * values, np.median, seed, resamples=300)
    np.testing.assert_allclose(doubled, 2 * np.array(found))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).exponential(size=2000)
    mean, low, high = bootstrap_interval(values, np.mean, 1)
    half = 1.96 * values.std() / np.sqrt(2000)
    np.testing.assert_allclose([low, high], [mean - half, mean + half], atol=0.06 * 2 * half)


def test_the_interval_of_a_median_is_that_of_order_statistics():
    # Bootstrap medians of n = 101 are the k-th smallest with a known binomial probability.
    values = np.arange(101.0)
    _, low, high = bootstrap_interval(values, np.median, 2, resamples=20_000)
    # P(median of a resample <= k) = P(at least 51 of 101 draws <= k).
    below = binom.sf(50, 101, (values + 1) / 101)
    assert abs(low - np.argmax(below >= 0.025)) <= 1
    assert abs(high - np.argmax(below >= 0.975)) <= 1


def test_infinite_distances_do_not_spoil_an_interval():
    few = bootstrap_interval(np.array([1.0, 2, 3, 4, np.inf]), np.median, 0)
    assert few[0] == 3
    assert few[1] < 3
    assert few[2] == np.inf
    assert bootstrap_interval(np.array([1.0, np.inf, np.inf]), np.median, 0)[0] == np.inf
    assert np.isnan(bootstrap_interval(np.array([]), np.median, 0)).all()


def test_the_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    values = np.random.default_rng(0).normal(size=40)
    once = bootstrap_interval(values, np.mean, 3, resamples=501)
    monkeypatch.setattr(flip_summary, "BATCH", 1000)
    assert bootstrap_interval(values, np.mean, 3, resamples=501) == once
    assert bootstrap_interval(values, np.mean, 4, resamples=501) != once


def flips(z, delta, reached):
    codes = np.where(reached[:, None], z + delta, z)
    return Flips(codes, np.where(reached, np.linalg.norm(delta, axis=1), np.inf), reached)


def judged(before, after, labels, reached):
    images = {"before": before, "after": after}
    return judge_flips(images.get, "before", "after", labels, labels, reached)


@pytest.fixture
def parts():
    rng = np.random.default_rng(5)
    n = 60
    z, labels = rng.normal(size=(n, 4)), np.arange(n) % 2
    right = np.where(labels == 1, 1.0, -1.0)
    near, far = np.zeros((n, 4)), np.zeros((n, 4))
    near[:, 0], near[:, 3] = 0.3, 0.1 * (np.arange(n) < 20)
    far[:, 1] = 4.0 + np.arange(n)
    everywhere, most = np.ones(n, bool), np.arange(n) >= 10
    real = rng.normal(size=(2000, 4))
    return {
        "z": z,
        "smallest": flips(z, near, everywhere),
        "confident": flips(z, far, most),
        # A third of the smallest flips and all confident ones look like the new class.
        "judged_smallest": judged(
            right, np.where(np.arange(n) < 20, -right, right), labels, everywhere
        ),
        "judged_confident": judged(right, -2 * right, labels, most),
        "shape_latents": [0, 1],
        "spread": fit_spread(real[:1000], np.zeros(1000), real[1000:]),
        "seed": 0,
    }


def test_a_row_holds_what_was_put_in(parts):
    row = summarise_flips(**parts)
    assert row["n"] == row["n_reached"] == row["n_counted"] == 60
    assert row["confident_n_reached"] == row["confident_n_counted"] == 50
    # Two thirds of the cells step .3, a third the root of .1.
    assert row["distance_median"] == pytest.approx(0.3)
    assert row["distance_median_high"] <= np.sqrt(0.1) + 1e-9
    # 50 cells step 14 to 63 sd, the 10 unreached count as longer than all.
    assert row["confident_distance_median"] == pytest.approx(43.5)
    assert row["confident_distance_median_low"] < 43.5 < row["confident_distance_median_high"]
    assert row["shape_energy_share"] == pytest.approx((40 + 20 * 0.9) / 60)
    assert row["shape_energy_share_low"] < row["shape_energy_share"]
    assert row["shape_energy_share"] < row["shape_energy_share_high"]
    assert row["confident_shape_energy_share_low"] == row["confident_shape_energy_share"] == 1
    assert row["new_class_share"] == pytest.approx(1 / 3)
    low, high = wilson_interval(20, 60)
    assert (row["new_class_share_low"], row["new_class_share_high"]) == (low, high)
    assert row["confident_new_class_share"] == 1
    assert row["confident_new_class_share_low"] == wilson_interval(50, 50)[0]
    assert row["judge_accuracy"] == 1
    assert row["judge_shift"] == 0
    assert row["confident_judge_shift"] == 3
    assert 0.3 < row["real_farther_out"] < 0.7
    assert abs(row["farther_out"] - row["real_farther_out"]) < 0.15
    assert row["confident_farther_out"] == row["confident_farther_out_high"] == 0


def test_every_number_but_counts_and_shifts_has_an_interval(parts):
    row = summarise_flips(**parts)
    names = {name for name in row if not name.endswith(("_low", "_high"))}
    for name in names:
        if name.removeprefix("confident_") in ("n", "n_reached", "n_counted", "judge_shift"):
            assert f"{name}_low" not in row
        else:
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_the_same_seed_gives_the_same_row(parts):
    assert summarise_flips(**parts) == summarise_flips(**parts)
    assert summarise_flips(**parts) != summarise_flips(**parts | {"seed": 1})


def test_a_model_that_was_never_flipped_has_a_row_too(parts):
    nowhere = np.zeros(60, bool)
    z, labels = parts["z"], np.arange(60) % 2
    right = np.where(labels == 1, 1.0, -1.0)
    parts["confident"] = flips(z, np.ones((60, 4)), nowhere)
    parts["judged_confident"] = judged(right, right, labels, nowhere)
    row = summarise_flips(**parts)
    assert row["confident_distance_median"] == np.inf
    assert row["confident_n_reached"] == 0
    for name in ("shape_energy_share", "farther_out", "new_class_share"):
        assert np.isnan(row[f"confident_{name}"])
        assert np.isfinite(row[name])


def test_parts_of_other_cells_are_refused(parts):
    with pytest.raises(InputError, match="same cells"):
        summarise_flips(**parts | {"z": parts["z"][:50]})
