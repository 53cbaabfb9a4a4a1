"""What a search engine must offer, and how to get one by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl
from occamscope.laws.front import Front
from occamscope.laws.spec import SearchSpec

# Loaded on demand: numba compiles, PySR needs Julia.
ENGINES = {
    "evolution": ("occamscope.laws.evolution.engine", "EvolutionEngine"),
    "pysr": ("occamscope.laws.pysr.engine", "PySREngine"),
}


class EngineError(RuntimeError):
    """An engine is missing or broke down; the message says what to do."""


@runtime_checkable
class Engine(Protocol):
    """A search for short laws: the same call for every engine."""

    name: str

    def available(self) -> tuple[bool, str]:
        """Say whether the engine can run here and, if not, what to install."""
        ...

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        spec: SearchSpec,
        feature_names: Sequence[str],
        sample_weight: ArrayLike | None = None,
        guesses: Sequence[str] = (),
        resume_from: Any = None,
        progress: Callable[[str], None] | None = None,
        target: str = "labels",
        *,
        control: SearchControl | None = None,
    ) -> Front:
        """Search for laws of y in X.

        The evolution engine also takes `base` (n,), which is added to the law's value before
        the logistic loss.

        Parameters
        ----------
        X : (n, d) data
        y : (n,) labels -1/+1 for a margin loss, real numbers for "mse"
        spec : loss, operators, sizes, budget, seed
        feature_names : names of the columns of X
        sample_weight : (n,) non-negative weights of the rows
        guesses : expressions to start from
        resume_from : where an interrupted search stood, in the engine's own form
        progress : called with a short line from time to time
        target : what y is, for the front's `target` column
        control : threads, limits, progress and checkpoints
        """
        ...


def get_engine(name: str, **settings: Any) -> Engine:
    """Return the engine of that name, made with the given settings.

    Raises
    ------
    InputError
        If no engine has that name.
    """
    if name not in ENGINES:
        raise InputError(f"laws.engines: '{name}' is not one of {', '.join(ENGINES)}")
    module, attribute = ENGINES[name]
    return getattr(import_module(module), attribute)(**settings)
