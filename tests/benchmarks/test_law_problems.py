"""The benchmarks' problems are the same numbers everywhere."""

import numpy as np
import problems
import pytest

from occamscope.laws.expressions.expression import parse

# Of each task with seed 0: a weighted sum of X, one of y, one of y_test, and how many
# training labels (or targets) are above 0. Equal bit by bit to the first measurements' data.
PINNED = {
    "size_beats_shape_2000": (1273.044003, -22.74531564, -66.7028789, 772),
    "product_2000": (1273.044003, 46.88816173, -181.055892, 785),
    "ring_2000": (1273.044003, -2.126170851, -115.653556, 752),
    "gate_2000": (1273.044003, -79.34084527, -68.78533454, 1054),
    "size_beats_shape_10000": (-11412.80326, 76.4607528, 46.34924643, 3732),
    "ring_10000": (-11412.80326, -90.92174845, -28.87232769, 3803),
    "I.6.2a": (40.84584433, -0.3165001151, -5.011428389, 1000),
    "I.12.2": (-185.2254421, -0.6679663734, 0.2669410432, 1000),
    "I.13.4": (-185.2254421, 159.0617865, -661.1003215, 1000),
    "I.15.3t": (-275.6915443, -8.890685105, -16.65692747, 1000),
    "I.27.6": (-71.05824224, -3.932650684, -5.469839203, 1000),
    "I.37.4": (-71.05824224, -11.11460482, 43.99199656, 1000),
    "II.6.15a": (-34.04699373, -0.2829388807, 0.3313370714, 1000),
    "II.11.28": (62.42471687, 0.5779975677, 37.7785611, 1000),
    "III.4.33": (-71.05824224, 22.80215402, -0.5331890751, 1000),
    "Nguyen-7": (40.35180186, 2.736734473, 53.15349375, 1000),
}


def numbers(problem: problems.Problem) -> tuple[float, float, float, int]:
    """Sums that change with any value or order of the data."""
    rows, tests = (np.cos(np.arange(len(y))) for y in (problem.y, problem.y_test))
    columns = np.arange(1, problem.X.shape[1] + 1)
    x = rows @ problem.X @ columns + tests @ problem.X_test @ columns
    return x, rows @ problem.y, tests @ problem.y_test, int((problem.y > 0).sum())


def make(name: str) -> problems.Problem:
    if name in problems.FORMULAS:
        return problems.formula(name)
    return {**problems.CLASSIFICATION, **problems.DISTILLATION}[name](0)


@pytest.mark.parametrize("name", PINNED)
def test_a_problem_has_the_numbers_that_were_first_measured(name: str) -> None:
    assert numbers(make(name)) == pytest.approx(PINNED[name], rel=1e-7)


def test_the_network_to_imitate_is_nearly_the_one_first_trained() -> None:
    # Its training sums in another order on another processor: not to the last digit.
    problem = make("network_2000")
    assert numbers(problem)[1:] == pytest.approx((-62.48497344, 238.8660764, 753), rel=0.02)
    agreement = np.mean(
        (problem.y_test > 0) == (problems.planted("size_beats_shape", 2000).y_test > 0)
    )
    assert 0.97 < agreement < 1


@pytest.mark.parametrize("name", problems.FORMULAS)
def test_the_text_of_a_formula_has_the_values_of_its_function(name: str) -> None:
    problem = problems.formula(name, seed=1)
    law = parse(problem.truth, problem.names)
    np.testing.assert_allclose(law.evaluate(problem.X), problem.y, rtol=1e-12)
    assert law.complexity() <= 30


def test_labels_are_turned_in_the_planted_share_and_never_in_the_test_rows() -> None:
    for rule, planted in problems.RULES.items():
        problem = problems.planted(rule, 10_000, seed=5)
        law = parse(planted.law, problem.names)
        wrong = np.mean((law.evaluate(problem.X) > 0) != (problem.y > 0))
        assert wrong == pytest.approx(planted.noise, abs=0.005)
        assert ((law.evaluate(problem.X_test) > 0) == (problem.y_test > 0)).all()


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_unit_of_the_features_changes_no_label_of_the_paper_form(scale: float) -> None:
    plain, scaled = (problems.planted("paper", 500, 2, s) for s in (1.0, scale))
    np.testing.assert_array_equal(plain.y, scaled.y)
    np.testing.assert_allclose(scaled.X, scale * plain.X)
    law = parse(problems.scaled_paper_law(scale), scaled.names)
    np.testing.assert_array_equal(law.evaluate(scaled.X_test) > 0, scaled.y_test > 0)
