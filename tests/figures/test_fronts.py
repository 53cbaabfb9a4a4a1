import numpy as np
import pandas as pd
import pytest

from occamscope.figures.fronts import draw_fronts


@pytest.fixture
def front():
    rows = []
    for loss, target, seed in (
        ("hinge", "labels", 0),
        ("hinge", "logits", 1),
        ("mse", "labels", 0),
    ):
        for i, nodes in enumerate((1, 3, 5, 9, 13, 20)):
            own = 0.6**i * (30 if target == "logits" else 1)
            accuracy = 1 - 0.4 * 0.5**i - 0.01 * (loss == "mse")
            rows.append((loss, target, seed, nodes, own, accuracy, True))
            rows.append((loss, target, seed + 5, nodes, 1.3 * own, accuracy - 0.02, False))
    columns = ["loss_name", "target", "seed", "complexity", "loss",
               "validation_balanced_accuracy", "on_front"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).assign(engine="evolution", expression="z29*z17**2")
    return table.assign(chosen=table.index == 6, latex=r"z_{29} \, z_{17}^{2}")


def test_fronts_are_sound_and_hold_the_input(front, sound):
    data = sound(lambda: draw_fronts(front)).data
    pd.testing.assert_frame_equal(data[front.columns], front)


def test_the_lines_are_the_laws_on_the_front(front):
    figure = draw_fronts(front).figure
    own = front[front["on_front"] & (front["loss_name"] == "mse")]
    drawn = [line.get_xydata() for line in figure.axes[1].lines if line.get_marker() == "s"]
    assert drawn[0] == pytest.approx(own[["complexity", "loss"]].to_numpy())


@pytest.mark.parametrize("losses", [["hinge"], ["mse"], ["hinge", "mse"]])
def test_any_losses_are_drawn_with_or_without_a_chosen_law(front, neat, losses):
    some = front[front["loss_name"].isin(losses)]
    neat(lambda: draw_fronts(some))
    neat(
        lambda: draw_fronts(some.drop(columns=["chosen", "target", "engine", "latex", "on_front"]))
    )


def test_the_formula_of_the_chosen_law_is_printed(front):
    words = [text.get_text() for text in draw_fronts(front).figure.texts]
    assert any("z_{29}" in word for word in words)
    plain = [t.get_text() for t in draw_fronts(front.drop(columns="latex")).figure.texts]
    assert r"$f = z_{29}\,z_{17}^2$" in plain


def test_a_very_long_formula_fits(front, neat):
    long = " + ".join(rf"{i}.123 \, z_{{{i}}}^{{2}} \, z_{{3}}" for i in range(30))
    neat(lambda: draw_fronts(front.assign(latex=long)))


def test_losses_of_zero_and_missing_accuracies_are_drawn(front, neat):
    front.loc[front.index[-1], "loss"] = 0.0
    front.loc[3, "validation_balanced_accuracy"] = np.nan
    neat(lambda: draw_fronts(front))


def test_the_title_counts_the_nodes_that_each_loss_needs(front):
    assert draw_fronts(front).figure.get_suptitle().endswith("hinge with 20 nodes, MSE not at all")
