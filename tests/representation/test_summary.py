"""The few numbers that claims are made of."""

import numpy as np
import pandas as pd
import pytest

from occamscope.representation.summary import (
    reconstruction_r2,
    size_range,
    summarise_shape,
    turned_ellipticity,
)

RNG = np.random.default_rng(0)
N = 300
FACTORS = pd.DataFrame(
    {
        "area_px": np.exp(RNG.normal(6, 0.5, N)),
        "e_cos2theta": RNG.normal(0, 0.2, N),
        "e_sin2theta": RNG.normal(0, 0.2, N),
    }
)


def codes() -> np.ndarray:
    """z0 follows e_sin, z2 log area, z3 -e_cos, all with noise; z1 is noise."""
    columns = [FACTORS["e_sin2theta"], 0 * FACTORS["area_px"], np.log(FACTORS["area_px"])]
    values = np.stack([*columns, -FACTORS["e_cos2theta"]], axis=1)
    return values + RNG.normal(0, 0.03, values.shape)


def test_summary_finds_the_latents_of_size_and_of_both_components():
    table = summarise_shape(codes(), FACTORS, seed=0).set_index("quantity")
    assert table.loc["size", "latent"] == "z2"
    assert {table.loc[f"e_{part}2theta", "latent"] for part in ("cos", "sin")} == {"z0", "z3"}
    assert (table["r2"] > 0.95).all()


def test_intervals_hold_their_value_and_are_fixed_by_the_seed():
    z = codes()
    table = summarise_shape(z, FACTORS, seed=1)
    assert (table["low"] < table["r2"]).all() and (table["r2"] < table["high"]).all()
    pd.testing.assert_frame_equal(summarise_shape(z, FACTORS, seed=1), table)


def test_crops_without_a_measured_shape_are_left_out():
    holes = FACTORS.copy()
    holes.iloc[::3] = np.nan
    assert set(summarise_shape(codes(), holes, seed=0)["n"]) == {200}


def test_size_range_reads_the_ratio_of_areas_and_the_largest_axis_ratio():
    table = pd.DataFrame(
        {
            "latent": ["z1", "z1", "z1", "z2"],
            "area_px": [50.0, np.nan, 600.0, 5000.0],
            "axis_ratio": [1.1, np.nan, 1.02, 3.0],
        }
    )
    assert size_range(table, "z1") == {"area_ratio": 12.0, "largest_axis_ratio": 1.1}


def test_reconstruction_r2_is_one_for_the_images_and_zero_for_their_mean():
    images = RNG.random((5, 64, 64))
    assert reconstruction_r2(images, images) == 1.0
    assert reconstruction_r2(images, images.mean(axis=0)) == pytest.approx(0.0)


def test_a_pair_in_a_turned_frame_explains_the_turned_components_alone():
    rng = np.random.default_rng(0)
    e = rng.normal(size=(400, 2))
    factors = pd.DataFrame({"area_px": 1.0 + rng.random(400), "e_cos2theta": e[:, 0]})
    factors["e_sin2theta"] = e[:, 1]
    angle = 0.5
    first = np.cos(angle) * e[:, 0] + np.sin(angle) * e[:, 1]
    second = np.cos(angle) * e[:, 1] - np.sin(angle) * e[:, 0]
    codes = np.column_stack([first, np.log(factors["area_px"]), second])
    found = summarise_shape(codes, factors, seed=0)
    turned = turned_ellipticity(factors, found["angle_rad"].iloc[-1])
    for name, latent in zip(turned, found["latent"].iloc[1:], strict=True):
        assert np.corrcoef(turned[name], codes[:, int(latent[1:])])[0, 1] ** 2 > 0.999
