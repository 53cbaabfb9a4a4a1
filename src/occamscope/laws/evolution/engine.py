"""The embedded search engine: regularised evolution on islands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.constraints import violation
from occamscope.laws.control import SearchControl, Snapshot
from occamscope.laws.evolution.columns import restrict, useful_columns
from occamscope.laws.evolution.compilation import compiled_before, prepare_kernels
from occamscope.laws.evolution.grammar import new_grammar
from occamscope.laws.evolution.guided import LARGEST_INSERTION
from occamscope.laws.evolution.problem import Problem, pack_problem
from occamscope.laws.evolution.schedule import Schedule
from occamscope.laws.evolution.search import Migration, Search
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import Front, check_data
from occamscope.laws.loss import check_weights, fit_output_scale, mean_loss
from occamscope.laws.spec import SearchSpec

Progress = Callable[[str], None]
# Progress is reported so many times during a search.
_REPORTS = 20


def warm_up(progress: Progress | None = None) -> None:
    """Load the kernels from the cache, or compile them: once per machine, about 20 s."""
    if progress and not compiled_before():
        progress("laws: compiling the search kernels, once on this machine (about 20 s)")
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
    temperature: float = 0.04
    # How strongly sizes are held back that are frequent in the populations.
    crowding: float = 20.0
    # Share of breedings that insert the most promising terms, and the children of one of them,
    # each with another term.
    guided: float = 0.03
    litter: int = 3
    # The former where division is allowed: there the terms are products of powers.
    guided_powers: float = 0.08
    # Of so many columns products are tried there: half of them promise most, half are random.
    products: int = 16
    # Share of the others whose constants are fitted at once, by so many steps on so many rows.
    fit_child: float = 0.1
    child_steps: int = 3
    child_rows: int = 512
    # Share of the members whose constants are fitted at the end of a visit, and by how many
    # steps on all rows.
    fit_member: float = 0.05
    member_steps: int = 8
    # After each round so many evaluations, as a share of the round's, exchange variables in new
    # laws of the hall of fame.
    exchange: float = 0.15
    # Expected share of an island's members that come from the hall of fame or another island
    # after each round.
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
        *,
        control: SearchControl | None = None,
        base: ArrayLike | None = None,
    ) -> Front:
        """Search for laws of y in X; see `occamscope.laws.engines.Engine`.

        The result depends on the arguments alone, not on the number of threads or the time it
        takes (unless `control` limits the time). A program that is judged counts as one
        evaluation, whether it was seen on all rows or turned away before; steps that fit
        constants do not count. Columns that do not vary or that repeat an earlier one are
        left out of the search.

        Parameters
        ----------
        resume_from : a front of an earlier search, whose laws join the guesses
        control : threads, limits, progress and checkpoints
        base : (n,) added to the law's value before the loss; only for "logistic"

        Raises
        ------
        InputError
            If data, targets or weights do not fit together, or a guess cannot be read.
        """
        X, y = check_data(X, y, spec, feature_names)
        given = check_weights(sample_weight, len(y))
        weight = np.ones(len(y)) if given is None else given
        added = _check_base(base, len(y), spec)
        earlier = [] if resume_from is None else list(resume_from.table["expression"])
        laws = [parse(text, feature_names) for text in (*guesses, *earlier)]
        control = control or SearchControl()
        warm_up(progress)
        rows = weight > 0
        columns = useful_columns(X[rows], feature_names, spec)
        names = [feature_names[k] for k in columns]
        search = self._search(
            X[rows][:, columns], y[rows], weight[rows], added[rows], spec, names, columns
        )
        if control.resume is not None:
            search.restore(control.resume)
        else:
            search.plant(_usable_guesses(laws, names, spec))
        stopped = search.run(_with_report(control, spec, progress))
        found = [Expression(law.root, tuple(feature_names)) for law in search.laws()]
        if not found:
            raise InputError(
                f"laws: no law within the limits was found in {int(search.used[0]):,} evaluations; "
                "loosen constraints, maxsize or maxdepth, or raise evaluations"
            )
        return Front.from_expressions(
            found, X, y, spec, feature_names, engine=self.name, target=target,
            sample_weight=weight, stopped=stopped, base=None if base is None else added,
        )  # fmt: skip

    def _search(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64],
        base: NDArray[np.float64],
        spec: SearchSpec,
        names: Sequence[str],
        columns: Sequence[int],
    ) -> Search:
        """Set up a search on rows of positive weight."""
        # Constants of children are fitted on a random sample.
        order = np.random.default_rng([spec.seed, 1]).permutation(len(y))
        capacity = spec.maxsize + LARGEST_INSERTION

        def pack(rows: NDArray[np.int64], powers: bool) -> Problem:
            return pack_problem(
                X[rows], y[rows], weight[rows], spec.loss, spec.free_scale, capacity,
                spec.free_offset, base[rows], powers,
            )  # fmt: skip

        norm = constant_loss(y, weight, spec)
        digest = hashlib.sha256()
        for array in (X, y, weight, base):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((astuple(self), spec, tuple(names))).encode())
        return Search(
            pack(order, powers=False),
            # Terms are ranked on the sample alone: only there are their factors needed.
            pack(order[: self.child_rows], powers="/" in spec.operators),
            new_grammar(spec, names, self.weights, columns),
            self._schedule(spec, norm),
            spec,
            Migration(self.from_hall, self.from_islands),
            self.crowding,
            names,
            digest.hexdigest(),
        )

    def _schedule(self, spec: SearchSpec, norm: float) -> Schedule:
        """Return how to spend the evaluations, for the kernels."""
        guided = self.guided_powers if "/" in spec.operators else self.guided
        return Schedule(
            self.cycles, self.entrants, self.first, self.crossover, self.temperature, guided,
            self.litter, self.products, self.fit_child, self.child_steps, self.fit_member,
            self.member_steps, int(self.exchange * self.cycles * spec.islands), norm,
            spec.parsimony, spec.max_constant,
        )  # fmt: skip


def constant_loss(y: NDArray[np.float64], weight: NDArray[np.float64], spec: SearchSpec) -> float:
    """Loss of the best constant, the unit in which losses are compared."""
    if not spec.is_margin:
        centre = np.average(y, weights=weight)
        if spec.loss == "mae":
            centre = fit_output_scale(np.ones_like(y), y, "mae", weight)
        return max(mean_loss(np.full_like(y, centre), y, spec.loss, weight), 1e-12)
    losses = []
    for sign in (np.ones_like(y), -np.ones_like(y)):
        scale = fit_output_scale(sign, y, spec.loss, weight)
        losses.append(mean_loss(scale * sign, y, spec.loss, weight))
    return max(min(losses), 0.01)


def _check_base(base: ArrayLike | None, n: int, spec: SearchSpec) -> NDArray[np.float64]:
    """Return the rows' summands, zeros if there are none."""
    if base is None:
        return np.zeros(n)
    if spec.loss != "logistic":
        raise InputError(f"laws: base is for the logistic loss, not for {spec.loss}")
    added = np.asarray(base, dtype=np.float64)
    if added.shape != (n,) or not np.isfinite(added).all():
        raise InputError(f"laws: base needs {n} finite numbers, got shape {added.shape}")
    return added


