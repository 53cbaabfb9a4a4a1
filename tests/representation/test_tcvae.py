"""The network: shapes, weights from the given generator only, scale of the weights."""

import pytest
import torch

from occamscope.errors import InputError
from occamscope.representation.tcvae import TCVAE, NetworkSettings

SMALL = NetworkSettings(latents=4, channels=(4, 8), hidden=16)


def network(seed: int = 0, settings: NetworkSettings = SMALL) -> TCVAE:
    return TCVAE(settings, torch.Generator().manual_seed(seed))


def test_encode_and_decode_have_the_documented_shapes():
    model = network()
    mean, log_variance = model.encode(torch.rand(3, 1, 64, 64))
    assert mean.shape == log_variance.shape == (3, 4)
    assert model.decode(mean).shape == (3, 1, 64, 64)


def test_default_network_has_32_latents():
    mean, _ = network(settings=NetworkSettings()).encode(torch.zeros(1, 1, 64, 64))
    assert mean.shape == (1, 32)


def test_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = network(1), network(1), network(2)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    network()
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_lie_within_the_inverse_root_of_the_fan_in():
    for layer in network().modules():
        if hasattr(layer, "weight"):
            bound = layer.weight[0].numel() ** -0.5
            assert 0.5 * bound < layer.weight.abs().max() <= bound


def test_decoder_is_the_encoder_mirrored():
    model = network()
    down = [m for m in model.encoder if isinstance(m, torch.nn.Conv2d)]
    up = [m for m in model.decoder if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.in_channels for m in down] == [m.out_channels for m in reversed(up)]
    assert [m.out_channels for m in down] == [m.in_channels for m in reversed(up)]


def test_log_variances_are_limited():
    model = network()
    with torch.no_grad():
        model.encoder[-1].bias.fill_(1e6)
    assert model.encode(torch.rand(2, 1, 64, 64))[1].max() == 6.0


@pytest.mark.parametrize("channels", [(), (4,) * 6])
def test_impossible_numbers_of_convolutions_are_refused(channels):
    with pytest.raises(InputError, match="1 to 5"):
        network(settings=NetworkSettings(channels=channels))
