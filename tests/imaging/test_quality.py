import numpy as np
import pytest

from occamscope.imaging.crop import ObjectCrops
from occamscope.imaging.quality import QualitySettings, exclude_crops

GOOD = {"area_px": 500, "saturated": 0.0, "contrast_to_noise": 20.0, "touches_border": False}


def crops(*changes):
    rows = [GOOD | change for change in changes]
    n, pictures = len(rows), np.zeros((len(rows), 64, 64), np.uint8)
    rest = {name: np.zeros(n) for name in ("y", "x", "intensity_scale", "background", "padding")}
    measured = {name: np.array([row[name] for row in rows]) for name in GOOD}
    return ObjectCrops(pictures, pictures, pictures > 0, np.arange(n), **rest, **measured)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"area_px": 0}, "empty"),
        ({"touches_border": True}, "touches_border"),
        ({"area_px": 20}, "too_small"),
        ({"area_px": 3000}, "too_large"),
        ({"saturated": 0.5}, "saturated"),
        ({"contrast_to_noise": 2.0}, "low_contrast"),
    ],
)
def test_each_reason_leaves_a_crop_out(change, reason):
    table = exclude_crops(crops({}, change, {}), QualitySettings())
    assert table["object"].tolist() == [1] and table["reason"].tolist() == [reason]


def test_good_crops_stay():
    table = exclude_crops(crops({}, {}), QualitySettings())
    assert table.empty and table.columns.tolist() == ["object", "reason", "value"]


def test_a_crop_has_one_row_with_its_first_reason_and_rows_follow_the_crops():
    bad = crops({"contrast_to_noise": 1.0}, {"area_px": 10, "saturated": 1.0}, {"area_px": 0})
    table = exclude_crops(bad, QualitySettings())
    assert table["object"].tolist() == [0, 1, 2]
    assert table["reason"].tolist() == ["low_contrast", "too_small", "empty"]
    assert table["value"].tolist()[:2] == [1.0, 10.0] and np.isnan(table["value"][2])


def test_nuclei_at_the_border_stay_if_allowed():
    assert exclude_crops(crops({"touches_border": True}), QualitySettings(allow_border=True)).empty
