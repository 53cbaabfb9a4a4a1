"""Crops from class folders, zips and manifests; hostile and damaged archives; duplicates."""

import io
import stat
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from occamscope.errors import InputError
from occamscope.store import archives
from occamscope.store.crop_reading import describe_crop, iter_crops
from occamscope.store.crop_sources import list_crops
from occamscope.store.images import INPUT_COLUMNS
from occamscope.store.quarantine import QuarantinedFile, find_duplicates


def crop(seed: int) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels(seed))
    return stream.getvalue()


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(seed)).save(stream, "PNG")
    return stream.getvalue()


FILES = {
    "Meta/a10.tif": crop(0),
    "Meta/a2.tif": crop(1),
    "Inter/deep/b.png": png(2),
    "c.tif": crop(3),
}


def write_folder(root: Path, files=FILES) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_zip(path: Path, files=FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["folder", "zip"])
def store(request, tmp_path):
    """Writes files as a folder or as a zip and gives its path."""

    def write(files=FILES):
        if request.param == "folder":
            return write_folder(tmp_path / "crops", files)
        return write_zip(tmp_path / "crops.zip", files)

    return write


# --- listing ------------------------------------------------------------------------------------


def test_folders_are_classes_and_names_do_not_depend_on_the_form(store):
    listing = list_crops(
        store({**FILES, "notes.json": b"{}", ".DS_Store": b"", "Meta/._a2.tif": b""})
    )
    found = [(e.name, e.class_name) for e in listing.entries]
    assert found == [
        ("c.tif", None),
        ("Inter/deep/b.png", "Inter"),
        ("Meta/a2.tif", "Meta"),
        ("Meta/a10.tif", "Meta"),
    ]
    assert listing.ignored == ("notes.json",)


def test_crops_are_read_as_written(store):
    read = {entry.name: image for entry, image in iter_crops(list_crops(store()))}
    assert len(read) == 4
    np.testing.assert_array_equal(read["Inter/deep/b.png"], pixels(2))
    np.testing.assert_array_equal(read["Meta/a10.tif"], pixels(0))


def test_a_folder_around_everything_in_a_zip_is_no_class(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"all/Meta/a.tif": crop(0), "all/Inter/b.tif": crop(1)})
    assert {e.class_name for e in list_crops(path).entries} == {"Meta", "Inter"}


def test_several_zips_by_a_pattern_carry_their_name(tmp_path):
    write_zip(tmp_path / "one.zip", {"Meta/a.tif": crop(0)})
    write_zip(tmp_path / "two.zip", {"Meta/a.tif": crop(1), "readme.txt": b""})
    listing = list_crops(tmp_path / "*.zip")
    assert [e.name for e in listing.entries] == ["one.zip/Meta/a.tif", "two.zip/Meta/a.tif"]
    assert listing.ignored == ("two.zip/readme.txt",)
    images = [image for _, image in iter_crops(listing)]
    np.testing.assert_array_equal(images[1], pixels(1))


MANIFEST = (
    b"file,phenotype,label,plate,position,frame,x,y,pixel_size_um\n"
    b"Meta/a10.tif,M,Metaphase,p1,007,3,10.5,20,0.5\n"
    b"Meta/a2.tif,NA,NA,p1,8,4,11,21,\n"
    b"Inter/deep/b.png,I,,p2,9,,,,\n"
)


def test_manifest_gives_all_it_says_and_takes_no_word_for_a_blank(store):
    listing = list_crops(store({**FILES, "manifest.csv": MANIFEST}))
    blank, na, full = listing.entries
    assert (full.class_name, full.group, full.source) == ("Metaphase", "p1", "007")
    assert (full.frame, full.y, full.x, full.pixel_size_um) == (3, 20.0, 10.5, 0.5)
    assert (na.class_name, na.pixel_size_um) == ("NA", None)
    assert (blank.class_name, blank.group, blank.frame) == (None, "p2", None)
    assert listing.ignored == ("c.tif",)


def test_manifest_by_its_own_path_and_with_other_columns(tmp_path):
    folder = write_folder(tmp_path, {**FILES, "list.csv": MANIFEST})
    listing = list_crops(folder / "list.csv", columns={"label": "phenotype", "group": "position"})
    assert [(e.class_name, e.group) for e in listing.entries] == [
        ("I", "9"),
        ("NA", "8"),
        ("M", "007"),
    ]


