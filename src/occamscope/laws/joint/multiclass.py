r"""More than two classes: one law a class, fitted together under softmax cross-entropy.

The probability of class k is softmax(d)_k with d_k = s_k f_k + b_k. Seen from one class, the
others fixed, the cross-entropy is a logistic loss with a base (`softmax`), for which the engine
searches. The classes are taken in turn (backfitting: Breiman and Friedman, J. Am. Stat. Assoc.
80, 1985): first each against all others, from the classes' priors; then, in rounds of growing
length, each with the others at what a joint fit of the laws found so far gives them, at a small
and at a large complexity in turn. What all these searches found makes a pool for each class, and
a beam search over the pools' combinations (`joint_beam`), with all constants fitted together
(`joint_fit`), makes the front.

What the spec means with many classes:

- `maxsize`, `maxdepth`, `constraints`, `nested_constraints`, `max_constant` and
  `excluded_variables` hold for each class's law; the complexity of a row is the sum of all.
- `required_variables` must occur in each class's law. A class without a law has none in which
  they could be lacking, but one class at least must have a law.
- `loss` may be any margin loss; cross-entropy takes its place.
- `output_scale`: each class has its own positive factor. `output_offset`: each class has its own
  summand; without it the summands are the ln of the classes' (weighted) shares of the rows, so
  that a joint law without any node states the priors.
- `evaluations` is the budget of all searches together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from occamscope.errors import InputError
from occamscope.laws.constraints import violation
from occamscope.laws.control import SearchControl
from occamscope.laws.engines import Engine, get_engine
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import check_data
from occamscope.laws.joint.beam import FIT_STEPS, NONE, OWN_STEPS, Beam, Pool, State
from occamscope.laws.joint.class_searches import ClassSearches
from occamscope.laws.joint.fit import (
    LOSS_FLOOR,
    JointLaw,
    JointProblem,
    stratified_rows,
    without_laws,
)
from occamscope.laws.joint.front import JointFront, Label
from occamscope.laws.joint.softmax import cross_entropy, log_priors, rest_values
from occamscope.laws.loss import SCALE_RANGE, check_weights
from occamscope.laws.search_digest import digest_of
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]
Guesses = Sequence[str] | Mapping[Label, Sequence[str]]

# Rows on which combinations are compared, and on which the last fit runs to convergence.
BEAM_ROWS, FIT_ROWS = 2000, 10_000
# The first round over the classes takes this share of the budget, but no more than so many
# evaluations a class; each further round takes so many times as much as the one before.
FIRST_SHARE, FIRST_ROUND, GROWTH = 0.2, 30_000, 2.0
# States that the last beam keeps of each complexity; 1 for more than `MANY` classes.
WIDTH, MANY = 3, 6
# Fits when one class's law is changed.
TRIALS = 3
# Steps of the last joint fit, and of its end on all rows where there are more than FIT_ROWS.
LAST_STEPS, POLISH_STEPS = 25, 2
# Runners-up with a loss larger than the best one's by more than this share are not fitted on.
RUNNER_UP = 0.02
# Laws with a loss below this may separate all rows; then their scales are multiplied.
SEPARATED, SHARPEN = 0.05, (1.0, 10.0, 100.0, 1e3, 1e4)


def fit_multiclass(
    X: ArrayLike,
    y_index: ArrayLike,
    classes: Sequence[Label],
    spec: SearchSpec,
    feature_names: Sequence[str],
    sample_weight: ArrayLike | None = None,
    guesses: Guesses = (),
    control: SearchControl | None = None,
    progress: Callable[[str], None] | None = None,
    engine: Engine | None = None,
    target: str = "labels",
) -> JointFront:
    """Search for joint laws of several classes.

    The result depends on data, spec and guesses alone, unless a time limit or the user ends
    the search. With the classes in another order it is the same, in that order.

    Parameters
    ----------
    X : (n, d) data
    y_index : (n,) class of each row, as its position in `classes`
    classes : labels of the K >= 2 classes. One without rows of positive weight gets no law and
        the probability 0.
    spec : what the search may use; the module says what it means with many classes
    feature_names : names of the columns of X
    sample_weight : (n,) non-negative weights of the rows
    guesses : expressions to start from, for every class or by the class's label
    control : threads, limits, progress and checkpoints; `generations` are those of each class's
        search. The time limit is shared by the searches and the joint fit.
    progress : called with a short line from time to time
    engine : what searches for one class's laws, the embedded one if None. One that takes no
        `base` (PySR) searches for each class against the rest only.
    target : what y is, for the front's `target` column

    Raises
    ------
    InputError
        If data, classes, weights, guesses and spec do not fit together, or fewer than two
        classes have rows.
    """
    X, y, weight = _check(X, y_index, classes, spec, feature_names, sample_weight)
    order = _canonical_order(y, weight, len(classes))
    texts = _guesses_by_class(guesses, classes)
    rows = weight > 0
    X, y, weight = X[rows], y[rows], weight[rows]
    position = np.full(len(classes), -1)
    position[order] = np.arange(len(order))
    search = _Search(
        X, position[y], weight, [classes[k] for k in order], spec,
        feature_names, [texts[k] for k in order], control, progress,
        get_engine("evolution") if engine is None else engine,
    )  # fmt: skip
    with threadpool_limits(1, "blas"):  # sums of several threads differ in their last bits
        joints = search.run()
    front = JointFront.from_joints(
        joints, X, position[y], spec, feature_names, [classes[k] for k in order],
        engine=search.searches.engine.name, target=target, sample_weight=weight,
        stopped=search.searches.stopped,
    )  # fmt: skip
    return front.with_classes(classes)


def _check(
    X: ArrayLike, y: ArrayLike, classes: Sequence[Label], spec: SearchSpec,
    names: Sequence[str], sample_weight: ArrayLike | None,
) -> tuple[Array, NDArray[np.intp], Array]:  # fmt: skip
    """Return data, classes and weights as arrays, after a check of their values."""
    if not spec.is_margin:
        raise InputError(f"laws.loss: '{spec.loss}' is for numbers; classes need a margin loss")
    X, given = check_data(X, y, replace(spec, loss="mse", output_offset=False), names)
    labels = given.astype(np.intp)
    if (labels != given).any() or labels.min() < 0 or labels.max() >= len(classes):
        raise InputError(f"classes: they must be whole numbers from 0 to {len(classes) - 1}")
    weight = check_weights(sample_weight, len(labels))
    return X, labels, np.ones(len(labels)) if weight is None else weight


def _canonical_order(y: NDArray[np.intp], weight: Array, classes: int) -> list[int]:
    """Order the classes that have rows by weight, then by their first row.

    The search runs in this order, so that the order of the labels does not matter.
    """
    totals = np.bincount(y, weight, minlength=classes)
    first = {int(k): int(np.argmax((y == k) & (weight > 0))) for k in np.flatnonzero(totals > 0)}
    if len(first) < 2:
        raise InputError("classes: all rows belong to one class; nothing to separate")
    return sorted(first, key=lambda k: (-totals[k], first[k]))


def _guesses_by_class(guesses: Guesses, classes: Sequence[Label]) -> list[tuple[str, ...]]:
    """Return each class's guesses."""
    if not isinstance(guesses, Mapping):
        return [tuple(guesses)] * len(classes)
    unknown = [label for label in guesses if label not in classes]
    if unknown:
        raise InputError(f"guesses: there is no class {unknown[0]!r}")
    return [tuple(guesses.get(label, ())) for label in classes]


