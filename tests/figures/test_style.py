from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from occamscope.figures import style


def test_every_kind_of_model_differs_in_colour_and_marker():
    looks = list(style.MODELS.values())
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 5


def test_an_unknown_kind_is_grey_and_comes_last():
    assert style.model_colour("oracle") == style.GREY
    assert style.in_order(["oracle", "law", "dense"]) == ["dense", "law", "oracle"]


def test_drawing_leaves_the_users_settings_alone():
    before = matplotlib.rcParams["font.size"]
    seen = style.styled(lambda: matplotlib.rcParams["font.size"])()
    assert seen == 7 and matplotlib.rcParams["font.size"] == before


def test_the_style_file_ignores_the_users_settings():
    with matplotlib.rc_context({"axes.facecolor": "red"}):
        assert style.styled(lambda: matplotlib.rcParams["axes.facecolor"])() == "white"


def test_no_figure_module_touches_pyplot():
    sources = Path(style.__file__).parent.glob("*.py")
    assert all("pyplot" not in p.read_text().replace("without pyplot", "") for p in sources)


def test_axes_lie_at_the_given_mm():
    figure, top = style.open_sheet(100.0, 50.0, "")
    box = style.axes_at(figure, 10, top + 5, 20, 25).get_position()
    height = style.size_mm(figure)[1]
    assert box.x0 * 100 == pytest.approx(10) and box.width * 100 == pytest.approx(20)
    assert (1 - box.y1) * height == pytest.approx(top + 5)
    assert box.height * height == pytest.approx(25)


def test_a_long_title_is_broken_into_lines_that_fit():
    text, height = style.wrap_title("seven words that do not fit " * 4, 85)
    assert text.count("\n") >= 2 and height > style.wrap_title("short", 85)[1]


@pytest.mark.parametrize("lowest", [0.0, 0.5, 0.93, 0.99, 1.0])
def test_the_accuracy_axis_holds_lowest_and_one_with_ticks_apart(lowest):
    axes = Figure().add_subplot()
    style.stretch_accuracy(axes, lowest)
    low, high = axes.get_ylim()
    ticks = axes.get_yticks()
    places = np.sort(axes.transScale.transform([(0, t) for t in ticks])[:, 1])
    assert low < min(lowest, 0.99) + 1e-9 and high > 1 and 1.0 in ticks
    assert np.diff(places).min() > 0.05 * np.ptp(places)


def test_names_are_short_and_missing_ones_leave_the_latent():
    names = {"z1": "elongation (0/90 deg)", "z2": float("nan")}
    assert style.latent_label(names, "z1") == "z1: elongation (0/90°)"
    assert style.latent_label(names, "z2") == style.latent_label(None, "z2") == "z2"


def test_numbers_carry_a_true_minus():
    assert [style.signed(v) for v in (-1.5, 0, 2)] == ["−1.5", "0", "+2"]
