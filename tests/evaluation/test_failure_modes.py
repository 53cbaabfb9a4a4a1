import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.evaluation.failure_modes import deciding_terms, summarise_probes

NAMES = ("interphase", "metaphase")


def test_summary_counts_class_margin_and_gate_by_kind_and_model():
    kinds = np.array(["blank"] * 4 + ["noise"] * 2)
    scores = pd.DataFrame({"law": [1.0, 2, 3, -4, -1, -1], "cnn": [-1.0] * 6})
    found = summarise_probes(kinds, scores, np.array([1, 1, 1, 0, 0, 0], bool), NAMES)
    assert found[["probe", "model"]].values.tolist() == [
        ["blank", "law"],
        ["blank", "cnn"],
        ["noise", "law"],
        ["noise", "cnn"],
    ]
    law = found.iloc[0]
    assert (law["n"], law["called"], law["positive_share"]) == (4, "metaphase", 0.75)
    assert (law["margin_median"], law["caught_share"]) == (1.5, 0.75)
    assert law["positive_low"] < 0.75 < law["positive_high"]
    assert found["called"].tolist() == ["metaphase"] + ["interphase"] * 3


def law_terms(z):
    return [("-1.28", np.full(len(z), -1.28)), ("-z0", -z[:, 0]), ("z1^2", z[:, 1] ** 2)]


def test_terms_split_the_distance_to_the_class_not_called():
    rng = np.random.default_rng(0)
    real, probes = rng.normal(size=(50, 2)), rng.normal(-2, 0.1, size=(20, 2))
    labels = np.arange(50) % 2
    found = deciding_terms(law_terms(probes), np.full(20, "blank"), law_terms(real), labels, NAMES)
    f = sum(v for _, v in law_terms(real))
    own = sum(v for _, v in law_terms(probes))
    assert (found["called"] == "metaphase").all()
    assert found["pull"].sum() == pytest.approx(own.mean() - f[labels == 0].mean())
    assert found["share"].abs().sum() == pytest.approx(1)


def test_the_term_that_moved_most_towards_the_call_comes_first():
    real = np.array([[0.0, 0.0], [-3.0, 1.0]] * 5)
    labels = np.array([0, 1] * 5)
    probes = np.array([[-4.0, 0.1], [2.0, 0.5]])
    kinds = np.array(["small", "large"])
    found = deciding_terms(law_terms(probes), kinds, law_terms(real), labels, NAMES)
    first = found[found["rank"] == 1].set_index("probe")
    assert first.loc["small", ["called", "term"]].tolist() == ["metaphase", "-z0"]
    assert first.loc["large", ["called", "term"]].tolist() == ["interphase", "-z0"]
    assert first.loc["large", "pull"] == pytest.approx(5)
    constant = found[found["term"] == "-1.28"]
    assert (constant["pull"] == 0).all()


def test_different_laws_or_a_missing_class_are_refused():
    z = np.zeros((4, 2))
    terms = law_terms(z)
    with pytest.raises(InputError, match="one law"):
        deciding_terms(terms, np.full(4, "x"), terms[:2], np.array([0, 1, 0, 1]))
    with pytest.raises(InputError, match="both classes"):
        deciding_terms(terms, np.full(4, "x"), terms, np.zeros(4))
