import json

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.evaluation.gate import Gate, GateSettings, Limit, fit_gate, gate_features
from occamscope.evaluation.probes import make_probes


@pytest.fixture(scope="module")
def real(windows, segment_windows):
    return gate_features(windows, segment_windows(windows))


@pytest.fixture(scope="module")
def gate(real):
    return fit_gate(real[:200], real[200:260])


@pytest.mark.parametrize("kind", ["blank", "constant", "noise"])
def test_windows_without_a_nucleus_are_caught(windows, segment_windows, gate, kind):
    probes = make_probes(windows, 150, seed=3, kinds=(kind,)).windows
    features = gate_features(probes, segment_windows(probes))
    assert gate.catches(features).mean() >= 0.99


def test_real_crops_pass(real, gate):
    assert gate.catches(real[260:]).mean() <= 0.01


def test_noise_has_an_edge_ratio_near_one(windows, segment_windows):
    noise = make_probes(windows, 60, seed=4, kinds=("noise",)).windows
    ratio = gate_features(noise, segment_windows(noise))["edge_ratio"]
    assert 0.9 < ratio.median() < 1.5
    assert ratio.max() < GateSettings().edge_floor


def test_features_do_not_depend_on_gain_but_contrast(windows, segment_windows):
    masks = segment_windows(windows[:20])
    bright, dim = (gate_features(windows[:20] * g, masks) for g in (1.0, 0.5))
    np.testing.assert_allclose(bright["edge_ratio"], dim["edge_ratio"])
    np.testing.assert_allclose(bright["contrast"], 2 * dim["contrast"])


def test_features_of_a_square_are_its_own():
    window = np.zeros((1, 64, 64))
    window[0, :20, 10:30] = 196
    found = gate_features(window, window > 0).iloc[0]
    assert found["area_px"] == 400
    assert found["contrast"] == 1
    assert found["border_share"] == 20 / 76


def test_masks_that_cannot_be_measured_are_caught(gate):
    windows = np.full((3, 64, 64), 98.0)
    masks = np.zeros((3, 64, 64), bool)
    masks[1, 30, 30:33] = True
    masks[2] = True
    features = gate_features(windows, masks)
    assert features.isna().all(axis=None)
    assert gate.catches(features).all()


def table(values, **others):
    values = np.asarray(values, float)
    fixed = {"contrast": np.full(len(values), 0.7), "border_share": np.zeros(len(values))}
    return pd.DataFrame({"edge_ratio": values} | fixed | others)


def test_limits_lie_beyond_the_training_quantile():
    train = table(np.full(100, 40.0))
    limits = {limit.feature: limit.threshold for limit in fit_gate(train, train[:0]).limits}
    assert limits == {
        "edge_ratio": pytest.approx(20),
        "contrast": pytest.approx(0.35),
        "border_share": pytest.approx(0.3),
    }


def test_calibration_opens_the_gate_as_far_as_needed():
    train = table(np.full(100, 40.0))
    gate = fit_gate(train, table(np.r_[np.full(399, 40.0), 12.0, 5.0, 5.0]))
    # 2 of 402 crops may be caught: the third lowest sets the factor.
    assert gate.factor == pytest.approx(40 / 12)
    assert gate.catches(table([12.0, 11.9])).tolist() == [False, True]


def test_one_bad_calibration_crop_does_not_open_the_gate_wide():
    train = table(np.full(100, 40.0))
    gate = fit_gate(train, table([40.0, 0.001]))
    assert gate.factor == GateSettings().max_factor
    assert gate.catches(table([9.0])).all()


def test_structureless_windows_never_pass():
    gate = fit_gate(table(np.full(100, 2.5)), table([2.5]))
    assert gate.catches(table([2.2, 2.4])).tolist() == [True, False]


def test_reasons_name_the_first_limit_crossed():
    gate = Gate((Limit("a", "low", 1.0), Limit("b", "high", 2.0)))
    features = pd.DataFrame({"a": [0.0, 2, 2, np.nan], "b": [3.0, 3, 1, 1]})
    assert gate.reasons(features).tolist() == ["low a", "high b", "", "low a"]


def test_own_columns_can_be_added():
    settings = GateSettings(low=(), high=("reconstruction_error",))
    train = pd.DataFrame({"reconstruction_error": np.linspace(1, 2, 201)})
    gate = fit_gate(train, train[:0], settings)
    assert gate.limits[0].threshold == pytest.approx(2 * 1.995)
    assert gate.catches(pd.DataFrame({"reconstruction_error": [3.9, 4.0]})).tolist() == [0, 1]


def test_gate_survives_json(gate, real):
    again = Gate.from_dict(json.loads(json.dumps(gate.to_dict())))
    assert again == gate
    np.testing.assert_array_equal(again.reasons(real), gate.reasons(real))


def test_missing_measurements_are_named(gate):
    with pytest.raises(InputError, match="'contrast'"):
        gate.catches(pd.DataFrame({"edge_ratio": [1.0], "border_share": [0.0]}))
    with pytest.raises(InputError, match="'edge_ratio'"):
        fit_gate(table([np.nan, np.nan]), table([]))
