import numpy as np
import pandas as pd
import pytest

from occamscope.figures.rashomon import MOST_LAWS, MOST_VARIABLES, draw_rashomon

FORMULAS = [r"z_{29} \left(z_{17}^{2} + z_{21}^{2}\right) - 1.24", "z_{29} - 0.3 z_{3}", "z_{29}"]


def made_up(laws=6, variables=5, clusters=2, names=None):
    """A set in which all laws use the first variable and law i the one of number i, too."""
    numbers = np.arange(1, laws + 1)
    order = np.argsort(numbers % clusters, kind="stable")
    table = pd.DataFrame(
        {
            "law": numbers[order],
            "cluster": np.sort(numbers % clusters) + 1,
            "latex": [FORMULAS[i % 3] for i in range(laws)],
            "complexity": 5 + numbers[order],
            "validation_balanced_accuracy": 0.97 - 0.001 * numbers[order],
            "validation_standard_error": 0.008,
        }
    )
    names = names or [f"z{29 - i}" for i in range(variables)]
    uses = np.array([[j == 0 or j == law % variables for j in range(variables)] for law in numbers])
    uses = pd.DataFrame(uses, index=numbers, columns=names[:variables]).loc[table["law"]]
    apart = np.abs(numbers[:, None] - numbers)
    agreement = pd.DataFrame(1 - 0.005 * apart, index=numbers, columns=numbers)
    off = pd.DataFrame(1 - 0.4 * apart / max(laws - 1, 1), index=numbers, columns=numbers)
    importance = pd.DataFrame(
        {"variable": names[:variables], "lowest": -0.01, "mean": 0.05, "highest": 0.3}
    )
    return table, uses, agreement, off, importance


def test_a_set_is_sound_and_its_data_are_what_is_drawn(sound):
    table, uses, agreement, off, importance = made_up()
    data = sound(lambda: draw_rashomon(table, uses, agreement, off, importance, 0.02)).data
    assert data["element"].value_counts().to_dict() == {
        "law": 6, "agreement": 15, "use": int(uses.to_numpy().sum()), "importance": 5,
    }  # fmt: skip
    pair = data[(data["element"] == "agreement") & (data["law"] == 2) & (data["other"] == 4)]
    assert pair["on_data"].tolist() == [agreement.loc[2, 4]]
    assert pair["off_data"].tolist() == [off.loc[2, 4]]


def test_the_dots_are_the_variables_of_the_laws():
    table, uses, agreement, off, _ = made_up()
    axes = draw_rashomon(table, uses, agreement, off).figure.axes[0]
    drawn = {tuple(point) for point in axes.lines[1].get_xydata()}
    shown = uses[uses.sum().sort_values(ascending=False, kind="stable").index]
    shown = shown.loc[:, shown.any()]
    assert drawn == {(j, i) for i, j in zip(*np.nonzero(shown.to_numpy()), strict=True)}


def test_the_map_shows_the_data_below_and_the_rest_above_the_diagonal():
    table, uses, agreement, off, _ = made_up(laws=3, clusters=1)
    figure = draw_rashomon(table, uses, agreement, off).figure
    image = figure.axes[2].images[0].get_array()
    laws = table["law"].tolist()
    for i, a in enumerate(laws):
        for j, b in enumerate(laws[:i]):
            assert image[i, j] == agreement.loc[a, b]
            assert image[j, i] == off.loc[a, b]
    assert image.mask.diagonal().all()


def test_a_share_below_one_is_not_rounded_to_100_per_cent():
    table, uses, agreement, off, _ = made_up(laws=2, clusters=1)
    agreement.loc[1, 2] = agreement.loc[2, 1] = 0.996
    words = [t.get_text() for t in draw_rashomon(table, uses, agreement, off).figure.axes[2].texts]
    assert "99" in words and "100" not in words


@pytest.mark.parametrize(("laws", "variables"), [(1, 1), (2, 8), (15, 30), (40, 8)])
def test_any_number_of_laws_and_variables_is_drawn(neat, laws, variables):
    table, uses, agreement, off, importance = made_up(laws, variables, min(laws, 4))
    result = neat(lambda: draw_rashomon(table, uses, agreement, off, importance, 0.02))
    shown = result.data[result.data["element"] == "law"]
    assert sorted(shown["law"]) == list(range(1, min(laws, MOST_LAWS) + 1))
    assert (result.data["element"] == "importance").sum() <= MOST_VARIABLES


def test_long_names_and_long_formulas_fit(neat):
    names = [f"standard_deviation_of_the_texture_{i}" for i in range(12)]
    table, uses, agreement, off, importance = made_up(8, 12, 3, names)
    table["latex"] = " + ".join(rf"{i}.5 \, \mathrm{{texture\_{i}}}^{{2}}" for i in range(20))
    neat(lambda: draw_rashomon(table, uses, agreement, off, importance, 0.02))


def test_names_of_latents_are_written(neat, fake):
    table, uses, agreement, off, _ = made_up()
    result = neat(lambda: draw_rashomon(table, uses, agreement, off, names=fake.names))
    assert "z29: size" in [text.get_text() for text in result.figure.texts]


def test_a_law_without_variables_is_drawn(neat):
    table, uses, agreement, off, importance = made_up(1, 1, 1)
    neat(lambda: draw_rashomon(table, uses[[]], agreement, off, importance.iloc[:0], 0.02))


def test_the_title_says_what_all_laws_use():
    table, uses, agreement, off, _ = made_up()
    title = draw_rashomon(table, uses, agreement, off, epsilon=0.02).figure.get_suptitle()
    assert title == "6 different laws within 0.02 of the best accuracy: all use z29"
    uses.loc[2, "z29"] = False
    title = draw_rashomon(table, uses, agreement, off).figure.get_suptitle()
    assert title.endswith("no variable is in all of them")


def test_what_all_use_is_judged_by_all_laws_not_by_those_drawn():
    table, uses, agreement, off, _ = made_up(40, 8, 4)
    uses.loc[40, "z29"] = False
    title = draw_rashomon(table, uses, agreement, off).figure.get_suptitle()
    assert title == "40 different laws (the best 15 shown): no variable is in all of them"
