"""Traversals of a decoder whose pictures are known."""

import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.representation.traverse import MEASURED, describe_traversals, traverse

VALUES = [-2.0, 0.0, 2.0]


def constant_images(codes: np.ndarray) -> np.ndarray:
    """Pixel (0, k) of an image is latent k."""
    images = np.zeros((len(codes), 64, 64))
    images[:, 0, : codes.shape[1]] = codes
    return images


def test_one_latent_moves_and_the_others_stay_at_zero():
    images = traverse(constant_images, 5, [1, 3], VALUES)
    assert images.shape == (2, 3, 64, 64) and images.dtype == np.float32
    assert images[0, :, 0, 1].tolist() == VALUES
    assert images[1, :, 0, 3].tolist() == VALUES
    assert not images[0, :, 0, [0, 2, 3, 4]].any()


def test_other_latents_stay_at_the_base():
    base = np.array([0.5, -1.0, 2.0])
    images = traverse(constant_images, 3, [0], VALUES, base)
    assert images[0, :, 0, 0].tolist() == VALUES
    assert np.all(images[0, :, 0, 1:3] == base[1:])


def test_base_of_another_length_is_refused():
    with pytest.raises(InputError, match="base"):
        traverse(constant_images, 3, [0], VALUES, np.zeros(4))


def test_description_follows_the_order_of_units_and_values(ellipse, measure):
    def decode(codes):
        return np.stack([ellipse(500 * np.exp(0.3 * z[2])) for z in codes])

    decoded = traverse(decode, 3, [0, 2], VALUES)
    table = describe_traversals(decoded, measure, [0, 2], VALUES)
    assert table["latent"].tolist() == ["z0"] * 3 + ["z2"] * 3
    assert table["value"].tolist() == VALUES * 2
    assert list(table.columns) == ["latent", "value", *MEASURED]
    areas = table["area_px"].to_numpy()
    assert np.ptp(areas[:3]) == 0
    assert areas[5] / areas[3] == pytest.approx(np.exp(0.3 * 4), rel=0.05)


def test_empty_pictures_give_nan_rows(ellipse, measure):
    decoded = np.stack([[np.zeros((64, 64)), ellipse(400)]])
    table = describe_traversals(decoded, measure, [0], [-1.0, 1.0])
    assert np.isnan(table["area_px"][0]) and table["area_px"][1] > 300


def test_units_and_values_must_fit_the_pictures(measure):
    with pytest.raises(InputError, match="3 values"):
        describe_traversals(np.zeros((1, 2, 64, 64)), measure, [0], VALUES)
