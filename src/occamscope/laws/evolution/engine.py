"""The embedded search engine: regularised evolution on islands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.constraints import violation
from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.compilation import compiled_before, prepare_kernels
from occamscope.laws.evolution.guided import LARGEST_INSERTION
from occamscope.laws.evolution.island import evolve_island
from occamscope.laws.evolution.mutation import Grammar
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.population import (
    HallOfFame,
    Population,
    new_hall,
    new_population,
)
from occamscope.laws.evolution.problem import Problem, pack_problem
from occamscope.laws.evolution.programs import absorb_scale, to_expression, to_program
from occamscope.laws.evolution.rng import new_stream
from occamscope.laws.evolution.schedule import Schedule, Scratch, new_scratch
from occamscope.laws.evolution.tokens import CODES, allowed_operators
from occamscope.laws.expression import Expression, parse
from occamscope.laws.front import Front, check_data
from occamscope.laws.loss import fit_output_scale, mean_loss
from occamscope.laws.spec import SearchSpec

Progress = Callable[[str], None]
# Progress is reported so many times during a search.
_REPORTS = 20
# The frequencies of sizes forget: they are kept at about so many members.
_MEMORY = 100_000.0


def warm_up(progress: Progress | None = None) -> None:
    """Load the kernels from the cache, or compile them: once per machine, about 15 s."""
    if progress and not compiled_before():
        progress("laws: compiling the search kernels, once on this machine (about 15 s)")
    prepare_kernels()


@dataclass(frozen=True)
class EvolutionEngine:
    """Regularised evolution with constants fitted under the search's own loss.

    The fields are how the search spends its evaluations; the defaults are those that did best
    on planted laws (`benchmarks/`). What is sought stands in the `SearchSpec`.
    """

    # Children per visit to an island.
    cycles: int = 400
    # Members in a tournament, and the probability that the best of them wins.
    entrants: int = 10
    first: float = 0.9
    # Share of children with two parents.
    crossover: float = 0.15
    # Children up to about so much worse than their parents are taken, in units of the
    # best constant's loss.
    temperature: float = 0.1
    # How strongly sizes are held back that are frequent in the populations.
    crowding: float = 20.0
    # Share of children by guided insertion.
    guided: float = 0.1
    # Share of the others whose constants are fitted at once, by so many steps on so many rows.
    fit_child: float = 0.3
    child_steps: int = 3
    child_rows: int = 512
    # Share of the members whose constants are fitted at the end of a visit, and by how many
    # steps on all rows.
    fit_member: float = 0.1
    member_steps: int = 8
    # Expected share of an island's members that come from the hall of fame or another island
    # after each visit.
    from_hall: float = 0.05
    from_islands: float = 0.02
    # Relative frequency of each kind of mutation, in the order of `mutation`.
    weights: tuple[float, ...] = (0.5, 0.4, 0.8, 0.1, 1.0, 0.5, 0.5, 1.0, 0.7, 0.5, 0.05)
    name: str = field(default="evolution", init=False)

    def available(self) -> tuple[bool, str]:
        """Return (True, ...): the engine is part of the package."""
        return True, "built in"

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        spec: SearchSpec,
        feature_names: Sequence[str],
        sample_weight: ArrayLike | None = None,
        guesses: Sequence[str] = (),
        resume_from: Front | None = None,
        progress: Progress | None = None,
        target: str = "labels",
    ) -> Front:
        """Search for laws of y in X; see `occamscope.laws.engines.Engine`.

        The result depends on the arguments alone, not on the number of threads or the time it
        takes. A program that is scored on all rows counts as one evaluation; steps that fit
        constants do not count.

        Parameters
        ----------
        resume_from : a front of an earlier search, whose laws join the guesses

        Raises
        ------
        InputError
            If data, targets or weights do not fit together, or a guess cannot be read.
        """
        X, y = check_data(X, y, spec, feature_names)
        weight = check_weight(sample_weight, len(y))
        earlier = [] if resume_from is None else list(resume_from.table["expression"])
        laws = [parse(text, feature_names) for text in (*guesses, *earlier)]
        warm_up(progress)
        search = _Search(self, spec, X[weight > 0], y[weight > 0], weight[weight > 0])
        search.plant(laws)
        search.run(progress)
        return Front.from_expressions(
            search.laws(feature_names), X, y, spec, feature_names,
            engine=self.name, target=target, sample_weight=weight,
        )  # fmt: skip


def check_weight(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return the weights of n rows, ones if there are none.

    Raises
    ------
    InputError
        If there is not one finite weight >= 0 for every row, or none is above 0.
    """
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,):
        raise InputError(f"sample weights: expected {n} of them, got shape {weight.shape}")
    if not np.isfinite(weight).all() or (weight < 0).any() or not (weight > 0).any():
        raise InputError("sample weights: they must be finite, >= 0 and not all 0")
    return weight


