"""A stand-in for Julia, below the real PySR: its checks of arguments run, its search does not.

What PySR would hand to SymbolicRegression.jl lies in `julia.json` in the run's folder.
"""

import json
from pathlib import Path

import numpy as np


class AnyValue:
    pass


class VectorValue(AnyValue):
    pass


class JuliaError(Exception):
    pass


class Fake:
    """A Julia object that takes everything and says nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, Fake())
        return getattr(self, name)

    def __call__(self, *arguments, **options):
        return Fake()


class Types:
    """Dict[Int, Vector] and the like: a dict in Python."""

    def __getitem__(self, _):
        return dict


def convert(_, value):
    return value


def as_json(value):
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


def equation_search(X, y, *, options, run_id, **call):
    """Write down what was asked for, and a hall of fame as the search would."""
    run = Path(options["output_directory"]) / run_id
    run.mkdir(parents=True, exist_ok=True)
    names = call["variable_names"]
    text = f'Complexity,Loss,Equation\n1,0.9,"{names[0]}"\n3,0.5,"{names[0]} * {names[-1]}"\n'
    for name in ("hall_of_fame.csv", "hall_of_fame.csv.bak"):
        (run / name).write_text(text)
    asked = {"options": options, "call": call, "X": X.shape, "y": y.shape}
    (run.parent / "julia.json").write_text(json.dumps(asked, default=as_json))
    return 0


Main = Fake()
Main.Dict = Types()
Main.Symbol = str
Main.seval = lambda code: code
Main.isa = lambda value, kind: True
Main.applicable = lambda loss, *arguments: True
Main.copy = Main.PythonCall.PyArray = lambda value: value
Main.Base.include_string = lambda module, text, name: text
Main.take_b = lambda buffer: [0]
Main.SymbolicRegression.OperatorEnum = lambda operators: operators
Main.SymbolicRegression.Options = lambda **options: options
Main.SymbolicRegression.equation_search._jl_call_nogil = equation_search
