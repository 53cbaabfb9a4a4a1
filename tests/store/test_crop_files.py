"""The files behind crop inputs: all that, when changed, must make the crops anew."""

import pytest

from occamscope.errors import InputError
from occamscope.store.crop_files import crop_files


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root, path):
    return [item.relative_to(root).as_posix() for item in crop_files(str(path))]


def test_class_folders_give_their_images_in_natural_order(tmp_path):
    touch(tmp_path, "m/c10.tif", "m/c2.TIF", "i/deep/b.png", "notes.txt", ".hidden/x.tif")
    assert names(tmp_path, tmp_path) == ["i/deep/b.png", "m/c2.TIF", "m/c10.tif"]


def test_a_manifest_in_the_folder_counts(tmp_path):
    touch(tmp_path, "m/a.tif", "manifest.csv", "other.csv")
    assert names(tmp_path, tmp_path) == ["m/a.tif", "manifest.csv"]


def test_a_manifest_by_name_comes_with_the_images_beside_it(tmp_path):
    touch(tmp_path, "list.csv", "x/a.tif", "x/b.png")
    assert names(tmp_path, tmp_path / "list.csv") == ["list.csv", "x/a.tif", "x/b.png"]


def test_a_zip_and_a_pattern_of_zips(tmp_path):
    touch(tmp_path, "b10.zip", "b9.zip", "a.tif")
    assert names(tmp_path, tmp_path / "b9.zip") == ["b9.zip"]
    assert names(tmp_path, tmp_path / "*.zip") == ["b9.zip", "b10.zip"]


def test_linked_folders_are_followed_as_in_the_listing(tmp_path):
    touch(tmp_path / "store", "a.tif")
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops/meta").symlink_to(tmp_path / "store")
    assert names(tmp_path, tmp_path / "crops") == ["crops/meta/a.tif"]


@pytest.mark.parametrize("path", ["empty", "gone", "gone.zip", "*.zip", "gone.csv"])
def test_nothing_there_is_refused_with_the_forms_that_work(tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="class folders, a zip of one, or a manifest") as caught:
        crop_files(str(tmp_path / path))
    assert path in str(caught.value)