def _plan(evaluations: int, classes: int, several: bool) -> list[tuple[int, int, int]]:
    """Share the budget among the searches: (round, class, evaluations) of each.

    The first rounds are short, so that all classes have laws soon, whatever the budget.
    """
    left = evaluations / classes
    size, rounds = min(FIRST_ROUND, FIRST_SHARE * left), []
    while several and left > 1.5 * size:
        rounds.append(size)
        left, size = left - size, GROWTH * size
    ends = np.cumsum(np.repeat([*rounds, left], classes))
    budget = np.diff(np.floor(ends + 1e-6).astype(int), prepend=0)
    return [(turn // classes, turn % classes, int(n)) for turn, n in enumerate(budget)]


class _Search:
    """The state of one search, over classes in canonical order that all have rows."""

    def __init__(
        self, X: Array, y: NDArray[np.intp], weight: Array, labels: Sequence[Label],
        spec: SearchSpec, names: Sequence[str], guesses: Sequence[Sequence[str]],
        control: SearchControl | None, progress: Callable[[str], None] | None, engine: Engine,
    ) -> None:  # fmt: skip
        self.X, self.y, self.weight, self.labels, self.spec = X, y, weight, labels, spec
        self.classes, self.guesses, self.names = len(labels), guesses, tuple(names)
        digest = digest_of(X, y, weight, "multiclass", spec, self.names, guesses, engine)
        self.searches = ClassSearches(
            engine, X, weight, spec, names, control, progress, digest, self.classes
        )  # fmt: skip
        rows, beam_weight = stratified_rows(y, weight, BEAM_ROWS, spec.seed)
        self.problem = JointProblem(X[rows], y[rows], beam_weight, self.classes, spec)
        self.pools = [Pool(self.problem) for _ in labels]
        self.fronts: list[list[str]] = [list(own) for own in guesses]
        for k, own in enumerate(guesses):
            self._take(k, [parse(text, self.names) for text in own])
        prior = without_laws(log_priors(y, self.classes, weight).tolist())
        self.states = [State(prior, 0, self.problem.loss(prior), (NONE,) * self.classes)]
        self.plan = _plan(spec.evaluations, self.classes, self.searches.takes_base)

    def run(self) -> list[JointLaw]:
        """Search, put together and fit; return candidates for the front."""
        width = 1 if self.classes > MANY else WIDTH
        for part in (self._search, partial(self._combine, width)):
            try:
                part()
            except KeyboardInterrupt:
                self.searches.stopped = "interrupt"
        return self._fitted()

    def _search(self) -> None:
        """Visit the classes in turn, as planned."""
        place = self.states[0]
        for number, (turn, k, evaluations) in enumerate(self.plan):
            price, late = self._price(turn), self.searches.searched_enough()
            if k == 0 and turn > 0 and not late:
                self._combine(1)
                place = self._cheapest(self.states, price)
            self._visit(place, turn, k, evaluations, len(self.plan) - number)
            if turn > 0 and not late:
                place = self._moved(place, price, k)
            if self.searches.stopped == "interrupt":
                return

    def _visit(self, place: State, turn: int, k: int, evaluations: int, left: int) -> None:
        """Search for laws of one class, the others as in a state."""
        decision = place.joint.decision(self.X)
        base = place.joint.offsets[k] - rest_values(decision, k)
        laws = self.searches.search(
            str(self.labels[k]), np.where(self.y == k, 1.0, -1.0), base, evaluations,
            self.fronts[k], (self.spec.seed + turn) % 2**31, left,
        )  # fmt: skip
        if laws:
            self.fronts[k] = [law.to_text() for law in laws]
        self._take(k, laws)

    def _take(self, k: int, laws: Sequence[Expression]) -> None:
        """Add laws to a class's pool, those within the limits."""
        for law in laws:
            if violation(law, self.spec) is None:
                self.pools[k].add(law)

    def _price(self, turn: int) -> float:
        """What a node must gain in mean loss: by Schwarz (1978) and by Akaike (1974) in turn."""
        n = len(self.y)
        return (0.5 * math.log(n) if turn % 2 else 1.0) / n

    def _cheapest(self, states: Sequence[State], price: float) -> State:
        """Return the state with the lowest loss plus the price of its nodes."""
        return min(states, key=lambda s: (s.loss + price * s.complexity, s.members))

    def _moved(self, place: State, price: float, k: int) -> State:
        """Return the best state at a price of nodes, of those that differ in one class's law."""
        pool = self.pools[k]
        now, rest = place.members[k], place.complexity - pool.size(place.members[k])
        members = [m for m in range(len(pool.laws)) if m != now]
        trials = []
        if members:
            decision = place.joint.decision(self.problem.X)
            estimates = pool.estimates(place.joint, decision, k, members)
            trials = [
                (loss + price * pool.size(m), m, joint)
                for m, (loss, joint) in zip(members, estimates, strict=True)
            ]
        if now != NONE:
            alone = place.joint.with_class(k, None, 1.0, place.joint.offsets[k])
            trials.append((self.problem.loss(alone), NONE, alone))
        states = [place]
        for _, m, joint in sorted(trials, key=lambda trial: trial[:2])[:TRIALS]:
            new, loss = self.problem.fit(joint, OWN_STEPS, only=k)
            own = (*place.members[:k], m, *place.members[k + 1 :])
            states.append(State(new, rest + pool.size(m), loss, own))
        best = self._cheapest(states, price)
        if best is not place:
            joint, loss = self.problem.fit(best.joint, FIT_STEPS)
            best = replace(best, joint=joint, loss=loss)
            self.states.append(best)
        return best

    def _combine(self, width: int) -> None:
        """Search for combinations of the pools' laws, of any complexity."""
        beam = Beam(self.problem, self.pools, width)
        try:
            beam.run(self.states, self.searches.out_of_time)
        finally:  # an interrupt leaves the smaller ones
            last = max((state.complexity for state in beam.found), default=-1)
            larger = [state for state in self.states if state.complexity > last]
            self.states = beam.found + larger

    def _fitted(self) -> list[JointLaw]:
        """Fit the states on all rows; the first interrupt leaves the rest as they are."""
        rows, weight = stratified_rows(self.y, self.weight, FIT_ROWS, self.spec.seed)
        problem = JointProblem(self.X[rows], self.y[rows], weight, self.classes, self.spec)
        whole = problem
        if len(rows) < len(self.y):
            whole = JointProblem(self.X, self.y, self.weight, self.classes, self.spec)
        lowest: dict[int, float] = {}
        for state in self.states:
            lowest[state.complexity] = min(state.loss, lowest.get(state.complexity, math.inf))
        done: list[JointLaw] = []
        for state in self.states:
            joint = state.joint
            near = state.loss <= (1 + RUNNER_UP) * lowest[state.complexity] + 1e-9
            if near and not self.searches.out_of_time():
                try:
                    joint, _ = problem.fit(joint, LAST_STEPS)
                    if whole is not problem:
                        joint, _ = whole.fit(joint, POLISH_STEPS)
                except KeyboardInterrupt:
                    self.searches.stopped = "interrupt"
                    self.searches.hurry = True
            sharp = self._sharpened(joint)
            done.append(self._in_unit_of_loss(sharp or joint))
            if sharp:
                break
        return done

    def _sharpened(self, joint: JointLaw) -> JointLaw | None:
        """Return laws that separate all rows with scales so large that their loss is 0.

        The larger such scales are the better, without end. The front ends there: larger laws
        that do the same more sharply say nothing. None if the laws do not separate the rows.
        """
        if not self.spec.free_scale:
            return None
        decision = joint.decision(self.X)
        if cross_entropy(decision, self.y, self.weight) > SEPARATED:
            return None
        offsets = np.array(joint.offsets)
        for factor in SHARPEN:
            scales = tuple(min(s * factor, SCALE_RANGE[1]) for s in joint.scales)
            sharp = JointLaw(joint.laws, scales, joint.offsets)
            value = (decision - offsets) * (np.array(scales) / np.array(joint.scales)) + offsets
            if cross_entropy(value, self.y, self.weight) <= LOSS_FLOOR:
                return sharp
        return None

    def _in_unit_of_loss(self, joint: JointLaw) -> JointLaw:
        """Write scales and free offsets into the laws, where their constants can take them up."""
        from occamscope.laws.evolution.programs import absorb_output

        largest = self.spec.max_constant
        for k, law in enumerate(joint.laws):
            if law is None:
                continue
            scale, offset = joint.scales[k], joint.offsets[k]
            if self.spec.free_offset:
                whole = absorb_output(law, scale, offset, largest)
                if whole != law:
                    joint = joint.with_class(k, whole, 1.0, 0.0)
                    continue
            scaled = absorb_output(law, scale, 0.0, largest)
            if scaled != law:
                joint = joint.with_class(k, scaled, 1.0, offset)
        return joint
