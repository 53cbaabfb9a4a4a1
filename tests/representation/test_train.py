"""Training: resumption bit for bit, validation, early stop, history, determinism."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from occamscope.errors import InputError
from occamscope.representation.augment import AffinePrior
from occamscope.representation.framed_tcvae import FrameSettings
from occamscope.representation.networks import Architecture
from occamscope.representation.objective import (
    TrainingSettings,
    learning_rate_at,
    loss_terms,
    sigma_at,
    term_weights,
)
from occamscope.representation.tcvae import TCVAE, NetworkSettings
from occamscope.representation.total_correlation import kl_terms
from occamscope.representation.train import TrainedTCVAE, train_tcvae
from occamscope.representation.training_state import TrainingState

TINY = NetworkSettings(latents=4, channels=(4, 4), hidden=16)
PLAIN = Architecture(TINY, None)
SHORT = TrainingSettings.plain(
    steps=60, batch=16, warmup_steps=5, report_every=7, validate_every=20, checkpoint_every=30
)
FRAMED = Architecture(TINY, FrameSettings())
FRAMED_SHORT = dataclasses.replace(SHORT, shape_steps=35)


def discs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n discs of random area as crops; the areas in px."""
    rng = np.random.default_rng(seed)
    areas = rng.uniform(150, 1200, n)
    y, x = np.mgrid[:64, :64] - 31.5
    inside = np.hypot(y, x)[None] < np.sqrt(areas / np.pi)[:, None, None]
    return np.where(inside, 196, 0).astype(np.uint8), areas


IMAGES, AREAS = discs(40)
HELD_OUT, HELD_OUT_AREAS = discs(12, seed=1)


def run(settings: TrainingSettings = SHORT, seed: int = 0, **more) -> TrainedTCVAE:
    architecture = FRAMED if settings.shape_steps else PLAIN
    return train_tcvae(IMAGES, AREAS, settings, architecture, AffinePrior(), seed, **more)


def run_validated(settings: TrainingSettings, **more) -> TrainedTCVAE:
    held_out = {"validation_images": HELD_OUT, "validation_areas": HELD_OUT_AREAS}
    return run(settings, **held_out, **more)


def weights(trained: TrainedTCVAE) -> list[bytes]:
    return [p.detach().contiguous().numpy().tobytes() for p in trained.model.parameters()]


def stored(state: TrainingState) -> TrainingState:
    """The state as it comes back from files: arrays and JSON text."""
    tensors = {name: torch.from_numpy(t.numpy().copy()) for name, t in state.tensors.items()}
    return TrainingState(tensors, json.loads(json.dumps(state.meta)))


@pytest.mark.parametrize("recipe", [SHORT, FRAMED_SHORT], ids=["plain", "framed"])
@pytest.mark.parametrize("patience", [0, 50])
# 35: the checkpoint before the details of the framed network open; 50: after it.
@pytest.mark.parametrize("checkpoint_every", [30, 11, 35, 50])
def test_resumed_training_equals_uninterrupted_training_byte_for_byte(
    recipe, patience, checkpoint_every
):
    settings = dataclasses.replace(recipe, checkpoint_every=checkpoint_every, patience=patience)
    states: list[TrainingState] = []
    whole = run_validated(settings, on_checkpoint=states.append)
    again: list[TrainingState] = []
    resumed = run_validated(settings, resume=stored(states[0]), on_checkpoint=again.append)
    assert weights(resumed) == weights(whole)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    for name, tensor in states[-1].tensors.items():
        assert torch.equal(again[-1].tensors[name], tensor), name
    assert again[-1].meta == states[-1].meta


def test_checkpoint_is_not_changed_by_later_steps():
    copies, states = [], []
    run(on_checkpoint=lambda s: (states.append(s), copies.append(stored(s))))
    assert all(torch.equal(states[0].tensors[k], t) for k, t in copies[0].tensors.items())


def test_checkpoints_come_on_time_and_at_the_end():
    steps = []
    run(
        dataclasses.replace(SHORT, checkpoint_every=25),
        on_checkpoint=lambda s: steps.append(s.meta["step"]),
    )
    assert steps == [25, 50, 60]


