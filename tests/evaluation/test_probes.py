import numpy as np
import pytest
from scipy.ndimage import label

from occamscope.errors import InputError
from occamscope.evaluation.probes import MAKERS, central_nucleus, make_probes, noise_level


@pytest.fixture(scope="module")
def probes(windows):
    return make_probes(windows, 12, seed=1)


def of(probes, kind):
    return probes.windows[probes.kind == kind]


def test_every_kind_is_made_in_the_number_asked_for(probes):
    assert {k: (probes.kind == k).sum() for k in MAKERS} == dict.fromkeys(MAKERS, 12)
    assert probes.windows.shape == (96, 64, 64)
    assert probes.windows.dtype == np.float32


def test_same_seed_gives_same_probes(windows, probes):
    again = make_probes(windows, 12, seed=1)
    np.testing.assert_array_equal(again.windows, probes.windows)
    assert not np.array_equal(make_probes(windows, 12, seed=2).windows, probes.windows)


def test_a_kind_does_not_depend_on_the_others(windows, probes):
    alone = make_probes(windows, 12, seed=1, kinds=("noise",))
    np.testing.assert_array_equal(alone.windows, of(probes, "noise"))


def test_blanks_hold_the_noise_of_the_set_or_nothing(probes):
    sd = of(probes, "blank").std((1, 2))
    assert (sd[1::2] == 0).all()
    np.testing.assert_allclose(sd[::2], 6, rtol=0.5)


def test_constants_have_a_level_of_a_nucleus(probes):
    constant = of(probes, "constant")
    level = constant.mean((1, 2))
    assert (level > 15).all()
    assert level.std() > 20
    assert (constant[1::2] == constant[1::2, :1, :1]).all()


def test_noise_spans_a_nucleus_and_comes_white_and_correlated(probes):
    noise = of(probes, "noise")
    np.testing.assert_allclose(noise.mean((1, 2)), 98, atol=25)
    np.testing.assert_allclose(noise.std((1, 2)), 49, rtol=0.01)
    neighbours = [np.corrcoef(w[:, 1:].ravel(), w[:, :-1].ravel())[0, 1] for w in noise]
    assert max(neighbours[1::2]) < 0.1 < 0.3 < min(neighbours[::2])


def test_half_blanks_keep_one_half_untouched(windows, probes):
    chosen = probes.kind == "half_blank"
    for probe, row, side in zip(
        probes.windows[chosen], probes.source[chosen], probes.variant[chosen], strict=True
    ):
        blank = {"top": probe[:29], "bottom": probe[-29:], "left": probe[:, :29]}.get(
            side, probe[:, -29:]
        )
        assert (blank == 0).all()
        same = probe == windows[row]
        assert same.mean() > 0.45
        assert (probe[~same] == 0).all()


def test_two_nuclei_stand_side_by_side(probes):
    for probe in of(probes, "two_nuclei"):
        parts, n = label(probe > 98)
        areas = np.sort(np.bincount(parts.ravel())[1:])[::-1]
        y, x = np.nonzero(probe > 98)
        assert n >= 2 and areas[1] > 60 or np.ptp(x) > 24 or np.ptp(y) > 24
        assert np.hypot(y.mean() - 31.5, x.mean() - 31.5) < 12


def test_defocus_blurs_the_nucleus_and_keeps_camera_noise(windows, probes):
    chosen = probes.kind == "defocus"
    for probe, row in zip(probes.windows[chosen], probes.source[chosen], strict=True):
        assert probe.max() < windows[row].max()
        assert np.diff(probe[:8], axis=1).std() / 2**0.5 == pytest.approx(6, rel=0.7)


def test_saturated_windows_are_flat_and_inverted_ones_dark(windows, probes):
    assert (of(probes, "saturated") == 255).mean() > 0.02
    chosen = probes.kind == "inverted"
    np.testing.assert_array_equal(
        probes.windows[chosen], 255 - windows[probes.source[chosen]].astype(np.float32)
    )


def test_noise_level_reads_clipped_and_full_backgrounds():
    noise = np.random.default_rng(0).normal(0, 6, (64, 64))
    assert noise_level(noise) == pytest.approx(6, rel=0.1)
    assert noise_level(np.clip(noise, 0, None)) == pytest.approx(6, rel=0.1)
    assert noise_level(np.full((64, 64), 255)) == 0


def test_central_nucleus_leaves_the_neighbour(windows):
    window = np.zeros((64, 64))
    window[24:40, 24:40] = 196
    window[50:, 50:] = 196
    mask = central_nucleus(window)
    assert mask[32, 32] and not mask[60, 60]
    assert not central_nucleus(np.zeros((64, 64))).any()


def test_bad_requests_are_refused(windows):
    with pytest.raises(InputError, match="unknown probe kind 'fog'"):
        make_probes(windows, 1, 0, kinds=("fog",))
    with pytest.raises(InputError, match="no real windows"):
        make_probes(windows[:0], 1, 0)
