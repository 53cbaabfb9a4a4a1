"""Short symbolic expressions that classify or predict.

>>> from occamscope.laws import LawClassifier

Names are loaded when they are first used: importing this package is quick and loads neither
numpy's companions nor the search's kernels. `__init__.pyi` tells the same to type checkers.
"""

import importlib

# Names and the modules below this package that define them; relative, because the digest of a
# script's code follows full module names, and a script that parses a law needs no estimator.
_MODULES = {
    "LawClassifier": "estimators.classifier",
    "LawRegressor": "estimators.regressor",
    "JointFront": "joint.front",
    "fit_multiclass": "joint.multiclass",
    "SearchSpec": "spec",
    "SearchControl": "control",
    "SearchState": "control",
    "Snapshot": "control",
    "Front": "front",
    "merge_fronts": "front",
    "Expression": "expressions.expression",
    "parse": "expressions.expression",
    "complexity_of": "constraints",
    "violation": "constraints",
    "compare": "expressions.equivalence",
    "structure": "expressions.equivalence",
    "same_structure": "expressions.equivalence",
    "decision_core": "expressions.decision",
    "merge_laws": "choice.merging",
    "rashomon_set": "choice.rashomon",
    "RashomonSet": "choice.rashomon",
    "RashomonSettings": "choice.rashomon",
    "explain": "choice.why",
    "Why": "choice.why",
    "ENGINES": "engines",
    "EngineError": "engines",
    "get_engine": "engines",
    "warm_up": "evolution.engine",
    "search_several": "several",
    "select": "choice.selection",
    "select_by_cross_validation": "choice.selection",
    "add_validation": "choice.validation",
    "SearchProgress": "progress",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Load a name of `__all__` on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names of the package, loaded or not."""
    return sorted({*globals(), *__all__})
