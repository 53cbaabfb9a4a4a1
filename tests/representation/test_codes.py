"""Codes of images, decoding, and muting of collapsed latents."""

import numpy as np
import pytest
import torch

from occamscope.errors import InputError
from occamscope.representation.codes import (
    active_units,
    decode_codes,
    encode_images,
    mute_collapsed,
)
from occamscope.representation.tcvae import TCVAE, NetworkSettings

MODEL = TCVAE(NetworkSettings(latents=6, channels=(4,), hidden=8), torch.Generator().manual_seed(0))
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 64, 64)).astype(np.uint8)


def test_codes_have_one_row_per_image_and_kl_one_entry_per_latent():
    codes = encode_images(MODEL, IMAGES)
    assert codes.mean.shape == codes.log_variance.shape == (7, 6)
    assert codes.kl.shape == (6,) and codes.mean.dtype == np.float32


def test_kl_is_the_closed_form_of_gaussians():
    codes = encode_images(MODEL, IMAGES)
    mean, log_variance = torch.from_numpy(codes.mean), torch.from_numpy(codes.log_variance)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(posterior, prior).mean(0)
    np.testing.assert_allclose(codes.kl, expected, rtol=1e-4)


def test_batches_do_not_change_the_codes():
    whole, pieces = encode_images(MODEL, IMAGES), encode_images(MODEL, IMAGES, batch=2)
    np.testing.assert_allclose(pieces.mean, whole.mean, atol=1e-5)


def test_uint8_and_scaled_float_images_give_the_same_codes():
    scaled = encode_images(MODEL, (IMAGES / 196).astype(np.float32))
    np.testing.assert_allclose(scaled.mean, encode_images(MODEL, IMAGES).mean, atol=1e-5)


@pytest.mark.parametrize("images", [IMAGES.astype(np.int32), IMAGES[0]])
def test_other_images_are_refused(images):
    with pytest.raises(InputError, match="uint8"):
        encode_images(MODEL, images)


def test_no_images_give_empty_codes_and_no_codes_no_images():
    assert encode_images(MODEL, IMAGES[:0]).mean.shape == (0, 6)
    assert decode_codes(MODEL, np.empty((0, 6))).shape == (0, 64, 64)


def test_decoded_images_keep_the_order_of_the_codes():
    z = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    whole = decode_codes(MODEL, z, batch=2)
    assert whole.shape == (5, 64, 64) and whole.dtype == np.float32
    np.testing.assert_allclose(decode_codes(MODEL, z[3:4])[0], whole[3], atol=1e-5)


def test_active_latents_vary_more_than_the_threshold():
    scale = np.array([1.0, 0.3, 0.2, 0.0])
    mean = np.random.default_rng(0).normal(size=(5000, 4)) * scale
    assert active_units(mean).tolist() == [True, True, False, False]
    assert active_units(mean, threshold=0.03).tolist() == [True, True, True, False]


def test_collapsed_latents_are_zero_and_the_others_untouched():
    mean = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    muted = mute_collapsed(mean, np.array([True, False, True]))
    assert np.array_equal(muted[:, [0, 2]], mean[:, [0, 2]])
    assert not muted[:, 1].any() and muted.dtype == np.float32
