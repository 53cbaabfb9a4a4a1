"""A fitted estimator as JSON text and back, equal to the last bit and without evaluation.

JSON has no infinity and no nan: they are written as text ("inf", "nan"), which `float` reads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.laws.estimators.feature_names import FeatureNames
from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.parser import check_names
from occamscope.laws.front import COLUMNS, Front
from occamscope.laws.joint.front import JointFront

if TYPE_CHECKING:
    from occamscope.laws.estimators.base import LawEstimator

E = TypeVar("E", bound="LawEstimator")

# What such a document says; the number rises when the form changes.
_FORM = "occamscope law estimator 1"
_INTEGERS = ("complexity", "seed")
_TEXTS = ("expression", "latex", "engine", "loss_name", "target")


def write_estimator(estimator: LawEstimator) -> str:
    """Return the text of a fitted estimator; see `LawEstimator.to_json`."""
    front = estimator.laws_
    judged = [name for name in estimator.front_.columns if name not in front.table.columns]
    parameters = estimator.get_params(deep=False)
    if isinstance(parameters["random_state"], np.random.RandomState):
        parameters["random_state"] = int(front.table["seed"].iloc[0])
    document = {
        "form": _FORM,
        "class": type(estimator).__name__,
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "features": {
            "own": [str(name) for name in estimator.names_.own],
            "safe": list(estimator.names_.safe),
            "named": hasattr(estimator, "feature_names_in_"),
        },
        "laws": _laws(front),
        "judged": _plain(estimator.front_[judged].to_dict("list")),
        "chosen": estimator.best_index_,
        **estimator.facts(),
    }
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)


def read_estimator(kind: type[E], text: str) -> E:
    """Return the estimator that a text describes; see `LawEstimator.from_json`."""
    try:
        document = json.loads(text)
        if document["form"] != _FORM:
            raise ValueError(f"its form is {document['form']!r}, not {_FORM!r}")
        if document["class"] != kind.__name__:
            raise ValueError(f"it describes a {document['class']}, not a {kind.__name__}")
        return _rebuilt(kind, document)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InputError(f"from_json: this is no estimator that to_json wrote: {problem}") from None


def _rebuilt(kind: type[E], document: dict[str, Any]) -> E:
    estimator = kind(**{name: _back(value) for name, value in document["parameters"].items()})
    features = document["features"]
    names = FeatureNames(tuple(map(_text, features["own"])), check_names(features["safe"]))
    if len(names.own) != len(names.safe):
        raise ValueError("it names some features once only")
    front = _front(document["laws"], names)
    if type(document["chosen"]) is not int or not 0 <= document["chosen"] < len(front):
        raise ValueError(f"there is no law number {document['chosen']!r}")
    judged = {str(name): _floats(cells) for name, cells in document["judged"].items()}
    estimator.names_ = names
    estimator.n_features_in_ = len(names.own)
    if features["named"]:
        estimator.feature_names_in_ = np.array(names.own, dtype=object)
    columns = pd.DataFrame(judged, index=front.table.index)
    estimator.keep_front(front, columns, document["chosen"])
    estimator.take_facts(document)
    return estimator


def _laws(front: Front | JointFront) -> dict[str, Any]:
    """Return a front as JSON can hold it."""
    if isinstance(front, JointFront):
        return {"joint": front.to_dict()}
    return {"stopped": front.stopped, "single": _plain(front.table.to_dict("list"))}


def _front(document: dict[str, Any], names: FeatureNames) -> Front | JointFront:
    """Return the front that `_laws` wrote."""
    if "joint" not in document:
        return Front(_table(document["single"], names), names.safe, document["stopped"])
    front = JointFront.from_dict(document["joint"])
    if front.names != names.safe:
        raise ValueError("its laws are of other features")
    return front


def _table(columns: dict[str, list[Any]], names: FeatureNames) -> pd.DataFrame:
    """Return a front's table after a check of every cell."""
    cells: dict[str, Any] = {}
    for name in COLUMNS:
        if name in _INTEGERS:
            cells[name] = [_whole(cell) for cell in columns[name]]
        elif name in _TEXTS:
            cells[name] = [_text(cell) for cell in columns[name]]
        else:
            cells[name] = _floats(columns[name])
    for text in cells["expression"]:
        parse(text, names.safe)
    for scale, offset in zip(cells["output_scale"], cells["output_offset"], strict=True):
        if not (math.isfinite(scale) and scale > 0 and math.isfinite(offset)):
            raise ValueError(f"a law's scale {scale} or offset {offset} is no usable number")
    return pd.DataFrame(cells)


def _floats(cells: list[Any]) -> list[float]:
    return [float(cell) for cell in cells]


def _text(cell: Any) -> str:
    if type(cell) is not str:
        raise ValueError(f"{cell!r} is no text")
    return cell


def _whole(cell: Any) -> int:
    if type(cell) is not int:
        raise ValueError(f"{cell!r} is no whole number")
    return cell


def _plain(value: Any) -> Any:
    """Turn a parameter or a column into what JSON can hold; mappings become lists of pairs."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and "pairs" not in value:
            return {key: _plain(item) for key, item in value.items()}
        return {"pairs": [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(f"to_json: {value!r} of type {type(value).__name__} cannot be written")


def _back(value: Any) -> Any:
    """Undo `_plain`, but for tuples, which stay lists."""
    if isinstance(value, dict):
        if value.keys() == {"pairs"}:
            return {_back(key): _back(item) for key, item in value["pairs"]}
        return {key: _back(item) for key, item in value.items()}
    return [_back(item) for item in value] if isinstance(value, list) else value


def write_labels(labels: np.ndarray) -> dict[str, Any]:
    """Return the labels of classes and their type."""
    return {"dtype": labels.dtype.str, "labels": _plain(labels)}


def read_labels(document: dict[str, Any]) -> np.ndarray:
    """Return the labels that `write_labels` wrote."""
    kind = np.dtype(document["dtype"])
    labels = document["labels"]
    if kind.kind not in "biufUO" or not all(
        isinstance(x, bool | int | float | str) for x in labels
    ):
        raise ValueError(f"its classes have no labels but {labels!r}")
    return np.array(labels, dtype=kind)
