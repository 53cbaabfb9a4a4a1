import numpy as np
import pandas as pd
import pytest

from occamscope.figures.models import draw_accuracy_size, draw_selection


@pytest.fixture
def accuracy():
    rng = np.random.default_rng(0)
    rows = [("black_box", np.nan, np.nan, 108_000, np.nan, 0.99)]
    rows += [("forest", np.nan, np.nan, np.nan, 5400, 0.985)]
    for seed in range(8):
        rows.append(("dense", seed, 1.0, 6337, np.nan, 0.985 + 0.003 * rng.normal()))
        for density in (0.01, 0.02):
            size = 6337 * density - seed
            rows.append(("sparse", seed, density, size, np.nan, 0.98 + 0.004 * rng.normal()))
    rows += [("law", np.nan, np.nan, np.nan, n, 1 - 0.4 / n) for n in (1, 5, 9, 20)]
    columns = ["kind", "seed", "density", "parameters", "complexity", "accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    low, high = table["accuracy"] - 0.01, (table["accuracy"] + 0.008).clip(upper=1)
    return table.assign(accuracy_low=low, accuracy_high=high, chosen=table["complexity"] == 9)


def selection_tables(latents, densities=(0.02, 0.1, 1.0)):
    rows = [
        (d, f"z{j}", 16 if j in latents[:2] else j % 4, 16)
        for d in densities
        for j in range(32)
        if j in latents
    ]
    table = pd.DataFrame(rows, columns=["density", "latent", "selected", "seeds"])
    share = table["selected"] / 16
    table = table.assign(frequency=share, low=share * 0.8, high=share * 0.9 + 0.1)
    jaccard = pd.DataFrame(
        {"density": densities, "mean": 0.9, "low": 0.8, "high": 0.95, "pairs": 120}
    )
    return table, jaccard


def test_accuracy_against_size_is_sound_and_holds_the_input(accuracy, sound):
    data = sound(lambda: draw_accuracy_size(accuracy)).data
    assert data["accuracy"].tolist() == accuracy["accuracy"].tolist()
    assert data["size"].tolist() == accuracy["complexity"].fillna(accuracy["parameters"]).tolist()


def test_the_large_marker_is_the_member_at_the_median(accuracy):
    data = draw_accuracy_size(accuracy).data
    dense = data[data["kind"] == "dense"]
    middle = dense.loc[dense["middle"], "accuracy"].item()
    away = (dense["accuracy"] - dense["accuracy"].median()).abs()
    assert abs(middle - dense["accuracy"].median()) == pytest.approx(away.min())
    assert data.loc[data["kind"].eq("law") & data["middle"], "size"].tolist() == [9]


def test_every_model_is_a_marker_at_its_size_and_accuracy(accuracy):
    result = draw_accuracy_size(accuracy)
    drawn = set()
    for line in result.figure.axes[0].lines:
        if line.get_linestyle() == "None":
            drawn |= {(round(x, 6), round(y, 6)) for x, y in line.get_xydata()}
    data = result.data
    x = np.where(data["middle"], data["size"], data["size"] * data["jitter"])
    assert drawn == {(round(a, 6), round(b, 6)) for a, b in zip(x, data["accuracy"], strict=True)}


def test_accuracy_works_without_laws_and_without_intervals(accuracy, neat):
    some = accuracy[~accuracy["kind"].isin(["law", "sparse"])].drop(columns="chosen")
    neat(lambda: draw_accuracy_size(some.assign(accuracy_low=np.nan, accuracy_high=np.nan)))


def test_another_metric_and_perfect_models_are_drawn(accuracy, neat):
    perfect = accuracy.assign(balanced_accuracy=1.0)
    neat(lambda: draw_accuracy_size(perfect, metric="balanced_accuracy"))


def test_the_title_gives_the_ratio_to_the_black_box(accuracy):
    title = draw_accuracy_size(accuracy).figure.get_suptitle()
    assert "9 nodes" in title and f"{100 * (1 - 0.4 / 9) / 0.99:.1f} %" in title


def test_selection_is_sound_and_holds_the_input(fake, sound):
    table, jaccard = selection_tables([29, 17, 21, 3])
    data = sound(lambda: draw_selection(table, jaccard, fake.names)).data
    frequencies = data[data["quantity"] == "selection frequency"]
    assert frequencies["frequency"].tolist() == table["frequency"].tolist()
    assert data.loc[data["quantity"] == "pairwise Jaccard index", "frequency"].tolist() == [0.9] * 3


def test_the_bars_are_the_frequencies_with_the_most_selected_first(fake):
    table, jaccard = selection_tables([29, 17, 21, 3], (0.02,))
    axes = draw_selection(table, jaccard, fake.names).figure.axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == sorted(table["frequency"], reverse=True)


@pytest.mark.parametrize("latents", [[29], list(range(14))])
def test_one_or_many_latents_and_missing_intervals_are_drawn(latents, neat):
    table, jaccard = selection_tables(latents)
    table["low"] = np.nan
    neat(lambda: draw_selection(table, jaccard.assign(low=np.nan)))


def test_latents_that_no_sparse_network_selects_are_left_out():
    table, jaccard = selection_tables(list(range(32)))
    table.loc[(table["latent"] == "z9") & (table["density"] < 1), ["selected", "frequency"]] = 0
    data = draw_selection(table, jaccard).data
    assert "z9" not in set(data["latent"]) and "z1" in set(data["latent"])