def test_manifest_inside_the_folder_around_everything(tmp_path):
    files = {f"all/{n}": c for n, c in {**FILES, "manifest.csv": MANIFEST}.items()}
    entries = list_crops(write_zip(tmp_path / "a.zip", files)).entries
    assert entries[-1].name == "all/Meta/a10.tif"
    assert entries[-1].class_name == "Metaphase"


def test_manifest_naming_missing_files_lists_them_all(store):
    table = b"file,label\nMeta/a02.tif,M\nMeta/a2.tif,M\nnowhere.tif,M\n"
    with pytest.raises(InputError) as caught:
        list_crops(store({**FILES, "manifest.csv": table}))
    message = str(caught.value)
    assert "row 2, column 'file': 'Meta/a02.tif' is not there (nearest: 'Meta/a2.tif')" in message
    assert "row 4, column 'file': 'nowhere.tif' is not there" in message


def test_manifest_cannot_reach_outside_its_folder(tmp_path):
    write_folder(tmp_path, {"secret.tif": crop(0), "in/a.tif": crop(1)})
    (tmp_path / "in/m.csv").write_bytes(b"file,label\n../secret.tif,M\n/etc/passwd,M\na.tif,M\n")
    with pytest.raises(InputError, match="outside the folder") as caught:
        list_crops(tmp_path / "in/m.csv")
    assert "2 problems" in str(caught.value)


def test_group_pattern_fills_groups_that_no_manifest_names(store):
    entries = list_crops(store(), group_pattern=r"([a-z])\d*\.").entries
    assert [e.group for e in entries] == ["c", "b", "a", "a"]


def test_columns_without_a_manifest_are_refused(store):
    with pytest.raises(InputError, match="no manifest.csv"):
        list_crops(store(), columns={"label": "phenotype"})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "it is empty"),
        ({"Meta/a.jpg": b"x", "Meta/b.jpg": b"x"}, "2 of .jpg"),
        ({"one.zip": b"x"}, r"\*.zip"),
    ],
)
def test_a_folder_without_crops_says_what_is_there(tmp_path, files, says):
    with pytest.raises(InputError, match=says):
        list_crops(write_folder(tmp_path, files))


@pytest.mark.parametrize("name", ["gone", "gone.zip", "gone.csv", "gone/*.zip", "a.tif", "*.tif"])
def test_a_path_that_holds_no_crops_is_refused(tmp_path, name):
    write_folder(tmp_path, {"a.tif": crop(0)})
    with pytest.raises(InputError):
        list_crops(tmp_path / name)


# --- hostile and damaged archives ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../evil.tif",
        "Meta/../../evil.tif",
        "/etc/evil.tif",
        "C:\\evil.tif",
        "..\\evil.tif",
        "a\nb.tif",
    ],
)
def test_names_that_leave_the_archive_are_refused(tmp_path, name):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": crop(0), name: crop(1)})
    with pytest.raises(InputError, match="points outside the archive") as caught:
        list_crops(path)
    assert str(caught.value).startswith("a.zip: ")
    assert list(tmp_path.iterdir()) == [path]


def test_links_in_an_archive_are_refused(tmp_path):
    link = zipfile.ZipInfo("Meta/link.tif")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        list_crops(tmp_path / "a.zip")


def test_bomb_is_refused_by_its_announced_size(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": bytes(5000)})
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 4999)
    with pytest.raises(InputError, match="announces 5,000 bytes"):
        list_crops(path)


def test_many_members_are_refused_by_their_total(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", {f"Meta/{i}.tif": bytes(5000) for i in range(3)})
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 2**12)
    with pytest.raises(InputError, match="total"):
        list_crops(path)


