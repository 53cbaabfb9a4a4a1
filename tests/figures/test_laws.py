import numpy as np
import pytest

from occamscope.figures.law_maps import GRID
from occamscope.figures.laws import draw_law

PAPER = r"z_{29} \, \left(z_{17}^{2} + z_{21}^{2}\right) - \exp\left(\exp\left(z_{3}\right)\right)"


@pytest.fixture
def law_of(fake):
    codes, y = fake.cells(80)

    def draw(evaluate, latex, variables, **more):
        settings = {"labels": y, "class_names": ("interphase", "metaphase"), "names": fake.names}
        return draw_law(evaluate, latex, variables, fake.ellipses, codes, **(settings | more))

    return draw


def test_the_papers_law_is_sound_and_its_map_is_in_the_table(fake, law_of, sound):
    data = sound(
        lambda: law_of(fake.paper_law, PAPER, ["z17", "z29", "z21", "z3"], complexity=11,
                       accuracy="accuracy 0.983 on the test part")
    ).data  # fmt: skip
    table = data[data["element"] == "map"]
    held = data[data["element"] == "base"].set_index("latent_x")["x"]
    z3, z21 = held["z3"], held["z21"]
    f = table["y"] * (table["x"] ** 2 + z21**2) - np.exp(np.exp(z3))
    assert table["f"].to_numpy() == pytest.approx(f)


def test_the_image_is_the_map_clipped(law_of):
    result = law_of(lambda z: 2 * z[:, 17] + z[:, 29], "2 z_{17} + z_{29}", ["z17", "z29"])
    image = result.figure.axes[0].images[0]
    f = result.data.loc[result.data["element"] == "map", "f"].to_numpy().reshape(GRID, GRID)
    assert np.asarray(image.get_array()) == pytest.approx(np.clip(f, -6, 6))
    assert image.get_clim() == (-3, 3)


def test_cells_and_nuclei_in_the_table_are_the_laws(fake, law_of):
    evaluate = lambda z: z[:, 29] * z[:, 17] ** 2 - 1  # noqa: E731
    data = law_of(evaluate, "...", ["z17", "z29"]).data
    codes, y = fake.cells(80)
    cells = data[data["element"] == "cell"]
    rows = cells["cell"].astype(int)
    assert cells["x"].to_numpy() == pytest.approx(codes[rows, 17])
    assert cells["f"].to_numpy() == pytest.approx(evaluate(codes[rows]))
    assert (cells["label"].to_numpy() == y[rows]).all()
    strip = data[(data["element"] == "strip") & (data["latent_x"] == "z29")]
    assert strip["x"].tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_the_nuclei_stand_at_their_values(law_of):
    figure = law_of(lambda z: z[:, 17] - z[:, 29], "a - b", ["z17", "z29"]).figure
    panel = figure.axes[0].get_position()
    strip = [axes.get_position() for axes in figure.axes[2:9]]
    middles = [(box.x0 + box.x1) / 2 for box in strip]
    assert middles == pytest.approx(np.linspace(panel.x0, panel.x1, 7))


def test_a_law_of_one_latent_is_a_curve(law_of, neat):
    data = neat(
        lambda: law_of(lambda z: 1.7 * z[:, 29] - 0.2, r"1.7 \, z_{29} - 0.2", ["z29"])
    ).data
    curve = data[data["element"] == "curve"]
    assert curve["f"].to_numpy() == pytest.approx(1.7 * curve["x"] - 0.2)
    assert "map" not in set(data["element"])


def test_a_constant_law_is_drawn_along_the_latent_that_varies_most(law_of, neat):
    data = neat(lambda: law_of(lambda z: np.full(len(z), -0.5), "-0.5", [], complexity=1)).data
    assert (data.loc[data["element"] == "curve", "f"] == -0.5).all()


def test_six_latents_undefined_values_and_a_long_formula_are_drawn(law_of, neat):
    def evaluate(z):
        with np.errstate(all="ignore"):
            return 80 * np.log(z[:, 29] + 2) * z[:, 17] ** 2 - 120 * z[:, 21] / z[:, 3]

    long = " - ".join(rf"{i}.5 \, \frac{{z_{{{i}}}}}{{z_{{3}} + 2}}" for i in range(14))
    six = ["z17", "z29", "z21", "z3", "z5", "z6"]
    result = neat(lambda: law_of(evaluate, long, six, accuracy="accuracy 0.95"))
    assert result.data.loc[result.data["element"] == "map", "f"].isna().any()


def test_one_class_or_no_labelled_cell_is_drawn(fake, law_of, neat):
    neat(lambda: law_of(fake.paper_law, PAPER, ["z17", "z29"], labels=np.ones(80, int)))
    neat(lambda: law_of(fake.paper_law, PAPER, ["z17"], labels=np.full(80, -1)))


def test_formula_is_the_title_and_held_latents_are_named(fake, law_of):
    figure = law_of(fake.paper_law, PAPER, ["z17", "z29", "z3"], base={"z3": -1.0}).figure
    words = [text.get_text() for text in figure.texts]
    assert words[0] == f"$f = {PAPER}$"
    assert any("z3 = −1.00" in word and "medians" not in word for word in words)
