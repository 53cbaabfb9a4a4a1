"""What a search for laws may use: loss, operators, size, constants, budget."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from occamscope.errors import InputError
from occamscope.laws.loss import LOSSES, MARGIN_LOSSES
from occamscope.laws.tree import SEARCH_OPERATORS

# Division, exp and tanh let a search lower the hinge through poles and saturation; dropping
# division cost no accuracy in our trials, so the default set is polynomial.
DEFAULT_OPERATORS: tuple[str, ...] = ("+", "-", "*", "square")
# The one law that Soelistyo and Lowe (arXiv 2402.03115) print needs exp as well.
PAPER_OPERATORS: tuple[str, ...] = ("+", "-", "*", "square", "exp")
OPERATOR_SETS = {"default": DEFAULT_OPERATORS, "paper": PAPER_OPERATORS}


def default_operators() -> tuple[str, ...]:
    """Return the operators that a search uses unless told otherwise."""
    return DEFAULT_OPERATORS


def paper_operators() -> tuple[str, ...]:
    """Return the operators of the paper's published law: the default set and exp."""
    return PAPER_OPERATORS


@dataclass(frozen=True)
class SearchSpec:
    """Settings of one search, the same for every engine.

    Raises
    ------
    InputError
        If a value is outside its range; the message names the setting and what is allowed.
    """

    # "hinge", "squared_hinge", "logistic" (targets -1/+1) or "mse" (real targets).
    loss: str = "hinge"
    # PySR's names, or the name of a set: "default" or "paper".
    operators: tuple[str, ...] | str = DEFAULT_OPERATORS
    # Largest number of nodes: every operator, constant and variable counts 1.
    max_complexity: int = 20
    # Largest absolute value of a constant.
    max_constant: float = 50.0
    # Budget: how many candidate expressions are scored, over all islands.
    evaluations: int = 1_000_000
    # Populations that evolve apart and exchange members.
    islands: int = 15
    # Expressions in one population.
    population: int = 27
    # Added to the loss (relative to the best constant's) for every node.
    parsimony: float = 0.0
    # Start of every random stream.
    seed: int = 0
    # Give a margin loss a free positive factor on f; it counts no node. Ignored for "mse".
    output_scale: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", _operator_tuple(self.operators))
        if self.loss not in LOSSES:
            raise InputError(f"laws.loss: '{self.loss}' is not one of {', '.join(LOSSES)}")
        _check_whole("max_complexity", self.max_complexity, 1, 200)
        _check_whole("evaluations", self.evaluations, 1, 10**13)
        _check_whole("islands", self.islands, 1, 10_000)
        _check_whole("population", self.population, 2, 100_000)
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        if not (math.isfinite(self.max_constant) and self.max_constant > 0):
            raise InputError(f"laws.max_constant: {self.max_constant} must be a positive number")
        if not (math.isfinite(self.parsimony) and self.parsimony >= 0):
            raise InputError(f"laws.parsimony: {self.parsimony} must be 0 or a positive number")

    @property
    def is_margin(self) -> bool:
        """True if the loss is a function of y f with targets -1/+1."""
        return self.loss in MARGIN_LOSSES

    @property
    def free_scale(self) -> bool:
        """True if the loss of f means its minimum over s > 0 of the loss of s f.

        Only margin losses: with them the sign of f decides and the unit of f means nothing.
        A regression target has a unit, which f must meet by itself.
        """
        return self.output_scale and self.is_margin

    @property
    def binary_operators(self) -> tuple[str, ...]:
        """The allowed operators of two operands, in the order given."""
        return tuple(name for name in self.operators if SEARCH_OPERATORS[name] == 2)

    @property
    def unary_operators(self) -> tuple[str, ...]:
        """The allowed operators of one operand, in the order given."""
        return tuple(name for name in self.operators if SEARCH_OPERATORS[name] == 1)


def _operator_tuple(operators: Iterable[str] | str) -> tuple[str, ...]:
    """Resolve the name of a set, check every operator, keep the order."""
    if isinstance(operators, str):
        if operators not in OPERATOR_SETS:
            known = ", ".join(OPERATOR_SETS)
            raise InputError(
                f"laws.operators: '{operators}' is not a known set ({known}); give one of these "
                "or a list of operators"
            )
        return OPERATOR_SETS[operators]
    names = tuple(operators)
    for name in names:
        if name not in SEARCH_OPERATORS:
            near = get_close_matches(str(name), SEARCH_OPERATORS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            known = " ".join(SEARCH_OPERATORS)
            raise InputError(f"laws.operators: '{name}' is not one of {known}{hint}")
    if len(set(names)) != len(names):
        raise InputError(f"laws.operators: an operator is named twice in {' '.join(names)}")
    if not names:
        raise InputError("laws.operators: the list is empty; give at least one operator")
    return names


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"laws.{name}: {value!r} must be a whole number from {low} to {high}")
