import numpy as np
import pandas as pd
import pytest

from occamscope.figures.attacks import draw_attack_curves, draw_flips, flip_shares

CLASSES = ("interphase", "metaphase")


@pytest.fixture
def flips(fake):
    codes, y = fake.cells(6)
    kinds = ("dense", "sparse", "law")
    steps = [codes + step * np.eye(32)[29] for step in (0.3, 0.6, 1.0)]
    table = pd.DataFrame(
        {
            "kind": np.repeat(kinds, 6),
            "crop": np.tile(np.arange(6), 3),
            "distance": np.repeat([0.3, 0.6, 1.0], 6),
            "label": np.tile(y, 3),
            "reached": np.arange(18) != 4,
            "counted": np.arange(18) != 7,
            "new_class": np.arange(18) % 3 > 0,
        }
    )
    return fake.ellipses(codes), np.array([fake.ellipses(z) for z in steps]), table


@pytest.fixture
def curves():
    rows, distances = [], []
    for kind, scale, seeds in (("law", 1.4, 1), ("dense", 0.6, 4)):
        for seed in range(seeds):
            width = scale * (1 + 0.1 * seed)
            for method in ("fgsm", "pgd"):
                for epsilon in (0.25, 0.5, 1.0, 2.0):
                    accuracy = np.exp(-((epsilon / width) ** 2))
                    rows.append((f"{kind} {seed}", kind, seed, method, "l2", epsilon, accuracy))
            for d in width * np.linspace(0.2, 2, 20):
                distances.append((f"{kind} {seed}", kind, seed, d, d < 2.5))
    columns = ["model", "kind", "seed", "method", "norm", "epsilon", "accuracy"]
    found = pd.DataFrame(distances, columns=["model", "kind", "seed", "distance", "reached"])
    return pd.DataFrame(rows, columns=columns), found


def test_flips_are_sound_and_hold_the_input(flips, sound):
    before, after, table = flips
    data = sound(lambda: draw_flips(before, after, table, CLASSES)).data
    pd.testing.assert_frame_equal(data[table.columns], table)
    assert data["mean_abs_difference"].iloc[7] == pytest.approx(
        np.abs(after[1, 1] - before[1]).mean()
    )


def test_images_stand_in_the_columns_of_the_table(flips):
    before, after, table = flips
    result = draw_flips(before, after, table, CLASSES)
    shown = [axes.images[0].get_array() for axes in result.figure.axes[:18]]
    for crop, column in enumerate(result.data["column"].iloc[:6]):
        assert np.allclose(shown[column], before[crop])
        assert np.allclose(shown[6 + column], after[0, crop])
        assert np.allclose(shown[12 + column], after[0, crop] - before[crop], atol=1e-6)


def test_distances_carry_the_judges_mark(flips):
    figure = draw_flips(*flips, CLASSES).figure
    words = [text.get_text() for text in figure.texts]
    assert words.count("no flip") == 1 and words.count("0.60 ?") == 1
    assert words.count("1.00 ✓") == 4 and words.count("1.00 ✗") == 2


@pytest.fixture
def confident(fake, flips):
    """Flips thrice as far, of which the law has none for the first crop."""
    table = flips[2].assign(
        confident_distance=3 * flips[2]["distance"],
        confident_reached=np.arange(18) != 12,
        confident_counted=np.arange(18) != 13,
        confident_new_class=np.arange(18) >= 6,
    )
    codes, _ = fake.cells(6)
    images = [fake.ellipses(codes + step * np.eye(32)[29]) for step in (0.9, 1.8, 3.0)]
    return table, np.array(images)