def _usable_guesses(
    laws: Sequence[Expression], names: Sequence[str], spec: SearchSpec
) -> list[Expression]:
    """Return the guesses that keep to the spec's limits and use columns of the search."""
    fitting = [restrict(law, names) for law in laws if violation(law, spec) is None]
    return [law for law in fitting if law is not None]


def _with_report(
    control: SearchControl, spec: SearchSpec, progress: Progress | None
) -> SearchControl:
    """Let a search report lines of text, too: about `_REPORTS` of them in all."""
    if progress is None:
        return control
    reported = 0

    def watch(seen: Snapshot) -> None:
        nonlocal reported
        if control.watch:
            control.watch(seen)
        part = seen.evaluations * _REPORTS // seen.budget
        if part > reported:
            reported = part
            progress(describe(seen, spec))

    every = control.watch_every_s if control.watch else 0.0
    return replace(control, watch=watch, watch_every_s=every)


def describe(seen: Snapshot, spec: SearchSpec) -> str:
    """Say in a line where a search stands."""
    rows = seen.rows
    shown = sorted({len(rows) // 3, 2 * len(rows) // 3, len(rows) - 1}) if rows else []
    losses = ", ".join(f"{rows[k][1]:.4g} ({rows[k][0]} nodes)" for k in shown)
    return (
        f"laws, {spec.loss}, seed {spec.seed}: {seen.evaluations:,} of {seen.budget:,} "
        f"evaluations, {seen.evaluations / max(seen.seconds, 1e-9):,.0f}/s, best losses {losses}"
    )
