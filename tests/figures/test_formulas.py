import pytest

from occamscope.figures.formulas import fit_formula, formula_width_mm, split_terms

PAPER = (
    r"f = z_{29} \, \left(z_{17}^{2} + z_{21}^{2}\right) - \exp\left(\exp\left(z_{3}\right)\right)"
)
SUM = "f = " + " + ".join(rf"{i}.12 \, z_{{{i}}}^{{2}}" for i in range(18))
NESTED = r"f = \left(" + SUM[4:] + r"\right) \, z_{3}"
FRACTION = r"f = \frac{" + SUM[4:] + "}{z_{3}}"


def test_a_short_formula_stays_on_one_line_at_its_size():
    assert fit_formula(PAPER, 116, 9) == (f"${PAPER}$", 9, 1)


def test_pieces_join_to_the_formula_and_break_between_terms_only():
    pieces = split_terms(PAPER)
    assert "".join(pieces) == PAPER
    assert len(pieces) == 2 and pieces[1].startswith(r" - \exp")


def test_inside_brackets_is_broken_only_when_asked():
    text = "a (b + c) - {d + e}"
    assert split_terms(text) == ["a (b + c)", " - {d + e}"]
    assert split_terms(text, inside=True) == ["a (b", " + c)", " - {d + e}"]


@pytest.mark.parametrize("latex", [SUM, NESTED, FRACTION])
def test_every_line_of_a_long_formula_fits(latex):
    text, size, lines = fit_formula(latex, 116, 9)
    parts = [line.strip("$") for line in text.split("\n")]
    assert len(parts) == lines
    assert all(formula_width_mm(part, size) <= 116 * 1.001 for part in parts)


def test_a_sum_is_broken_before_it_is_made_small():
    _, size, lines = fit_formula(SUM, 116, 9)
    assert size == 9 and lines > 1


def test_what_mathtext_does_not_know_is_written_plainly():
    text, size, lines = fit_formula(r"\foo{x} $", 80)
    assert text == r"\foo{x} \$" and lines == 1 and size <= 9


def test_width_grows_with_size():
    assert formula_width_mm(PAPER, 10) == pytest.approx(2 * formula_width_mm(PAPER, 5), rel=0.02)
