"""Label masks from Cellpose, StarDist, ImageJ and other hands."""

import io
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image

from occamscope.errors import InputError
from occamscope.store.label_masks import read_label_mask

LABELS = np.zeros((6, 8), dtype=np.uint16)
LABELS[1:3, 1:3] = 1
LABELS[4:6, 4:8] = 300


@pytest.fixture
def mask_file(tmp_path):
    def write(pixels, **options):
        path = tmp_path / "a_masks.tif"
        tifffile.imwrite(path, pixels, **options)
        return path

    return write


def refusal(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_label_mask(path, **options)
    assert str(caught.value).startswith("a_masks.tif: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "dtype", [np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32, np.float64]
)
def test_whole_numbers_of_any_type_are_labels(mask_file, dtype):
    read = read_label_mask(mask_file(LABELS.astype(dtype)))
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, LABELS[None])


def test_png_masks_and_palettes_of_labels(tmp_path):
    small = np.where(LABELS == 300, 2, LABELS).astype(np.uint8)
    Image.fromarray(LABELS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_mask(tmp_path / "a.png")[0], LABELS)
    image = Image.fromarray(small)
    image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_label_mask(tmp_path / "p.png")[0], small)


@pytest.mark.parametrize("kind", ["bool", "255", "65535"])
def test_two_valued_masks_are_divided_into_components_page_by_page(mask_file, kind):
    on = np.zeros((2, 6, 6), dtype=bool)
    on[:, 0, 0] = on[:, 1, 1] = True  # touch at a corner: one nucleus
    on[1, 4:, 4:] = True
    dtype, factor = {"bool": (bool, 1), "255": (np.uint8, 255), "65535": (np.uint16, 65535)}[kind]
    pixels = on.astype(dtype) * dtype(factor)
    read = read_label_mask(mask_file(pixels, photometric="minisblack", metadata={"axes": "TYX"}))
    assert [int(page.max()) for page in read] == [1, 2]
    np.testing.assert_array_equal(read > 0, on)


def test_one_label_in_two_pieces_stays_one_nucleus(mask_file):
    pixels = np.zeros((6, 6), dtype=np.uint8)
    pixels[0, 0] = pixels[5, 5] = 1
    assert read_label_mask(mask_file(pixels)).max() == 1


def test_slices_of_an_imagej_mask_are_time_points(mask_file):
    stack = np.stack([LABELS, LABELS[::-1]])
    path = mask_file(
        stack,
        photometric="minisblack",
        metadata=None,
        description="ImageJ=1.5\nimages=2\nslices=2\n",
    )
    np.testing.assert_array_equal(read_label_mask(path, shape=(2, 6, 8)), stack)


def test_empty_mask_is_a_field_without_nuclei(mask_file):
    assert read_label_mask(mask_file(np.zeros((4, 4), np.uint16))).max() == 0


def test_shape_must_be_that_of_the_image(mask_file):
    message = refusal(mask_file(LABELS), shape=(1, 8, 6))
    assert "has shape (1, 6, 8)" in message
    assert "its image (1, 8, 6)" in message


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (LABELS + np.float32(0.5), "whole numbers"),
        (np.full((3, 3), np.nan, np.float32), "whole numbers"),
        (LABELS.astype(np.int32) - 1, "run from -1"),
        (LABELS.astype(np.uint32) * 10_000_000, "run from 0 to"),
        (LABELS.astype(np.complex64), "whole numbers"),
        (np.zeros((6, 8, 3), np.uint8), "coloured picture"),
    ],
    ids=["halves", "nan", "negative", "huge", "complex", "rgb"],
)
def test_what_is_no_label_mask_is_refused(mask_file, pixels, says):
    options = {"photometric": "rgb"} if pixels.ndim == 3 else {}
    assert says in refusal(mask_file(pixels, **options))


def test_channels_are_refused(mask_file):
    path = mask_file(
        np.zeros((2, 6, 8), np.uint16), metadata={"axes": "CYX"}, photometric="minisblack"
    )
    assert "channels" in refusal(path)


def test_real_masks_fit_their_fields(real_data, tmp_path):
    mask = read_label_mask(real_data / "neubias_h2b/xy_8bit_labels__mitocheck_incenp_t1.tif")
    assert mask.shape == (1, 364, 260)
    assert len(np.unique(mask)) == 8
    nuclei = 0
    with zipfile.ZipFile(real_data / "dsb2018_fluo/fields.zip") as archive:
        for name in [n for n in archive.namelist() if n.startswith("labels/")]:
            with tifffile.TiffFile(io.BytesIO(archive.read(name))) as tif:
                expected = tif.asarray()
            (tmp_path / "m.tif").write_bytes(archive.read(name))
            read = read_label_mask(tmp_path / "m.tif")
            np.testing.assert_array_equal(read[0], expected)
            nuclei += len(np.unique(read)) - 1
    assert nuclei == 9204
