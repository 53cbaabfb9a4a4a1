from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from occamscope.errors import InputError
from occamscope.imaging.measure import measure_shapes
from occamscope.imaging.simulate import (
    SimulationSettings,
    class_names,
    expose,
    place_nuclei,
    simulate_field,
)

SMALL = SimulationSettings(frames=2, height=256, width=320, nuclei_per_frame=8)
FIVE = dict.fromkeys(class_names(), 0.2)
COLUMNS = [
    "frame", "y", "x", "class", "area_um2", "area_px", "aspect_ratio", "ellipticity", "theta_rad",
    "e_cos2theta", "e_sin2theta", "intensity", "texture_contrast", "texture_grain_px",
    "background", "defocus_px",
]  # fmt: skip


@pytest.fixture(scope="module")
def field():
    return simulate_field(SMALL, seed=3)


@pytest.fixture(scope="module")
def clean():
    """A sparse field with little noise, and mask and truth of each nucleus within the frame."""
    settings = SimulationSettings(
        frames=6, nuclei_per_frame=12, near_neighbours=0, gap_um=15, read_noise=0.1, gain_adu=0.5
    )
    pages, truth = (f := simulate_field(settings, seed=5)).pages, f.truth
    inside = truth.y.between(40, 470) & truth.x.between(40, 470)
    masks = [nucleus_mask(pages[row.frame], row) for row in truth[inside].itertuples()]
    return np.stack(masks), truth[inside].reset_index(drop=True)


def nucleus_mask(page, row):
    """Window of 64 px around the true centre; what is above half of the nucleus' level there."""
    y, x = round(row.y), round(row.x)
    window = page[y - 32 : y + 32, x - 32 : x + 32].astype(float) - row.background
    level = np.median(window[window > 0.3 * np.quantile(window, 0.995)])
    parts, _ = label(window > 0.5 * level)
    return parts == np.bincount(parts[parts > 0]).argmax()


def test_pages_are_16_bit_counts_above_the_camera_offset(field):
    assert field.pages.dtype == np.uint16
    assert field.pages.shape == (2, 256, 320)
    assert np.median(field.pages) > SMALL.offset
    assert 2000 < field.pages.max() < 65535


def test_truth_has_a_row_for_each_nucleus(field):
    assert list(field.truth.columns) == COLUMNS
    assert field.truth.frame.tolist() == [0] * 8 + [1] * 8
    assert field.truth.y.between(0, 255).all()
    assert field.truth.x.between(0, 319).all()
    assert field.truth.notna().all(axis=None)


def test_same_seed_gives_the_same_field(field):
    again = simulate_field(SMALL, seed=3)
    assert (again.pages == field.pages).all()
    assert again.truth.equals(field.truth)


def test_another_seed_gives_another_field(field):
    assert (simulate_field(SMALL, seed=4).pages != field.pages).mean() > 0.9


def test_more_frames_leave_the_first_ones_as_they_were(field):
    longer = simulate_field(replace(SMALL, frames=3), seed=3)
    assert (longer.pages[:2] == field.pages).all()


def test_frames_of_a_file_differ_from_one_another(field):
    assert (field.pages[0] != field.pages[1]).mean() > 0.9


def test_components_follow_from_ellipticity_and_angle(field):
    t = field.truth
    ratio = t.aspect_ratio
    np.testing.assert_allclose(t.ellipticity, (ratio - 1) / (ratio + 1))
    np.testing.assert_allclose(t.e_cos2theta, t.ellipticity * np.cos(2 * t.theta_rad))
    np.testing.assert_allclose(t.e_sin2theta, t.ellipticity * np.sin(2 * t.theta_rad))
    assert t.theta_rad.between(0, np.pi).all()


def test_nuclei_do_not_overlap():
    settings = SimulationSettings(nuclei_per_frame=45, frames=2)
    for _, t in simulate_field(settings, seed=1).truth.groupby("frame"):
        semi_major = np.sqrt(t.area_px * t.aspect_ratio / np.pi).to_numpy()
        apart = np.hypot(*(np.subtract.outer(q, q) for q in (t.y.to_numpy(), t.x.to_numpy())))
        np.fill_diagonal(apart, np.inf)
        assert (apart - np.add.outer(semi_major, semi_major)).min() >= 2  # gap of 1.3 um


def test_some_nuclei_lie_close_beside_another():
    settings = SimulationSettings(nuclei_per_frame=20)
    radii = np.full(20, 10.0)

    def median_gap(near):
        places = place_nuclei(
            radii, replace(settings, near_neighbours=near), np.random.default_rng(0)
        )
        apart = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(20)
        return np.median(apart.min(1))

    assert median_gap(1.0) < 0.8 * median_gap(0.0)


