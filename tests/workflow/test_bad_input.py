"""Bad input through the real workflow: one clear message or quarantine, and nothing is lost."""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

CROPS = "results/tiny/crops.h5"
SPLIT = "results/tiny/split/fold-0.csv"


def fields(user, bundle=3, **more) -> dict:
    paths = {"path": str(user.folder), "labels": str(user.labels)}
    return {"input": {"kind": "fields", "bundle": bundle, "fields": paths | more}}


def crops(path: Path, **more) -> dict:
    return {"input": {"kind": "crops", "crops": {"path": str(path)} | more}}


def refusal(project, *arguments: str, **config) -> str:
    """What the workflow says when it stops: one message, however often it is printed."""
    status, text = project.attempt(*arguments, **config)
    assert status != 0, text[-3000:]
    assert "Traceback" not in text, text[-3000:]
    said = set(re.findall(r"ERROR: ((?:.+)(?:\n  .*)*)", text))
    assert len(said) == 1, text[-3000:]
    return said.pop()


def table(project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.root / "results/tiny" / name, keep_default_na=False)


def kept(project) -> pd.DataFrame:
    """Table of the crops in crops.h5, read without the project's own code."""
    import h5py

    with h5py.File(project.root / CROPS) as file:
        names = ("source", "class_name", "group")
        return pd.DataFrame({name: file[name].asstr()[:] for name in names})


def write_crops(folder: Path, windows) -> Path:
    for name, window in windows:
        (folder / name).mkdir(parents=True, exist_ok=True)
        number = len(list((folder / name).iterdir()))
        tifffile.imwrite(folder / name / f"{number:03d}.tif", window)
    return folder


# --- damaged files among good ones ----------------------------------------------------------------


