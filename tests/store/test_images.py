"""Reading one image: shapes, types, axes, pixel sizes, and the row of the inputs log."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from occamscope.errors import InputError
from occamscope.store.images import INPUT_COLUMNS, describe_image, read_image
from occamscope.store.quarantine import QuarantinedFile

RNG = np.random.default_rng(0)
MOVIE = RNG.integers(0, 4000, (5, 12, 17), dtype=np.uint16)


def tiff(pixels, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def plain_tiff(pixels, **options) -> bytes:
    """A multi-page TIFF without any metadata on axes."""
    return tiff(pixels, metadata=None, photometric="minisblack", **options)


def png(pixels, mode=None, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def read(content, **options):
    return read_image(content, "plate1/cell.tif", **options)


def refusal(content, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(content, **options)
    message = str(caught.value)
    assert message.startswith("plate1/cell.tif: "), message
    return message


# --- what is read -------------------------------------------------------------------------------

shapes = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9)
layouts = st.fixed_dictionaries(
    {
        "compression": st.sampled_from([None, "lzw", "zlib"]),
        "byteorder": st.sampled_from(["<", ">"]),
        "bigtiff": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), layout=layouts, dtype=st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_any_shape_type_and_layout_comes_back_as_written(data, layout, dtype):
    elements = {"allow_nan": False, "allow_infinity": False} if dtype is np.float32 else None
    pixels = data.draw(hnp.arrays(dtype, shapes, elements=elements))
    axes = "TYX"[-pixels.ndim :]
    stack = read(tiff(pixels, metadata={"axes": axes}, photometric="minisblack", **layout))
    np.testing.assert_array_equal(stack.pages, pixels.reshape(-1, *pixels.shape[-2:]))
    assert stack.pages.dtype == dtype
    assert (stack.minimum, stack.maximum) == (pixels.min(), pixels.max())


@settings(max_examples=30, deadline=None)
@given(
    pixels=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=2, max_dims=2)
    )
)
def test_grey_png_comes_back_as_written(pixels):
    stack = read(png(pixels))
    np.testing.assert_array_equal(stack.pages[0], pixels)
    assert stack.pages.dtype == pixels.dtype


def test_file_on_disk_reads_like_its_bytes(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(MOVIE, metadata={"axes": "TYX"}))
    np.testing.assert_array_equal(read_image(str(path), "a.tif").pages, MOVIE)


@pytest.mark.parametrize("tile", [(16, 16), None], ids=["tiles", "strips"])
def test_16_bit_lzw_with_predictor(tile):
    pixels = RNG.integers(32768, 65535, (3, 40, 50), dtype=np.uint16)
    content = plain_tiff(pixels, compression="lzw", predictor=True, tile=tile)
    np.testing.assert_array_equal(read(content).pages, pixels)


def test_doubles_are_narrowed_and_logged_as_they_were():
    stack = read(plain_tiff(np.full((4, 4), 0.25)))
    assert (stack.pages.dtype, stack.dtype) == (np.float32, "float64")


# --- axes ---------------------------------------------------------------------------------------

HYPER = RNG.integers(0, 255, (3, 2, 8, 9), dtype=np.uint8)


@pytest.mark.parametrize("channel", [0, 1])
def test_ome_channel_and_time(channel):
    stack = read(tiff(HYPER, ome=True, metadata={"axes": "TCYX"}), channel=channel)
    np.testing.assert_array_equal(stack.pages, HYPER[:, channel])
    assert stack.axes == "TCYX"


def test_ome_axes_in_another_order():
    content = tiff(HYPER.swapaxes(0, 1).copy(), ome=True, metadata={"axes": "CTYX"})
    np.testing.assert_array_equal(read(content, channel=1).pages, HYPER[:, 1])


def test_imagej_hyperstack():
    content = tiff(HYPER, imagej=True, metadata={"axes": "TCYX"})
    np.testing.assert_array_equal(read(content, channel=1).pages, HYPER[:, 1])


def test_z_of_length_one_is_dropped():
    content = tiff(MOVIE[:, None, None], ome=True, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(read(content).pages, MOVIE)


def test_z_stack_asks_for_a_projection():
    assert "projection" in refusal(tiff(MOVIE, ome=True, metadata={"axes": "ZYX"}))


def test_slices_of_a_plain_imagej_stack_may_be_time_if_the_user_says_so():
    content = plain_tiff(MOVIE, description="ImageJ=1.53c\nimages=5\nslices=5\nloop=false\n")
    assert "state axes 'TYX'" in refusal(content)
    np.testing.assert_array_equal(read(content, axes="TYX").pages, MOVIE)


def test_pages_without_axes_are_time_points_and_the_log_says_so():
    stack = read(plain_tiff(MOVIE))
    assert (stack.axes, stack.note) == ("TYX", "pages taken as time points")
    assert read(plain_tiff(MOVIE), axes="TYX").note == ""


def test_stated_channel_axis_names_plain_pages():
    stack = read(plain_tiff(MOVIE), axes="CYX", channel=3)
    np.testing.assert_array_equal(stack.pages, MOVIE[3:4])


@pytest.mark.parametrize("stated", ["CYX", "ZYX", "YX", "CTYX"][:3])
def test_stated_axes_that_contradict_ome_are_refused(stated):
    message = refusal(tiff(MOVIE, ome=True, metadata={"axes": "TYX"}), axes=stated)
    assert f"'{stated}'" in message


def test_stated_order_that_contradicts_the_file_is_refused():
    refusal(tiff(HYPER, ome=True, metadata={"axes": "TCYX"}), axes="CTYX")


def test_stated_axes_of_length_one_may_be_absent():
    assert read(tiff(MOVIE[0], ome=True), axes="TCYX").pages.shape == (1, 12, 17)


@pytest.mark.parametrize("stated", ["XY", "TT", "TTYX", "tyx", "QYX", ""])
def test_malformed_axes_are_refused(stated):
    with pytest.raises(InputError, match="not understood"):
        read(plain_tiff(MOVIE), axes=stated)


@pytest.mark.filterwarnings("ignore:.*stored as RGB")
def test_three_frames_that_tifffile_stored_as_colour_planes():
    frames = MOVIE[:3].astype(np.uint8)
    np.testing.assert_array_equal(read(tiff(frames, metadata={"axes": "TYX"})).pages, frames)


def test_two_unnamed_axes_are_refused():
    assert "State the axes" in refusal(tiff(HYPER))
    np.testing.assert_array_equal(read(tiff(HYPER), axes="TCYX").pages, HYPER[:, 0])


@pytest.mark.parametrize("channel", [2, -1])
def test_channel_out_of_range_is_refused(channel):
    content = tiff(HYPER, ome=True, metadata={"axes": "TCYX"})
    assert "the file has 2" in refusal(content, channel=channel)


# --- pixel size ---------------------------------------------------------------------------------


def ome_size(x, y=None, unit="µm"):
    names = {"PhysicalSizeX": x, "PhysicalSizeXUnit": unit}
    names |= {"PhysicalSizeY": x if y is None else y, "PhysicalSizeYUnit": unit}
    return tiff(MOVIE, ome=True, metadata={"axes": "TYX"} | names)


@pytest.mark.parametrize(
    ("value", "unit"), [(0.325, "µm"), (325, "nm"), (3.25e-4, "mm"), (3250, "Å")]
)
def test_ome_pixel_size_in_any_unit(value, unit):
    stack = read(ome_size(value, unit=unit))
    assert (stack.pixel_size_um, stack.pixel_size_source) == (pytest.approx(0.325), "ome")


@pytest.mark.parametrize(
    ("unit", "per_unit"), [("um", 4), ("micron", 4), ("\\u00B5m", 4), ("nm", 0.004), ("cm", 40000)]
)
def test_imagej_pixel_size_in_any_unit(unit, per_unit):
    content = tiff(
        MOVIE, imagej=True, resolution=(per_unit, per_unit), metadata={"axes": "TYX", "unit": unit}
    )
    stack = read(content)
    assert (stack.pixel_size_um, stack.pixel_size_source) == (
        pytest.approx(0.25, rel=1e-4),
        "imagej",
    )


def test_imagej_pixels_without_unit_have_no_size():
    content = tiff(MOVIE, imagej=True, resolution=(1, 1), metadata={"axes": "TYX"})
    assert read(content).pixel_size_um is None


@pytest.mark.parametrize(("unit", "per_unit"), [("CENTIMETER", 20000), ("INCH", 50800)])
def test_plausible_resolution_tags_count(unit, per_unit):
    stack = read(plain_tiff(MOVIE, resolution=(per_unit, per_unit), resolutionunit=unit))
    assert (stack.pixel_size_um, stack.pixel_size_source) == (pytest.approx(0.5), "resolution")


def test_print_resolution_is_ignored_and_logged():
    stack = read(plain_tiff(MOVIE, resolution=(72, 72), resolutionunit="INCH"))
    assert stack.pixel_size_um is None
    assert "implausible" in stack.note


def test_png_resolution():
    stack = read(png(MOVIE[0], dpi=(25400 / 0.5, 25400 / 0.5)))
    assert (stack.pixel_size_um, stack.pixel_size_source) == (pytest.approx(0.5), "resolution")


def test_oblong_pixels_are_refused_beyond_one_percent():
    assert read(ome_size(0.5, 0.504)).pixel_size_um == 0.5
    assert "square" in refusal(ome_size(0.5, 0.51))


def test_stated_pixel_size_fills_the_gap():
    stack = read(plain_tiff(MOVIE), pixel_size_um=0.65)
    assert (stack.pixel_size_um, stack.pixel_size_source) == (0.65, "config")


def test_stated_pixel_size_that_contradicts_ome_is_refused_unless_tags_are_ignored():
    assert "0.325" in refusal(ome_size(0.325), pixel_size_um=0.65)
    stack = read(ome_size(0.325), pixel_size_um=0.65, ignore_pixel_size_tags=True)
    assert (stack.pixel_size_um, stack.pixel_size_source) == (0.65, "config")


def test_stated_pixel_size_overrides_weak_tags():
    content = plain_tiff(MOVIE, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    stack = read(content, pixel_size_um=0.65)
    assert stack.pixel_size_um == 0.65
    assert "overridden" in stack.note


@pytest.mark.parametrize("um", [0.0, -1.0, 650.0, float("nan"), float("inf")])
def test_stated_pixel_size_must_be_micrometres(um):
    assert "micrometres" in refusal(plain_tiff(MOVIE), pixel_size_um=um)


# --- the log ------------------------------------------------------------------------------------


def test_log_row_of_an_image_and_of_a_quarantined_file():
    row = describe_image(read(ome_size(0.325)))
    assert tuple(row) == INPUT_COLUMNS
    assert (row["pages"], row["height"], row["width"], row["status"]) == (5, 12, 17, "ok")
    bad = describe_image(QuarantinedFile("b.tif", "b.tif: is empty. Copy it again."))
    assert tuple(bad) == INPUT_COLUMNS
    assert (bad["status"], bad["message"][:6]) == ("quarantined", "b.tif:")


# --- real images --------------------------------------------------------------------------------


def test_every_real_field_is_read(real_data):
    paths = [*real_data.glob("neubias_h2b/**/*.tif"), *real_data.glob("ht29_field/*.tif")]
    images = [p for p in paths if "labels" not in p.name]
    assert len(images) >= 30
    for path in images:
        assert read_image(path, path.name).maximum > 0


def test_real_pixel_sizes(real_data):
    folder = real_data / "neubias_h2b"
    plk1 = read_image(folder / "xy_8bit__nuclei_PLK1_control.tif", "plk1")
    assert (plk1.pixel_size_um, plk1.pixel_size_source) == (pytest.approx(1 / 6.022167), "imagej")
    ht29 = next((real_data / "ht29_field").glob("*.tif"))
    assert read_image(ht29, "ht29").pixel_size_um is None  # 72 dpi
