"""The user's own images, in every form, through the real workflow to crops.h5."""

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

CROPS = "results/tiny/crops.h5"


def crops_config(path: Path, **more) -> dict:
    return {"input": {"kind": "crops", "crops": {"path": str(path)} | more}}


def collected(project) -> tuple[pd.DataFrame, np.ndarray]:
    """Table and images of crops.h5."""
    with h5py.File(project.root / CROPS) as file:
        texts = {name: file[name].asstr()[:] for name in ("source", "class_name", "group")}
        numbers = {name: file[name][:] for name in ("label", "frame", "object_label", "y", "x")}
        return pd.DataFrame(texts | numbers), file["images"][:]


def csv(project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.root / "results/tiny" / name, keep_default_na=False)


def save(path: Path, window: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.fromarray(window).save(path)
    else:
        tifffile.imwrite(path, window)


def write_folders(root: Path, user_crops) -> Path:
    """Class folders with 16-bit PNG and TIFF of 64 and of 80 px."""
    for size, windows in user_crops.items():
        for k, (name, window) in enumerate(windows[: 24 if size == 64 else 16]):
            save(root / name / f"{size}_{k:02d}{'.png' if k % 2 else '.tif'}", window)
    return root


def median_area(images: np.ndarray) -> float:
    """Of what is brighter than half the robust maximum."""
    return float(np.median((images > 98).sum((1, 2))))


@pytest.fixture(params=["folder", "zip"])
def class_folders(request, tmp_path, user_crops) -> Path:
    folder = write_folders(tmp_path / "crops", user_crops)
    if request.param == "folder":
        return folder
    with zipfile.ZipFile(tmp_path / "crops.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    return tmp_path / "crops.zip"


def test_class_folders_with_mixed_sizes_and_types(project, class_folders):
    project.snakemake(CROPS, **crops_config(class_folders))
    table, images = collected(project)
    assert images.shape[1:] == (64, 64) and images.dtype == np.uint8
    assert len(table) + len(csv(project, "quality.csv")) == len(csv(project, "inputs.csv")) == 40
    assert table["source"].str.endswith(".png").any() and table["source"].str.contains("80_").any()
    folder = table["source"].str.removeprefix("crops/").str.split("/").str[0]
    assert (folder == table["class_name"]).all()
    assert set(table["label"]) == {0, 1} and set(table["group"]) == {""}
    with h5py.File(project.root / CROPS) as file:
        assert file.attrs["scale_source"] == "median nucleus area" and "um_per_px" not in file.attrs
    large = table["source"].str.contains("80_").to_numpy()
    assert median_area(images[large]) == pytest.approx(median_area(images[~large]), rel=0.35)


def test_a_manifest_says_class_group_and_pixel_size(project, tmp_path, user_crops):
    rows = []
    for k, (name, window) in enumerate(user_crops[64][:16]):
        save(tmp_path / f"small/{k}.tif", window)
        rows.append((f"small/{k}.tif", name, f"plate {k % 4}", 0.65, 7))
        # The same nucleus under a stronger objective: twice the pixels in each direction.
        save(tmp_path / f"large scale/{k}.png", np.kron(window, np.ones((2, 2), np.uint16)))
        rows.append((f"large scale/{k}.png", "" if k == 3 else name, f"plate {k % 4}", 0.325, 8))
    columns = ["image", "phenotype", "well", "pixel_size_um", "frame"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "list.csv", index=False)
    save(tmp_path / "small/unlisted.tif", user_crops[64][20][1])
    names = {"file": "image", "label": "phenotype", "group": "well"}
    project.snakemake(CROPS, **crops_config(tmp_path / "list.csv", columns=names))
    table, images = collected(project)
    inputs = csv(project, "inputs.csv").set_index("file")
    assert inputs.loc["small/unlisted.tif", "status"] == "ignored"
    assert len(table) + len(csv(project, "quality.csv")) == 32 == (inputs["status"] == "ok").sum()
    assert set(table["group"]) == {f"plate {k}" for k in range(4)}
    assert set(table["frame"]) == {7, 8}
    assert table.set_index("source").loc["large scale/3.png", "label"] == -1
    # Both scales give the same picture.
    where = {name: k for k, name in enumerate(table["source"])}
    pairs = [(where[f"small/{k}.tif"], where[f"large scale/{k}.png"]) for k in range(16)
             if {f"small/{k}.tif", f"large scale/{k}.png"} <= set(where)]  # fmt: skip
    assert len(pairs) > 8
    small, large = (images[list(side)].astype(float) for side in zip(*pairs, strict=True))
    assert np.median(np.abs(small - large).mean((1, 2))) < 4


def write_screen(root: Path, plates) -> Path:
    """OME-TIFFs of two channels in folders of wells, masks beside, and a label table."""
    tables = []
    for k, plate in enumerate(plates[:4]):
        name = f"run1/well{k % 2}_site{k}.ome.tif"
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        other = np.full_like(plate.pages[0], 500)
        metadata = {"axes": "CYX", "PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65}
        tifffile.imwrite(path, np.stack([other, plate.pages[0]]), ome=True, metadata=metadata)
        mask = root / "masks" / f"run1/well{k % 2}_site{k}_cp_masks.tif"
        mask.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(mask, discs(plate))
        tables.append(plate.truth[["y", "x", "class"]].assign(file=Path(name).name))
    pd.concat(tables).to_csv(root / "labels.csv", index=False)
    return root


def discs(plate) -> np.ndarray:
    """A label image with a disc of the true area at the place of each nucleus, numbered by tens."""
    labels = np.zeros(plate.pages.shape[1:], np.uint16)
    rows, columns = np.indices(labels.shape)
    for k, row in enumerate(plate.truth.itertuples(), start=1):
        near = np.hypot(rows - row.y, columns - row.x) < np.sqrt(row.area_px / np.pi)
        labels[near & (labels == 0)] = 10 * k
    return labels


def test_fields_with_masks_labels_channels_and_groups(project, tmp_path, plates):
    root = write_screen(tmp_path / "screen", plates)
    broken = root / "masks/run1/well1_site3_cp_masks.tif"
    broken.write_bytes(broken.read_bytes()[:200])
    project.snakemake(
        CROPS,
        input={
            "kind": "fields",
            "bundle": 2,
            "fields": {
                "path": f"{root}/images/**/*.tif",
                "masks": f"{root}/masks/**/*.tif",
                "labels": str(root / "labels.csv"),
                "channel": 1,
                "group": r"(well\d+)_",
            },
        },
    )
    table, images = collected(project)
    inputs = csv(project, "inputs.csv").set_index("file")
    assert list(inputs["axes"][:3]) == ["CYX"] * 3 and set(inputs["pixel_size_source"]) == {
        "ome",
        "",
    }
    aside = inputs.loc["run1/well1_site3.ome.tif"]
    assert aside["status"] == "quarantined" and "well1_site3_cp_masks.tif" in aside["message"]
    assert set(table["source"]) == {f"run1/well{k % 2}_site{k}.ome.tif" for k in range(3)}
    assert set(table["group"]) == {"well0", "well1"}
    assert (table["object_label"] % 10 == 0).all() and (images.max((1, 2)) > 150).all()
    truth = pd.concat(plate.truth.assign(site=k) for k, plate in enumerate(plates[:3]))
    quality = csv(project, "quality.csv")
    assert len(table) + len(quality) == len(truth) + 1
    for k, row in table.iterrows():
        site = truth[truth["site"] == int(row["source"][-9])]
        nearest = np.hypot(site["y"] - row["y"], site["x"] - row["x"]).to_numpy().argmin()
        assert row["class_name"] == site["class"].iloc[nearest], k
