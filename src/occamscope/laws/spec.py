"""What a search for laws may use: loss, operators, size, constants, budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from occamscope.errors import InputError
from occamscope.laws.expressions.tree import SEARCH_OPERATORS
from occamscope.laws.loss import LOSSES, MARGIN_LOSSES

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

    # "hinge", "squared_hinge", "logistic", "ramp" (targets -1/+1), "mse", "mae" (real targets).
    loss: str = "hinge"
    # PySR's names, or the name of a set: "default" or "paper".
    operators: tuple[str, ...] | str = DEFAULT_OPERATORS
    # Largest complexity: every operator, constant and variable counts 1 unless told otherwise.
    maxsize: int = 20
    # Longest path from the root to a leaf (a leaf alone has 1); None: as `maxsize` allows.
    maxdepth: int | None = None
    # What a node costs: by operator, for a constant, for a variable (one number, or one each).
    complexity_of_operators: Mapping[str, int] = field(default_factory=dict)
    complexity_of_constants: int = 1
    complexity_of_variables: int | tuple[int, ...] = 1
    # Largest complexity of an operator's operands, -1 for any: {"exp": 4, "*": (-1, 3)}.
    constraints: Mapping[str, int | tuple[int, int]] = field(default_factory=dict)
    # How often operators may stand inside another one, on one path: {"exp": {"exp": 0}}.
    nested_constraints: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # Largest absolute value of a constant.
    max_constant: float = 50.0
    # Variables that every law must, or no law may, contain.
    required_variables: tuple[str, ...] = ()
    excluded_variables: tuple[str, ...] = ()
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
    # Give a margin loss a free positive factor on f; it counts no node. Ignored for "mse", "mae".
    output_scale: bool = True
    # Give a margin loss with a free scale a free summand, too: s f + b.
    output_offset: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", _operator_tuple(self.operators))
        object.__setattr__(self, "required_variables", tuple(self.required_variables))
        object.__setattr__(self, "excluded_variables", tuple(self.excluded_variables))
        if self.loss not in LOSSES:
            raise InputError(f"laws.loss: '{self.loss}' is not one of {', '.join(LOSSES)}")
        _check_whole("maxsize", self.maxsize, 1, 200)
        if self.maxdepth is not None:
            _check_whole("maxdepth", self.maxdepth, 1, 100)
        _check_whole("evaluations", self.evaluations, 1, 10**13)
        _check_whole("islands", self.islands, 1, 10_000)
        _check_whole("population", self.population, 2, 100_000)
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        if not (math.isfinite(self.max_constant) and self.max_constant > 0):
            raise InputError(f"laws.max_constant: {self.max_constant} must be a positive number")
        if not (math.isfinite(self.parsimony) and self.parsimony >= 0):
            raise InputError(f"laws.parsimony: {self.parsimony} must be 0 or a positive number")
        if self.output_offset and not self.output_scale:
            raise InputError("laws.output_offset: an offset needs output_scale as well")
        both = sorted(set(self.required_variables) & set(self.excluded_variables))
        if both:
            raise InputError(f"laws: the variable '{both[0]}' is both required and excluded")
        self._check_costs()
        self._check_constraints()
        self._check_required()

    def _check_required(self) -> None:
        """Refuse more required variables than one law can hold."""
        count = len(set(self.required_variables))
        if count == 0:
            return
        if count > 1 and not self.binary_operators:
            raise InputError(
                "laws.required_variables: no operator of two operands is allowed that could join "
                f"{count} variables"
            )
        joins = [self.complexity_of_operators.get(name, 1) for name in self.binary_operators]
        variables = self.complexity_of_variables
        cheapest = variables if isinstance(variables, int) else min(variables, default=1)
        least = count * cheapest + (count - 1) * min(joins, default=0)
        depth = 1 + math.ceil(math.log2(count))
        if least > self.maxsize or (self.maxdepth is not None and depth > self.maxdepth):
            raise InputError(
                f"laws.required_variables: a law of {count} variables has a complexity of at "
                f"least {least} and a depth of {depth}; raise maxsize or maxdepth"
            )

    def _check_costs(self) -> None:
        """Refuse costs of nodes that are no whole numbers of at least 1."""
        costs = dict(self.complexity_of_operators)
        object.__setattr__(self, "complexity_of_operators", costs)
        for name, cost in costs.items():
            _check_known("complexity_of_operators", name, self.operators)
            _check_whole(f"complexity_of_operators['{name}']", cost, 1, 200)
        _check_whole("complexity_of_constants", self.complexity_of_constants, 1, 200)
        variables = self.complexity_of_variables
        if not isinstance(variables, int):
            variables = tuple(variables)
            object.__setattr__(self, "complexity_of_variables", variables)
        for cost in variables if isinstance(variables, tuple) else (variables,):
            _check_whole("complexity_of_variables", cost, 1, 200)

    def _check_constraints(self) -> None:
        """Refuse limits for unknown operators or with a wrong number of operands."""
        limits = {}
        for name, given in self.constraints.items():
            _check_known("constraints", name, self.operators)
            sides = tuple(given) if isinstance(given, Sequence) else (given,)
            if len(sides) != SEARCH_OPERATORS[name]:
                raise InputError(
                    f"laws.constraints['{name}']: give {SEARCH_OPERATORS[name]} number(s), "
                    "one for each operand (-1: any size)"
                )
            for side in sides:
                _check_whole(f"constraints['{name}']", side, -1, 200)
            limits[name] = sides if len(sides) > 1 else sides[0]
        object.__setattr__(self, "constraints", limits)
        nested = {outer: dict(inner) for outer, inner in self.nested_constraints.items()}
        object.__setattr__(self, "nested_constraints", nested)
        for outer, inner in nested.items():
            for name in (outer, *inner):
                _check_known("nested_constraints", name, self.operators)
            for name, most in inner.items():
                _check_whole(f"nested_constraints['{outer}']['{name}']", most, 0, 200)

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
    def free_offset(self) -> bool:
        """True if the loss of f means its minimum over s > 0 and b of the loss of s f + b."""
        return self.output_offset and self.free_scale

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


def _check_known(setting: str, name: str, operators: Sequence[str]) -> None:
    """Refuse an operator that the search does not use."""
    if name not in operators:
        raise InputError(
            f"laws.{setting}: '{name}' is not one of the search's operators {' '.join(operators)}"
        )


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"laws.{name}: {value!r} must be a whole number from {low} to {high}")
