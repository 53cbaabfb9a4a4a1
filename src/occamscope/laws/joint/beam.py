"""Which laws of several classes go together: a beam search over their combinations.

Each class brings a pool of laws; none, with f = 0, is always among them, because a summand
common to all classes changes no probability: one class, or more, can do without a law. A
combination is a state; its complexity is the sum of its laws'. The search goes through the
complexities from below. In every state that beats all smaller ones it replaces one class's law
by a larger one, in all possible ways, and estimates what that gives by refitting the newcomer's
scale and offset alone: a logistic regression with the other classes as its base. For the most
promising states of each complexity all constants are refitted together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from occamscope.laws.constraints import complexity_of
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import CONSTANT, Node, constant, replace, with_summand
from occamscope.laws.front import ROUNDING
from occamscope.laws.joint.fit import JointLaw, JointProblem
from occamscope.laws.joint.softmax import Array, rest_values

# Steps of the fit of a newcomer alone, of the joint fit, and of Newton's method in an estimate.
OWN_STEPS, FIT_STEPS, ESTIMATE_STEPS = 4, 3, 5
# The joint fit is spared those whose own fit misses the best loss so far by more than this share.
HOPELESS = 0.02
# In place of a pool's member: no law.
NONE = -1
# An estimate's step changes a row's value by about so much at most.
LONGEST_STEP = 4.0


@dataclass(frozen=True)
class State:
    """A joint law with its total complexity and its loss on the rows of the search.

    `members` are the places of its laws in their classes' pools, `NONE` for a class without
    one. States with the same members differ in constants alone.
    """

    joint: JointLaw
    complexity: int
    loss: float
    members: tuple[int, ...]


class Candidates(NamedTuple):
    """Values (m, n) of some laws, in float32 and of mean square 1.

    `weighted` and `squared` are the values and their squares times the rows' weights.
    """

    values: NDArray[np.float32]
    weighted: NDArray[np.float32]
    squared: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Sequence[NDArray[np.float32]], share: Array) -> Candidates:
        """Stack the values of laws."""
        values, weight = np.stack(rows), share.astype(np.float32)
        weighted = values * weight
        return cls(values, weighted, weighted * values)


class Pool:
    """The laws known for one class: one of each structure, with the latest constants."""

    def __init__(self, problem: JointProblem) -> None:
        self.problem = problem
        self.laws: list[Expression] = []
        self.keys: list[str] = []
        self.sizes: list[int] = []
        self._values: list[NDArray[np.float32]] = []
        self._units: list[float] = []

    def add(self, law: Expression) -> int | None:
        """Take up a law, unless it is undefined or the same in every row; return its place."""
        with np.errstate(all="ignore"):
            values = law.evaluate(self.problem.X)
            unit = float(np.sqrt(self.problem.share @ values**2))
        if not (np.isfinite(values).all() and np.isfinite(unit) and np.ptp(values) > 0):
            return None
        if unit < 1e-150:  # its square vanishes in float64
            return None
        key, scaled = structure(law), (values / unit).astype(np.float32)
        if key not in self.keys:
            self.keys.append(key)
            self.laws.append(law)
            self.sizes.append(complexity_of(law, self.problem.spec))
            self._values.append(scaled)
            self._units.append(unit)
        place = self.keys.index(key)
        self.laws[place], self._units[place] = law, unit
        self._values[place] = scaled
        return place

    def size(self, member: int) -> int:
        """Complexity of a member; 0 for `NONE`."""
        return 0 if member == NONE else self.sizes[member]

    def estimates(self, joint: JointLaw, decision: Array, k: int, members: Sequence[int]) -> (
        list[tuple[float, JointLaw]]
    ):  # fmt: skip
        """Estimate the loss with each of some members as the law of class k.

        Returns the losses and the joint laws that have them, constants not refitted.
        """
        spec = self.problem.spec
        candidates = Candidates.of([self._values[m] for m in members], self.problem.share)
        laws = [self.laws[m] for m in members]
        units = np.array([self._units[m] for m in members])
        shifts = np.array([spec.free_offset or shifted(law, 0.0) is not None for law in laws])
        start = 0.0 if spec.free_scale else units
        losses, scales, offsets = fit_newcomers(
            self.problem, decision, joint.offsets[k], k, candidates, start, spec.free_scale, shifts
        )
        found = []
        for law, loss, scale, offset in zip(laws, losses, scales / units, offsets, strict=True):
            if not np.isfinite(loss):
                found.append((np.inf, joint))
                continue
            if not spec.free_offset and offset != 0.0:
                law, offset = shifted(law, offset / scale) or law, 0.0
            new = joint.with_class(k, law, float(scale), joint.offsets[k] + float(offset))
            found.append((float(loss), new))
        return found


def structure(law: Expression) -> str:
    """Text of a law without the values of its constants."""

    def blank(node: Node) -> Node:
        return constant(1.0) if node.kind == CONSTANT else node

    return Expression(replace(law.root, blank), law.names).to_text()


def shifted(law: Expression, summand: float) -> Expression | None:
    """Return law + summand where a constant of its top-level sum can take it up, else None."""
    root = with_summand(law.root, summand)
    return None if root is None else Expression(root, law.names)


def fit_newcomers(
    problem: JointProblem, decision: Array, origin: float, k: int, candidates: Candidates,
    start: Array | float, free_scale: bool, free_offset: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Fit scale and offset of many candidates for one class's law, the other classes fixed.

    A few steps of Newton's method on the logistic loss with a base, all candidates at a time;
    in float32, which is enough for an estimate and twice as fast.

    Parameters
    ----------
    decision : (n, K) decision values; those of class k are not used
    origin : the class's value where the candidate is 0
    candidates : m candidates' values
    start : scale at the start, which stays unless it is free
    free_offset : (m,) whether a candidate has a free summand as well

    Returns
    -------
    losses, scales, offsets : (m,) each; the loss is infinite where the best scale is not
        positive
    """
    hit, share = problem.hit[:, k], problem.share
    rest = rest_values(decision, k)
    other = np.where(hit > 0, 0.0, rest - decision[np.arange(len(rest)), problem.y])
    base, hit32 = (origin - rest).astype(np.float32), hit.astype(np.float32)
    weight, f = share.astype(np.float32), candidates
    m = len(f.values)
    scale, offset = np.zeros(m) + start, np.zeros(m)
    for step in range(ESTIMATE_STEPS + 1):
        s, b = scale.astype(np.float32)[:, None], offset.astype(np.float32)[:, None]
        value = f.values * s + (base + b)
        if step == ESTIMATE_STEPS:
            break
        p = 0.5 * np.tanh(0.5 * value) + np.float32(0.5)
        residual, bend = p - hit32, p * (1 - p)
        g_scale = np.einsum("mn,mn->m", residual, f.weighted).astype(np.float64)
        g_offset = (residual @ weight).astype(np.float64) * free_offset
        h_ss = np.einsum("mn,mn->m", bend, f.squared) + 1e-7
        h_so = np.einsum("mn,mn->m", bend, f.weighted).astype(np.float64) * free_offset
        h_oo = (bend @ weight) + 1e-7
        if not free_scale:
            g_scale, h_so = np.zeros(m), np.zeros(m)
        determinant = np.maximum(h_ss * h_oo - h_so * h_so, 1e-14)
        step_s = -(h_oo * g_scale - h_so * g_offset) / determinant
        step_o = -(h_ss * g_offset - h_so * g_scale) / determinant
        longest = np.maximum(np.abs(step_s) + np.abs(step_o), LONGEST_STEP) / LONGEST_STEP
        scale, offset = scale + step_s / longest, offset + step_o / longest
    loss = np.logaddexp(0, value * (1 - 2 * hit32)) @ weight + float(share @ other)
    loss = np.where((scale > 0) | (not free_scale), loss, np.inf)
    return loss, scale, offset


