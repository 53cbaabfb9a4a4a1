import time

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from occamscope.errors import InputError
from occamscope.evaluation.attacks import (
    attack_curve,
    confident_flip,
    confined,
    fgsm,
    flip_curve,
    pgd,
    smallest_flip,
)

torch.set_num_threads(1)


def codes(n=100, d=32, seed=0, dtype=torch.float64):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def network(seed, d=32, width=64):
    generator = torch.Generator().manual_seed(seed)
    sizes = [(width, d), (width, width), (1, width)]
    weights = [torch.randn(s, generator=generator) * (2 / s[1]) ** 0.5 for s in sizes]
    biases = [0.3 * torch.randn(s[0], generator=generator) for s in sizes]

    def decision(z):
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            z = torch.relu(z @ w.T + b)
        return (z @ weights[-1].T + biases[-1])[..., 0]

    return decision


def product_law(z):
    return z[..., 0] * (z[..., 1] ** 2 + z[..., 2] ** 2) - 1.28


def product_law_distance(z):
    """Distance to z0 rho^2 = c, by a search over z0 from many starts."""
    z0, rho = z[0], np.hypot(z[1], z[2])

    def squared(log_a):
        a = np.exp(log_a)
        return (a - z0) ** 2 + (np.sqrt(1.28 / a) - rho) ** 2

    edges = np.linspace(-6, 3, 30)
    found = [
        minimize_scalar(squared, bounds=pair, method="bounded", options={"xatol": 1e-9}).fun
        for pair in zip(edges[:-1], edges[1:], strict=True)
    ]
    return np.sqrt(min(found))


def test_linear_flip_is_the_distance_to_the_plane():
    z, w = codes(), codes(1, seed=9)[0]
    flips = smallest_flip(lambda x: x @ w - 0.5, z, codes(seed=1))
    truth = ((z @ w - 0.5).abs() / w.norm()).numpy()
    np.testing.assert_allclose(flips.distance, truth, rtol=3e-4)
    along = (flips.codes - z.numpy()) @ (w / w.norm()).numpy()
    np.testing.assert_allclose(np.abs(along), flips.distance, rtol=1e-6)


@pytest.mark.parametrize("radius", [2.0, 5.5, 9.0])
def test_sphere_flip_is_radial(radius):
    z = codes()
    flips = smallest_flip(lambda x: x.square().sum(-1) - radius**2, z, codes(seed=1))
    np.testing.assert_allclose(flips.distance, (z.norm(dim=-1) - radius).abs(), rtol=1e-3)


def test_ellipse_flip_is_along_the_short_axis():
    # From the centre of z0^2/4 + z1^2 = 1 the gradient vanishes and (0, +-1) is nearest.
    z = torch.zeros(5, 2, dtype=torch.float64)
    flips = smallest_flip(lambda x: x[..., 0] ** 2 / 4 + x[..., 1] ** 2 - 1, z, codes(50, 2))
    np.testing.assert_allclose(flips.distance, 1, rtol=1e-3)


@pytest.mark.parametrize("round_nuclei", [False, True], ids=["any", "vanishing gradient"])
def test_product_law_flip_is_the_nearest_point_of_its_surface(round_nuclei):
    z = codes(40)
    if round_nuclei:
        z[:, 1:3] = 0
    flips = smallest_flip(product_law, z, codes(seed=1))
    truth = [product_law_distance(row) for row in z.numpy()]
    assert flips.reached.all()
    np.testing.assert_allclose(flips.distance, truth, rtol=1e-3)
    # Only the latents of the law move.
    np.testing.assert_array_equal(flips.codes[:, 3:], z[:, 3:])


def test_flips_do_change_the_class():
    decision, z = network(0), codes(dtype=torch.float32)
    flips = smallest_flip(decision, z, z)
    before, after = decision(z) > 0, decision(torch.from_numpy(flips.codes)) > 0
    assert flips.reached.all()
    assert (before != after).all()
    step = np.linalg.norm(flips.codes - z.numpy(), axis=1)
    np.testing.assert_allclose(step, flips.distance, rtol=1e-5)


def test_a_constant_decision_is_never_flipped():
    z = codes(10)
    for decision in (lambda x: torch.ones(x.shape[:-1]), lambda x: 1 + x.square().sum(-1)):
        flips = smallest_flip(decision, z, z)
        assert not flips.reached.any()
        assert np.isinf(flips.distance).all()
        np.testing.assert_array_equal(flips.codes, z)


def test_poles_and_nan_do_not_break_the_search():
    z = codes(30, 3)
    flips = smallest_flip(lambda x: 1 / x[..., 0] + torch.sqrt(x[..., 1]), z, z)
    assert np.isfinite(flips.codes).all()


