import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.merging import merge_laws
from occamscope.laws.front import Front
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1", "z2")
X = np.random.default_rng(0).normal(size=(100, 3))


def pool(*expressions, **columns):
    return pd.DataFrame({"expression": expressions, **columns})


def merged(*pools, **options):
    return merge_laws(pools, NAMES, **options)


def test_of_equivalent_laws_the_simplest_stays():
    table = merged(["z0*(z1 + z2)", "2.0*z0*z1 + 2.0*z2*z0", "z0*z1 + z0*z2"])
    assert table["expression"].tolist() == ["z0*(z1 + z2)"]
    assert table["times_found"].tolist() == [3]
    assert table["complexity"].tolist() == [5]


def test_laws_that_decide_differently_stay_apart():
    table = merged(["z0", "-z0", "z0 + 1e-6", "z0 - z1", "z1 - z0"])
    assert len(table) == 5


def test_scale_and_offset_belong_to_the_decision():
    both = pool("z0", "z0 + 0.5", output_scale=[4.0, 1.0], output_offset=[2.0, 0.0])
    assert merged(both)["expression"].tolist() == ["z0"]
    assert len(merged(both.assign(output_offset=0.0))) == 2


def test_who_found_a_law_is_told():
    own = pool("z0", "z1", engine="evolution", loss_name="hinge", target="labels", seed=[3, 3])
    other = pool("0.5*z0", engine="evolution", loss_name="hinge", target="labels", seed=0)
    peer = pool("z0 + z0", engine="pysr", loss_name="mse", target="logits", seed=1)
    table = merged(own, other, peer).set_index("expression")
    assert table.loc["z1", "found_by"] == "evolution (hinge, labels): seed 3"
    found = "evolution (hinge, labels): seeds 0, 3; pysr (mse, logits): seed 1"
    assert table.loc["z0", "found_by"] == found


def test_a_pool_may_say_nothing_of_its_origin():
    assert merged(["z0"])["found_by"].tolist() == [""]


def test_the_order_of_the_pools_changes_nothing():
    first, second = ["z0*z1 - z2", "z0"], ["2*z0", "z1*z0*3 - 3*z2", "exp(z1)"]
    one, other = merged(first, second), merged(second, first)
    pd.testing.assert_frame_equal(one, other)


def test_a_pools_own_complexity_is_kept():
    assert merged(pool("z0 + z1", complexity=[7]))["complexity"].tolist() == [7]


def test_fronts_are_pools():
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    front = Front.from_expressions(["z0", "z0*z0"], X, y, SearchSpec(seed=4), NAMES, engine="test")
    table = merged(front, ["0.1*z0"])
    assert table["found_by"].tolist() == ["test (hinge, labels): seed 4"]
    assert table["times_found"].tolist() == [2]


@pytest.mark.parametrize("pair", [["z0/z0", "1"], ["z0**2*(z1 + 0.3)", "z1 + 0.3"], ["1/z0", "z0"]])
def test_laws_that_decide_rows_of_the_data_differently_stay_apart(pair):
    assert len(merged(pair)) == 1
    assert len(merged(pair, X=X)) == 1
    assert len(merged(pair, X=np.zeros((2, 3)))) == 2


def test_what_does_not_decide_is_looked_through():
    table = merged(["(z1**2 + 0.5)*(z0 - 0.2)", "tanh(3*z0 - 0.6)", "2*z0 - 0.4", "exp(z2)"])
    assert table["structure"].tolist() == ["c", "z0 + c"]
    assert table["times_found"].tolist() == [1, 3]
    assert table["expression"].tolist() == ["exp(z2)", "2*z0 - 0.4"]


@pytest.mark.parametrize(
    ("pools", "message"),
    [
        ([], "no law"),
        ([[]], "no law"),
        (["z0"], "not one text"),
        ([pd.DataFrame({"law": ["z0"]})], "lacks the column 'expression'"),
        ([["z9"]], "'z9' is no known variable"),
    ],
)
def test_bad_pools_are_refused(pools, message):
    with pytest.raises(InputError, match=message):
        merge_laws(pools, NAMES)