def test_checkpoint_holds_moments_generator_and_history():
    states: list[TrainingState] = []
    run(on_checkpoint=states.append)
    kinds = {name.split(".")[0] for name in states[-1].tensors}
    assert {"model", "first_moment", "second_moment", "generator"} <= kinds
    assert states[-1].tensors["generator"].dtype == torch.uint8
    assert states[-1].meta["step"] == states[-1].meta["history"][-1]["step"] == 60


def test_resuming_a_finished_run_trains_no_further():
    states: list[TrainingState] = []
    whole = run(on_checkpoint=states.append)
    lines: list[str] = []
    assert weights(run(resume=stored(states[-1]), progress=lines.append)) == weights(whole)
    assert not lines


def test_checkpoint_of_other_settings_is_refused_by_name():
    states: list[TrainingState] = []
    run(on_checkpoint=states.append)
    with pytest.raises(InputError, match="another sigma"):
        run(dataclasses.replace(SHORT, sigma=0.5), resume=states[0])


def test_checkpoint_without_a_weight_is_refused():
    states: list[TrainingState] = []
    run(on_checkpoint=states.append)
    del states[0].tensors["model.encoder.0.weight"]
    with pytest.raises(InputError, match=r"model\.encoder\.0\.weight"):
        run(resume=states[0])


def test_same_seed_gives_the_same_bytes_and_another_seed_others():
    first = weights(run(seed=3))
    assert weights(run(seed=3)) == first
    assert weights(run(seed=4)) != first


def test_progress_and_checkpoints_do_not_change_the_result():
    plain = run()
    watched = run(progress=lambda line: None, on_checkpoint=lambda state: None)
    assert weights(watched) == weights(plain)


def test_training_leaves_the_global_generators_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    run()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_history_has_rows_on_time_and_validation_only_at_checks():
    history = run_validated(SHORT).history
    assert history["step"].tolist() == [7, 14, 20, 21, 28, 35, 40, 42, 49, 56, 60]
    checked = history["validation_loss"].notna()
    assert history["step"][checked].tolist() == [20, 40, 60]


def test_history_loss_is_the_weighted_sum_of_its_terms():
    row = run().history.iloc[-1]
    terms = row["mutual_information"] + 8 * row["total_correlation"] + row["dimension_wise_kl"]
    expected = row["reconstruction_sse"] / (2 * 0.4**2) + terms
    assert row["loss"] == pytest.approx(expected, rel=1e-5)


def test_reconstruction_error_falls():
    history = run(dataclasses.replace(SHORT, steps=150, learning_rate=5e-3)).history
    assert history["reconstruction_sse"].iloc[-1] < 0.6 * history["reconstruction_sse"].iloc[0]


def test_validation_does_not_change_training_without_patience():
    assert weights(run_validated(SHORT)) == weights(run())


def test_early_stop_returns_the_weights_of_the_lowest_validation_loss():
    # A learning rate at which the loss jumps about: some check is not a new lowest.
    settings = dataclasses.replace(
        SHORT, steps=400, validate_every=2, patience=3, learning_rate=0.05, anneal=0.0
    )
    states: list[TrainingState] = []
    trained = run_validated(settings, on_checkpoint=states.append)
    losses = trained.history["validation_loss"].dropna()
    assert trained.stopped_early and trained.history["step"].iloc[-1] < 400
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    best = states[-1].tensors["best.encoder.0.weight"]
    assert torch.equal(trained.model.encoder[0].weight, best)
    assert states[-1].meta["best_loss"] == losses.min()


def test_patience_zero_never_stops():
    settings = dataclasses.replace(SHORT, validate_every=2, learning_rate=0.05, anneal=0.0)
    trained = run_validated(settings)
    assert not trained.stopped_early and trained.history["step"].iloc[-1] == 60


def test_no_check_counts_before_sigma_has_fallen():
    settings = dataclasses.replace(
        SHORT, validate_every=2, patience=1, learning_rate=0.05, anneal=0.5
    )
    assert run_validated(settings).history["step"].iloc[-1] > 30


def test_progress_gives_one_line_per_row():
    lines: list[str] = []
    history = run(progress=lines.append).history
    assert len(lines) == len(history)
    assert lines[0].startswith("step 7/60: loss ")