def test_a_member_that_lies_about_its_size_is_quarantined(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": bytes(2**20), "Meta/b.tif": crop(1)})
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    content[place : place + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    bad, good = iter_crops(list_crops(path))
    assert bad.name == "Meta/a.tif"
    assert good[0].name == "Meta/b.tif"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_methods_without_a_bound_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("Meta/a.tif", crop(0))
    with pytest.raises(InputError, match="unusual method"):
        list_crops(tmp_path / "a.zip")


def test_encrypted_archives_are_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": crop(0)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="encrypted"):
        list_crops(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_in_an_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("Meta/a.tif", crop(0))
        archive.writestr("Meta/a.tif", crop(1))
    with pytest.raises(InputError, match="twice"):
        list_crops(tmp_path / "a.zip")


def test_an_archive_cut_off_anywhere_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip")
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="a.zip: is not a whole zip"):
            list_crops(path)


def test_any_flipped_byte_of_an_archive_gives_crops_or_messages(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": crop(0), "Meta/b.tif": crop(1)})
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            items = list(iter_crops(list_crops(path)))
        except InputError:
            continue
        for item in items:
            if not isinstance(item, QuarantinedFile):
                assert item[1].shape == (8, 8)


# --- quarantine ---------------------------------------------------------------------------------


def test_damaged_crops_are_handed_on_with_the_reason_and_none_is_lost(store):
    rgb, stack = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(rgb, np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(stack, np.zeros((5, 8, 8), np.uint8), metadata={"axes": "TYX"})
    bad = {
        "Meta/cut.tif": (crop(7)[:150], "cut off"),
        "Meta/empty.tif": (b"", "is empty"),
        "Meta/empty2.tif": (b"", "is empty"),
        "Meta/rgb.tif": (rgb.getvalue(), "colour"),
        "Meta/stack.tif": (stack.getvalue(), "5 pages"),
        "Meta/text.tif": (b"not an image", "another kind"),
    }
    items = list(iter_crops(list_crops(store({**FILES, **{n: c for n, (c, _) in bad.items()}}))))
    quarantined = {i.name: i.message for i in items if isinstance(i, QuarantinedFile)}
    assert len(items) == len(FILES) + len(bad)
    assert set(quarantined) == set(bad)
    for name, (_, says) in bad.items():
        assert quarantined[name].startswith(f"{name}: ")
        assert says in quarantined[name]


def test_a_damaged_member_is_quarantined(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"Meta/a.tif": crop(0), "Meta/b.tif": crop(1)})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    bad, good = iter_crops(list_crops(path))
    assert isinstance(bad, QuarantinedFile)
    assert "damaged inside its zip" in bad.message
    np.testing.assert_array_equal(good[1], pixels(1))


def test_second_copy_is_quarantined_naming_both_and_their_classes(store):
    items = list(iter_crops(list_crops(store({"Inter/a.tif": crop(0), "Meta/b.tif": crop(0)}))))
    assert items[0][0].name == "Inter/a.tif"
    assert items[1].name == "Meta/b.tif"
    assert all(word in items[1].message for word in ("Inter/a.tif", "Meta/b.tif", "classes differ"))


def test_find_duplicates_names_the_first_copy(tmp_path):
    write_folder(tmp_path, {"a.tif": crop(0), "b.tif": crop(1), "c.tif": crop(0)})
    items = [(n, tmp_path / n) for n in ("a.tif", "b.tif", "c.tif")] + [("d.tif", crop(1))]
    found = find_duplicates(items)
    assert [(f.name, f.message.split(",")[0]) for f in found] == [
        ("c.tif", "c.tif: is the same file as a.tif"),
        ("d.tif", "d.tif: is the same file as b.tif"),
    ]


# --- pixel size and log -------------------------------------------------------------------------


def test_pixel_size_comes_from_manifest_then_config(store):
    listing = list_crops(store({**FILES, "manifest.csv": MANIFEST}))
    sizes = [
        (e.pixel_size_um, e.pixel_size_source) for e, _ in iter_crops(listing, pixel_size_um=0.3)
    ]
    assert sizes == [(0.3, "config"), (0.3, "config"), (0.5, "manifest")]


def test_log_row_of_a_crop(store):
    entry, image = next(iter_crops(list_crops(store())))
    row = describe_crop(entry, image)
    assert tuple(row) == INPUT_COLUMNS
    assert (row["file"], row["axes"], row["pages"], row["status"]) == ("c.tif", "YX", 1, "ok")
    assert row["maximum"] == pixels(3).max()


# --- real data ----------------------------------------------------------------------------------


def test_mitocheck_crops(real_data):
    listing = list_crops(real_data / "mitocheck_h2b/crops.zip")
    counts = Counter(e.class_name for e in listing.entries)
    expected = {"Interphase": 269, "Prometaphase": 223, "Metaphase": 42, "Anaphase": 50}
    assert counts == {**expected, "Apoptosis": 189, None: 1180}
    assert len({e.group for e in listing.entries}) == 37
    assert listing.ignored == ()
    items = list(iter_crops(listing))
    assert not [i for i in items if isinstance(i, QuarantinedFile)]
    assert {image.shape for _, image in items} == {(64, 64)}


def test_mdck_crops(real_data):
    listing = list_crops(real_data / "mdck_h2b/*.zip")
    counts = Counter(e.class_name for e in listing.entries)
    assert counts["Interphase"] == 11
    assert sum(counts.values()) == 76
    assert len(listing.ignored) == 1  # the annotator's JSON
    assert sum(not isinstance(i, QuarantinedFile) for i in iter_crops(listing)) == 76