def test_borders_may_cut_nuclei():
    t = simulate_field(SimulationSettings(), seed=0).truth
    radius = np.sqrt(t.area_px / np.pi)
    assert (np.minimum(t.y, 511 - t.y) < radius).any()


def test_classes_come_in_their_fractions():
    t = simulate_field(replace(SMALL, frames=5, interphase=0.75, metaphase=0.25), seed=0).truth
    assert t.groupby("frame")["class"].apply(lambda c: (c == "metaphase").sum()).tolist() == [2] * 5


def test_rare_classes_keep_their_expected_number():
    settings = replace(SMALL, frames=1, height=96, width=96, nuclei_per_frame=2, **FIVE)
    drawn = [simulate_field(replace(settings, apoptosis=0.05), seed=k).truth for k in range(150)]
    count = sum((t["class"] == "apoptosis").sum() for t in drawn)
    assert 8 <= count <= 30  # expected 300 * .05 / .85 = 17.6


def test_class_fractions_are_relative():
    a = simulate_field(replace(SMALL, interphase=3, metaphase=1), seed=2)
    b = simulate_field(replace(SMALL, interphase=0.75, metaphase=0.25), seed=2)
    assert (a.pages == b.pages).all()


def test_measured_shapes_agree_with_the_truth(clean):
    masks, truth = clean
    table = measure_shapes(masks)
    interphase = truth["class"] == "interphase"
    assert len(truth) > 30
    np.testing.assert_allclose(table.area_px[interphase], truth.area_px[interphase], rtol=0.1)
    for column in ("e_cos2theta", "e_sin2theta"):
        assert abs(table[column] - truth[column]).quantile(0.95) < 0.08
        assert np.corrcoef(table[column], truth[column])[0, 1] > 0.98
    assert table.offset_px.max() < 2.5  # places are rounded to px, half of a px off the middle


def test_intensity_is_the_nucleus_level_in_camera_counts():
    settings = SimulationSettings(frames=3, nuclei_per_frame=10, metaphase=0)
    field = simulate_field(settings, seed=1)
    for row in field.truth.itertuples():
        y, x = round(row.y), round(row.x)
        middle = field.pages[row.frame, max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
        level = middle.mean() - row.background
        assert level == pytest.approx(row.intensity, rel=0.4)


def test_background_is_the_level_between_the_nuclei():
    settings = SimulationSettings(frames=1, nuclei_per_frame=2, haze=0)
    field = simulate_field(settings, seed=6)
    assert np.median(field.pages) == pytest.approx(field.truth.background.mean(), rel=0.1)


def test_files_differ_in_stain_and_background_and_frames_do_not():
    fields = [simulate_field(replace(SMALL, metaphase=0), seed=k).pages for k in range(6)]
    per_frame = np.array([np.median(f, axis=(1, 2)) for f in fields])
    assert per_frame.mean(1).std() > 3 * per_frame.std(1).mean()


def test_sizes_in_px_follow_the_pixel_size():
    coarse = simulate_field(SMALL, seed=7).truth
    fine = simulate_field(replace(SMALL, height=512, width=640, um_per_px=0.325), seed=7).truth
    np.testing.assert_allclose(fine.area_px, 4 * coarse.area_px)
    np.testing.assert_allclose(fine.defocus_px, 2 * coarse.defocus_px)
    np.testing.assert_allclose(fine.area_um2, coarse.area_um2)


def test_camera_noise_has_its_closed_form_mean_and_variance():
    settings = SimulationSettings(gain_adu=8, read_noise=6, offset=400)
    counts = expose(np.full((300, 300), 100.0), settings, np.random.default_rng(0)).astype(float)
    assert counts.mean() == pytest.approx(400 + 8 * 100, rel=0.005)
    assert counts.var() == pytest.approx(8**2 * (100 + 6**2), rel=0.03)


def test_light_beyond_the_range_saturates():
    assert (expose(np.full((4, 4), 1e6), SMALL, np.random.default_rng(0)) == 65535).all()


def test_too_many_nuclei_are_refused_with_a_remedy():
    with pytest.raises(InputError, match="lower nuclei_per_frame"):
        simulate_field(replace(SMALL, nuclei_per_frame=500), seed=0)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"interphase": -0.1}, "class frequencies"),
        ({"interphase": 0, "metaphase": 0}, "class frequencies"),
        ({"um_per_px": 0.0}, "um_per_px"),
        ({"um_per_px": float("nan")}, "um_per_px"),
        ({"frames": 0}, "frames"),
        ({"read_noise": -1.0}, "read_noise"),
    ],
)
def test_impossible_settings_are_refused_by_name(bad, named):
    with pytest.raises(InputError, match=named):
        simulate_field(replace(SMALL, **bad), seed=0)