def test_learning_rate_rises_then_falls_to_five_percent():
    settings = TrainingSettings.plain(steps=1000, warmup_steps=100, learning_rate=1e-3)
    rates = [learning_rate_at(step, settings) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5) and max(rates) == pytest.approx(1e-3, rel=0.03)
    assert rates[-1] == pytest.approx(5e-5, rel=0.01)
    assert np.argmax(rates) == 99


def test_learning_rate_of_a_framed_network_starts_again_lower_when_its_details_open():
    settings = TrainingSettings(steps=1000, shape_steps=600, warmup_steps=100, learning_rate=1e-3)
    rates = [learning_rate_at(step, settings) for step in range(1000)]
    assert max(rates[:600]) == pytest.approx(1e-3, rel=0.08)
    assert rates[599] == pytest.approx(5e-5, rel=0.01)
    assert max(rates[600:]) == pytest.approx(3e-4, rel=0.08)
    assert rates[600] < 1e-5 and rates[-1] == pytest.approx(1.5e-5, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "architecture"),
    [
        (dataclasses.replace(SHORT, shape_steps=0), FRAMED),
        (dataclasses.replace(SHORT, shape_steps=60), FRAMED),
        (dataclasses.replace(SHORT, shape_steps=30), PLAIN),
    ],
)
def test_shape_steps_must_suit_the_architecture(settings, architecture):
    with pytest.raises(InputError, match="shape_steps is"):
        train_tcvae(IMAGES, AREAS, settings, architecture, AffinePrior(), 0)


def test_details_of_a_framed_network_stay_shut_until_they_open():
    states: list[TrainingState] = []
    run(dataclasses.replace(FRAMED_SHORT, checkpoint_every=35), on_checkpoint=states.append)
    before, after = states[0].tensors, states[-1].tensors
    assert not before["model.patterns"].any() and after["model.patterns"].any()
    assert not before["model.filters"].any() and after["model.filters"].any()


def test_sigma_falls_geometrically_and_then_stays():
    settings = TrainingSettings.plain(steps=100, anneal=0.2, sigma=0.25, sigma_start=1.0)
    assert [sigma_at(step, settings) for step in (0, 10, 20, 99)] == [1, 0.5, 0.25, 0.25]
    assert sigma_at(1, dataclasses.replace(settings, anneal=0.0)) == 0.25


def test_loss_terms_match_a_reference_computed_at_hand():
    generator = torch.Generator().manual_seed(0)
    model = TCVAE(TINY, generator)
    x = torch.rand(6, 1, 32, 32, generator=generator)
    noise = torch.randn(6, 4, generator=generator)
    terms = loss_terms(model, x, noise, 40, SHORT)
    mean, log_variance = model.encode_half(x)
    z = mean + noise * (0.5 * log_variance).exp()
    expected = 4 * ((x - model.decode_half(z)) ** 2).sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms[0], expected)
    torch.testing.assert_close(terms[2], kl_terms(z, mean, log_variance, 40).total_correlation)


def test_blank_images_have_nothing_to_reconstruct():
    model = TCVAE(TINY, torch.Generator().manual_seed(0))
    x = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    x[:2] = 0.0
    settings = dataclasses.replace(SHORT, batch=8, blank_fraction=0.25)
    noise = torch.zeros(8, 4)
    shown = loss_terms(model, x[2:], noise[2:], 40, SHORT)[0]
    torch.testing.assert_close(loss_terms(model, x, noise, 40, settings)[0], shown * 6 / 8)


def test_weights_of_the_terms_follow_sigma_and_beta():
    weights_ = term_weights(0.5, TrainingSettings(beta=6.0))
    torch.testing.assert_close(weights_, torch.tensor([2.0, 1.0, 6.0, 1.0]))


@pytest.mark.parametrize(
    ("images", "areas"),
    [
        (IMAGES.astype(float), AREAS),
        (IMAGES[:, 0], AREAS),
        (IMAGES, AREAS[:-1]),
        (IMAGES[:1], AREAS[:1]),
    ],
)
def test_unfit_images_are_refused(images, areas):
    with pytest.raises(InputError):
        train_tcvae(images, areas, SHORT, PLAIN, AffinePrior(), 0)


def test_diverged_training_stops_with_the_remedy():
    settings = dataclasses.replace(SHORT, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(InputError, match="lower learning_rate"):
        run(settings)
