"""Listing fields, finding their masks, and groups from names."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.store.sources import (
    group_of,
    input_root,
    list_fields,
    match_masks,
    natural_key,
    relative_name,
)


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"II*\0")
    return [folder / name for name in names]


def names_of(paths, folder):
    return [p.relative_to(folder).as_posix() for p in paths]


def test_fields_come_in_natural_order_whatever_their_ending(tmp_path):
    touch(tmp_path, "t10.tif", "t2.TIF", "t1.ome.tif", "t3.tiff", "notes.txt", "a.png", "._t1.tif")
    assert names_of(list_fields(tmp_path), tmp_path) == [
        "t1.ome.tif",
        "t2.TIF",
        "t3.tiff",
        "t10.tif",
    ]


def test_glob_goes_into_folders_and_names_start_below_its_fixed_part(tmp_path):
    touch(tmp_path, "p2/a.tif", "p10/a.tif", "p2/b.tif", "top.tif")
    pattern = f"{tmp_path}/p*/a.tif"
    root = input_root(pattern)
    assert root == tmp_path
    assert [relative_name(p, root) for p in list_fields(pattern)] == ["p2/a.tif", "p10/a.tif"]


def test_one_file_and_a_folder_with_brackets_are_taken_literally(tmp_path):
    (one,) = touch(tmp_path, "plate[1]/a.tif")
    assert list_fields(one) == [one]
    assert list_fields(one.parent) == [one]
    assert input_root(one) == input_root(one.parent) == one.parent


def test_relative_patterns_work(tmp_path, monkeypatch):
    touch(tmp_path, "a.tif", "b.tif")
    monkeypatch.chdir(tmp_path)
    assert [relative_name(p, input_root("*.tif")) for p in list_fields("*.tif")] == [
        "a.tif",
        "b.tif",
    ]


def test_masks_beside_their_field_are_no_fields(tmp_path):
    touch(tmp_path, "a.tif", "a_cp_masks.tif", "b.tif", "b.label.tif", "c_masks.tif")
    assert names_of(list_fields(tmp_path), tmp_path) == ["a.tif", "b.tif", "c_masks.tif"]


@pytest.mark.parametrize(
    ("present", "path", "says"),
    [
        ([], "", "it is empty"),
        (["a.czi", "b.czi", "c.jpg"], "", "2 of .czi, 1 of .jpg"),
        (["in/a.tif"], "", r"/\*\*/\*.tif"),
        ([], "gone", "no such folder"),
        (["a.tif"], "*.png", "no file matches"),
    ],
)
def test_no_field_is_one_message_with_the_remedy(tmp_path, present, path, says):
    touch(tmp_path, *present)
    target = tmp_path / path
    with pytest.raises(InputError, match=says) as caught:
        list_fields(target)
    assert str(target) in str(caught.value)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="/\0"), max_size=6)))
def test_natural_order_does_not_depend_on_the_order_found(names):
    found = names[::-1]
    assert sorted(names, key=natural_key) == sorted(found, key=natural_key)


@pytest.mark.parametrize("suffix", ["", "_masks", "_cp_masks", "_labels", ".label"])
@pytest.mark.parametrize("ending", [".tif", ".png", ".ome.tif"])
def test_masks_are_found_by_stem_and_suffix(tmp_path, suffix, ending):
    fields = touch(tmp_path / "images", "a1.ome.tif", "a10.tif")
    masks = touch(tmp_path / "masks", f"a1{suffix}{ending}", f"a10{suffix}{ending}")
    assert match_masks(fields, tmp_path / "masks") == dict(zip(fields, masks, strict=True))


def test_masks_in_the_fields_own_folder(tmp_path):
    field, mask = touch(tmp_path, "a.tif", "a_masks.tif")
    assert match_masks(list_fields(tmp_path), tmp_path) == {field: mask}


def test_equal_names_in_several_folders_are_told_apart(tmp_path):
    fields = touch(tmp_path / "i", "p1/a.tif", "p2/a.tif")
    masks = touch(tmp_path / "m", "p1/a.tif", "p2/a.tif")
    assert match_masks(fields, f"{tmp_path}/m/**/*.tif") == dict(zip(fields, masks, strict=True))


def test_missing_and_ambiguous_masks_are_listed_at_once(tmp_path):
    fields = touch(tmp_path / "i", "a.tif", "b.tif", "c.tif", "d.tif")
    touch(tmp_path / "m", "a.tif", "b.tif", "b_masks.tif")
    with pytest.raises(InputError) as caught:
        match_masks(fields, tmp_path / "m")
    message = str(caught.value)
    assert "3 fields" in message
    assert all(text in message for text in ("c.tif: none", "d.tif: none", "b.tif: several"))


def test_a_field_is_not_its_own_mask(tmp_path):
    fields = touch(tmp_path, "a.tif")
    with pytest.raises(InputError, match="a.tif: none"):
        match_masks(fields, tmp_path)


def test_group_is_the_file_itself_or_what_the_pattern_finds():
    assert group_of("p1/a.ome.tif") == "p1/a" != group_of("p2/a.ome.tif")
    assert group_of("Meta/PLLT0030_17_P00184_T00035.tif", r"(PLLT\d+_\d+)_") == "PLLT0030_17"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "Correct the config"),
        ("a", "0 groups"),
        ("(a)(b)", "2 groups"),
        ("(z+)", "not occur"),
        ("(z*)", "not occur"),
    ],
)
def test_bad_group_patterns_are_refused(pattern, says):
    with pytest.raises(InputError, match=says):
        group_of("p1/a.tif", pattern)


def test_listing_needs_the_standard_library_alone():
    """The Snakefile's environment holds Snakemake, not numpy."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('numpy', 'pandas', 'tifffile', 'PIL')));"
        "import occamscope.store.sources, occamscope.store.crop_sources as c; print(c.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "occamscope.store.crop_sources"
