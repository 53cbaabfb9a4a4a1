"""Fields of a bundle: good ones in order, bad ones and copies set aside with a reason."""

import shutil

import numpy as np
import pytest
import tifffile

from occamscope.store.fields import read_bundle
from occamscope.store.input_logs import inputs_table, nothing_usable, quarantine_copies

READING = {"axes": None, "channel": 0, "um_per_px": None, "ignore_pixel_size_tags": False}


@pytest.fixture
def folder(tmp_path):
    """a.tif and b.tif, which differ."""
    for k, name in enumerate("ab"):
        image = np.random.default_rng(k).integers(0, 999, (20, 24), dtype=np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    return tmp_path


def read(folder, *names, **reading):
    paths = [folder / name for name in names]
    return list(read_bundle(paths, READING | {"root": str(folder)} | reading))


def test_good_fields_come_in_order_with_what_they_are(folder):
    first, second = read(folder, "b.tif", "a.tif")
    assert (first.name, second.name) == ("b.tif", "a.tif")
    assert np.array_equal(second.stack.pages[0], tifffile.imread(folder / "a.tif"))
    assert second.row["status"] == "ok" and len(second.row["sha256"]) == 64


def test_names_are_relative_to_the_root(folder):
    (folder / "p1").mkdir()
    shutil.move(folder / "a.tif", folder / "p1/a.tif")
    assert read(folder, "p1/a.tif")[0].name == "p1/a.tif"


def test_reading_settings_reach_the_reader(folder):
    assert read(folder, "a.tif", um_per_px=0.5)[0].stack.pixel_size_um == 0.5
    assert "channel 3" in read(folder, "a.tif", channel=3)[0].row["message"]


def test_a_damaged_field_is_set_aside_and_the_next_is_read(folder):
    path = folder / "a.tif"
    path.write_bytes(path.read_bytes()[:300])
    bad, good = read(folder, "a.tif", "b.tif")
    assert bad.stack is None and bad.row["status"] == "quarantined"
    assert bad.row["message"].startswith("a.tif: ") and len(bad.row["sha256"]) == 64
    assert good.stack is not None


def test_a_copy_is_set_aside_and_names_its_original(folder):
    shutil.copy(folder / "a.tif", folder / "c.tif")
    _, _, copy = read(folder, "a.tif", "b.tif", "c.tif")
    assert copy.stack is None and "c.tif: is the same file as a.tif" in copy.row["message"]


def test_a_copy_of_a_damaged_field_is_not_called_a_copy(folder):
    (folder / "a.tif").write_bytes(b"II*\0 no more")
    shutil.copy(folder / "a.tif", folder / "c.tif")
    for field in read(folder, "a.tif", "c.tif"):
        assert field.stack is None and "same file" not in field.row["message"]


def test_a_field_that_is_gone_is_set_aside(folder):
    (field,) = read(folder, "gone.tif")
    assert "gone.tif: cannot be opened" in field.row["message"] and field.row["sha256"] == ""


def test_a_field_can_be_set_aside_after_it_was_read(folder):
    (field,) = read(folder, "a.tif")
    aside = field.set_aside("its mask is torn")
    assert aside.stack is None and aside.row["message"] == "a.tif: its mask is torn"
    assert aside.row["sha256"] == field.row["sha256"] and aside.row["pages"] is None


def test_the_log_writes_whole_numbers_beside_empty_cells(folder):
    (folder / "b.tif").write_bytes(b"")
    table = inputs_table([field.row for field in read(folder, "a.tif", "b.tif")])
    assert table.to_csv(columns=["file", "pages", "height"], index=False).splitlines() == [
        "file,pages,height",
        "a.tif,1,20",
        "b.tif,,",
    ]


def test_copies_across_bundles_are_found_in_the_logs(folder):
    shutil.copy(folder / "a.tif", folder / "c.tif")
    rows = [
        field.row for names in ("ab", "c") for field in read(folder, *(f"{n}.tif" for n in names))
    ]
    inputs, copies = quarantine_copies(inputs_table(rows))
    assert list(copies) == ["c.tif"] and "a.tif" in copies["c.tif"]
    assert list(inputs["status"]) == ["ok", "ok", "quarantined"]
    assert inputs["message"].iloc[2] == copies["c.tif"]


def test_files_that_could_not_be_read_are_no_copies_of_one_another(folder):
    rows = [read(folder, name)[0].row for name in ("gone.tif", "lost.tif")]
    assert quarantine_copies(inputs_table(rows))[1] == {}


def test_where_nothing_can_be_used_the_first_reasons_are_given(folder):
    rows = [read(folder, f"gone{k}.tif")[0].row for k in range(7)]
    message = nothing_usable(inputs_table(rows))
    assert "none of the 7" in message and "gone4.tif" in message and "gone5.tif" not in message
    assert message.endswith("and 2 more")
