"""Names of latents of a constructed decoder, where the right names are known."""

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.representation.naming import name_latents
from occamscope.representation.traverse import describe_traversals, traverse

VALUES = np.linspace(-3, 3, 7)
KNOWN = [
    "size",
    "elongation (0/90 deg)",
    "elongation (45/135 deg)",
    "brightness",
    "texture",
    "ring",
    "position",
    "other",
]


@pytest.fixture(scope="module")
def decode(ellipse):
    """Latent k changes what KNOWN[k] says; the last one next to nothing."""

    def one(z):
        return ellipse(
            500 * np.exp(-0.35 * z[0] + 0.005 * z[7]),
            (0.12 * z[1], 0.12 * z[2]),
            light=np.exp(0.25 * z[3]),
            grain=0.08 * max(z[4], 0),
            hollow=0.25 * max(z[5], 0),
            shift=2.0 * z[6],
        )

    return lambda codes: np.stack([one(z) for z in codes])


@pytest.fixture(scope="module")
def traversals(decode, measure):
    units = range(len(KNOWN))
    return describe_traversals(traverse(decode, 8, units, VALUES), measure, units, VALUES)


def turned_pair(ellipse, measure, degrees: float) -> pd.DataFrame:
    """Traversals of two latents that hold the ellipticity vector in a turned frame."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))

    def decode(codes):
        vectors = 0.12 * np.stack(
            [cos * codes[:, 0] - sin * codes[:, 1], sin * codes[:, 0] + cos * codes[:, 1]], 1
        )
        return np.stack([ellipse(500, tuple(v)) for v in vectors])

    return describe_traversals(traverse(decode, 2, [0, 1], VALUES), measure, [0, 1], VALUES)


def test_every_latent_gets_its_right_name(traversals):
    names = name_latents(traversals, np.ones(8, bool))
    assert names["name"].tolist() == KNOWN


def test_clear_cases_have_high_confidence_and_all_lie_within_0_and_1(traversals):
    names = name_latents(traversals, np.ones(8, bool))
    assert names["confidence"].between(0, 1).all()
    assert (names["confidence"][:4] > 0.7).all()


def test_inactive_latents_are_named_so_and_need_no_traversal(traversals):
    active = np.array([True, False])
    names = name_latents(traversals[traversals["latent"] == "z0"], active)
    assert names["latent"].tolist() == ["z0", "z1"]
    assert names["name"].tolist() == ["size", "inactive"]


def test_active_latent_without_traversal_is_an_error(traversals):
    with pytest.raises(InputError, match="z8"):
        name_latents(traversals, np.ones(9, bool))


def test_confidence_falls_when_a_latent_mixes_size_and_elongation(ellipse, measure, traversals):
    def decode(codes):
        return np.stack([ellipse(500 * np.exp(0.3 * z), (0.12 * z, 0)) for z in codes[:, 0]])

    mixed = describe_traversals(traverse(decode, 1, [0], VALUES), measure, [0], VALUES)
    confidence = name_latents(mixed, np.ones(1, bool))["confidence"][0]
    assert confidence < 0.7 < name_latents(traversals, np.ones(8, bool))["confidence"][0]


def test_confidence_follows_the_r2_on_crops(traversals):
    def confidence(r2: float) -> float:
        table = pd.DataFrame({"latent": ["z0"], "factor": ["area_px"], "r2": [r2]})
        return name_latents(traversals, np.ones(8, bool), table)["confidence"][0]

    assert confidence(0.98) > confidence(0.5) > confidence(0.1)


@pytest.mark.parametrize("degrees", [0, 10, 44, 46, 80, 91, 130, 200])
def test_two_latents_of_one_vector_get_one_direction_each(ellipse, measure, degrees):
    names = name_latents(turned_pair(ellipse, measure, degrees), np.ones(2, bool))["name"]
    assert set(names) == {"elongation (0/90 deg)", "elongation (45/135 deg)"}
    first_is_upright = abs(np.cos(np.radians(degrees))) > np.sqrt(0.5)
    assert (names[0] == "elongation (0/90 deg)") == first_is_upright


def test_two_latents_of_the_same_component_share_its_name(ellipse, measure):
    table = turned_pair(ellipse, measure, 0)
    same = table[table["latent"] == "z0"]
    both = pd.concat([same, same.assign(latent="z1")])
    assert set(name_latents(both, np.ones(2, bool))["name"]) == {"elongation (0/90 deg)"}


def test_evidence_gives_the_area_ratio_and_the_long_axis(traversals):
    evidence = name_latents(traversals, np.ones(8, bool))["evidence"]
    ratio = float(evidence[0].split("area x")[1].split(",")[0])
    assert ratio == pytest.approx(np.exp(0.35 * 6), rel=0.1)
    assert "long axis 45/135 deg" in evidence[2]


def test_latent_that_decodes_to_nothing_is_other_with_no_confidence(traversals):
    nothing = traversals[traversals["latent"] == "z0"].copy()
    nothing["area_px"] = np.nan
    names = name_latents(nothing, np.ones(1, bool))
    assert names["name"][0] == "other" and names["confidence"][0] == 0


def test_what_no_measure_sees_is_named_after_its_pattern(traversals):
    patterns = pd.DataFrame({"bend": [0.7], "taper": [0.2]}, index=["z7"])
    active = np.ones(8, bool)
    row = name_latents(traversals, active, patterns=patterns).set_index("latent").loc["z7"]
    assert (row["name"], row["confidence"]) == ("bend", 0.7)
    assert "pattern bend 0.70, taper 0.20" in row["evidence"]


def test_a_latent_without_any_pattern_stays_other(traversals):
    patterns = pd.DataFrame({"bend": [0.0]}, index=["z7"])
    named = name_latents(traversals, np.ones(8, bool), patterns=patterns).set_index("latent")
    assert named.loc["z7", "name"] == "other"
