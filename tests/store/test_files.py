"""Atomic writes, checksums, and round trips of every kind of file."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.store.atomic import atomic_path, write_text
from occamscope.store.checkpoints import load_checkpoint, save_checkpoint
from occamscope.store.crops import COLUMNS, CropSet, read_crops, read_pixels, write_crops
from occamscope.store.latents import Latents, read_latents, write_latents
from occamscope.store.provenance import (
    DamagedFileError,
    Provenance,
    read_meta,
    verify,
    writing_as,
)
from occamscope.store.tables import read_json, read_table, write_json, write_table
from occamscope.store.tensors import read_tensors, write_tensors


def make_crops(n=5, start=0):
    rng = np.random.default_rng(start)
    pixels = rng.integers(0, 256, (2, n, 64, 64)).astype(np.uint8)
    table = pd.DataFrame({name: np.zeros(n) for name in COLUMNS})
    table = table.astype({"label": int, "frame": int, "object_label": int})
    for name in ("class_name", "group", "source"):
        table[name] = "µ"
    table["crop_id"] = [f"{start + i:016x}" for i in range(n)]
    return CropSet(pixels[0], pixels[1], pixels[0] > 100, table, {})


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.txt", "a.txt.meta.json"]


def test_the_sidecar_names_who_wrote_a_file(tmp_path):
    with writing_as(Provenance("encode", "p", "c", 3, {"numpy": "2"})):
        write_text(tmp_path / "a.txt", "x")
    meta = read_meta(tmp_path / "a.txt")
    assert (meta["rule"], meta["params"], meta["code"], meta["seed"]) == ("encode", "p", "c", 3)


@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_damage_is_found_and_the_remedy_named(tmp_path, damage):
    path = tmp_path / "crops.h5"
    with writing_as(Provenance("collect_crops")):
        write_crops(path, [make_crops()], {})
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) // 2] if damage == "truncate" else data)
    with pytest.raises(DamagedFileError, match=r"crops\.h5.*--forcerun collect_crops"):
        read_crops(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DamagedFileError, match="nothing.csv"):
        verify(tmp_path / "nothing.csv")


def test_crops_come_back_as_written_in_parts(tmp_path):
    path = tmp_path / "crops.h5"
    parts = [make_crops(5), make_crops(3, start=5)]
    assert write_crops(path, parts, {"um_per_px": 0.65, "absent": None}) == 8
    back = read_crops(path)
    assert np.array_equal(back.images, np.concatenate([part.images for part in parts]))
    assert np.array_equal(back.masks, np.concatenate([part.masks for part in parts]))
    assert list(back.table["crop_id"]) == [f"{i:016x}" for i in range(8)]
    assert back.table["source"].iloc[0] == "µ" and back.attributes == {"um_per_px": 0.65}


def test_pixels_alone_are_guarded_by_hdf5(tmp_path):
    path = tmp_path / "crops.h5"
    crops = make_crops(300)
    write_crops(path, [crops], {})
    assert np.array_equal(read_pixels(path, "masks"), crops.masks)
    data = bytearray(path.read_bytes())
    data[data.index(crops.images[7].tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="crops.h5"):
        read_pixels(path)


def test_a_crop_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="twice"):
        write_crops(tmp_path / "crops.h5", [make_crops(), make_crops()], {})
    assert not (tmp_path / "crops.h5").exists()


def test_latents_are_joined_by_crop_id_not_by_row(tmp_path):
    ids = np.array(["a", "b", "c"], dtype=object)
    mean = np.arange(6, dtype=np.float32).reshape(3, 2)
    latents = Latents(mean, mean, mean[0], np.array([True, False]), ids)
    write_text(tmp_path / "crops.h5", "x")
    write_latents(tmp_path / "latents.h5", latents, tmp_path / "crops.h5")
    back = read_latents(tmp_path / "latents.h5", np.array(["c", "a"], dtype=object))
    assert back.mean.tolist() == [[4, 5], [0, 1]]
    assert back.codes.tolist() == [[4, 0], [0, 0]]
    with pytest.raises(InputError, match="forcerun encode"):
        read_latents(tmp_path / "latents.h5", np.array(["z"], dtype=object))


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_tables_keep_floats_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    write_table(path, pd.DataFrame({"v": values}))
    assert read_table(path)["v"].astype(float).tolist() == values


def test_tables_keep_ids_class_names_and_empty_cells(tmp_path):
    table = pd.DataFrame({"crop_id": ["0012", "1e5"], "name": ["NA", ""], "v": [1.5, np.nan]})
    write_table(tmp_path / "t.csv", table)
    back = read_table(tmp_path / "t.csv")
    assert back["crop_id"].tolist() == ["0012", "1e5"]
    assert back["name"].tolist() == ["NA", ""]
    assert back["v"].iloc[0] == 1.5 and np.isnan(back["v"].iloc[1])


def test_json_is_sorted_and_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": np.float64("nan"), "a": np.arange(2)})
    assert (tmp_path / "a.json").read_text().index('"a"') < 10
    assert read_json(tmp_path / "a.json") == {"a": [0, 1], "b": None}


def test_tensors_keep_dtype_shape_and_document(tmp_path):
    arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(7, np.int64)}
    write_tensors(tmp_path / "a.safetensors", arrays, {"seeds": [1, 2]})
    back, document = read_tensors(tmp_path / "a.safetensors")
    assert back["n"].shape == () and back["n"] == 7
    assert np.array_equal(back["w"], arrays["w"]) and document == {"seeds": [1, 2]}


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_tensors(tmp_path / name, {"x": np.ones(3), "y": np.zeros(2)}, {"k": 1, "j": 2})
        write_crops(tmp_path / f"{name}.h5", [make_crops()], {"k": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_damaged_checkpoint_is_said_and_ignored(tmp_path):
    said: list[str] = []
    save_checkpoint(tmp_path, {"x": np.ones(2)}, {"step": 3})
    assert load_checkpoint(tmp_path)[1] == {"step": 3}
    (tmp_path / "state.safetensors").write_bytes(b"half")
    assert load_checkpoint(tmp_path, said.append) is None and "afresh" in said[0]
    assert load_checkpoint(tmp_path / "none") is None


def test_sidecars_are_valid_json(tmp_path):
    write_json(tmp_path / "a.json", 1)
    assert set(json.loads((tmp_path / "a.json.meta.json").read_text())) >= {"sha256", "rule"}