def constant_loss(y: NDArray[np.float64], weight: NDArray[np.float64], spec: SearchSpec) -> float:
    """Loss of the best constant, the unit in which losses are compared."""
    if spec.loss == "mae":
        median = np.full_like(y, fit_output_scale(np.ones_like(y), y, "mae", weight))
        return max(mean_loss(median, y, "mae", weight), 1e-12)
    if not spec.is_margin:
        mean = np.full_like(y, np.average(y, weights=weight))
        return max(mean_loss(mean, y, spec.loss, weight), 1e-12)
    losses = []
    for sign in (np.ones_like(y), -np.ones_like(y)):
        scale = fit_output_scale(sign, y, spec.loss, weight)
        losses.append(mean_loss(scale * sign, y, spec.loss, weight))
    return max(min(losses), 0.01)


class _Island(NamedTuple):
    stream: NDArray[np.uint64]
    population: Population


class _Search:
    """The state of one search."""

    def __init__(
        self,
        engine: EvolutionEngine,
        spec: SearchSpec,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> None:
        self.engine, self.spec = engine, spec
        self.random = np.random.default_rng(spec.seed)
        order = self.random.permutation(len(y))  # the first rows are a random sample
        capacity = spec.maxsize + LARGEST_INSERTION
        self.problem: Problem = pack_problem(
            X[order], y[order], weight[order], spec.loss, spec.free_scale, capacity
        )
        self.grammar = _grammar(engine, spec, X.shape[1])
        self.schedule = _schedule(engine, spec, self.problem, constant_loss(y, weight, spec))
        self.scratch: Scratch = new_scratch(capacity)
        self.hall: HallOfFame = new_hall(spec.maxsize, capacity)
        self.islands = [
            _Island(new_stream(spec.seed, k), new_population(spec.population, capacity))
            for k in range(spec.islands)
        ]
        self.frequency = np.ones(spec.maxsize + 1)
        self.used = 0

    def plant(self, laws: Sequence[Expression]) -> None:
        """Put guesses into every island, in place of random members."""
        operators = tuple(self.spec.operators)
        fitting = [law for law in laws if violation(law, self.spec) is None]
        for k, law in enumerate(fitting[: self.spec.population]):
            tokens, constants = to_program(law, operators)
            n = len(tokens)
            for island in self.islands:
                island.population.tokens[k, :n] = tokens
                island.population.constants[k, :n] = constants
                island.population.length[k] = n

    def run(self, progress: Progress | None) -> None:
        """Visit the islands in turn until the budget is used."""
        start, reported, visit = time.perf_counter(), 0, 0
        while self.used < self.spec.evaluations:
            island = self.islands[visit % len(self.islands)]
            self.used += evolve_island(
                island.stream, island.population, self.hall, self.problem, self.grammar,
                self.schedule, self.frequency / self.frequency[1:].sum(), self.scratch,
                self.spec.evaluations - self.used,
            )  # fmt: skip
            visit += 1
            self._count_sizes(island.population)
            if visit >= len(self.islands):  # every island has members now
                self._migrate(island.population)
            if progress and self.used * _REPORTS // self.spec.evaluations > reported:
                reported = self.used * _REPORTS // self.spec.evaluations
                progress(self._report(time.perf_counter() - start))

    def _count_sizes(self, population: Population) -> None:
        np.add.at(self.frequency, population.length, 1.0)
        self.frequency *= min(1.0, _MEMORY / self.frequency.sum())
        self.frequency = np.maximum(self.frequency, 1.0)

    def _migrate(self, population: Population) -> None:
        """Replace random members by laws of the hall of fame and by other islands' members."""
        hall, members = self.hall, self.spec.population
        front = _front_sizes(hall.loss)
        for _ in range(min(self.random.poisson(members * self.engine.from_hall), members)):
            size, i = int(self.random.choice(front)), int(self.random.integers(members))
            _replace(
                population, i, hall.tokens[size], hall.constants[size], size,
                hall.loss[size], hall.scale[size],
            )  # fmt: skip
        for _ in range(min(self.random.poisson(members * self.engine.from_islands), members)):
            other = self.islands[int(self.random.integers(len(self.islands)))].population
            best = np.argsort(other.loss, kind="stable")[: max(members // 2, 1)]
            k, i = int(self.random.choice(best)), int(self.random.integers(members))
            _replace(
                population, i, other.tokens[k], other.constants[k], other.length[k],
                other.loss[k], other.scale[k],
            )  # fmt: skip

    def _report(self, seconds: float) -> str:
        sizes = _front_sizes(self.hall.loss)
        shown = sorted({sizes[len(sizes) // 3], sizes[2 * len(sizes) // 3], sizes[-1]})
        losses = ", ".join(f"{self.hall.loss[size]:.4g} ({size} nodes)" for size in shown)
        return (
            f"laws, {self.spec.loss}, seed {self.spec.seed}: {self.used:,} of "
            f"{self.spec.evaluations:,} evaluations, {self.used / max(seconds, 1e-9):,.0f}/s, "
            f"best losses {losses}"
        )

    def laws(self, names: Sequence[str]) -> list[Expression]:
        """Return the hall of fame as expressions, the smallest first."""
        found = []
        for size in np.flatnonzero(np.isfinite(self.hall.loss)):
            # Constants that were fitted since may have come to be 1, or changed sign.
            tokens, constants = self.hall.tokens[size].copy(), self.hall.constants[size].copy()
            n = canonicalise(tokens, constants, size, self.scratch.size, self.grammar.allowed, 0)
            law = to_expression(tokens[:n], constants[:n], names)
            if self.spec.free_scale:
                law = absorb_scale(law, float(self.hall.scale[size]), self.spec.max_constant)
            found.append(law)
        return found


def _replace(
    population: Population, i: int, tokens: NDArray[np.int16], constants: NDArray[np.float64],
    length: int, loss: float, scale: float,
) -> None:  # fmt: skip
    """Overwrite member i of a population by a newcomer."""
    population.tokens[i], population.constants[i] = tokens, constants
    population.length[i], population.loss[i], population.scale[i] = length, loss, scale
    population.birth[i] = population.clock[0]
    population.clock[0] += 1


def _front_sizes(loss: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sizes at which the hall of fame has a smaller loss than at all smaller sizes."""
    before = np.concatenate([[np.inf], np.minimum.accumulate(loss)[:-1]])
    return np.flatnonzero(loss < before)


def _grammar(engine: EvolutionEngine, spec: SearchSpec, features: int) -> Grammar:
    """Return what programs may consist of, for the kernels."""
    operators = tuple(spec.operators)
    return Grammar(
        np.array([CODES[name] for name in operators], dtype=np.int16),
        allowed_operators(operators),
        np.array(engine.weights, dtype=np.float64),
        features,
        spec.maxsize,
        int(spec.free_scale),
    )


def _schedule(engine: EvolutionEngine, spec: SearchSpec, problem: Problem, norm: float) -> Schedule:
    """Return how to spend the evaluations, for the kernels."""
    child_rows = min(-(-engine.child_rows // BLOCK) * BLOCK, problem.rows)
    return Schedule(
        engine.cycles, engine.entrants, engine.first, engine.crossover, engine.temperature,
        engine.crowding, engine.guided, engine.fit_child, engine.child_steps, child_rows,
        engine.fit_member, engine.member_steps, norm, spec.parsimony, spec.max_constant,
    )  # fmt: skip