def test_confident_flips_stand_below_the_smallest(flips, confident, sound):
    (before, after, _), (table, sure) = flips, confident
    shown = sound(lambda: draw_flips(before, after, table, CLASSES, sure, 0.9))
    images = [axes.images[0].get_array() for axes in shown.figure.axes if axes.images]
    assert len(images) == 6 * (1 + 3 * 3)
    for crop, column in enumerate(shown.data["column"].iloc[:6]):
        assert np.allclose(images[6 + 18 + column], after[1, crop])
        assert np.allclose(images[6 + 18 + 12 + column], sure[1, crop])
    change = np.abs(sure[1, 1] - before[1]).mean()
    assert shown.data["confident_mean_abs_difference"].iloc[7] == pytest.approx(change)
    words = [text.get_text() for text in shown.figure.texts]
    assert words.count("0.90 ✗") == 6  # all of the dense network's confident flips
    assert words.count("1.80 ✓") == 6
    assert words.count("3.00 ✓") == 4 and words.count("3.00 ?") == 1
    assert words.count("no flip") == 2
    assert any("probability of 0.9." in word.replace("\n", " ") for word in words)
    assert "law 1.00, 3.00" in shown.figure.get_suptitle().replace("\n", " ")


def test_one_crop_with_its_confident_flips_is_drawn(flips, confident, neat):
    (before, after, _), (table, sure) = flips, confident
    columns = ["kind", "distance", "label", "confident_distance"]
    one = table[table["crop"] == 1][columns]
    neat(lambda: draw_flips(before[1:2], after[:, 1:2], one, CLASSES, sure[:, 1:2]))


def test_medians_count_cells_without_a_flip_as_far_away(flips, confident):
    (before, after, _), (table, sure) = flips, confident
    never = table.assign(confident_reached=np.arange(18) >= 14)
    title = draw_flips(before, after, never, CLASSES, sure).figure.get_suptitle()
    assert "dense 0.30, none" in title and "law 1.00, 3.00" in title.replace("\n", " ")


def test_one_crop_one_model_without_a_judge_is_drawn(flips, neat):
    before, after, table = flips
    bare = table.head(1)[["kind", "distance", "label"]].rename(columns={"kind": "model"})
    neat(lambda: draw_flips(before[:1], after[:1, :1], bare, CLASSES))


def test_models_with_different_starts_show_them(flips, neat):
    before, after, table = flips
    own = before * np.array([1, 0.9, 0.8])[:, None, None, None]
    figure = neat(lambda: draw_flips(own, after, table, CLASSES)).figure
    assert len([axes for axes in figure.axes if axes.images]) == 9 * 6


def test_attack_curves_are_sound_and_summarise_the_seeds(curves, sound):
    table, found = curves
    data = sound(lambda: draw_attack_curves(table, found)).data
    own = table[(table["kind"] == "dense") & (table["method"] == "pgd") & (table["epsilon"] == 1)]
    row = data[(data["quantity"] == "accuracy") & (data["kind"] == "dense")
               & (data["method"] == "pgd") & (data["epsilon"] == 1)].iloc[0]  # fmt: skip
    assert row["median"] == own["accuracy"].median() and row["models"] == 4
    assert (row["low"], row["high"]) == (own["accuracy"].min(), own["accuracy"].max())


def test_two_norms_have_a_panel_each(curves, neat):
    table, found = curves
    both = pd.concat([table, table.assign(norm="linf")])
    assert len(neat(lambda: draw_attack_curves(both, found)).figure.axes) == 3


def test_curves_work_without_norm_and_seed(curves, neat):
    table, found = curves
    bare = table.drop(columns=["norm", "seed"]).rename(columns={"method": "attack"})
    neat(lambda: draw_attack_curves(bare, found.drop(columns="seed")))


def test_cells_that_were_not_reached_never_count_as_flipped():
    found = pd.DataFrame(
        {"kind": "law", "distance": [0.5, 1.0, 1.5, 0.1], "reached": [True, True, True, False]}
    )
    shares = flip_shares(found)
    assert shares["median"].iloc[0] == 0 and shares["median"].max() <= 0.75
    assert shares.loc[shares["epsilon"] >= 1.0, "median"].iloc[0] == 0.5


def test_a_model_that_is_never_flipped_is_drawn(curves, neat):
    table, found = curves
    neat(lambda: draw_attack_curves(table, found.assign(reached=False, distance=np.inf)))
