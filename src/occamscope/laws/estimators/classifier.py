"""`LawClassifier`: a short law as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from occamscope.errors import InputError
from occamscope.laws.choice.calibration import Platt, fit_platt
from occamscope.laws.choice.selection import Selection, select_by_cross_validation
from occamscope.laws.estimators.base import LawEstimator
from occamscope.laws.estimators.choice import (
    add_class_columns,
    check_rule,
    choose,
    extra_columns,
    select_joint_by_cross_validation,
)
from occamscope.laws.estimators.data import (
    check_groups,
    check_row_weights,
    check_table,
    class_factors,
    hold_out,
    sorted_classes,
)
from occamscope.laws.estimators.documents import read_labels, write_labels
from occamscope.laws.estimators.laws import all_values
from occamscope.laws.front import Front
from occamscope.laws.joint.front import JointFront
from occamscope.laws.joint.softmax import softmax
from occamscope.laws.spec import DEFAULT_OPERATORS, SearchSpec

Array = NDArray[np.float64]

# More rows do not make the two numbers of a sigmoid better known.
_CALIBRATION_ROWS = 20_000
# Larger decision values, infinite ones among them, count as this.
_HUGE = 1e100


class _Rows(NamedTuple):
    """Rows of a table: features, class numbers, weights as given and as in the loss, groups."""

    X: Array
    number: NDArray[np.intp]
    weight: Array
    loss_weight: Array
    group: NDArray[Any] | None

    @property
    def sign(self) -> Array:
        """-1 for the first class, +1 for the others."""
        return np.where(self.number > 0, 1.0, -1.0)

    def at(self, which: NDArray[np.intp]) -> _Rows:
        """Return some of the rows."""
        parts = (None if part is None else part[which] for part in self)
        return _Rows(*parts)  # type: ignore[arg-type]


class LawClassifier(ClassifierMixin, LawEstimator):
    r"""Classify by the sign of a short law.

    A search for expressions f of the features finds the best one of each complexity: a Pareto
    front. One of them is chosen by rows that the search has not seen. `predict` says
    `classes_[1]` where `decision_function` is above 0, that is where output_scale * f +
    output_offset > 0.

    Parameters
    ----------
    operators : "default" (+ - * square), "paper" (and exp), or a list of PySR's names
    loss : "hinge", "squared_hinge", "logistic" or "ramp"
    maxsize : largest complexity of a law
    maxdepth : longest path from the root to a leaf; None: as maxsize allows
    complexity_of_operators, complexity_of_constants, complexity_of_variables
        Cost of a node: by operator ({"exp": 3}), of a constant, of a variable (one number, or
        one for each feature). 1 unless told otherwise.
    constraints : largest complexity of an operator's operands, {"exp": 4, "*": (-1, 3)}
    nested_constraints : how often operators may stand inside another one, {"exp": {"exp": 0}}
    max_constant : largest absolute value of a constant; wide, because a table's features may
        have any unit
    required_variables, excluded_variables : features that every law must, or no law may, use
    output_scale : give f a free positive factor, which costs no node
    output_offset : give f a free summand, too
    class_weight : None, "balanced" (each class weighs the same) or {class: weight}
    guesses : expressions to start from; a name that is no identifier stands in backticks
    engine : "evolution", "pysr", or a list of both
    evaluations : candidates that are judged
    generations : rounds over all islands after which the search ends; None: no limit
    time_limit : seconds after which each engine ends; None: no limit. A result that a clock
        stopped is not reproducible; `stopped_` says so.
    islands, population : populations that evolve apart, and their size
    parsimony : added to the loss (relative to the best constant's) for every node
    validation_fraction : share of rows that the search does not see, 0 to 0.5. They fill the
        front's validation columns, choose the law and calibrate probabilities. With 0
        probabilities are calibrated on the rows of the search, and are too sure of themselves.
    selection : which law is chosen
        "validation": the simplest one within one standard error of the best balanced accuracy
        on held-out rows; "one_standard_error": the same with the loss, by cross-validation of
        the constants on all rows (also where nothing is held out); "best", "accuracy",
        "score": PySR's rules, by the loss of the search. See `selection`.
    threads : islands that evolve at the same time; None is 1, -1 all cores. The result is the
        same for any number.
    checkpoint : file in which the search keeps its state, every `checkpoint_every` seconds
    resume : go on from the checkpoint, if there is one; the result is that of a search that
        was not interrupted
    random_state : whole number, RandomState or None; the default makes fits reproducible
    verbose : "auto" shows a live table on a terminal, True elsewhere too, False nothing

    Attributes
    ----------
    front_ : pandas.DataFrame
        One row a law: complexity, loss on the search's rows, what the held-out rows say,
        score, expression, LaTeX, and which engine found it.
    best_index_ : row of the chosen law
    expression_ : its `Expression`, over the names `names_.safe`
    complexity_ : its complexity
    classes_ : (k,) labels, sorted
    stopped_ : why the search ended: "budget", "generations", "time" or "interrupt"
    validation_rows_ : rows of X that were held out
    n_features_in_, feature_names_in_ : as in scikit-learn

    Notes
    -----
    Probabilities are Platt's sigmoid of the decision value, fitted on the held-out rows
    (`calibration.fit_platt`). Where classes are unbalanced or weighted, a row beyond the law's
    boundary can have a probability below 1/2. A law that is undefined for a row (nan) says
    `classes_[0]`, with probability 1/2.

    Rows of weight 0 are as good as absent. A weight of 2 is not the same as two rows: which
    rows are held out, and the course of the search, depend on the number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from occamscope.laws import LawClassifier
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0.3, "in", "out")
    >>> law = LawClassifier(evaluations=20_000).fit(X, y)
    >>> law.score(X, y) > 0.95
    True
    >>> law.expression_.variables()
    ('x0', 'x1')
    """

    _default_operators = DEFAULT_OPERATORS

    classes_: NDArray[Any]
    platt_: tuple[Platt, ...]
    validation_rows_: NDArray[np.intp]

    def __init__(
        self,
        *,
        operators: str | Sequence[str] = "default",
        loss: str = "hinge",
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
        output_scale: bool = True,
        output_offset: bool = False,
        class_weight: str | Mapping[Any, float] | None = None,
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
        self.output_scale = output_scale
        self.output_offset = output_offset
        self.class_weight = class_weight
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
        """Search for laws that separate the classes, and choose one.

        Parameters
        ----------
        X : (n, d) numbers, an array or a DataFrame
        y : (n,) labels of any kind
        sample_weight : (n,) weights >= 0 of the rows
        groups : (n,) rows of one group are held out together, or not at all

        Raises
        ------
        InputError
            If data, labels or parameters are unusable; the message names what and the remedy.
        """
        check_rule(self.selection)
        rows, kept = self._labelled(X, y, sample_weight, groups)
        self._name_features()
        seed = self._seed()
        spec = self._spec(seed)
        if not spec.is_margin:
            raise InputError(f"loss: '{spec.loss}' is for numbers; use LawRegressor")
        parts = hold_out(self.validation_fraction, len(kept), seed, rows.number, rows.group)
        search, held_out = rows.at(parts.search), rows.at(parts.held_out)
        front = self._searched(search, spec)
        judged = held_out if len(parts.held_out) else search
        some = np.random.default_rng([seed, 2]).permutation(len(judged.X))[:_CALIBRATION_ROWS]
        sample = judged.at(some)
        if isinstance(front, JointFront):
            front = front.calibrated(sample.X, sample.number, sample.weight)
        table = front.table
        if len(parts.held_out):
            table = add_class_columns(
                table, all_values(front, held_out.X), held_out.number, held_out.weight,
                held_out.loss_weight, spec.loss,
            )  # fmt: skip
        chosen = choose(table, self.selection, lambda: _cross_validated(front, rows, spec))
        self.validation_rows_ = kept[parts.held_out]
        self.keep_front(front, extra_columns(front, chosen), chosen.row)
        self.platt_ = ()
        if isinstance(front, Front):
            self.platt_ = tuple(
                calibrated(values, sample.number, sample.weight)
                for values in all_values(front, sample.X)
            )
        return self

    def _labelled(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[_Rows, NDArray[np.intp]]:
        """Return the rows of positive weight, and which they are."""
        table, labels = check_table(self, X, y, numeric=False)
        weight = check_row_weights(sample_weight, len(table))
        group = check_groups(groups, len(table))
        kept = np.flatnonzero(weight > 0)
        self.classes_, number = sorted_classes(labels[kept])
        check_classification_targets(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"y holds one class only ('{self.classes_[0]}'): there is nothing to separate"
            )
        factors = class_factors(self.class_weight, self.classes_, number, weight[kept])
        loss_weight = weight[kept] * factors[number]
        group = None if group is None else group[kept]
        return _Rows(table[kept], number, weight[kept], loss_weight, group), kept

    def _searched(self, rows: _Rows, spec: SearchSpec) -> Front | JointFront:
        """Search for a law whose sign tells two classes apart, or for one law a class."""
        engines = self._engines(spec)
        front: Front | JointFront
        if len(self.classes_) > 2:
            labels = self.classes_.tolist()
            front = engines.joint(rows.X, rows.number, rows.loss_weight, labels)
        else:
            front = engines.single(rows.X, rows.sign, rows.loss_weight)
        self._check_found(front)
        return front

    def decision_function(self, X: ArrayLike, index: int | None = None) -> Array:
        """Value of the law, output_scale * f + output_offset.

        Parameters
        ----------
        X : (n, d) numbers
        index : row of `front_`; None: the chosen law

        Returns
        -------
        (n,) values of two classes: above 0 the law says `classes_[1]`; (n, K) of more: the
        largest one says the class. nan where a law is undefined.
        """
        return self._values(self._matrix(X), index)

    def predict(self, X: ArrayLike, index: int | None = None) -> NDArray[Any]:
        """Label of every row, (n,); parameters as `decision_function`."""
        values = self.decision_function(X, index)
        if values.ndim == 1:
            return self.classes_[(values > 0).astype(int)]
        return self.classes_[np.argmax(softmax(values), axis=1)]

    def predict_proba(self, X: ArrayLike, index: int | None = None) -> Array:
        """Probability of every class in every row, (n, K); parameters as `decision_function`."""
        values, row = self.decision_function(X, index), self._row(index)
        if isinstance(self.laws_, JointFront):
            return softmax(values, self.laws_.temperatures[row])
        positive = self.platt_[row](np.clip(values, -_HUGE, _HUGE))
        positive = np.where(np.isnan(values), 0.5, positive)
        return np.column_stack([1 - positive, positive])

    def facts(self) -> dict[str, Any]:
        """Return classes and sigmoids, for `to_json`."""
        return {
            "classes": write_labels(self.classes_),
            "platt": [[platt.a, platt.b] for platt in self.platt_],
        }

    def take_facts(self, document: dict[str, Any]) -> None:
        """Take up what `facts` wrote."""
        self.classes_ = read_labels(document["classes"])
        self.platt_ = tuple(Platt(float(a), float(b)) for a, b in document["platt"])
        joint = isinstance(self.laws_, JointFront)
        if len(self.platt_) != (0 if joint else len(self.laws_)) or len(self.classes_) != (
            len(self.laws_.classes) if isinstance(self.laws_, JointFront) else 2
        ):
            raise ValueError("its classes or sigmoids do not fit its laws")


def _cross_validated(front: Front | JointFront, rows: _Rows, spec: SearchSpec) -> Selection:
    """Choose a law by all rows."""
    weight, group, seed = rows.loss_weight, rows.group, spec.seed
    if isinstance(front, JointFront):
        return select_joint_by_cross_validation(
            front, rows.X, rows.number, spec, weight, group, seed
        )
    return select_by_cross_validation(front, rows.X, rows.sign, spec, weight, group, seed=seed)


def calibrated(values: Array, positive: NDArray[np.intp], weight: Array) -> Platt:
    """Fit a sigmoid to the rows on which a law is defined.

    If one class has no such row, nothing can be said: probability 1/2.
    """
    defined = ~np.isnan(values)
    if len(np.unique(positive[defined])) < 2:
        return Platt(0.0, 0.0)
    values = values[defined]
    largest = np.abs(values[np.isfinite(values)]).max(initial=1.0)
    values = np.clip(values, -largest, largest)
    return fit_platt(values, positive[defined], weight[defined])
