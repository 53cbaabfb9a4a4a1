import numpy as np
import pandas as pd
import pytest

from occamscope.figures import law_maps


def test_the_strongest_latent_comes_first_also_if_f_is_even_in_it(fake):
    codes, _ = fake.cells(200)
    order = law_maps.strongest_variables(
        lambda z: z[:, 17] ** 2 - 0.05 * z[:, 29], codes, ["z29", "z17"]
    )
    assert order == ["z17", "z29"]


def test_undefined_values_do_not_hide_a_strong_latent(fake):
    codes, _ = fake.cells(200)

    def evaluate(z):
        with np.errstate(invalid="ignore"):
            return np.log(z[:, 29]) * 5 + 0.01 * z[:, 3]

    assert law_maps.strongest_variables(evaluate, codes, ["z3", "z29"])[0] == "z29"


def test_a_constant_law_ranks_without_warning(fake):
    codes, _ = fake.cells(20)
    constant = lambda z: np.full(len(z), np.nan)  # noqa: E731
    assert law_maps.strongest_variables(constant, codes, ["z1", "z2"]) == ["z1", "z2"]


def test_the_map_holds_the_laws_values_at_its_grid(fake):
    base = np.linspace(-1, 1, 32)
    table = law_maps.decision_map(fake.paper_law, base, "z17", "z29")
    row = table.sample(1, random_state=3).iloc[0]
    code = base.copy()
    code[17], code[29] = row["x"], row["y"]
    assert row["f"] == pytest.approx(fake.paper_law(code[None])[0])
    assert table["x"].iloc[[0, -1]].tolist() == [-3, 3] and len(table) == law_maps.GRID**2


def test_the_base_is_the_median_unless_given():
    codes = np.array([[0.0, 1], [2, 5], [9, 6]])
    assert law_maps.base_code(None, codes).tolist() == [2, 5]
    assert law_maps.base_code({"z1": -1}, codes).tolist() == [2, -1]
    assert law_maps.base_code([7, 8], codes).tolist() == [7, 8]


@pytest.mark.parametrize(("size", "limit"), [(3, 3), (10, 3), (100, 100), (0.04, 0.05), (0, 1)])
def test_colours_are_clipped_at_three_or_at_the_laws_own_size(size, limit):
    assert law_maps.colour_limit(np.full(50, -size)) == pytest.approx(limit)


def test_infinite_values_do_not_set_the_colours():
    assert law_maps.colour_limit([np.inf, np.nan, 2, -2, 2]) == 3


def test_at_most_so_many_cells_of_each_class_are_drawn_evenly_and_unlabelled_ones_never(fake):
    codes, y = fake.cells(100)
    y[:10] = -1
    table = law_maps.cell_table(codes, y, fake.paper_law, ("i", "m"), most=20)
    assert table["label"].value_counts().to_dict() == {0: 20, 1: 20}
    assert (table["cell"] >= 10).all() and table["cell"].max() == 99
    assert (table["called"] == (fake.paper_law(codes[table["cell"]]) > 0)).all()


def test_signs_are_written_inside_their_own_region():
    table = law_maps.decision_map(lambda z: z[:, 0] + 1, np.zeros(2), "z0", "z1")
    cells = pd.DataFrame({"x": [2.0], "y": [0.0], "inside": [True]})
    words = {text: x for x, _, text in law_maps.sign_labels(table, cells)}
    assert words["f > 0"] > -1 > words["f < 0"]


def test_a_sign_that_does_not_occur_is_not_written():
    table = law_maps.decision_map(lambda z: z[:, 0] * 0 - 1, np.zeros(2), "z0", "z1")
    cells = pd.DataFrame({"x": [], "y": [], "inside": []}, dtype=float).astype({"inside": bool})
    assert [text for *_, text in law_maps.sign_labels(table, cells)] == ["f < 0"]