def fit_newcomer(
    problem: JointProblem, joint: JointLaw, k: int, record: float = np.inf
) -> tuple[JointLaw, float]:
    """Fit a joint law in which class k has a new law: that law first, then all of them.

    Parameters
    ----------
    record : loss to beat; what is far from it is not fitted any further
    """
    fitted, loss = problem.fit(joint, OWN_STEPS, only=k)
    if loss > (1 + HOPELESS) * record:
        return fitted, loss
    return problem.fit(fitted, FIT_STEPS)


class Beam:
    """The states known so far, and the search for more.

    `found` holds those that `run` returns, also if it is interrupted.
    """

    def __init__(self, problem: JointProblem, pools: Sequence[Pool], width: int) -> None:
        self.problem, self.pools, self.width = problem, pools, width
        self.found: list[State] = []
        self.states: dict[int, dict[tuple[int, ...], State]] = {}
        self._waiting: dict[int, dict[tuple[int, ...], tuple[float, JointLaw, int]]] = {}

    def run(
        self, start: Sequence[State], enough: Callable[[], bool] = lambda: False
    ) -> list[State]:
        """Search from some states; return all that were fitted and beat the smaller ones.

        The smallest come first, of equal complexity the best.

        Parameters
        ----------
        start : states to go on from
        enough : asked before each complexity whether to end here
        """
        for state in start:
            self._keep(state)
        done, record = -1, np.inf
        while levels := [c for c in {*self._waiting, *self.states} if c > done]:
            done = min(levels)
            self._fit(done, record)
            best = self._best(done, record)
            self.found += best
            if not enough():
                for state in best:
                    self._expand(state)
            record = min([record, *(state.loss for state in best)])
        return self.found

    def _keep(self, state: State) -> None:
        level = self.states.setdefault(state.complexity, {})
        known = level.get(state.members)
        if np.isfinite(state.loss) and (known is None or state.loss < known.loss):
            level[state.members] = state

    def _fit(self, complexity: int, record: float) -> None:
        """Fit the most promising new states of one complexity; `record` is the best loss yet."""
        waiting = self._waiting.pop(complexity, {})
        order = sorted(waiting.items(), key=lambda item: (item[1][0], item[0]))
        for members, (_, joint, k) in order[: self.width + 1]:
            fitted, loss = fit_newcomer(self.problem, joint, k, record)
            self._keep(State(fitted, complexity, loss, members))

    def _best(self, complexity: int, record: float) -> list[State]:
        """The best states of one complexity that beat the record of all smaller ones."""
        own = sorted(self.states.get(complexity, {}).values(), key=lambda s: (s.loss, s.members))
        return [s for s in own if s.loss < record * (1.0 - ROUNDING)][: self.width]

    def _expand(self, state: State) -> None:
        """Estimate all states that differ from one in a single, larger law."""
        decision = state.joint.decision(self.problem.X)
        for k, pool in enumerate(self.pools):
            size = pool.size(state.members[k])
            larger = [m for m, other in enumerate(pool.sizes) if other > size]
            if not larger:
                continue
            estimates = pool.estimates(state.joint, decision, k, larger)
            for m, (loss, joint) in zip(larger, estimates, strict=True):
                level = self._waiting.setdefault(state.complexity - size + pool.sizes[m], {})
                key = (*state.members[:k], m, *state.members[k + 1 :])
                if loss < min(state.loss, level[key][0] if key in level else np.inf):
                    level[key] = (loss, joint, k)