def test_same_seed_gives_same_flips():
    decision, z = network(1), codes(dtype=torch.float32)
    first, second = (smallest_flip(decision, z, z, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.codes, second.codes)


def test_stacked_models_are_attacked_at_once():
    w = codes(3, 8, seed=2)

    def decision(x):  # (3, n, 8), one plane a model
        return torch.einsum("snd,sd->sn", x, w) - 0.5

    z = codes(20, 8).expand(3, 20, 8)
    flips = smallest_flip(decision, z, codes(50, 8, seed=1))
    truth = (decision(z).abs() / w.norm(dim=-1, keepdim=True)).numpy()
    np.testing.assert_allclose(flips.distance, truth, rtol=1e-3)


def test_a_confident_flip_of_a_plane_ends_at_the_threshold_of_its_side():
    z, w = codes(), codes(1, seed=9)[0]
    decision = lambda x: x @ w - 0.5  # noqa: E731
    flips = confident_flip(decision, z, codes(seed=1), 3.0, -1.5)
    value = decision(z)
    truth = torch.where(value > 0, value + 1.5, 3 - value) / w.norm()
    np.testing.assert_allclose(flips.distance, truth, rtol=3e-4)
    after = decision(torch.from_numpy(flips.codes))
    assert ((value > 0) & (value < 3)).any()  # sure cells and others of the positive class
    assert (torch.where(value > 0, after <= -1.5, after > 3)).all()


def test_a_confident_flip_of_a_sphere_is_radial():
    z = codes(seed=3)
    flips = confident_flip(lambda x: x.square().sum(-1) - 5.5**2, z, codes(seed=1), 6.0, -6.0)
    length = z.norm(dim=-1)
    outside = length > 5.5
    assert 20 < outside.sum() < 80
    ends = torch.where(outside, (5.5**2 - 6) ** 0.5, (5.5**2 + 6) ** 0.5)
    np.testing.assert_allclose(flips.distance, (length - ends).abs(), rtol=1e-3)


@pytest.mark.parametrize("positive", [False, True])
def test_a_confident_flip_is_the_smallest_flip_of_a_shifted_decision(positive):
    decision, z, pool = network(6), codes(60, dtype=torch.float32), codes(seed=1)
    z = z[(decision(z) > 0) == positive]
    shift = 0.5 if positive else -0.7
    confident = confident_flip(decision, z, pool, 0.7, -0.5, seed=3)
    shifted = smallest_flip(lambda x: decision(x) + shift, z, pool, seed=3)
    np.testing.assert_array_equal(confident.codes, shifted.codes)
    np.testing.assert_array_equal(confident.distance, shifted.distance)


def test_confidence_needs_a_longer_step_and_the_score():
    decision, z, pool = network(0), codes(dtype=torch.float32), codes(300, seed=1)
    before = decision(z) > 0
    shorter = smallest_flip(decision, z, pool).distance
    for threshold in (0.3, 0.8):
        flips = confident_flip(decision, z, pool, threshold, -threshold)
        after = decision(torch.from_numpy(flips.codes))
        assert flips.reached.all()
        assert torch.where(before, after <= -threshold, after > threshold).all()
        assert (flips.distance > shorter * 0.999).all()
        shorter = flips.distance


def test_an_undefined_score_is_no_confident_flip():
    # To the left of 0 the score is nan: called negative, but with no probability.
    z = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    decision = lambda x: torch.sqrt(x[..., 0]) + 0.1  # noqa: E731
    np.testing.assert_allclose(smallest_flip(decision, z, -z).distance, [1, 2], rtol=1e-3)
    assert not confident_flip(decision, z, -z, 1.0, -1.0).reached.any()


def test_a_bounded_decision_never_reaches_a_threshold_beyond():
    z = codes(10, 2)
    flips = confident_flip(lambda x: torch.tanh(x[..., 0]), z, z, 1.2, -1.2)
    assert not flips.reached.any()
    np.testing.assert_array_equal(flips.codes, z)


def test_stacked_models_have_thresholds_of_their_own():
    w = codes(3, 8, seed=2)

    def decision(x):  # (3, n, 8), one plane a model
        return torch.einsum("snd,sd->sn", x, w) - 0.5

    z, upper = codes(20, 8).expand(3, 20, 8), np.array([[0.0], [1.0], [2.5]])
    flips = confident_flip(decision, z, codes(50, 8, seed=1), upper, -0.1 * upper)
    value = decision(z).numpy()
    truth = (
        np.where(value > 0, value + 0.1 * upper, upper - value) / w.norm(dim=-1)[:, None].numpy()
    )
    np.testing.assert_allclose(flips.distance, truth, rtol=1e-3)


@pytest.mark.parametrize("thresholds", [(-0.1, -1), (1, 0.1), (np.nan, -1), (np.ones(4), -1)])
def test_thresholds_that_make_no_sense_are_refused(thresholds):
    z = codes(4)
    with pytest.raises(InputError, match="threshold"):
        confident_flip(product_law, z, z, *thresholds)


def test_a_confined_decision_moves_no_other_latent():
    z, w = codes(), codes(1, seed=9)[0]
    latents = np.arange(32) < 5
    z[:, 5:] = 0
    decision = confined(lambda x: x @ w - 0.5, latents)
    flips = smallest_flip(decision, z, z)
    np.testing.assert_array_equal(flips.codes[:, 5:], 0)
    truth = (z @ w - 0.5).abs() / w[:5].norm()
    np.testing.assert_allclose(flips.distance, truth, rtol=1e-3)


@pytest.mark.parametrize("name", ["DDNAttack", "L2DeepFoolAttack", "L2CarliniWagnerAttack"])
def test_flips_are_no_longer_than_those_of_foolbox(name):
    foolbox = pytest.importorskip("foolbox")
    decision, z = network(2, d=8, width=24), codes(60, 8, dtype=torch.float32)

    class TwoLogits(torch.nn.Module):
        def forward(self, x):
            return torch.stack([torch.zeros(len(x)), decision(x)], -1)

    model = foolbox.PyTorchModel(TwoLogits().eval(), bounds=(-20, 20))
    settings = {"steps": 400, "binary_search_steps": 5} if "Carlini" in name else {}
    _, points, success = getattr(foolbox.attacks, name)(**settings)(
        model, z, (decision(z) > 0).long(), epsilons=None
    )
    theirs = torch.where(success, (points - z).norm(dim=-1), torch.inf).numpy()
    ours = smallest_flip(decision, z, codes(200, 8, seed=1, dtype=torch.float32)).distance
    assert (ours <= 1.01 * theirs).mean() >= 0.95
    assert np.median(ours) <= np.median(theirs) * 1.001


@pytest.mark.slow
def test_sixteen_networks_and_200_cells_take_less_than_15_seconds():
    z, pool = codes(200, dtype=torch.float32), codes(500, seed=1, dtype=torch.float32)
    start = time.process_time()
    for seed in range(16):
        smallest_flip(network(seed), z, pool)
    assert time.process_time() - start < 15


def test_fgsm_steps_down_the_gradient():
    w = torch.tensor([3.0, -4.0], dtype=torch.float64)
    z = torch.tensor([[2.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)
    steps = fgsm(lambda x: x @ w, z, 0.5) - z.numpy()
    np.testing.assert_allclose(steps, [[-0.3, 0.4], [0.3, -0.4]])
    steps = fgsm(lambda x: x @ w, z, 0.5, norm="linf") - z.numpy()
    np.testing.assert_allclose(steps, [[-0.5, 0.5], [0.5, -0.5]])


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_pgd_stays_in_its_ball(norm):
    z = codes(dtype=torch.float32)
    delta = pgd(network(3), z, 0.4, norm=norm) - z.numpy()
    length = np.linalg.norm(delta, axis=1) if norm == "l2" else np.abs(delta).max(1)
    assert length.max() <= 0.4 * (1 + 1e-5)
    assert length.max() > 0.2


def test_pgd_flips_what_lies_within_reach_of_a_plane():
    z, w = codes(), codes(1, seed=9)[0]
    decision = lambda x: x @ w - 0.5  # noqa: E731
    distance = (decision(z).abs() / w.norm()).numpy()
    after = decision(torch.from_numpy(pgd(decision, z, 0.5))) > 0
    np.testing.assert_array_equal(after != (decision(z) > 0), distance < 0.5)


def test_random_starts_of_pgd_leave_a_point_without_gradient():
    z = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    assert (fgsm(product_law, z, 1.0) == z.numpy()).all()
    assert product_law(torch.from_numpy(pgd(product_law, z, 1.0))) > 0


def test_curves_fall_from_the_clean_accuracy():
    decision, z = network(4), codes(dtype=torch.float32)
    labels = (decision(z) > 0).long().numpy()
    labels[:10] = 1 - labels[:10]
    curve = attack_curve(decision, z, labels, (0.0, 0.3, 1.0, 3.0))
    assert curve["accuracy"][0] == 0.9
    assert curve["flipped"].is_monotonic_increasing
    assert curve["accuracy"].iloc[-1] < 0.1


def test_smallest_flips_bound_pgd_from_below():
    decision, z = network(5), codes(dtype=torch.float32)
    labels = (decision(z) > 0).long().numpy()
    epsilons = (0.2, 0.5, 1.0)
    flips = smallest_flip(decision, z, codes(300, seed=1, dtype=torch.float32))
    least = flip_curve(flips.distance, np.ones(len(z), bool), epsilons)
    for method in ("fgsm", "pgd"):
        curve = attack_curve(decision, z, labels, epsilons, method)
        assert (least["accuracy"] <= curve["accuracy"] + 0.01).all()


def test_unknown_attacks_are_named():
    with pytest.raises(InputError, match="'l3'"):
        fgsm(network(0), codes(2, dtype=torch.float32), 1.0, norm="l3")
    with pytest.raises(InputError, match="'cw'"):
        attack_curve(network(0), codes(2, dtype=torch.float32), np.zeros(2), (1.0,), method="cw")
