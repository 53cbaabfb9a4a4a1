"""Scores of laws, the same for every engine: our float64 evaluation of the law's text.

Each law is taken in three forms: as it came, with the best factor, and with the best factor and
summand on the training rows (under the loss of the study). What a form adds is written into the
law and counted, unless its constants can take it up; by Operon's count both are free for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from counting import operon_length, written_out
from numpy.typing import NDArray
from peers import Found
from problems import Problem

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.loss import fit_output_affine, fit_output_scale, mean_loss

Array = NDArray[np.float64]


class Judged(NamedTuple):
    """One law in one form: its size by both counts, its loss on training and test rows."""

    law: Expression
    pysr: int
    operon: int
    train: float
    test: float


def affine_fit(values: Array, y: Array, loss: str) -> tuple[float, float]:
    """Return the factor and summand of least loss ("hinge": a positive factor)."""
    if loss != "mse":
        return fit_output_affine(values, y, loss)
    spread = values - values.mean()
    square = float(spread @ spread)
    if not 0 < square < np.inf:
        return 1.0, 0.0
    slope = float(spread @ (y - y.mean())) / square
    return slope, float(y.mean() - slope * values.mean())


def scale_fit(values: Array, y: Array, loss: str) -> float:
    """Return the factor of least loss."""
    return fit_output_scale(values, y, loss)


def judge(problem: Problem, found: Iterable[Found], loss: str) -> list[Judged]:
    """Score every form of every law; laws that our parser cannot hold are left out."""
    judged = []
    for text in dict.fromkeys(law.text for law in found):
        try:
            law = parse(text, problem.names)
        except InputError:  # longer than any study counts
            continue
        values = law.evaluate(problem.X)
        if not np.isfinite(values).all():
            continue
        frames = [(1.0, 0.0), (scale_fit(values, problem.y, loss), 0.0)]
        frames.append(affine_fit(values, problem.y, loss))
        judged += [_judged(problem, law, loss, *frame) for frame in dict.fromkeys(frames)]
    return judged


def best_within(judged: Iterable[Judged], count: str, largest: int) -> Judged | None:
    """Return the law of least training loss of at most so many nodes by one of the counts.

    Parameters
    ----------
    count : "pysr" or "operon"
    """
    small = [law for law in judged if getattr(law, count) <= largest]
    return min(small, key=lambda law: (law.train, law.pysr), default=None)


def _judged(problem: Problem, law: Expression, loss: str, scale: float, offset: float) -> Judged:
    full = written_out(law, scale, offset)
    plain = scale * law.evaluate(problem.X) + offset
    train = mean_loss(plain, problem.y, loss)
    if not np.allclose(full.evaluate(problem.X), plain, rtol=1e-6, atol=1e-9 * np.abs(plain).max()):
        raise AssertionError(f"{law}: written out as {full} it has other values")
    test = mean_loss(full.evaluate(problem.X_test), problem.y_test, loss)
    return Judged(full, full.complexity(), operon_length(full), train, test)