def spoil_fields(folder: Path) -> dict[str, str]:
    """Add bad files to good ones; returns what must be said about each."""
    good = (folder / "plate_0.tif").read_bytes()
    pixels = tifffile.imread(folder / "plate_0.tif")
    (folder / "a_truncated.tif").write_bytes(good[: len(good) // 2])
    tifffile.imwrite(folder / "b_rgb.tif", np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    holed = pixels.astype(np.float32)
    holed[5, 7] = np.nan
    tifffile.imwrite(folder / "c_nan.tif", holed)
    shutil.copy(folder / "plate_1.tif", folder / "plate_1_again.tif")  # in the same bundle
    shutil.copy(folder / "plate_0.tif", folder / "z_copy.tif")  # in another one
    tifffile.imwrite(folder / "y_tiny.tif", pixels[:10, :10] + 1)
    (folder / "x_text.tif").write_text("no image")
    return {
        "a_truncated.tif": "Copy or export",
        "b_rgb.tif": "Split Channels",
        "c_nan.tif": "Fill them",
        "plate_1_again.tif": "same file as plate_1.tif",
        "z_copy.tif": "same file as plate_0.tif",
        "y_tiny.tif": "16 x 16",
        "x_text.tif": "Export it as greyscale",
    }


def test_bad_fields_are_set_aside_and_the_run_goes_on(project, user_fields):
    for k in (3, 4, 5):
        (user_fields.folder / f"plate_{k}.tif").unlink()
    labels = pd.read_csv(user_fields.labels)
    labels[labels["file"] < "plate_3"].to_csv(user_fields.labels, index=False)
    expected = spoil_fields(user_fields.folder)
    status, text = project.attempt(CROPS, **fields(user_fields))
    assert status == 0 and "Traceback" not in text, text[-3000:]
    inputs = table(project, "inputs.csv").set_index("file")
    aside = inputs[inputs["status"] == "quarantined"]
    assert set(aside.index) == set(expected) and len(inputs) == 10
    for name, remedy in expected.items():
        assert name in aside.loc[name, "message"] and remedy in aside.loc[name, "message"]
    assert (inputs.loc["plate_0.tif", ["axes", "dtype", "pages"]] == ["YX", "uint16", "1"]).all()
    quality, crops_kept = table(project, "quality.csv"), kept(project)
    objects = pd.concat(
        pd.read_csv(path) for path in project.root.glob("results/tiny/segmentation/*_objects.csv")
    )
    unread = set(expected) - {"z_copy.tif"}  # whose nuclei are listed one by one
    assert len(crops_kept) + len(quality) == len(objects) + len(unread)
    assert unread <= set(quality["source"])
    copied = quality[quality["source"] == "z_copy.tif"]
    assert len(copied) == (objects["file"] == "z_copy.tif").sum() > 0
    assert set(crops_kept["source"]) == {f"plate_{k}.tif" for k in range(3)}
    assert "median nucleus area" in (project.root / "results/tiny/scale.json").read_text()


def spoil_crops(folder: Path) -> dict[str, str]:
    good = (folder / "metaphase/000.tif").read_bytes()
    pixels = tifffile.imread(folder / "metaphase/000.tif")
    (folder / "metaphase/truncated.tif").write_bytes(good[: len(good) // 2])
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "interphase/rgb.png")
    tifffile.imwrite(folder / "interphase/nan.tif", np.full((64, 64), np.nan, np.float32))
    (folder / "interphase/copy.tif").write_bytes(good)
    tifffile.imwrite(folder / "metaphase/small.tif", pixels[:9, :9])
    tifffile.imwrite(folder / "metaphase/movie.tif", np.stack([pixels, pixels[::-1]]))
    tifffile.imwrite(folder / "metaphase/black.tif", np.zeros((64, 64), np.uint16))
    (folder / "notes.txt").write_text("taken on a Monday")
    return {
        "metaphase/truncated.tif": "Copy or export",
        "interphase/rgb.png": "Split Channels",
        "interphase/nan.tif": "Fill them",
        "metaphase/000.tif": "classes differ: interphase there, metaphase here",
        "metaphase/small.tif": "16 x 16",
        "metaphase/movie.tif": "Save the pages",
    }


def test_bad_crops_are_set_aside_and_the_run_goes_on(project, user_crops, tmp_path):
    folder = write_crops(tmp_path / "crops", user_crops[64])
    expected = spoil_crops(folder)
    status, text = project.attempt(CROPS, **crops(folder))
    assert status == 0 and "Traceback" not in text, text[-3000:]
    inputs = table(project, "inputs.csv").set_index("file")
    assert set(inputs.index[inputs["status"] == "quarantined"]) == set(expected)
    assert list(inputs.index[inputs["status"] == "ignored"]) == ["notes.txt"]
    for name, remedy in expected.items():
        message = inputs.loc[name, "message"]
        assert name in message and remedy in message
    quality = table(project, "quality.csv").set_index("source")
    assert len(kept(project)) + len(quality) == len(user_crops[64]) + 7
    assert quality.loc["metaphase/black.tif", "reason"] == "empty"


def test_where_all_fields_are_bad_the_reasons_are_named(project, tmp_path, user_fields):
    for path in user_fields.folder.glob("*.tif"):
        path.write_bytes(path.read_bytes()[:3000])
    said = refusal(project, CROPS, **fields(user_fields, bundle=4))
    assert "none of the 6 input images" in said and "plate_0.tif: " in said and "1 more" in said
    assert "Copy or export the file again" in said


def test_where_all_crops_are_bad_the_reasons_are_named(project, tmp_path):
    for name in ("interphase", "metaphase"):
        (tmp_path / "crops" / name).mkdir(parents=True)
        (tmp_path / "crops" / name / "a.tif").write_bytes(b"")
    said = refusal(project, CROPS, **crops(tmp_path / "crops"))
    assert "none of the 2 input images" in said and "metaphase/a.tif: is empty" in said


# --- refused before any work ----------------------------------------------------------------------


def test_wrong_keys_and_types_are_named_in_one_message(project):
    said = refusal(project, "-n", networks={"sedes": 3, "steps": "many"}, crops={"mask": [1]})
    assert "networks.sedes; did you mean networks.seeds?" in said
    assert "networks.steps is 'many'" in said and "crops.mask" in said and "\n" not in said


def empty_folder(user):
    for path in user.folder.iterdir():
        path.unlink()
    return {}


def missing_file_in_table(user):
    text = user.labels.read_text().replace("plate_3.tif", "plate_33.tif")
    user.labels.write_text(text)
    return {}


def missing_mask(user):
    masks = user.labels.with_name("masks")
    masks.mkdir()
    for path in list(user.folder.iterdir())[1:]:
        shutil.copy(path, masks / path.name)
    return {"masks": str(masks)}


def braces(user):
    shutil.move(user.folder / "plate_5.tif", user.folder / "plate_{5}.tif")
    return {}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty_folder, ["plates", "it is empty", "Put .tif"]),
        (missing_file_in_table, ["labels.csv", "'plate_33.tif' is not there", "'plate_3.tif'"]),
        (missing_mask, ["masks", "1 fields", "Name each mask as its field"]),
        (braces, ["plate_{5}.tif", "braces", "Rename it"]),
        (lambda user: {"labels": "no.csv"}, ["no.csv", "cannot be opened", "Check the path"]),
        (lambda user: {"group": "(well)"}, ["plate_0.tif", "'(well)' does not occur"]),
    ],
    ids=["empty folder", "label table", "mask", "braces", "no label table", "group"],
)
def test_fields_are_refused_before_any_work(project, user_fields, spoil, words):
    said = refusal(project, "-n", **fields(user_fields, **spoil(user_fields)))
    assert all(word in said for word in words), said
    assert not (project.root / "results/tiny").exists()


def test_a_folder_without_crops_is_refused(project, tmp_path):
    (tmp_path / "nothing").mkdir()
    said = refusal(project, "-n", **crops(tmp_path / "nothing"))
    assert "nothing" in said and "class folders" in said


def test_labels_outside_their_image_are_refused(project, user_fields):
    table = pd.read_csv(user_fields.labels)
    table.loc[4, "y"] = 4000.0
    table.to_csv(user_fields.labels, index=False)
    said = refusal(project, CROPS, **fields(user_fields, bundle=6))
    assert "row 6, column 'y': 4000 lies outside 'plate_0.tif' (0 to 255)" in said


def test_crops_with_and_without_a_pixel_size_are_refused(project, user_crops, tmp_path):
    folder = write_crops(tmp_path / "crops", user_crops[64][:6])
    name, window = user_crops[64][6]
    tags = {"resolution": (1 / 0.65, 1 / 0.65), "metadata": {"unit": "um"}}
    tifffile.imwrite(folder / name / "sized.tif", window, imagej=True, **tags)
    said = refusal(project, CROPS, **crops(folder))
    assert "1 files have a pixel size and 6 have none" in said and "crops.um_per_px" in said


# --- hostile and damaged archives -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("corrupt", ["crops.zip", "not a whole zip", "Copy it again"]),
        ("traversal", ["crops.zip", "'../evil.tif' points outside", "anew"]),
    ],
)
def test_a_bad_zip_is_refused(project, user_crops, tmp_path, kind, words):
    path = tmp_path / "crops.zip"
    folder = write_crops(tmp_path / "crops", user_crops[64][:4])
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.tif")):
            archive.write(file, file.relative_to(folder))
        if kind == "traversal":
            archive.writestr("../evil.tif", b"x")
    if kind == "corrupt":
        path.write_bytes(path.read_bytes()[:-30])
    said = refusal(project, CROPS, **crops(path))
    assert all(word in said for word in words), said
    assert not list(tmp_path.rglob("evil.tif"))


# --- too little to learn from ---------------------------------------------------------------------


def test_one_class_only_is_refused(project, user_crops, tmp_path):
    windows = [("Metaphase", window) for name, window in user_crops[64] if name == "metaphase"]
    folder = write_crops(tmp_path / "crops", windows)
    said = refusal(project, CROPS, **crops(folder), task={"negative": "Interphase"})
    assert "no nucleus has the class Interphase" in said and "task.negative" in said


def test_fewer_cells_than_a_split_needs_are_refused(project, user_crops, tmp_path):
    rare = [item for item in user_crops[64] if item[0] == "metaphase"][:2]
    common = [item for item in user_crops[64] if item[0] == "interphase"]
    folder = write_crops(tmp_path / "crops", rare + common)
    said = refusal(project, SPLIT, **crops(folder))
    assert "crops.h5" in said and "class metaphase has 2 cells" in said and "add cells" in said
    assert len(kept(project)) + len(table(project, "quality.csv")) == len(rare + common)
