"""The engines of the dSprites study: one network, losses that agree where they should."""

import dsprites
import numpy as np
import pytest
import tcvaes
import torch

SIDE, BATCH, N = 32, 6, 50


def batch() -> torch.Tensor:
    return (
        torch.rand(BATCH, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) > 0.9
    ) * 1.0


def loss_of(engine: tcvaes.Engine, weights: dict[str, torch.Tensor], step: int) -> torch.Tensor:
    """Loss and gradient of the first bias, with given weights and noise."""
    engine.network.load_state_dict(weights)
    torch.manual_seed(5)
    loss = engine.loss(batch(), step)
    loss.backward()
    gradient = engine.network.encoder[0].bias.grad
    return torch.cat([loss.detach()[None], gradient])


def weights() -> dict[str, torch.Tensor]:
    """Weights under which posteriors differ between images."""
    torch.manual_seed(2)
    network = tcvaes.DisentanglingVAE(SIDE, 1, N).network
    network.encoder[-1].weight.data *= 3.0
    return network.state_dict()


def test_the_column_weights_are_those_of_public_code() -> None:
    n, m = 10, 3
    other, second = 1 / m, (n - m) / (n * m)
    expected = [
        [1 / n, second, other, other],
        [1 / n, second, other, other],
        [second, second, other, other],
        [1 / n, second, other, other],
    ]
    np.testing.assert_allclose(tcvaes.column_log_weights(4, n).exp(), expected, rtol=1e-6)


def test_public_sampling_is_one_loss_however_it_is_computed() -> None:
    steps = 1000
    ours = loss_of(tcvaes.PublicMSS(SIDE, steps, N), weights(), steps - 1)
    restated = loss_of(tcvaes.DisentanglingVAE(SIDE, steps, N), weights(), steps - 1)
    torch.testing.assert_close(ours, restated, rtol=2e-4, atol=1e-3)


def test_public_sampling_is_that_of_pythae() -> None:
    pytest.importorskip("pythae")
    ours = loss_of(tcvaes.PublicMSS(SIDE, 1000, N), weights(), 0)
    torch.testing.assert_close(
        ours, loss_of(tcvaes.Pythae(SIDE, 1000, N), weights(), 0), rtol=2e-4, atol=1e-3
    )


def test_our_sampling_is_another_loss() -> None:
    losses = [
        loss_of(engine(SIDE, 1000, N), weights(), 0)[0]
        for engine in (tcvaes.Occamscope, tcvaes.OccamscopeMSS, tcvaes.PublicMSS)
    ]
    assert len({round(float(loss), 1) for loss in losses}) == 3


def test_the_restated_terms_rise_from_almost_nothing() -> None:
    steps = 34_560  # the terms rise over 1,000
    first, middle, last, later = (
        loss_of(tcvaes.DisentanglingVAE(SIDE, steps, N), weights(), step)[0]
        for step in (0, 499, 999, 20_000)
    )
    assert last == later
    torch.testing.assert_close((middle - first) / (last - first), torch.tensor(499 / 999))


@pytest.mark.parametrize("side", [32, 64])
def test_the_network_ends_in_4x4_pixels_and_comes_back(side: int) -> None:
    network = tcvaes.Burgess(side)
    x = torch.zeros(2, 1, side, side)
    assert network.encoder[:-5](x).shape == (2, 512)
    assert network.decode(network.encode(x)[0]).shape == x.shape


def test_codes_that_are_the_factors_score_best_and_turned_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = np.random.default_rng(0).choice(dsprites.IMAGES, 2_000, replace=False)
    factors = dsprites.factor_table(rows)
    values = factors.to_numpy(np.float32)
    exact = (values - values.mean(axis=0)) / values.std(axis=0)
    collapsed = np.full((len(rows), 1), 0.01, np.float32)
    exact = np.hstack([exact, collapsed])
    turned = exact.copy()
    turned[:, 3] = (exact[:, 3] + exact[:, 4]) / np.sqrt(2)
    turned[:, 4] = (exact[:, 3] - exact[:, 4]) / np.sqrt(2)
    best, mixed = dsprites.scores(exact, factors), dsprites.scores(turned, factors)
    assert best["active"] == 5
    assert best["mig"] > 0.95 and best["disentanglement"] > 0.99 and best["informativeness"] > 0.99
    assert mixed["gap_x"] < 0.05 and mixed["gap_y"] < 0.05 and mixed["gap_scale"] > 0.95
    assert mixed["disentanglement"] < 0.9


@pytest.mark.parametrize("name", [name for name in tcvaes.ENGINES if name != "pythae"])
def test_a_training_repeats_and_lowers_the_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((8, 64, 64), np.uint8)
    for k in range(8):
        pixels[k, 5 * k : 5 * k + 20, 20:40] = 1
    bits = np.packbits(pixels.reshape(8, -1), axis=1)
    monkeypatch.setattr(dsprites, "IMAGES", 8)
    monkeypatch.setattr(dsprites, "BATCH", 8)
    cell = dsprites.Cell("32 px", name, 1, 12)
    first, again = (dsprites.train(bits, cell)[0].network for _ in range(2))
    x = dsprites.shrunk(dsprites.images(bits, np.arange(8)), 32)
    np.testing.assert_array_equal(first.encode(x)[0].detach(), again.encode(x)[0].detach())
    torch.manual_seed(cell.seed)
    fresh = tcvaes.ENGINES[name](32, 12, 8).network
    assert dsprites.encode(first, x)[1] < 0.98 * dsprites.encode(fresh, x)[1]
