from dataclasses import replace

import numpy as np
import pytest

from occamscope.imaging.measure import measure_shapes
from occamscope.imaging.nuclei import CLASS_NAMES, make_nucleus, sample_nucleus
from occamscope.imaging.rendering import render_nucleus

UM = 0.325  # um per px: fine enough for outlines


def sharp(cell_class, seed, area_um2=90.0, aspect_ratio=2.0, theta=0.6):
    """A nucleus and what lies above half of its intensity in a sharp rendering."""
    rng = np.random.default_rng(seed)
    nucleus = make_nucleus(
        cell_class, area_um2, aspect_ratio, theta, rng, texture_contrast=0.02, defocus_um=0.1
    )
    patch = render_nucleus(nucleus, 0.0, 0.0, UM, rng).signal
    return nucleus, measure_shapes(patch[None] > 0.5 * nucleus.intensity).iloc[0]


def mean_row(cell_class, n=25, **factors):
    rows = [sharp(cell_class, seed, **factors)[1] for seed in range(n)]
    return {name: np.mean([row[name] for row in rows]) for name in rows[0].index}


@pytest.mark.parametrize("theta", [0.0, 0.6, 1.6, 2.7])
def test_interphase_rendering_has_the_true_area_and_axes(theta):
    for seed in range(6):
        nucleus, row = sharp("interphase", seed, area_um2=300, aspect_ratio=1.5, theta=theta)
        assert row.area_px * UM**2 == pytest.approx(300, rel=0.1)
        assert row.e_cos2theta == pytest.approx(0.2 * np.cos(2 * theta), abs=0.015)
        assert row.e_sin2theta == pytest.approx(0.2 * np.sin(2 * theta), abs=0.015)


@pytest.mark.parametrize("theta", [0.3, 2.0])
def test_plates_have_the_true_area_and_axes(theta):
    row = mean_row("metaphase", aspect_ratio=2.5, theta=theta)
    e = 1.5 / 3.5
    assert row["area_px"] * UM**2 == pytest.approx(90, rel=0.05)
    assert row["e_cos2theta"] == pytest.approx(e * np.cos(2 * theta), abs=0.03)
    assert row["e_sin2theta"] == pytest.approx(e * np.sin(2 * theta), abs=0.03)


def test_sister_plates_count_as_one_object():
    nucleus, row = sharp("anaphase", seed=1, area_um2=45)
    assert nucleus.area_um2 == pytest.approx(90, rel=0.03)
    assert row.area_px * UM**2 == pytest.approx(nucleus.area_um2, rel=0.12)
    assert row.axis_ratio == pytest.approx(nucleus.aspect_ratio, rel=0.1)
    assert abs((row.theta_rad - nucleus.theta_rad + np.pi / 2) % np.pi - np.pi / 2) < 0.1


def test_sister_plates_lie_along_their_common_normal():
    nucleus, _ = sharp("anaphase", seed=1, theta=0.6)
    upper, lower = nucleus.bodies
    normal = np.array([upper.x_um - lower.x_um, upper.y_um - lower.y_um])
    assert normal @ [np.cos(0.6), np.sin(0.6)] == pytest.approx(0, abs=1e-9)
    assert 7 <= np.linalg.norm(normal) <= 16


def test_fragments_are_centred_on_their_common_centroid():
    for seed in range(5):
        nucleus = make_nucleus("apoptosis", 70, 1, 0, np.random.default_rng(seed))
        nucleus = replace(nucleus, defocus_um=0.1)
        patch = render_nucleus(nucleus, 0.0, 0.0, UM, np.random.default_rng(0)).signal
        row = measure_shapes(patch[None] > 0.3 * nucleus.intensity).iloc[0]
        assert 3 <= len(nucleus.bodies) <= 8
        assert row.offset_px * UM < 1.0
        assert row.area_px * UM**2 == pytest.approx(nucleus.area_um2, rel=0.4)


def test_prometaphase_fills_its_outline():
    row = mean_row("prometaphase", area_um2=240, aspect_ratio=1.0)
    assert 0.3 < row["area_px"] * UM**2 / 240 < 1.05
    assert row["ellipticity"] < 0.15


def test_the_centroid_lies_where_it_was_asked_for():
    centres = []
    for seed in range(20):
        nucleus = make_nucleus("interphase", 300, 1.4, 0.5, np.random.default_rng(seed))
        patch = render_nucleus(nucleus, 40.3, 51.8, 0.65, np.random.default_rng(seed))
        inside = np.argwhere(patch.signal > 0.5 * nucleus.intensity)
        centres.append(inside.mean(0) + [patch.row, patch.column])
    assert np.mean(centres, axis=0) == pytest.approx([40.3, 51.8], abs=0.15)


@pytest.mark.parametrize("cell_class", CLASS_NAMES)
def test_patches_hold_all_of_the_light(cell_class):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        nucleus = sample_nucleus(cell_class, rng)
        signal = render_nucleus(nucleus, 10.0, 10.0, 0.65, rng).signal
        border = np.concatenate([signal[0], signal[-1], signal[:, 0], signal[:, -1]])
        assert border.max() < 0.02 * signal.max()
        assert (signal >= 0).all()


def test_typical_nuclei_measure_about_thirty_px_at_the_default_scale():
    rng = np.random.default_rng(0)
    areas = [sample_nucleus("interphase", rng).area_um2 for _ in range(400)]
    assert 27 < 2 * np.sqrt(np.median(areas) / np.pi) / 0.65 < 33


def test_plates_are_smaller_and_longer_than_interphase_nuclei():
    rng = np.random.default_rng(0)
    drawn = {c: [sample_nucleus(c, rng) for _ in range(200)] for c in ("interphase", "metaphase")}
    area = {c: np.median([n.area_um2 for n in group]) for c, group in drawn.items()}
    ratio = {c: np.median([n.aspect_ratio for n in group]) for c, group in drawn.items()}
    assert area["metaphase"] < 0.4 * area["interphase"]
    assert ratio["metaphase"] > 1.6 * ratio["interphase"]
