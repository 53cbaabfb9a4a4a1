import numpy as np
import pytest

from occamscope.figures.samples import choose_columns, draw_samples, reconstruction_r2
from occamscope.scale import WHITE


@pytest.fixture
def crops(fake):
    codes, y = fake.cells(30)
    decoded = fake.ellipses(codes)
    noise = np.random.default_rng(0).normal(0, 0.05, decoded.shape)
    images = (np.clip(decoded + noise, 0, 1.3) * WHITE).astype(np.uint8)
    return images, decoded, np.array(["interphase", "metaphase"])[y]


def test_samples_are_sound(crops, sound):
    images, decoded, names = crops
    data = sound(lambda: draw_samples(images, images, decoded, names, um_per_px=0.65)).data
    assert data["class"].tolist() == ["interphase"] * 6 + ["metaphase"] * 6
    expected = reconstruction_r2(images / WHITE, decoded)[0][data["crop"]]
    assert data["reconstruction_r2"].to_numpy() == pytest.approx(expected)


def test_the_means_in_the_table_are_those_of_the_images(crops):
    images, decoded, names = crops
    data = draw_samples(images // 2, images, decoded, names).data
    crop = int(data["crop"].iloc[7])
    assert data["window_mean"].iloc[7] == pytest.approx((images // 2)[crop].mean() / WHITE)
    assert data["reconstruction_mean"].iloc[7] == pytest.approx(decoded[crop].mean())


def test_one_class_and_a_blank_crop_are_drawn(crops, neat):
    images, decoded, _ = crops
    images = images[:2].copy()
    images[0] = 0
    data = neat(lambda: draw_samples(images, images, decoded[:2], ["Interphase"] * 2)).data
    assert np.isnan(data["reconstruction_r2"].iloc[0])


def test_five_classes_share_the_columns():
    shown = choose_columns(list("abcde") * 9, per_class=6, most=14)
    assert shown["class"].value_counts().tolist() == [2] * 5
    assert shown["crop"].tolist()[:4] == [0, 5, 1, 6]


def test_a_perfect_reconstruction_has_r2_one_and_the_mean_zero():
    x = np.random.default_rng(0).random((2, 8, 8))
    flat = np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)
    assert reconstruction_r2(x, x)[1] == 1
    assert reconstruction_r2(x, flat)[0] == pytest.approx([0, 0])
