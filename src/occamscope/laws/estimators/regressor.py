"""`LawRegressor`: a short law as a scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from occamscope.errors import InputError
from occamscope.laws.choice.selection import select_by_cross_validation
from occamscope.laws.estimators.base import LawEstimator
from occamscope.laws.estimators.choice import add_number_columns, check_rule, choose, extra_columns
from occamscope.laws.estimators.data import (
    LARGEST,
    check_groups,
    check_row_weights,
    check_table,
    hold_out,
)
from occamscope.laws.estimators.laws import all_values

Array = NDArray[np.float64]

# A number has a unit, and often a ratio, a rate or a root behind it.
REGRESSION_OPERATORS = ("+", "-", "*", "/", "square", "sqrt", "exp", "log")


class LawRegressor(RegressorMixin, LawEstimator):
    r"""Predict a number by a short law.

    A search for expressions f of the features finds the best one of each complexity: a Pareto
    front. One of them is chosen by rows that the search has not seen, and predicts y = f.

    Parameters
    ----------
    operators : "default" (+ - * / square sqrt exp log), "paper" (+ - * square exp), or a list
        of PySR's names
    loss : "mse" or "mae"
    maxsize, maxdepth, complexity_of_operators, complexity_of_constants, \
    complexity_of_variables, constraints, nested_constraints, max_constant, \
    required_variables, excluded_variables, guesses, engine, evaluations, generations, \
    time_limit, islands, population, parsimony, validation_fraction, selection, threads, \
    checkpoint, checkpoint_every, resume, random_state, verbose
        As in `LawClassifier`.

    Attributes
    ----------
    front_, best_index_, expression_, complexity_, stopped_, validation_rows_, \
    n_features_in_, feature_names_in_
        As in `LawClassifier`.

    Notes
    -----
    A prediction is nan where the law is undefined, as the square root of a negative number.

    Examples
    --------
    >>> import numpy as np
    >>> from occamscope.laws import LawRegressor
    >>> X = np.random.default_rng(0).uniform(1, 3, size=(200, 2))
    >>> y = X[:, 0] / X[:, 1]
    >>> law = LawRegressor(evaluations=20_000).fit(X, y)
    >>> law.text()
    'x0/x1'
    """

    _default_operators = REGRESSION_OPERATORS

    def __init__(
        self,
        *,
        operators: str | Sequence[str] = "default",
        loss: str = "mse",
        maxsize: int = 20,
        maxdepth: int | None = None,
        complexity_of_operators: Mapping[str, int] | None = None,
        complexity_of_constants: int = 1,
        complexity_of_variables: int | Sequence[int] = 1,
        constraints: Mapping[str, int | tuple[int, int]] | None = None,
        nested_constraints: Mapping[str, Mapping[str, int]] | None = None,
        max_constant: float = 1e6,
        required_variables: Sequence[str] = (),
        excluded_variables: Sequence[str] = (),
        guesses: Sequence[str] = (),
        engine: str | Sequence[str] = "evolution",
        evaluations: int = 1_000_000,
        generations: int | None = None,
        time_limit: float | None = None,
        islands: int = 15,
        population: int = 27,
        parsimony: float = 0.0,
        validation_fraction: float = 0.2,
        selection: str = "validation",
        threads: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: float = 60.0,
        resume: bool = False,
        random_state: Any = 0,
        verbose: bool | str = "auto",
    ) -> None:
        self.operators = operators
        self.loss = loss
        self.maxsize = maxsize
        self.maxdepth = maxdepth
        self.complexity_of_operators = complexity_of_operators
        self.complexity_of_constants = complexity_of_constants
        self.complexity_of_variables = complexity_of_variables
        self.constraints = constraints
        self.nested_constraints = nested_constraints
        self.max_constant = max_constant
        self.required_variables = required_variables
        self.excluded_variables = excluded_variables
        self.guesses = guesses
        self.engine = engine
        self.evaluations = evaluations
        self.generations = generations
        self.time_limit = time_limit
        self.islands = islands
        self.population = population
        self.parsimony = parsimony
        self.validation_fraction = validation_fraction
        self.selection = selection
        self.threads = threads
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Search for laws that predict y, and choose one.

        Parameters
        ----------
        X : (n, d) numbers, an array or a DataFrame
        y : (n,) numbers
        sample_weight : (n,) weights >= 0 of the rows
        groups : (n,) rows of one group are held out together, or not at all

        Raises
        ------
        InputError
            If data, targets or parameters are unusable; the message names what and the remedy.
        """
        check_rule(self.selection)
        table, target = check_table(self, X, y, numeric=True)
        weight = check_row_weights(sample_weight, len(table))
        if np.abs(target.astype(np.float64)).max() > LARGEST:
            raise InputError(f"y: the search can use up to {LARGEST:.0g}; use another unit")
        group = check_groups(groups, len(table))
        kept = np.flatnonzero(weight > 0)
        group = None if group is None else group[kept]
        table, target, weight = table[kept], target[kept].astype(np.float64), weight[kept]
        self._name_features()
        seed = self._seed()
        spec = self._spec(seed)
        if spec.is_margin:
            raise InputError(f"loss: '{spec.loss}' is for classes; use LawClassifier")
        parts = hold_out(self.validation_fraction, len(table), seed, None, group)
        search, held_out = parts
        engines = self._engines(spec)
        front = engines.single(table[search], target[search], weight[search])
        self._check_found(front)
        shown = front.table
        if len(held_out):
            values = all_values(front, table[held_out])
            shown = add_number_columns(shown, values, target[held_out], weight[held_out], spec.loss)
        chosen = choose(
            shown, self.selection,
            lambda: select_by_cross_validation(
                front, table, target, spec, weight, group, seed=seed
            ),
        )  # fmt: skip
        self.validation_rows_ = kept[held_out]
        self.keep_front(front, extra_columns(front, chosen), chosen.row)
        return self

    def predict(self, X: ArrayLike, index: int | None = None) -> Array:
        """Value of the law for every row.

        Parameters
        ----------
        X : (n, d) numbers
        index : row of `front_`; None: the chosen law

        Returns
        -------
        (n,) values; nan where the law is undefined
        """
        return self._values(self._matrix(X), index)
