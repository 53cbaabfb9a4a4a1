import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from skimage.measure import label

from occamscope.figures.scale_bar import draw_scale_bar
from occamscope.figures.segmentation import (
    densest_window,
    draw_crop_masks,
    draw_outlines,
    draw_overlays,
    stretch_contrast,
)
from occamscope.scale import WHITE


@pytest.fixture
def field(fake):
    codes, _ = fake.cells(12)
    tiles = fake.ellipses(codes).reshape(3, 4, 64, 64)
    page = np.concatenate([np.concatenate(list(row), axis=1) for row in tiles])
    return page * 5000 + 400, label(page > 0.5).astype(np.int32)


def test_overlays_are_sound_and_count_every_object(field, sound):
    page, labels = field
    data = sound(lambda: draw_overlays([page] * 3, [labels] * 3, 0.65, ["a", "b", "c"])).data
    assert data["field"].value_counts().tolist() == [12] * 3
    assert data["area_um2"].to_numpy() == pytest.approx(data["area_px"] * 0.65**2)
    assert data["area_px"].iloc[:12].sum() == np.sum(labels > 0)


def test_a_field_without_objects_or_pixel_size_is_drawn(field, neat):
    result = neat(lambda: draw_overlays([field[0]], [field[1] * 0]))
    assert result.data.empty and "area_um2" not in result.data


def test_only_the_part_with_most_objects_of_a_large_field_is_shown(field, neat):
    page, labels = field
    labels = labels.copy()
    labels[:, :64] = 0
    data = neat(lambda: draw_overlays([page], [labels], window_px=128)).data
    assert len(data) == 9 and data["shown"].sum() == 4


def test_the_densest_window_holds_the_objects():
    labels = np.zeros((300, 400), int)
    labels[250:290, 350:390] = 1
    rows, columns = densest_window(labels, 100)
    assert labels[rows, columns].sum() == 1600


def test_an_outline_follows_a_square_and_touching_objects_have_one_each():
    labels = np.zeros((20, 20), int)
    labels[5:15, 5:10], labels[5:15, 10:15] = 1, 2
    axes = Figure().add_subplot()
    draw_outlines(axes, labels)
    lines = axes.findobj(LineCollection)[0].get_segments()
    assert len(lines) == 2
    assert lines[0].min(0) == pytest.approx([4.5, 4.5]) and lines[0].max(0) == pytest.approx(
        [9.5, 14.5]
    )


def test_contrast_spans_zero_to_one_and_a_constant_field_is_black():
    stretched = stretch_contrast(np.arange(10000.0).reshape(100, 100))
    assert stretched.min() == 0 and stretched.max() == 1
    assert stretch_contrast(np.full((9, 9), 7.0)).max() == 0


@pytest.mark.parametrize(
    ("um_per_px", "text", "px"), [(0.65, "50 µm", 76.9), (None, "100 px", 100)]
)
def test_the_scale_bar_is_as_long_as_it_says(um_per_px, text, px):
    axes = Figure().add_subplot()
    draw_scale_bar(axes, (512, 512), um_per_px)
    assert axes.texts[0].get_text() == text
    assert np.ptp(axes.lines[0].get_xdata()) == pytest.approx(px, abs=0.1)


def test_crop_masks_are_sound(fake, sound):
    codes, y = fake.cells(30)
    decoded = fake.ellipses(codes)
    windows, masks = (decoded * WHITE).astype(np.uint8), decoded > 0.5
    names = np.array(["interphase", "metaphase"])[y]
    data = sound(lambda: draw_crop_masks(windows, masks, names)).data
    assert data["area_px"].tolist() == masks[data["crop"]].sum((1, 2)).tolist()
