"""The default recipe on two constructed classes: large round nuclei, small elongated plates."""

import numpy as np
import pandas as pd
import pytest

from occamscope.representation.augment import AffinePrior
from occamscope.representation.codes import (
    active_units,
    decode_codes,
    encode_images,
    mute_collapsed,
)
from occamscope.representation.naming import name_latents
from occamscope.representation.networks import Architecture
from occamscope.representation.objective import TrainingSettings
from occamscope.representation.summary import size_range, summarise_shape
from occamscope.representation.train import train_tcvae
from occamscope.representation.traverse import describe_traversals, traverse

VALUES = np.linspace(-3, 3, 13)


def two_classes(ellipse, n: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Textured ellipses of two classes as uint8 crops, and their factors."""
    rng = np.random.default_rng(seed)
    plate = rng.random(n) < 0.5
    area = np.exp(np.where(plate, rng.normal(5.6, 0.22, n), rng.normal(6.6, 0.35, n)))
    size = np.abs(np.where(plate, rng.normal(0.41, 0.07, n), rng.normal(0.1, 0.07, n)))
    theta = rng.uniform(0, np.pi, n)
    e = np.stack([size * np.cos(2 * theta), size * np.sin(2 * theta)], axis=1)
    images = [ellipse(a, tuple(v), grain=0.1) for a, v in zip(area, e, strict=True)]
    factors = pd.DataFrame({"area_px": area, "e_cos2theta": e[:, 0], "e_sin2theta": e[:, 1]})
    return np.clip(np.stack(images) * 196, 0, 255).astype(np.uint8), factors


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_plain_recipe_separates_size_and_both_ellipticities(ellipse, measure, seed):
    images, factors = two_classes(ellipse, 2000, seed=1)
    model = train_tcvae(
        images,
        factors["area_px"].to_numpy(),
        TrainingSettings.plain(),
        Architecture(frame=None),
        AffinePrior(),
        seed,
    ).model
    active = active_units(encode_images(model, images).mean)
    assert active.sum() in (3, 4)
    test_images, test_factors = two_classes(ellipse, 800, seed=2)
    codes = mute_collapsed(encode_images(model, test_images).mean, active)
    summary = summarise_shape(codes, test_factors, seed=0).set_index("quantity")
    assert summary.loc["size", "r2"] > 0.95
    assert summary.loc[["e_cos2theta", "e_sin2theta"], "r2"].min() > 0.9
    units = np.flatnonzero(active)
    decoded = traverse(lambda z: decode_codes(model, z), 32, units, VALUES)
    table = describe_traversals(decoded, measure, units, VALUES)
    along = size_range(table, summary.loc["size", "latent"])
    assert along["area_ratio"] > 10 and along["largest_axis_ratio"] < 1.25
    names = name_latents(table, active).set_index("latent")["name"]
    assert names[summary.loc["size", "latent"]] == "size"
    assert names[summary.loc["e_cos2theta", "latent"]].startswith("elongation")
    blank = encode_images(model, np.zeros((1, 64, 64), np.uint8)).mean[0]
    assert np.abs(blank).max() < 1.5
