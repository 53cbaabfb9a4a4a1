import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from occamscope.errors import InputError
from occamscope.imaging.segment import (
    SegmentationSettings,
    _flatten,
    segment_field,
    segment_window,
    segment_windows,
)

SETTINGS = SegmentationSettings()
ALONE = replace(SETTINGS, join_sisters=False)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def found(labels, truth, least=0.7):
    """How many of the true masks have an object of their own."""
    best = [max(overlap(labels == k, mask) for k in range(1, labels.max() + 1)) for mask in truth]
    return sum(value > least for value in best)


@pytest.fixture(scope="module")
def dim_and_bright(ellipse, photograph):
    """Field of interphase nuclei of 30 counts and plates of 95 beside them, noise 3."""
    shape, truth, objects = (200, 260), [], []
    for y in (40, 100, 160):
        for x in (40, 130, 220):
            nucleus = ellipse(shape, y, x, 32, 27, 0.4)
            plate = ellipse(shape, y, x + 28, 26, 9, 1.2)
            truth += [nucleus, plate]
            objects += [(nucleus, 30), (plate, 95)]
    return photograph(shape, objects), truth


def test_dim_nuclei_survive_beside_bright_plates(dim_and_bright):
    image, truth = dim_and_bright
    labels = segment_field(image, SETTINGS)
    assert labels.max() == len(truth) and found(labels, truth) == len(truth)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_fields_of_all_dtypes_give_the_same_nuclei(dim_and_bright, dtype):
    image, truth = dim_and_bright
    scale = {np.uint8: 1, np.uint16: 100, np.float32: 1e-3}[dtype]
    assert found(segment_field((image * scale).astype(dtype), SETTINGS), truth) == len(truth)


def test_a_background_gradient_changes_nothing(dim_and_bright):
    image, truth = dim_and_bright
    slope = np.linspace(0, 40, image.shape[1])
    assert found(segment_field(image + slope, SETTINGS), truth) == len(truth)


def test_a_few_dim_nuclei_survive_among_many_bright_plates(ellipse, photograph):
    shape = (200, 260)
    plates = [
        ellipse(shape, y, x, 26, 12, y + x) for y in range(20, 200, 40) for x in range(20, 220, 36)
    ]
    dim = [ellipse(shape, y, 240, 30, 26) for y in (30, 90, 150)]
    image = photograph(shape, [(m, 150) for m in plates] + [(m, 30) for m in dim])
    assert found(segment_field(image, ALONE), plates + dim) == len(plates) + 3


def test_the_background_of_the_flattened_field_is_zero():
    rough = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 4)
    rough = (400 + 20 * rough / rough.std()).astype(np.float32)
    signal, spread = _flatten(rough, 60.0, 0.1)
    assert np.median(signal) == pytest.approx(0, abs=8) and 10 < spread < 25


def test_touching_nuclei_are_split_and_elongated_ones_are_not(ellipse, photograph):
    shape = (128, 128)
    masks = [ellipse(shape, 40, 40, 28, 28), ellipse(shape, 40, 66, 28, 28)]
    masks.append(ellipse(shape, 95, 70, 70, 18))
    labels = segment_field(photograph(shape, [(m, 60) for m in masks]), SETTINGS)
    assert labels.max() == 3 and found(labels, masks) == 3


def test_a_jagged_plate_stays_whole(ellipse, photograph):
    shape = (128, 128)
    plate = ellipse(shape, 90, 60, 28, 10)
    plate[84:88, 59:62] = plate[93:97, 59:62] = False  # notches from both sides
    nuclei = [ellipse(shape, y, x, 28, 26) for y, x in ((30, 30), (30, 90))]
    image = photograph(shape, [(plate, 90)] + [(m, 40) for m in nuclei])
    assert segment_field(image, SETTINGS).max() == 3


def test_holes_are_filled(ellipse, photograph):
    shape = (96, 96)
    ring = ellipse(shape, 48, 48, 36, 36) & ~ellipse(shape, 48, 48, 12, 12)
    labels = segment_field(photograph(shape, [(ring, 80)]), SETTINGS)
    assert labels[48, 48] == 1


def test_sister_plates_are_one_object_if_wanted(ellipse, photograph):
    shape = (160, 160)
    nuclei = [ellipse(shape, y, x, 28, 26) for y, x in ((30, 30), (30, 120), (130, 30))]
    plates = [ellipse(shape, 90, x, 22, 9, np.pi / 2) for x in (90, 107)]
    image = photograph(shape, [(m, 35) for m in nuclei] + [(m, 90) for m in plates])
    together, apart = segment_field(image, SETTINGS), segment_field(image, ALONE)
    assert together[90, 90] == together[90, 107] > 0 and together.max() == 4
    assert apart[90, 90] != apart[90, 107] and apart.max() == 5


def test_given_and_estimated_diameters_agree(dim_and_bright):
    image, truth = dim_and_bright
    given = replace(SETTINGS, nucleus_diameter_um=15.0)
    assert found(segment_field(image, given, um_per_px=0.5), truth) == len(truth)


@pytest.mark.parametrize("image", [np.zeros((64, 64), np.uint8), np.full((64, 64), 0.3)])
def test_a_constant_field_holds_no_nucleus(image):
    assert segment_field(image, SETTINGS).max() == 0


