"""The CNN: learns shape, resumes bit for bit, stops early, turns its crops."""

import json

import numpy as np
import pytest
import torch

from occamscope.classifiers.cnn import (
    CNN,
    CNNSettings,
    CNNState,
    cnn_logits,
    count_weights,
    train_cnn,
)
from occamscope.classifiers.cnn_model import turn_randomly
from occamscope.errors import InputError

TINY = CNNSettings(epochs=3, min_steps=0, batch=16, channels=(4, 8))


def plates_and_discs(n, seed):
    """Elongated (1) and round (0) nuclei of the same mean area at any angle, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    y, x = np.mgrid[:64, :64] - 31.5
    ratio = np.where(labels, 2.4, 1.15)[:, None, None]
    radius = np.sqrt(rng.uniform(150, 600, n) / np.pi)[:, None, None]
    angle = rng.uniform(0, np.pi, n)[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (along**2 / ratio + across**2 * ratio) < radius**2
    images = inside * rng.uniform(150, 220, (n, 1, 1)) + rng.normal(0, 8, (n, 64, 64)) * inside
    return np.clip(images, 0, 255).astype(np.uint8), labels


TRAIN, VALIDATION = plates_and_discs(96, 0), plates_and_discs(32, 1)


def fit(settings=TINY, seed=0, **kwargs):
    return train_cnn(*TRAIN, *VALIDATION, settings, seed, **kwargs)


def weights(trained):
    return torch.cat([p.flatten() for p in trained.model.state_dict().values()]).numpy()


@pytest.fixture(scope="module")
def whole():
    """A run of three epochs and the checkpoints it made."""
    states: list[CNNState] = []
    return fit(on_checkpoint=states.append), states


@pytest.mark.parametrize("after", [1, 2, 3])
def test_resuming_gives_the_same_bytes(whole, after):
    trained, states = whole
    resumed = fit(resume=states[after - 1])
    np.testing.assert_array_equal(weights(resumed), weights(trained))
    assert resumed.history.equals(trained.history)


def test_a_checkpoint_goes_through_json_and_does_not_change_with_the_training(whole):
    trained, states = whole
    tensors = {k: v.clone() for k, v in states[0].tensors.items()}
    stored = CNNState(states[0].tensors, json.loads(json.dumps(states[0].meta)))
    np.testing.assert_array_equal(weights(fit(resume=stored)), weights(trained))
    assert all(torch.equal(stored.tensors[k], v) for k, v in tensors.items())


def test_a_seed_gives_one_network(whole):
    np.testing.assert_array_equal(weights(fit()), weights(whole[0]))
    assert not np.array_equal(weights(fit(seed=1)), weights(whole[0]))


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(CNNSettings(epochs=1, min_steps=0, channels=(4,)))
    assert torch.equal(torch.rand(3), expected)


def test_a_checkpoint_of_other_settings_is_refused(whole):
    with pytest.raises(InputError, match="another training"):
        fit(seed=3, resume=whole[1][0])


def test_it_tells_plates_from_discs():
    trained = fit(CNNSettings(epochs=4, min_steps=120, batch=32, channels=(8, 16, 16)))
    images, labels = plates_and_discs(100, 2)
    assert ((cnn_logits(trained.model, images) > 0) == labels).mean() > 0.95


def test_a_small_set_still_gets_its_steps(monkeypatch):
    steps = []
    monkeypatch.setattr(
        "occamscope.classifiers.cnn.turn_randomly", lambda x, g: steps.append(len(x)) or x
    )
    fit(CNNSettings(epochs=2, min_steps=30, batch=64, channels=(4,)))
    assert steps == [64] * 30


def test_it_stops_when_validation_no_longer_improves():
    """Labels of the validation part swapped: learning makes its loss rise at once."""
    swapped = (VALIDATION[0], 1 - VALIDATION[1])
    settings = CNNSettings(epochs=30, min_steps=1000, channels=(8,), patience=2)
    history = train_cnn(*TRAIN, *swapped, settings, 0).history
    best = int(history["validation_loss"].argmin())
    assert len(history) == best + 1 + 2 < 30


def test_the_weights_are_those_of_the_lowest_validation_loss():
    swapped = (VALIDATION[0], 1 - VALIDATION[1])
    states: list[CNNState] = []
    settings = CNNSettings(epochs=4, min_steps=120, channels=(8,), patience=0)
    trained = train_cnn(*TRAIN, *swapped, settings, 0, on_checkpoint=states.append)
    best = states[int(trained.history["validation_loss"].argmin())].tensors
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(tensor, best[f"model.{name}"])


def test_progress_names_epoch_and_losses():
    lines = []
    fit(progress=lines.append)
    assert len(lines) == 3 and "epoch 3/3" in lines[-1] and "validation" in lines[-1]


def test_uint8_and_float_crops_give_the_same_logits(whole):
    images = VALIDATION[0]
    scaled = images.astype(np.float32) / 196
    model = whole[0].model
    np.testing.assert_allclose(cnn_logits(model, images), cnn_logits(model, scaled), atol=1e-5)


def test_logits_do_not_depend_on_the_batch(whole):
    model, images = whole[0].model, VALIDATION[0]
    np.testing.assert_allclose(
        cnn_logits(model, images, batch=5), cnn_logits(model, images), atol=1e-5
    )
    assert cnn_logits(model, images[:0]).shape == (0,)


def test_weights_are_counted():
    """Convolution 9 x 4 + 4, normalisation 8, output 5."""
    assert count_weights(CNN(CNNSettings(channels=(4,)))) == 36 + 4 + 8 + 5


def test_turns_keep_the_size_and_differ_from_crop_to_crop():
    image = torch.as_tensor(TRAIN[0][1:2], dtype=torch.float32)[:, None]
    turned = turn_randomly(image.expand(40, -1, -1, -1), torch.Generator().manual_seed(0))
    total = turned.sum((1, 2, 3)) / image.sum()
    assert (abs(total - 1) < 0.02).all()
    assert len({round(float(t[0, 20, 31])) for t in turned}) > 5


def test_half_of_the_turned_crops_are_mirrored():
    """An L of three blobs has a handedness: the sign of a cross product tells it."""
    image = torch.zeros(200, 1, 64, 64)
    for y, x, value in ((32, 32, 1.0), (32, 48, 2.0), (22, 32, 3.0)):
        image[:, :, y - 2 : y + 3, x - 2 : x + 3] = value
    turned = turn_randomly(image, torch.Generator().manual_seed(0))[:, 0]
    grid = torch.arange(64.0)
    spots = []
    for low, high in ((0.9, 1.1), (1.9, 2.1), (2.9, 3.1)):
        there = ((turned > low) & (turned < high)).float()
        n = there.sum((1, 2))
        spots.append(((there.sum(2) @ grid) / n, (there.sum(1) @ grid) / n))
    (y0, x0), (y1, x1), (y2, x2) = spots
    cross = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
    assert 60 < int((cross > 0).sum()) < 140


@pytest.mark.parametrize(
    ("images", "labels", "match"),
    [
        (TRAIN[0].astype(float), TRAIN[1], "uint8"),
        (TRAIN[0][:, :32], TRAIN[1], "64"),
        (TRAIN[0], TRAIN[1][:-1], "labels"),
        (TRAIN[0], TRAIN[1] - 1, "unlabelled"),
        (TRAIN[0], TRAIN[1] * 0, "both"),
    ],
    ids=["float", "shape", "length", "unlabelled", "one class"],
)
def test_unsuitable_crops_are_refused(images, labels, match):
    with pytest.raises(InputError, match=match):
        train_cnn(images, labels, *VALIDATION, TINY, 0)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"channels": (0,)}, {"patience": -1}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError):
        CNNSettings(**wrong)
