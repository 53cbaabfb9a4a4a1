"""Damaged, hostile and unsuitable image files: one message each, and no memory wasted."""

import contextlib
import io
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from occamscope.errors import InputError
from occamscope.store.images import read_image

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


@pytest.mark.parametrize(
    "content",
    [
        tiff(MOVIE, metadata={"axes": "TYX"}),
        plain_tiff(MOVIE, compression="lzw"),
        plain_tiff(MOVIE, compression="zlib", rowsperstrip=5, bigtiff=True),
        plain_tiff(MOVIE, tile=(16, 16)),
        tiff(MOVIE, ome=True, metadata={"axes": "TYX"}),
        tiff(MOVIE, imagej=True, metadata={"axes": "TYX"}),
        png(MOVIE[0]),
    ],
    ids=["plain", "lzw", "deflate_strips_big", "tiles", "ome", "imagej", "png"],
)
def test_a_file_cut_off_anywhere_is_refused(content):
    for length in [*range(0, len(content) - 1, max(1, len(content) // 150))]:
        try:
            stack = read(content[:length])
        except InputError as error:
            assert str(error).startswith("plate1/cell.tif: ")
        else:  # only padding or a vendor's tag was lost: every pixel must be there
            np.testing.assert_array_equal(stack.pages, read(content).pages)
            assert length > 0.9 * len(content)


def test_a_stack_without_its_last_pages_is_refused():
    content = plain_tiff(MOVIE, compression="lzw")
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        last = tif.pages[4].offset
    assert "cut off" in refusal(content[:last])


def test_imagej_stack_that_announces_more_planes_than_it_holds_is_refused():
    content = plain_tiff(MOVIE, description="ImageJ=1.53c\nimages=9\nframes=9\n")
    assert "planes" in refusal(content)


def test_ome_with_a_missing_plane_is_refused():
    content = tiff(MOVIE, ome=True, metadata={"axes": "TYX"})
    assert "planes" in refusal(content.replace(b'SizeT="5"', b'SizeT="7"'))


def test_missing_strip_is_refused():
    content = bytearray(plain_tiff(MOVIE[0], compression="zlib", rowsperstrip=6))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tif:
        place = tif.pages[0].tags["StripOffsets"].valueoffset
    content[place : place + 4] = b"\0\0\0\0"
    assert "missing" in refusal(bytes(content))


def test_terabyte_header_is_refused_before_memory_is_set_aside():
    content = bytearray(plain_tiff(MOVIE[0], compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tif:
        places = [tif.pages[0].tags[t].valueoffset for t in ("ImageWidth", "ImageLength")]
        kinds = [tif.pages[0].tags[t].offset + 2 for t in ("ImageWidth", "ImageLength")]
    for place, kind in zip(places, kinds, strict=True):
        content[kind : kind + 2] = struct.pack("<H", 4)
        content[place : place + 4] = struct.pack("<I", 1_000_000)
    assert "1,000,000,000,000 pixels" in refusal(bytes(content))


def test_terabyte_png_header_is_refused():
    content = bytearray(png(MOVIE[0]))
    content[16:24] = struct.pack(">II", 1_000_000, 1_000_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    assert "1000000 x 1000000" in refusal(bytes(content))


def test_metadata_cannot_ask_for_a_terabyte():
    content = plain_tiff(
        MOVIE[0], description='{"shape": [1000000, 1000000]}', software="tifffile.py"
    )
    np.testing.assert_array_equal(read(content).pages[0], MOVIE[0])
    content = plain_tiff(MOVIE[0], description="ImageJ=1.53c\nimages=999999999\nframes=999999999\n")
    refusal(content)


def test_strip_that_unpacks_to_more_than_its_size_takes_no_memory():
    """1 GiB of zeros, made without ever holding it, in a strip of 408 bytes."""
    packer = zlib.compressobj(1)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(2**10)) + packer.flush()
    content = plain_tiff(MOVIE[0], compression="zlib")
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        tags = tif.pages[0].tags
    bombed = bytearray(content)
    for name, value in (("StripOffsets", len(content)), ("StripByteCounts", len(bomb))):
        bombed[tags[name].offset + 2 : tags[name].offset + 4] = struct.pack("<H", 4)
        bombed[tags[name].offset + 8 : tags[name].offset + 12] = struct.pack("<I", value)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(InputError):
        assert read(bytes(bombed) + bomb).pages.nbytes == MOVIE[0].nbytes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_max_pixels_counts_all_pages():
    assert "allowed" in refusal(plain_tiff(MOVIE), max_pixels=MOVIE.size - 1)
    assert read(plain_tiff(MOVIE), max_pixels=MOVIE.size).pages.shape == MOVIE.shape


RGB = RNG.integers(0, 255, (8, 9, 3), dtype=np.uint8)
COLOURS = {
    "rgb_tiff": tiff(RGB, photometric="rgb"),
    "rgb_planar": tiff(np.moveaxis(RGB, 2, 0).copy(), photometric="rgb", planarconfig=2),
    "rgb_png": png(RGB),
    "rgba_png": png(np.dstack([RGB, RGB[..., :1]])),
    "grey_alpha_png": png(RGB[..., :2].copy()),
}


@pytest.mark.parametrize("content", COLOURS.values(), ids=COLOURS.keys())
def test_colour_is_refused_with_the_remedy(content):
    assert "Split Channels" in refusal(content)


def test_indexed_and_inverted_images_are_refused():
    palette = Image.fromarray(MOVIE[0].astype(np.uint8)).convert("P")
    stream = io.BytesIO()
    palette.save(stream, "PNG")
    assert "indexed" in refusal(stream.getvalue())
    assert "inverted" in refusal(tiff(MOVIE[0], photometric="miniswhite"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_no_number_is_refused(value):
    pixels = np.ones((6, 6), dtype=np.float32)
    pixels[2, 3] = value
    assert "1 pixels are NaN or infinite" in refusal(plain_tiff(pixels))


def test_a_double_beyond_single_precision_is_refused():
    refusal(plain_tiff(np.full((4, 4), 1e300)))


@pytest.mark.parametrize("dtype", [np.int32, np.int16, np.uint32, np.complex64, np.int8, bool])
def test_other_number_types_are_refused(dtype):
    assert "type" in refusal(plain_tiff(np.ones((4, 4), dtype=dtype)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0 something", "a JPEG"),
        (b"PK\x03\x04 and so on", "a zip"),
        (b"<html>not found</html>", "another kind"),
        (b"II*\0", "cut off"),
        (b"II*\0\0\0\0\0", "holds no page"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
    ],
)
def test_what_is_no_image_is_named(content, says):
    assert says in refusal(content)


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "gone.tif", tmp_path):
        with pytest.raises(InputError, match="x.tif: cannot be opened"):
            read_image(path, "x.tif")


def test_endless_chain_of_pages_is_refused():
    content = bytearray(plain_tiff(MOVIE[0]))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tif:
        page = tif.pages[0]
        following = page.offset + 2 + 12 * len(page.tags)
        content[following : following + 4] = struct.pack("<I", page.offset)
    assert "never ends" in refusal(bytes(content))


def test_images_of_different_shapes_in_one_file_are_refused():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(MOVIE[0], metadata=None)
        writer.write(MOVIE[0, :5], metadata=None)
    assert "2 images" in refusal(stream.getvalue())


def test_part_of_a_many_file_ome_is_refused_and_no_neighbour_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("other.tif").write_bytes(tiff(MOVIE, ome=True, metadata={"axes": "TYX"}))
    planes = (
        '<TiffData IFD="0" PlaneCount="5"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>'
    )
    xml = OME_TEMPLATE.replace("TIFFDATA", planes)
    Path("one.tif").write_bytes(plain_tiff(MOVIE, description=xml))
    assert "several files" in refusal(Path("one.tif"))


@pytest.mark.parametrize("attribute", ["PlaneCount", "IFD", "FirstT"])
def test_ome_cannot_ask_for_a_billion_planes(attribute):
    xml = OME_TEMPLATE.replace("TIFFDATA", f'<TiffData {attribute}="999999999"/>')
    assert "999,999,999 planes" in refusal(plain_tiff(MOVIE, description=xml))


def test_ome_sizes_count_before_memory_is_set_aside():
    xml = OME_TEMPLATE.replace("TIFFDATA", '<TiffData IFD="0"/>')
    long = plain_tiff(MOVIE, description=xml.replace('SizeT="5"', 'SizeT="99999"'))
    assert "20,399,796 values" in refusal(long, max_pixels=10**6)
    deep = xml.replace('SizeT="5"', 'SizeT="99999"').replace('SizeZ="1"', 'SizeZ="99999"')
    assert "9,999,800,001 planes" in refusal(plain_tiff(MOVIE, description=deep))


OME_TEMPLATE = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
    'UUID="urn:uuid:2"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
    'Type="uint16" SizeX="17" SizeY="12" SizeC="1" SizeZ="1" SizeT="5">TIFFDATA</Pixels></Image>'
    "</OME>"
)


def test_document_type_in_ome_is_refused():
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><OME>&a;</OME>'
    assert "document type" in refusal(plain_tiff(MOVIE[0], description=bomb))


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_an_image_or_one_message(data):
    """Whatever is flipped in the directories, nothing but InputError comes out."""
    content = bytearray(data.draw(st.sampled_from(FUZZED)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        stack = read(bytes(content), max_pixels=2**16)
    except InputError as error:
        assert str(error).startswith("plate1/cell.tif: ")
    else:
        assert stack.pages.ndim == 3


SMALL = MOVIE[:2, :6, :7]
FUZZED = [
    plain_tiff(SMALL, compression="lzw"),
    plain_tiff(SMALL, rowsperstrip=2),
    tiff(SMALL, imagej=True, metadata={"axes": "TYX"}),
    tiff(SMALL, ome=True, metadata={"axes": "TYX"}),
    tiff(SMALL, metadata={"axes": "TYX"}, tile=(16, 16), compression="zlib"),
    png(SMALL[0]),
]
