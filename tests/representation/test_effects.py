"""Effects of latents of constructed decoders, and the pairs among them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.representation.effects import (
    direction_pairs,
    image_effects,
    measured_effects,
    similarity,
)
from occamscope.representation.traverse import describe_traversals, traverse

VALUES = np.linspace(-3, 3, 7)
RNG = np.random.default_rng(0)
# Three pictures at right angles: what one latent of a linear decoder may change.
MODES = np.linalg.qr(RNG.normal(size=(64, 3)))[0].T.reshape(3, 8, 8)


def linear(directions: np.ndarray, base: float = 0.0) -> np.ndarray:
    """Changes of latents that each move a picture along a mixture (units, 3) of `MODES`."""
    pictures = np.tensordot(np.asarray(directions, float), MODES, 1)
    decoded = base + VALUES[:, None, None] * pictures[:, None]
    return image_effects(decoded, range(len(pictures)), VALUES).changes


def effects_of(decode, latents: int):
    units = range(latents)
    return image_effects(traverse(decode, latents, units, VALUES), units, VALUES)


@given(st.floats(-np.pi, np.pi))
def test_similarity_of_straight_lines_is_the_squared_cosine(angle):
    first = linear([[1, 0, 0], [0, 0, 1]])
    second = linear([[np.cos(angle), np.sin(angle), 0]])
    expected = [[np.cos(angle) ** 2], [0]]
    np.testing.assert_allclose(similarity(first, second), expected, atol=1e-9)


def test_sign_gain_and_base_are_free():
    one = linear([[1, 2, 0]])
    for other in (linear([[-1, -2, 0]]), linear([[5, 10, 0]]), linear([[1, 2, 0]], base=7.0)):
        assert similarity(one, other)[0, 0] == pytest.approx(1)


def test_similarity_is_that_of_the_covariances():
    """The RV coefficient, from the pixels' weighted covariances themselves."""
    decoded = RNG.normal(size=(2, 7, 5, 5))
    weights = np.exp(-(VALUES**2) / 2)
    one, other = (
        np.cov(pictures.reshape(7, 25), rowvar=False, aweights=weights) for pictures in decoded
    )
    expected = np.trace(one @ other) / np.sqrt(np.trace(one @ one) * np.trace(other @ other))
    changes = image_effects(decoded, [0, 1], VALUES).changes
    np.testing.assert_allclose(similarity(changes, changes), [[1, expected], [expected, 1]])


