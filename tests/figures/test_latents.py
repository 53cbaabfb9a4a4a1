import numpy as np
import pandas as pd
import pytest

from occamscope.figures.latents import draw_factors, draw_traversals, factor_label, share_limits

VALUES = np.linspace(-3, 3, 13)


@pytest.fixture
def traversals(fake):
    def make(names):
        decoded, rows = [], []
        for latent in names["latent"]:
            codes = np.zeros((len(VALUES), 32))
            codes[:, int(latent[1:])] = VALUES
            images = fake.ellipses(codes)
            decoded.append(images)
            rows += [
                (latent, v, (i > 0.5).sum(), 1 + v**2 / 4)
                for v, i in zip(VALUES, images, strict=True)
            ]
        columns = ["latent", "value", "area_px", "axis_ratio"]
        return np.array(decoded), pd.DataFrame(rows, columns=columns)

    return make


def factor_table(latents, sources=("true", "measured")):
    rng = np.random.default_rng(0)
    rows = [
        (latent, factor, rng.random(), source)
        for source in sources
        for factor in ("area_px", "e_cos2theta", "texture")
        for latent in latents
    ]
    return pd.DataFrame(rows, columns=["latent", "factor", "r2", "source"])


def test_traversals_are_sound_and_their_table_is_the_input(fake, traversals, sound):
    decoded, table = traversals(fake.names)
    data = sound(lambda: draw_traversals(decoded, VALUES, fake.names, table)).data
    pd.testing.assert_frame_equal(data[table.columns], table)
    assert data["area_share"].to_numpy() == pytest.approx(table["area_px"] / 4096)


@pytest.mark.parametrize("n", [1, 6])
def test_any_number_of_latents_is_drawn(fake, traversals, neat, n):
    names = fake.names_of(n)
    decoded, table = traversals(names)
    assert (
        neat(lambda: draw_traversals(decoded, VALUES, names, table)).data["latent"].nunique() == n
    )


def test_the_curves_draw_the_table(fake, traversals):
    names = fake.names_of(1)
    decoded, table = traversals(names)
    figure = draw_traversals(decoded, VALUES, names, table).figure
    drawn = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    assert drawn[0] == pytest.approx(table["area_px"] / 4096)
    assert drawn[1] == pytest.approx(table["axis_ratio"])


def test_inactive_latents_and_unmeasured_nuclei_are_left_out(fake, traversals, neat):
    names = fake.names_of(3)
    decoded, table = traversals(names)
    names.loc[1, "name"] = "inactive"
    table.loc[table["value"] > 2, ["area_px", "axis_ratio"]] = np.nan
    data = neat(lambda: draw_traversals(decoded, VALUES, names, table)).data
    assert set(data["latent"]) == {"z29", "z21"}


def test_the_latents_of_the_rows_may_be_given(fake, traversals):
    decoded, table = traversals(fake.names)
    rows = ["z17", "z29"]
    data = draw_traversals(decoded[[1, 0]], VALUES, fake.names, table, latents=rows).data
    assert set(data["latent"]) == set(rows)


def test_factors_are_sound_and_their_table_is_the_input(fake, sound):
    factors = factor_table(fake.names["latent"])
    data = sound(lambda: draw_factors(factors, fake.names)).data
    pd.testing.assert_frame_equal(data[factors.columns], factors)
    best = factors.loc[factors.groupby(["source", "factor"])["r2"].idxmax()]
    assert set(data.index[data["best"]]) == set(best.index)


def test_the_cells_show_the_numbers(fake):
    factors = factor_table(["z29"], ("true",))
    figure = draw_factors(factors, fake.names_of(1)).figure
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(shown) == sorted(f"{r2:.2f}" for r2 in factors["r2"])


def test_factors_work_without_source_and_with_missing_values(fake, neat):
    factors = factor_table(fake.names["latent"], ("true",)).drop(columns="source")
    factors.loc[factors["factor"] == "texture", "r2"] = np.nan
    assert len(neat(lambda: draw_factors(factors, fake.names)).data) == 12


def test_only_active_latents_are_shown(fake):
    factors = factor_table(["z29", "z17", "z5"])
    factors.loc[factors["latent"] == "z5", "r2"] = 0.01
    assert set(draw_factors(factors, fake.names).data["latent"]) == {"z29", "z17"}


def test_the_area_axis_holds_all_shares_over_at_least_a_factor_of_eight():
    low, high = share_limits(pd.Series([0.1, 0.101, np.nan, 0.0]))
    assert low < 0.1 and high > 0.101 and high / low >= 8 * 0.999


def test_factors_are_named_for_the_reader():
    assert factor_label("texture_grain_px") == "texture grain"
    assert factor_label("area_um2") == "area (log)"
