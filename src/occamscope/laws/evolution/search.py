"""A search for laws: rounds over all islands, in as many threads as wanted.

In a round every island breeds by itself, against a copy of the hall of fame as it stood when
the round began. What the islands found is merged in their order, and so is all that follows;
nothing depends on which island was done first. So the result is the same for any number of
threads, and a search that is continued from the state between two rounds ends like one that
was never interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState, Snapshot
from occamscope.laws.evolution.clock import Clock
from occamscope.laws.evolution.grammar import Grammar
from occamscope.laws.evolution.hall_tending import tend_hall, tidy_law
from occamscope.laws.evolution.island import evolve_island
from occamscope.laws.evolution.population import (
    HallOfFame,
    Population,
    copy_into,
    merge_into,
    new_hall,
    new_population,
)
from occamscope.laws.evolution.problem import Problem, copy_problem, hardest_first, sort_rows
from occamscope.laws.evolution.programs import absorb_output, to_expression, to_program
from occamscope.laws.evolution.rng import new_stream
from occamscope.laws.evolution.schedule import Schedule, Scratch, new_scratch
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.spec import SearchSpec

# The frequencies of complexities forget: they are kept at about so many members.
_MEMORY = 100_000.0
# After so many rounds that found nothing to try (the limits leave too few laws), it is done.
_IDLE_ROUNDS = 10


class Migration(NamedTuple):
    """Expected share of an island's members that newcomers replace after each round."""

    from_hall: float
    from_islands: float


class _Island(NamedTuple):
    """One island with all that its thread writes to."""

    stream: NDArray[np.uint64]
    population: Population
    hall: HallOfFame
    scratch: Scratch
    used: NDArray[np.int64]


