"""Response curves, against functions written out."""

import numpy as np
import pytest

from occamscope.classifiers.stream_responses import stream_responses
from occamscope.classifiers.stream_units import stream_units
from occamscope.errors import InputError

X = np.array([[1.0, 2.0], [-1.0, 3.0], [2.0, -1.0], [-3.0, 1.0]])
Y = np.array([1, 0, 1, 0])  # medians: (-2, 2) of the negative, (1.5, .5) of the positive class


@pytest.fixture
def two_units(network):
    """logit = 2 relu(z0) + relu(z0 + z1 - 1) - 0.5"""
    first = [[[1.0, 1.0], [0.0, 1.0]]]
    return network([first, [[[2.0], [1.0]]]], [[[0.0, -1.0]], [[-0.5]]])


@pytest.fixture
def curves(two_units):
    table = stream_responses(two_units, 0, X, Y, stream_units(two_units, 0, X))
    return table.set_index(["stream", "class", "latent"]).sort_index()


def test_there_is_a_curve_for_each_stream_class_and_latent_it_hears(curves):
    expected = {("z0", c, "z0") for c in ("negative", "positive")}
    expected |= {("z0+z1", c, z) for c in ("negative", "positive") for z in ("z0", "z1")}
    assert set(curves.index) == expected and len(curves) == 6 * 61


def test_values_run_from_minus_three_to_three(curves):
    values = curves.loc[("z0", "negative", "z0"), "value"].to_numpy()
    assert values[0] == -3 and values[30] == 0 and values[-1] == 3


@pytest.mark.parametrize(("name", "z0", "z1"), [("negative", -2, 2), ("positive", 1.5, 0.5)])
def test_curves_by_hand(curves, name, z0, z1):
    curve = curves.loc[("z0+z1", name, "z1")]
    v = curve["value"].to_numpy()
    is_open = z0 + v > 1
    np.testing.assert_allclose(curve["contribution"], (z0 + v) * is_open)
    np.testing.assert_allclose(curve["with_bias"], np.maximum(z0 + v - 1, 0), atol=1e-12)
    both = 2 * max(z0, 0) + np.maximum(z0 + v - 1, 0) - 0.5
    np.testing.assert_allclose(curve["logit"], both, atol=1e-12)
    other = curves.loc[("z0", name, "z0")]
    np.testing.assert_allclose(other["contribution"], 2 * np.maximum(v, 0))
    both = 2 * np.maximum(v, 0) + np.maximum(v + z1 - 1, 0) - 0.5
    np.testing.assert_allclose(other["logit"], both, atol=1e-12)


def test_streams_keep_their_order(random_network):
    net, x = random_network((6, 8, 7, 1), density=1.0), np.random.default_rng(0).normal(size=(9, 6))
    streams = stream_units(net, 0, x, groups=3, max_paths=10)
    table = stream_responses(net, 0, x, np.arange(9) % 2, streams, values=[-1, 0, 1])
    assert table["stream"].drop_duplicates().tolist() == list(streams)
    assert len(table) == 3 * 2 * 6 * 3


def test_unsuitable_input_is_refused(two_units):
    streams = stream_units(two_units, 0, X)
    with pytest.raises(InputError, match="both classes"):
        stream_responses(two_units, 0, X, np.ones(4), streams)
    with pytest.raises(InputError, match="values"):
        stream_responses(two_units, 0, X, Y, streams, values=[])
    with pytest.raises(InputError, match="no stream"):
        stream_responses(two_units, 0, X, Y, {"z0": np.array([0])})