def test_noise_alone_holds_no_nucleus():
    noise = np.random.default_rng(0).normal(400, 20, (256, 256)).astype(np.uint16)
    assert segment_field(noise, SETTINGS).max() == 0


def test_segmentation_is_repeatable_and_labels_are_consecutive(dim_and_bright):
    labels = segment_field(dim_and_bright[0], SETTINGS)
    assert labels.dtype == np.int32 and (labels == segment_field(dim_and_bright[0], SETTINGS)).all()
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))


@pytest.mark.parametrize(
    "image", [np.zeros((3, 64, 64)), np.zeros((8, 64)), np.full((32, 32), np.nan)]
)
def test_what_is_no_plane_is_refused(image):
    with pytest.raises(InputError):
        segment_field(image, SETTINGS)
    with pytest.raises(InputError):
        segment_window(image, SETTINGS)


def test_the_nucleus_in_the_middle_is_found_beside_a_brighter_neighbour(ellipse, photograph):
    shape = (64, 64)
    nucleus, neighbour = ellipse(shape, 32, 31, 28, 22, 0.7), ellipse(shape, 10, 56, 26, 22)
    mask = segment_window(photograph(shape, [(nucleus, 30), (neighbour, 120)]), SETTINGS)
    assert overlap(mask, nucleus) > 0.85 and not (mask & neighbour).any()


def test_the_nucleus_in_the_middle_is_split_from_one_that_touches_it(ellipse, photograph):
    shape = (64, 64)
    nucleus, neighbour = ellipse(shape, 30, 28, 26, 26), ellipse(shape, 30, 52, 26, 26)
    mask = segment_window(photograph(shape, [(nucleus, 60), (neighbour, 60)]), SETTINGS)
    assert overlap(mask, nucleus) > 0.85


@pytest.mark.parametrize(("join", "plates"), [(True, 2), (False, 1)])
def test_a_window_on_one_plate_takes_its_sister_if_wanted(ellipse, photograph, join, plates):
    shape = (64, 64)
    a, b = (ellipse(shape, 32, x, 20, 9, np.pi / 2) for x in (31, 48))
    window = photograph(shape, [(a, 90), (b, 80)])
    mask = segment_window(window, replace(SETTINGS, join_sisters=join))
    assert [overlap(mask & m, m) > 0.7 for m in (a, b)].count(True) == plates


def test_an_interphase_neighbour_is_never_joined(ellipse, photograph):
    shape = (64, 64)
    plate, nucleus = ellipse(shape, 32, 31, 22, 9, np.pi / 2), ellipse(shape, 32, 52, 34, 22, 1.5)
    for brightness in (40, 90):
        mask = segment_window(photograph(shape, [(plate, 90), (nucleus, brightness)]), SETTINGS)
        assert not (mask & nucleus & ~plate).any()


def test_a_window_without_a_nucleus_has_an_empty_mask():
    noise = np.random.default_rng(1).normal(100, 5, (20, 64, 64))
    blank = np.full((1, 64, 64), 100.0)
    assert not segment_windows(np.concatenate([noise, blank]), SETTINGS).any()
    assert segment_windows(np.zeros((0, 64, 64)), SETTINGS).shape == (0, 64, 64)


def test_real_crops_get_masks_of_the_right_size_and_sisters_are_joined(mitocheck):
    areas = {
        name: segment_windows(crops[:40], SETTINGS).sum((1, 2)) for name, crops in mitocheck.items()
    }
    assert 450 < np.median(areas["Interphase"]) < 700
    assert 150 < np.median(areas["Metaphase"]) < 250
    single = segment_windows(mitocheck["Anaphase"][:40], ALONE).sum((1, 2))
    assert np.mean(areas["Anaphase"] > single) > 0.5


def test_interphase_crops_keep_one_nucleus(mitocheck):
    crops = mitocheck["Interphase"][::4]
    assert (segment_windows(crops, SETTINGS) == segment_windows(crops, ALONE)).all()


@pytest.mark.parametrize("count", [12, pytest.param(192, marks=pytest.mark.slow)])
def test_real_fields_reach_their_f1(real_data, count):
    with zipfile.ZipFile(real_data / "dsb2018_fluo" / "fields.zip") as archive:
        names = sorted(
            n for n in archive.namelist() if n.startswith("images/") and n[-4:] == ".tif"
        )
        chosen = np.random.default_rng(0).choice(len(names), count, replace=False)
        hits = objects = 0
        for k in chosen:
            image, truth = (
                tifffile.imread(io.BytesIO(archive.read(name)))
                for name in (names[k], names[k].replace("images", "labels"))
            )
            labels = segment_field(image, ALONE)
            hits += matches(labels, truth)
            objects += len(np.unique(labels)) + len(np.unique(truth)) - 2
    assert 2 * hits / objects > 0.85


def matches(labels, truth):
    """Pairs of objects with an intersection over union above 0.5."""
    size = int(labels.max()) + 1
    table = np.bincount(truth.ravel().astype(np.int64) * size + labels.ravel(),
                        minlength=(int(truth.max()) + 1) * size).reshape(-1, size)  # fmt: skip
    both = table[1:, 1:]
    union = table.sum(1)[1:, None] + table.sum(0)[None, 1:] - both
    return int((both > 0.5 * union).sum())
