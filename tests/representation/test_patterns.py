"""Classes of patterns: planted harmonics, their sum, and nuclei without axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.representation.patterns import CLASSES, pattern_shares

Y, X = np.mgrid[:64, :64] - 31.5
Y = -Y  # up
RADIUS, ANGLE = np.hypot(X, Y), np.arctan2(Y, X)
BODY = np.exp(-0.5 * ((RADIUS - 8) / 3) ** 2)  # a ring of the harmonics, inside the nucleus
PLANTED = {
    "ring": np.exp(-0.5 * (RADIUS / 5) ** 2),
    "edge": np.exp(-0.5 * ((RADIUS - 14) / 1.5) ** 2),
    "polarity (long axis)": BODY * np.cos(ANGLE),
    "taper": BODY * np.cos(3 * ANGLE),
    "polarity (short axis)": BODY * np.sin(ANGLE),
    "bend": BODY * np.sin(3 * ANGLE),
    "waist": BODY * np.cos(2 * ANGLE),
    "blunt ends": BODY * np.cos(4 * ANGLE),
    "skew": BODY * np.sin(2 * ANGLE),
    "texture": BODY * np.cos(11 * ANGLE),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_pattern_gets_its_class(name):
    shares = pattern_shares(PLANTED[name][None], [14.0]).iloc[0]
    assert shares.idxmax() == name and shares[name] > 0.95
    assert shares.sum() == pytest.approx(1)


def test_every_class_is_planted():
    assert set(PLANTED) == {*CLASSES, "texture"}


def test_shares_of_a_mixture_are_those_of_the_energies():
    bend, waist = PLANTED["bend"], PLANTED["waist"]
    mixed = 2 * bend / np.linalg.norm(bend) + waist / np.linalg.norm(waist)
    shares = pattern_shares(mixed[None], [14.0]).iloc[0]
    assert shares["bend"] == pytest.approx(0.8, abs=0.03)
    assert shares["waist"] == pytest.approx(0.2, abs=0.03)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100))
def test_shares_sum_to_one_and_do_not_depend_on_the_gain(seed, gain):
    noise = np.random.default_rng(seed).normal(size=(1, 32, 32))
    shares = pattern_shares(noise, [9.0])
    assert (shares >= 0).all(axis=None) and shares.sum(axis=1)[0] == pytest.approx(1)
    np.testing.assert_allclose(pattern_shares(gain * noise, [9.0]), shares, atol=1e-9)


@pytest.mark.parametrize("turn", range(4))
def test_without_axes_a_turned_nucleus_gets_the_same_class(turn):
    for name, expected in (("bend", "triangle"), ("polarity (long axis)", "polarity")):
        image = np.rot90(PLANTED[name], turn)
        shares = pattern_shares(image[None], [14.0], has_axes=False).iloc[0]
        assert shares.idxmax() == expected and shares.sum() == pytest.approx(1)


def test_nothing_changed_has_no_class():
    assert not pattern_shares(np.zeros((2, 16, 16)), [5.0, 0.0]).to_numpy().any()


def test_radii_must_match():
    with pytest.raises(InputError, match="n radii"):
        pattern_shares(np.zeros((2, 16, 16)), [5.0])
