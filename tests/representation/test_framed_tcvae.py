"""The framed network: what its three shape latents do, and that nothing else does it."""

import math

import numpy as np
import pytest
import torch

from occamscope.errors import InputError
from occamscope.representation.framed_tcvae import FramedTCVAE, FrameSettings
from occamscope.representation.networks import shape_latents
from occamscope.representation.tcvae import TCVAE, NetworkSettings

SMALL = NetworkSettings(latents=9, channels=(4, 8), hidden=16)


def network(frame: FrameSettings | None = None, seed: int = 0) -> FramedTCVAE:
    return FramedTCVAE(SMALL, torch.Generator().manual_seed(seed), frame or FrameSettings()).eval()


def with_details(seed: int = 1) -> FramedTCVAE:
    """A network whose pictures and filters are random, as nothing that training finds is."""
    model, generator = network(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (model.patterns, model.filters):
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
        model.elongated.copy_(0.05 * torch.randn(model.elongated.shape, generator=generator))
    return model


@torch.no_grad()
def decode(model: FramedTCVAE, **codes: list[float]) -> np.ndarray:
    """Images for values of latents named z0, z1, ...; the others are 0."""
    n = len(next(iter(codes.values())))
    z = torch.zeros(n, SMALL.latents)
    for name, values in codes.items():
        z[:, int(name[1:])] = torch.tensor(values)
    return model.decode(z)[:, 0].numpy()


def test_shapes():
    model = network()
    mean, log_variance = model.encode(torch.rand(3, 1, 64, 64))
    assert mean.shape == log_variance.shape == (3, 9)
    assert model.decode(mean).shape == (3, 1, 64, 64)


def test_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = network(seed=1), network(seed=1), network(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    weight = [model.encoder[0].weight for model in (first, again, other)]
    assert torch.equal(weight[0], weight[1]) and not torch.equal(weight[0], weight[2])


def test_size_changes_the_area_of_a_round_nucleus_and_not_its_shape(measure):
    table = measure(decode(with_details(), z0=[-2.0, -1.0, 0.0, 1.0]))
    gain = math.exp(2 * 0.35)
    ratios = table["area_px"].to_numpy()[1:] / table["area_px"].to_numpy()[:-1]
    np.testing.assert_allclose(ratios, gain, rtol=0.12)
    assert table["axis_ratio"].max() < 1.03


def test_the_pair_turns_the_long_axis_and_keeps_the_area(measure):
    images = decode(network(), z1=[2.0, 0.0, -2.0, 0.0], z2=[0.0, 2.0, 0.0, -2.0])
    table = measure(images)
    degrees = np.degrees(table["theta_rad"].to_numpy()) % 180
    np.testing.assert_allclose((degrees + 20) % 180 - 20, [0, 45, 90, 135], atol=2)
    assert table["area_px"].max() / table["area_px"].min() < 1.05
    np.testing.assert_allclose(np.log(table["axis_ratio"]), 0.7, rtol=0.1)


def test_a_fixed_range_is_kept_and_not_learnt():
    model = network(FrameSettings(area_range=6.0, axis_ratio=2.3))
    with torch.no_grad():
        log_scale, stretch = model.place(torch.tensor([[-3.0, 3.0, 0.0], [3.0, 0.0, 3.0]]))
    assert math.exp(2 * float(log_scale[1] - log_scale[0])) == pytest.approx(6.0, rel=1e-5)
    np.testing.assert_allclose(stretch.norm(dim=1).exp(), 2.3, rtol=1e-5)
    model.decode(torch.randn(2, 9)).sum().backward()
    assert model.log_gain.grad is None or not model.log_gain.grad.any()


def test_a_learnt_range_has_a_gradient():
    model = network()
    model.decode(torch.ones(2, 9)).square().sum().backward()
    assert (model.log_gain.grad != 0).all()


def test_details_are_added_in_proportion_to_their_latent():
    images = decode(with_details(), z5=[0.0, 1.0, 2.0], z0=[0.4] * 3, z1=[0.7] * 3)
    np.testing.assert_allclose(images[2] - images[0], 2 * (images[1] - images[0]), atol=1e-5)


def test_the_typical_nucleus_leaves_nothing_over():
    model = with_details()
    with torch.no_grad():
        shape = torch.tensor([[0.3, 0.5, -0.4], [-1.0, 0.0, 1.0]])
        image = model.decode(torch.cat([shape, torch.zeros(2, 6)], dim=1))
        assert model.left_over(image, shape).abs().max() < 1e-5
        assert model.left_over(0 * image, shape).abs().max() > 0.3


def test_a_blank_crop_gets_the_prior_and_a_small_nucleus_its_own_code():
    model = with_details()
    images = torch.zeros(3, 1, 64, 64)
    images[1, 0, 28:37, 28:37] = 0.8  # 81 px: smaller than any that the augmentation makes
    images[2] = images[1] * 0.2  # a third of the least light
    with torch.no_grad():
        mean, log_variance = model.encode(images)
        full_mean, full_log_variance = model._encode_light(images)
    assert not mean[0].any() and not log_variance[0].any()
    assert torch.equal(mean[1], full_mean[1]) and torch.equal(log_variance[1], full_log_variance[1])
    share = float(images[2].sum() / 40)
    torch.testing.assert_close(mean[2], share * full_mean[2])


def test_shape_latents_are_known_by_construction_in_a_framed_network_alone():
    assert shape_latents(network()).tolist() == [True] * 3 + [False] * 6
    with pytest.raises(InputError, match="frame: true"):
        shape_latents(TCVAE(SMALL, torch.Generator()))


def test_details_do_not_reach_back_into_the_shape_encoder():
    model = with_details()
    mean, _ = model.encode(torch.rand(2, 1, 64, 64))
    mean[:, 3:].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in model.encoder.parameters())


def test_opening_finds_a_planted_pattern():
    """Nuclei that differ by one pattern: the first filter reads its strength."""
    model, generator = network(), torch.Generator().manual_seed(0)
    planted = torch.zeros(32, 32)
    planted[14:18, 19:23], planted[14:18, 9:13] = 0.6, -0.6  # one end brighter
    strength = torch.randn(256, generator=generator)
    shape = torch.zeros(256, 3)
    with torch.no_grad():
        picture = model.typical(shape) + strength[:, None] * planted.reshape(1, -1)
        images = model._paint(picture, shape, torch.zeros(256))
        model.encode_shape = lambda x: (torch.zeros(len(x), 3), torch.zeros(len(x), 3))
        found = model.open_details(images, sigma=0.1)
        mean, log_variance = model.encode(images)
    assert found.strength[0] > 20 > found.strength[1]
    assert abs(np.corrcoef(mean[:, 3], strength)[0, 1]) > 0.999
    assert log_variance[0, 3].exp() < 0.05
    assert all(parameter.requires_grad for parameter in model.details)