def test_groups_are_compared_by_the_sum_of_their_covariances():
    """Both planes are the same, held in frames 30 degrees apart."""
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    first, second = linear(np.eye(3)), linear([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    groups = np.array([[1, 1, 0], [0, 1, 1]])
    found = similarity(first, second, groups, groups)
    assert found[0, 0] == pytest.approx(1)
    # Shared: all of z2, and cos^2 of z1.
    assert found[1, 1] == pytest.approx((cos**2 + 1) / 2)


def test_a_latent_without_effect_is_like_none():
    still = np.zeros((1, 7, 8, 8))
    changes = image_effects(still, [4], VALUES).changes
    assert similarity(changes, changes).tolist() == [[0.0]]


@pytest.mark.parametrize("degrees", [0, 20, 45, 77, 120])
def test_ellipticity_is_a_pair_in_any_frame_and_size_is_not(ellipse, measure, degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))

    def one(z):
        e = 0.12 * np.array([cos * z[0] - sin * z[2], sin * z[0] + cos * z[2]])
        return ellipse(500 * np.exp(0.3 * z[1]), tuple(e))

    def decode(codes):
        return np.stack([one(z) for z in codes])

    assert effects_of(decode, 3).pairs == ((0, 2),)
    decoded = traverse(decode, 3, [0, 1, 2], VALUES)
    table = describe_traversals(decoded, measure, [0, 1, 2], VALUES)
    assert measured_effects(table).pairs == ((0, 2),)


def test_an_offset_is_a_pair(ellipse):
    def one(z):
        moved = ellipse(400, shift=2.0 * z[0])
        return np.roll(moved, int(2 * z[1]), axis=0) * np.exp(0.1 * z[2])

    assert effects_of(lambda codes: np.stack([one(z) for z in codes]), 3).pairs == ((0, 1),)


def test_mixed_duplicate_and_lone_latents_are_no_pairs(ellipse):
    """z0 and z1 mix size with brightness, z2 repeats z0, z3 has no partner."""

    def one(z):
        size, light = z[0] + z[1] + z[2], z[0] - z[1] + z[2]
        return ellipse(500 * np.exp(0.2 * size), (0.1 * z[3], 0), light=np.exp(0.15 * light))

    assert effects_of(lambda codes: np.stack([one(z) for z in codes]), 4).pairs == ()


@pytest.mark.parametrize(("degrees", "paired"), [(90, True), (65, True), (55, False), (0, False)])
def test_a_turn_must_change_one_latent_into_the_other(degrees, paired):
    """Turned by an angle in their plane, two lines have a contrast of -cos(2 angle)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = linear([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    assert direction_pairs(linear(np.eye(3)), [turned]) == (((0, 1),) if paired else ())


def test_of_rival_pairs_the_clearest_is_taken():
    """z1 could go with z0, at 70 degrees, or with z2, at 90."""
    angle = np.radians(70)
    first = linear([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    rival = linear(
        [[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    clear = linear([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert direction_pairs(first, [rival]) == ((0, 1),)
    assert direction_pairs(first, [rival, clear]) == ((1, 2),)


def table_of(**columns) -> pd.DataFrame:
    """One latent, z5, with given quantities; all others constant."""
    constant = {
        "area_px": 400.0, "e_cos2theta": 0.0, "e_sin2theta": 0.0, "intensity_mean": 0.5,
        "texture": 0.1, "rim_ratio": 1.0, "offset_px": 0.0,
    }  # fmt: skip
    return pd.DataFrame({"latent": "z5", "value": VALUES, **constant, **columns})


def test_quantities_count_by_their_reference_changes():
    """Size and texture, each by one reference change from end to end, are an angle of 45 degrees."""
    size = table_of(area_px=400 * 1.5 ** (VALUES / 6))
    both = table_of(area_px=400 * 1.5 ** (VALUES / 6), texture=0.5 + 0.1 * VALUES / 6)
    effects = [measured_effects(table) for table in (size, both)]
    assert effects[0].units == (5,)
    assert similarity(effects[0].changes, effects[1].changes)[0, 0] == pytest.approx(0.5)


def test_rows_where_nothing_was_decoded_are_left_out():
    area = 400 * np.exp(0.3 * VALUES)
    holes = np.where(VALUES < 3, area, np.nan)
    whole, part, none = (
        measured_effects(table_of(area_px=values)).changes
        for values in (area, holes, np.full(7, np.nan))
    )
    assert similarity(whole, part)[0, 0] == pytest.approx(1)
    assert similarity(whole, none)[0, 0] == 0


def test_a_model_without_active_latents_has_no_effects():
    none = image_effects(np.zeros((0, 7, 8, 8)), [], VALUES)
    assert none.changes.shape == (0, 7, 64) and none.pairs == ()
    assert measured_effects(table_of()[:0]).changes.shape == (0, 0, 7)


def test_what_does_not_suit_is_refused():
    with pytest.raises(InputError, match="2 units, 7 values"):
        image_effects(np.zeros((1, 7, 8, 8)), [0, 1], VALUES)
    with pytest.raises(InputError, match="NaN"):
        image_effects(np.full((1, 7, 8, 8), np.nan), [0], VALUES)
    other = table_of().assign(latent="z6", value=VALUES + 1)
    with pytest.raises(InputError, match="same values"):
        measured_effects(pd.concat([table_of(), other]))
    with pytest.raises(InputError, match="same values"):
        measured_effects(pd.concat([table_of(), table_of(latent="z6")[:5]]))
