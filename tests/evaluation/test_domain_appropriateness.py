import numpy as np
import pytest

from occamscope.evaluation.domain_appropriateness import (
    energy_by_latent,
    energy_share,
    judge_flips,
    random_steps,
)


def images(values):
    return np.broadcast_to(np.array(values, float)[:, None, None], (len(values), 4, 4))


def judged(before, after, labels, model_class=None, reached=None):
    labels = np.array(labels)
    return judge_flips(
        lambda x: x.mean((1, 2)),
        images(before),
        images(after),
        labels,
        labels if model_class is None else np.array(model_class),
        np.ones(len(labels), bool) if reached is None else np.array(reached),
    )


def test_flips_count_by_the_judges_view_of_the_new_class():
    found = judged([-1, -1, 1, 1], [2, -0.5, -2, 0.5], [0, 0, 1, 1]).summary
    assert found["n_counted"] == 4
    assert found["new_class_share"] == 0.5
    assert found["judge_shift"] == pytest.approx(1.75)


def test_cells_that_the_judge_or_the_model_misses_do_not_count():
    found = judged([1, -1, -1, -1], [1, 1, 1, -1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 1])
    # Judge wrong, model wrong, not reached: the last cell alone is left.
    assert found.cells["counted"].tolist() == [False, False, False, True]
    assert found.summary["judge_accuracy"] == 0.75
    assert found.summary["new_class_share"] == 0


def test_nothing_counted_gives_nan():
    found = judged([1.0], [1.0], [0]).summary
    assert found["n_counted"] == 0
    assert np.isnan(found["new_class_share"])
    assert np.isnan(found["judge_shift"])


def test_energy_is_shared_by_squared_length():
    delta = np.array([[3.0, 4, 0], [0, 0, 2], [0, 0, 0]])
    np.testing.assert_allclose(energy_share(delta, [0]), [9 / 25, 0, np.nan])
    np.testing.assert_allclose(energy_by_latent(delta), [9 / 50, 16 / 50, 1 / 2])


def test_random_steps_have_the_lengths_of_the_flips():
    z = np.zeros((3, 8), np.float32)
    steps = random_steps(z, np.array([1.0, 2.5, np.inf]), seed=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), [1, 2.5, 0], rtol=1e-5)
    assert steps.dtype == np.float32


def test_random_steps_keep_to_the_latents_that_may_move():
    z, latents = np.zeros((500, 6)), np.array([True, False, True, False, False, False])
    steps = random_steps(z, np.full(500, 2.0), 1, latents)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 2)
    np.testing.assert_array_equal(steps[:, ~latents], 0)
    # All directions of the plane are as likely: either latent holds half of the energy.
    np.testing.assert_allclose((steps[:, latents] ** 2).mean(0), 2, rtol=0.1)
