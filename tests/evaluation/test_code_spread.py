import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2, kstest

from occamscope.errors import InputError
from occamscope.evaluation.code_spread import fit_spread

MEANS = np.array([[0.0, 0, 0], [6, 0, 0]])
COVARIANCES = np.array([np.diag([1.0, 0.25, 4]), [[1, 0.8, 0], [0.8, 1, 0], [0, 0, 0.5]]])


def cells(n, seed=0, share=0.5, latents=3):
    """Codes of two Gaussian classes in the first three latents, the others 0."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(int)
    noise = np.einsum(
        "nij,nj->ni", np.linalg.cholesky(COVARIANCES)[labels], rng.normal(size=(n, 3))
    )
    return np.pad(MEANS[labels] + noise, [(0, 0), (0, latents - 3)]), labels


def spread(latents=3):
    return fit_spread(*cells(8000, latents=latents), cells(4000, 1, latents=latents)[0])


def test_the_distance_is_that_to_the_nearest_class():
    x = np.random.default_rng(2).normal(3, 3, (50, 3))
    pairs = zip(MEANS, np.linalg.inv(COVARIANCES), strict=True)
    each = [[mahalanobis(row, mean, precision) for row in x] for mean, precision in pairs]
    np.testing.assert_allclose(spread().distance(x), np.min(each, 0), rtol=0.03)


def test_real_cells_are_spread_evenly():
    share = spread().farther_out(cells(2000, 7)[0])
    assert kstest(share, "uniform").statistic < 0.04
    assert ((share >= 0) & (share <= 1)).all()


def test_steps_out_of_a_class_are_as_unusual_as_theory_says():
    # The squared distance of one class's cells is chi-squared with 3 degrees of freedom.
    rng = np.random.default_rng(3)
    train, other = (rng.multivariate_normal(MEANS[0], COVARIANCES[0], 20_000) for _ in range(2))
    found = fit_spread(train, np.zeros(len(train)), other)
    sds = np.array([0.0, 1, 2, 3])
    along_second = sds[:, None] * [0, 0.5, 0]
    np.testing.assert_allclose(found.farther_out(along_second), chi2.sf(sds**2, 3), atol=0.015)
    assert found.farther_out(np.array([[0, 10.0, 0]])) == 0


def test_between_the_classes_and_beyond_codes_are_unusual():
    found = spread().farther_out(np.array([[0.0, 0, 0], [3, 0, 0], [6, 0, 0], [9, 9, 9]]))
    assert found[[0, 2]].min() > 0.99
    assert found[1] < 0.1
    assert found[3] == 0


def test_a_change_against_the_correlation_is_unusual_where_one_along_it_is_not():
    along, against = spread().farther_out(np.array([[7.2, 1.2, 0], [7.2, -1.2, 0]]))
    assert along > 0.5
    assert against < 0.02


def test_latents_that_do_not_vary_are_left_out():
    found = spread(latents=8)
    np.testing.assert_array_equal(found.latents, [0, 1, 2])
    moved = cells(20, 5, latents=8)[0]
    np.testing.assert_array_equal(found.distance(moved), spread().distance(moved[:, :3]))


def test_chosen_latents_alone_are_looked_at():
    train, labels = cells(500)
    held_out = cells(200, 1)[0]
    by_mask = fit_spread(train, labels, held_out, np.array([True, False, True]))
    by_index = fit_spread(train, labels, held_out, [0, 2])
    x = cells(30, 4)[0]
    np.testing.assert_array_equal(by_mask.distance(x), by_index.distance(x))
    np.testing.assert_array_equal(by_mask.distance(x), by_mask.distance(x * [1, 9, 1]))


def test_a_rare_class_is_not_unusual_for_being_rare():
    # 3 % of the cells: its centre lies as far in as that of the other class.
    found = fit_spread(*cells(8000, share=0.03), cells(4000, 1)[0])
    assert found.farther_out(MEANS).min() > 0.99


def test_few_cells_in_many_latents_are_no_obstacle():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(24, 32)), rng.normal(size=(100, 32))
    found = fit_spread(train, np.arange(24) % 2, held_out)
    assert found.farther_out(np.zeros((1, 32))) == 1
    assert found.farther_out(np.full((1, 32), 3.0)) == 0


@pytest.mark.parametrize(
    ("codes", "labels", "held_out", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4), np.zeros((2, 3)), "no latent varies"),
        (np.eye(3), np.zeros(2), np.eye(3), "do not match"),
        (np.eye(3), np.zeros(3), np.eye(4), "do not match"),
        (np.eye(3), np.array([1, 2, 2]), np.eye(3), "class 1 has 1"),
        (np.repeat(np.eye(3)[:2], 2, 0), np.array([0, 0, 1, 1]), np.eye(3), "do not spread"),
        (np.full((3, 3), np.nan), np.zeros(3), np.eye(3), "not finite"),
        (np.eye(3), np.zeros(3), np.zeros((0, 3)), "no held-out"),
    ],
)
def test_codes_that_no_gaussian_fits_are_refused(codes, labels, held_out, message):
    with pytest.raises(InputError, match=message):
        fit_spread(codes, labels, held_out)