class Search:
    """The state of one search and how it goes on.

    Parameters
    ----------
    problem, grammar, schedule : what is sought and how, for the kernels
    sample : the same problem on a random part of the rows
    spec : the search's settings
    migration : exchange between islands
    crowding : how strongly complexities that are frequent are held back
    names : the variables of the problem's columns
    digest : identifies data and settings
    """

    def __init__(
        self,
        problem: Problem,
        sample: Problem,
        grammar: Grammar,
        schedule: Schedule,
        spec: SearchSpec,
        migration: Migration,
        crowding: float,
        names: Sequence[str],
        digest: str,
    ) -> None:
        self.problem, self.sample = problem, sample
        self.grammar, self.schedule = grammar, schedule
        self.spec, self.migration, self.crowding = spec, migration, crowding
        self.names, self.digest = tuple(names), digest
        capacity = problem.capacity
        self.random = np.random.default_rng(spec.seed)
        self.hall = new_hall(spec.maxsize, capacity)
        self.islands = [
            _Island(
                new_stream(spec.seed, k),
                new_population(spec.population, capacity),
                new_hall(spec.maxsize, capacity),
                new_scratch(capacity, schedule.entrants),
                np.zeros(2, np.int64),
            )
            for k in range(spec.islands)
        ]
        self.scratch = new_scratch(capacity, schedule.entrants)
        self.frequency = np.ones(spec.maxsize + 1)
        self.used = np.zeros(2, np.int64)  # evaluations, and those of them turned away
        # Where the problem's rows stood at first.
        self.order = np.arange(problem.rows)
        self.generation = 0
        self.seconds = 0.0
        self.stop = np.zeros(1, np.int64)

    def plant(self, laws: Sequence[Expression]) -> None:
        """Put guesses into every island, in place of random members."""
        for k, law in enumerate(laws[: self.spec.population]):
            tokens, constants = to_program(law, self.spec.operators)
            n = len(tokens)
            for island in self.islands:
                island.population.tokens[k, :n] = tokens
                island.population.constants[k, :n] = constants
                island.population.length[k] = n

    def run(self, control: SearchControl) -> str:
        """Go on until the budget is used or a limit is reached; return which one it was."""
        clock = Clock(self.seconds, control)
        threads = max(1, min(control.threads, len(self.islands)))
        problems = SimpleQueue[tuple[Problem, Problem]]()
        problems.put((self.problem, self.sample))
        for _ in range(threads - 1):
            problems.put((copy_problem(self.problem), copy_problem(self.sample)))
        stopped, idle = "budget", 0
        with ThreadPoolExecutor(threads, thread_name_prefix="laws") as pool:
            try:
                while self.used[0] < self.spec.evaluations:
                    if control.generations is not None and self.generation >= control.generations:
                        stopped = "generations"
                        if control.checkpoint:
                            control.checkpoint(self.state())
                        break
                    before = int(self.used[0])
                    if self._round(pool, problems, clock):
                        stopped = "time"
                        break
                    idle = idle + 1 if self.used[0] == before else 0
                    if idle == _IDLE_ROUNDS:
                        break
                    self.seconds = clock.seconds()
                    clock.report(self)
            except KeyboardInterrupt:
                self.stop[0] = 1  # the islands end their visits; what they found is kept
                stopped = "interrupt"
        if stopped == "interrupt":
            for island in self.islands:
                merge_into(self.hall, island.hall)
        self.seconds = clock.seconds()
        clock.report(self, last=True)
        return stopped

    def _round(
        self,
        pool: ThreadPoolExecutor,
        problems: SimpleQueue[tuple[Problem, Problem]],
        clock: Clock,
    ) -> bool:
        """Let every island breed, then merge what they found; True if time ran out."""
        crowd = np.exp(self.crowding * self.frequency / self.frequency[1:].sum())
        frequency = self.frequency / self.frequency[1:].sum()
        left = self.spec.evaluations - int(self.used[0])
        # Enough is left to fit what enters the hall of fame, until little is left at all.
        reserve = min(self.spec.maxsize, left // 2)
        shares = _shares(left - reserve, len(self.islands))

        def visit(island: _Island, budget: int) -> None:
            copy_into(self.hall, island.hall)
            island.used[:] = 0
            problem, sample = problems.get()
            try:
                evolve_island(
                    island.stream, island.population, island.hall, problem, sample, self.grammar,
                    self.schedule, frequency, crowd, island.scratch, budget, island.used,
                    self.stop,
                )  # fmt: skip
            finally:
                problems.put((problem, sample))

        tasks = [
            pool.submit(visit, island, share)
            for island, share in zip(self.islands, shares, strict=True)
        ]
        late = clock.wait(tasks, self.stop)
        for island in self.islands:
            merge_into(self.hall, island.hall)
            self.used += island.used
            self._count(island.population)
        left = self.spec.evaluations - int(self.used[0])
        task = pool.submit(
            tend_hall, self.islands[0].stream, self.hall, self.problem, self.sample,
            self.grammar, self.schedule, self.scratch, left, self.used, self.stop,
        )  # fmt: skip
        late = clock.wait([task], self.stop) or late
        for island in self.islands:
            self._migrate(island.population)
        self.generation += 1
        if self.generation & (self.generation - 1) == 0:  # 1, 2, 4, 8, ...
            self._sort_rows(problems)
        return late

    def _sort_rows(self, problems: SimpleQueue[tuple[Problem, Problem]]) -> None:
        """Put those rows first on which the best law does worst.

        Other laws do badly there, too: what is too bad is turned away after fewer rows.
        """
        c = int(np.argmin(self.hall.loss))
        if not self.hall.loss[c] < np.inf:
            return
        n = int(self.hall.length[c])
        law = to_expression(self.hall.tokens[c, :n], self.hall.constants[c, :n], self.names)
        order = hardest_first(
            self.problem, law.evaluate, float(self.hall.scale[c]), float(self.hall.offset[c])
        )
        self.order = self.order[order]
        for _ in range(problems.qsize()):
            pair = problems.get()
            sort_rows(pair[0], order)
            problems.put(pair)

    def _count(self, population: Population) -> None:
        """Add the complexities of an island's members to their frequencies."""
        np.add.at(self.frequency, population.complexity, 1.0)
        self.frequency *= min(1.0, _MEMORY / self.frequency.sum())
        self.frequency = np.maximum(self.frequency, 1.0)

    def _migrate(self, population: Population) -> None:
        """Replace random members by laws of the hall of fame and by other islands' members."""
        hall, members = self.hall, self.spec.population
        front = front_complexities(hall.loss)
        newcomers = min(self.random.poisson(members * self.migration.from_hall), members)
        for _ in range(newcomers if len(front) else 0):
            c, i = int(self.random.choice(front)), int(self.random.integers(members))
            _replace(
                population, i, hall.tokens[c], hall.constants[c], hall.length[c], c,
                hall.loss[c], hall.scale[c], hall.offset[c],
            )  # fmt: skip
        newcomers = min(self.random.poisson(members * self.migration.from_islands), members)
        for _ in range(newcomers):
            other = self.islands[int(self.random.integers(len(self.islands)))].population
            best = np.argsort(other.loss, kind="stable")[: max(members // 2, 1)]
            k, i = int(self.random.choice(best)), int(self.random.integers(members))
            if other.length[k] > 0:
                _replace(
                    population, i, other.tokens[k], other.constants[k], other.length[k],
                    other.complexity[k], other.loss[k], other.scale[k], other.offset[k],
                )  # fmt: skip

    def snapshot(self) -> Snapshot:
        """Return where the search stands; the laws as they were scored, not tidied."""
        rows = []
        for c in front_complexities(self.hall.loss):
            n = int(self.hall.length[c])
            law = to_expression(self.hall.tokens[c, :n], self.hall.constants[c, :n], self.names)
            rows.append((int(c), float(self.hall.loss[c]), law.to_text(digits=4)))
        return Snapshot(
            self.generation, int(self.used[0]), int(self.used[1]), self.spec.evaluations,
            self.seconds, tuple(rows),
        )  # fmt: skip

    def laws(self) -> list[Expression]:
        """Return the hall of fame as expressions, the smallest first."""
        found = []
        for c in np.flatnonzero(np.isfinite(self.hall.loss)):
            # Constants that were fitted since may have come to be 1, or changed sign.
            n = int(self.hall.length[c])
            tokens, constants = self.hall.tokens[c].copy(), self.hall.constants[c].copy()
            n, complexity = tidy_law(tokens, constants, n, self.scratch.size, self.grammar)
            if complexity == 0:
                n = int(self.hall.length[c])
                tokens, constants = self.hall.tokens[c], self.hall.constants[c]
            law = to_expression(tokens[:n], constants[:n], self.names)
            if self.spec.free_scale:
                law = absorb_output(
                    law, float(self.hall.scale[c]), float(self.hall.offset[c]),
                    self.spec.max_constant,
                )  # fmt: skip
            found.append(law)
        return found

    def state(self) -> SearchState:
        """Return a copy of all that changes, as it stands between two rounds."""
        arrays: dict[str, NDArray[Any]] = {
            f"hall.{name}": array.copy() for name, array in self.hall._asdict().items()
        }
        for name in Population._fields:
            members = [getattr(island.population, name) for island in self.islands]
            arrays[f"population.{name}"] = np.stack(members)
        arrays["stream"] = np.stack([island.stream for island in self.islands])
        arrays["frequency"] = self.frequency.copy()
        arrays["used"] = self.used.copy()
        arrays["order"] = self.order.copy()
        numbers = {
            "generation": self.generation,
            "seconds": self.seconds,
            "random": self.random.bit_generator.state,
        }
        return SearchState(self.digest, arrays, numbers)

    def restore(self, state: SearchState) -> None:
        """Go back to a state.

        Raises
        ------
        InputError
            If the state belongs to other data or settings, or is not complete.
        """
        if state.digest != self.digest:
            raise InputError(
                "laws: the checkpoint belongs to a search of other data or with other settings; "
                "remove it, or repeat that search's settings to continue it"
            )
        try:
            for name, array in self.hall._asdict().items():
                array[...] = state.arrays[f"hall.{name}"]
            for k, island in enumerate(self.islands):
                for name, array in island.population._asdict().items():
                    array[...] = state.arrays[f"population.{name}"][k]
                island.stream[...] = state.arrays["stream"][k]
            self.frequency = np.array(state.arrays["frequency"], dtype=np.float64)
            self.used[...] = state.arrays["used"]
            order = np.array(state.arrays["order"], dtype=np.int64)
            if not np.array_equal(np.sort(order), np.arange(self.problem.rows)):
                raise ValueError("the order of the rows")
            sort_rows(self.problem, order)
            self.order = order
            self.generation = int(state.numbers["generation"])
            self.seconds = float(state.numbers["seconds"])
            self.random.bit_generator.state = state.numbers["random"]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"laws: the checkpoint is damaged or of another version ({error}); remove it to "
                "start the search anew"
            ) from error


def front_complexities(loss: NDArray[np.float64]) -> NDArray[np.int64]:
    """Complexities at which the hall of fame has a smaller loss than at all smaller ones."""
    before = np.concatenate([[np.inf], np.minimum.accumulate(loss)[:-1]])
    return np.flatnonzero(loss < before)


def _shares(left: int, islands: int) -> list[int]:
    """Split what is left of the budget evenly; the first islands get the rest."""
    share, rest = divmod(left, islands)
    return [share + (k < rest) for k in range(islands)]


def _replace(
    population: Population, i: int, tokens: NDArray[np.int16], constants: NDArray[np.float64],
    length: int, complexity: int, loss: float, scale: float, offset: float,
) -> None:  # fmt: skip
    """Overwrite member i of a population by a newcomer."""
    population.tokens[i], population.constants[i] = tokens, constants
    population.length[i], population.complexity[i] = length, complexity
    population.loss[i], population.scale[i], population.offset[i] = loss, scale, offset
    population.birth[i] = population.clock[0]
    population.clock[0] += 1
