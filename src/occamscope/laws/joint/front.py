"""The table of the best joint laws of several classes: complexity against cross-entropy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.tree import constant
from occamscope.laws.front import STOPPED, pareto_front
from occamscope.laws.joint.fit import JointLaw
from occamscope.laws.joint.softmax import cross_entropy, fit_temperature, softmax
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]
Label = str | int | float | bool

JOINT_COLUMNS = (
    "complexity", "loss", "score", "expression", "latex", "engine", "loss_name", "target", "seed",
)  # fmt: skip
LOSS_NAME = "cross_entropy"
_FORM = "occamscope joint front 1"


@dataclass(frozen=True)
class JointFront:
    """What a search for laws of several classes found.

    Attributes
    ----------
    table : one row a joint law, of increasing complexity and decreasing loss, with the columns
        `JOINT_COLUMNS`. `complexity` is the sum of the laws'; `loss` the weighted mean softmax
        cross-entropy on the search's data, in float64, of the laws as their texts state them;
        `expression` names the classes that have a law: "setosa: 1.2 - z2; virginica: z3".
    joints : the laws of each row, with the scales and offsets of the classes
    names : the variables in the order of the data's columns
    classes : labels of the classes
    stopped : why the search ended, one of `front.STOPPED`
    temperatures : by which each row's decision values are divided before the softmax; 1 until
        `calibrated` fits them

    Raises
    ------
    ValueError
        If `stopped` is unknown.
    """

    table: pd.DataFrame
    joints: tuple[JointLaw, ...]
    names: tuple[str, ...]
    classes: tuple[Label, ...]
    stopped: str = "budget"
    temperatures: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.stopped not in STOPPED:
            raise ValueError(f"stopped: {self.stopped!r} is not one of {', '.join(STOPPED)}")
        if not self.temperatures:
            object.__setattr__(self, "temperatures", (1.0,) * len(self.joints))

    @property
    def complete(self) -> bool:
        """False if a time limit or the user cut the search short."""
        return self.stopped in ("budget", "generations")

    @property
    def laws(self) -> tuple[tuple[Expression, ...], ...]:
        """Return each row's laws, one a class; 0 for a class without one."""
        zero = Expression(constant(0.0), self.names)
        return tuple(tuple(law or zero for law in joint.laws) for joint in self.joints)

    @property
    def scales(self) -> Array:
        """Return the (rows, K) positive factors of the classes' laws."""
        return np.array([joint.scales for joint in self.joints]).reshape(-1, len(self.classes))

    @property
    def offsets(self) -> Array:
        """Return the (rows, K) summands; -infinity for a class without rows in the search."""
        return np.array([joint.offsets for joint in self.joints]).reshape(-1, len(self.classes))

    def __len__(self) -> int:
        return len(self.table)

    def decision(self, row: int, X: ArrayLike) -> Array:
        """Return the (n, K) decision values scale f + offset of a row's laws."""
        return self.joints[row].decision(X)

    def predict(self, row: int, X: ArrayLike) -> NDArray[np.intp]:
        """Return the (n,) most probable classes, as positions in `classes`."""
        classes: NDArray[np.intp] = np.argmax(softmax(self.decision(row, X)), axis=1)
        return classes

    def probabilities(self, row: int, X: ArrayLike) -> Array:
        """Return the (n, K) probabilities of the classes, at the row's temperature."""
        return softmax(self.decision(row, X), self.temperatures[row])

    def calibrated(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> JointFront:
        """Fit every row's temperature on rows that the search did not see.

        Parameters
        ----------
        X, y : (n, d) data and (n,) positions in `classes`
        sample_weight : (n,) weights of the rows
        """
        fitted = (
            fit_temperature(self.decision(row, X), y, sample_weight) for row in range(len(self))
        )
        return replace(self, temperatures=tuple(fitted))

    @classmethod
    def from_joints(
        cls,
        joints: Iterable[JointLaw],
        X: ArrayLike,
        y: ArrayLike,
        spec: SearchSpec,
        feature_names: Sequence[str],
        classes: Sequence[Label],
        *,
        engine: str,
        target: str = "labels",
        sample_weight: ArrayLike | None = None,
        stopped: str = "budget",
    ) -> JointFront:
        """Score joint laws in float64 and keep those that no other one dominates.

        Each law is written as text first and scored from what that text says. Left out are
        joint laws with a law that breaks one of the spec's limits (a class without a law breaks
        none, but where variables are required one class at least must have a law), and those
        without a finite loss.

        Parameters
        ----------
        joints : candidates
        X, y : (n, d) data and (n,) positions in `classes`
        spec : the search's settings
        feature_names : names of the columns of X
        classes : labels of the classes
        engine, target : what to write into these columns
        sample_weight : (n,) weights of the rows
        stopped : see the class
        """
        names = tuple(feature_names)
        kept: list[JointLaw] = []
        rows = []
        for given in joints:
            joint = replace(given, laws=tuple(law and _as_written(law) for law in given.laws))
            laws = [law for law in joint.laws if law is not None]
            if any(violation(law, spec) for law in laws) or not (
                laws or not spec.required_variables
            ):
                continue
            loss = cross_entropy(joint.decision(X), y, sample_weight)
            if math.isfinite(loss):
                size = sum(complexity_of(law, spec) for law in laws)
                rows.append((size, loss, len(kept)))
                kept.append(joint)
        frame = pd.DataFrame(rows, columns=["complexity", "loss", "place"])
        frame = pareto_front(frame.astype({"complexity": int, "loss": float, "place": int}))
        chosen = tuple(kept[place] for place in frame["place"])
        table = frame.assign(
            expression=[joint_text(joint, classes) for joint in chosen],
            latex=[joint_latex(joint, classes) for joint in chosen],
            engine=engine, loss_name=LOSS_NAME, target=target, seed=spec.seed,
        )  # fmt: skip
        plain = tuple(_plain(label) for label in classes)
        return cls(table[list(JOINT_COLUMNS)], chosen, names, plain, stopped)

    def with_classes(self, classes: Sequence[Label]) -> JointFront:
        """Return the same laws with the classes in another order, and perhaps with more classes.

        A class that the front does not know gets no law and the probability 0.
        """
        labels = tuple(_plain(label) for label in classes)
        places = [self.classes.index(c) if c in self.classes else None for c in labels]
        joints = tuple(joint.rearranged(places) for joint in self.joints)
        table = self.table.assign(
            expression=[joint_text(joint, labels) for joint in joints],
            latex=[joint_latex(joint, labels) for joint in joints],
        )
        return replace(self, table=table, joints=joints, classes=labels)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; `from_dict` reads it back.

        Columns that others added to the table (validation) are kept as they are.
        """
        joints = [
            {
                "laws": [None if law is None else law.to_text() for law in joint.laws],
                "scales": list(joint.scales),
                "offsets": [b if math.isfinite(b) else None for b in joint.offsets],
            }
            for joint in self.joints
        ]
        return {
            "form": _FORM,
            "names": list(self.names),
            "classes": list(self.classes),
            "stopped": self.stopped,
            "temperatures": list(self.temperatures),
            "joints": joints,
            "table": {name: self.table[name].tolist() for name in self.table.columns},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JointFront:
        """Read what `to_dict` wrote.

        Raises
        ------
        InputError
            If it is something else, a key is missing, or a law cannot be read.
        """
        if data.get("form") != _FORM:
            raise InputError(f"joint laws: their form is {data.get('form')!r}, not {_FORM!r}")
        missing = {"names", "classes", "stopped", "temperatures", "joints", "table"} - set(data)
        if missing:
            raise InputError(f"joint laws: the key '{min(missing)}' is missing")
        names, K = tuple(data["names"]), len(data["classes"])
        joints = tuple(_read_joint(entry, names, K) for entry in data["joints"])
        table = pd.DataFrame(data["table"])
        if not len(table) == len(joints) == len(data["temperatures"]):
            raise InputError("joint laws: table, laws and temperatures differ in length")
        if set(JOINT_COLUMNS) - set(table.columns):
            raise InputError("joint laws: the table lacks a column")
        return cls(
            table, joints, names, tuple(data["classes"]), data["stopped"],
            tuple(float(t) for t in data["temperatures"]),
        )  # fmt: skip


def joint_text(joint: JointLaw, classes: Sequence[Label]) -> str:
    """Write the laws of the classes that have one; "0" if none has."""
    parts = [
        f"{label}: {law.to_text()}"
        for label, law in zip(classes, joint.laws, strict=True)
        if law is not None
    ]
    return "; ".join(parts) or "0"


def joint_latex(joint: JointLaw, classes: Sequence[Label]) -> str:
    r"""Write the laws in LaTeX, f_{\mathrm{setosa}} = ..., without environments."""
    parts = [
        rf"f_{{{_upright(label)}}} = {law.latex()}"
        for label, law in zip(classes, joint.laws, strict=True)
        if law is not None
    ]
    return r",\quad ".join(parts) or "0"


def _upright(label: Label) -> str:
    """Typeset a class's label."""
    escaped = re.sub(r"([{}$&#%_])", r"\\\1", re.sub(r"[\\^~]", " ", str(label)))
    return rf"\mathrm{{{escaped.replace(' ', chr(92) + ' ')}}}"


def _as_written(law: Expression) -> Expression:
    """Return what a reader of the law's text has."""
    return parse(law.tidy().to_text(), law.names)


def _plain(label: Any) -> Label:
    """Turn numpy's scalars into Python's."""
    value: Label = label.item() if isinstance(label, np.generic) else label
    return value


def _read_joint(entry: Mapping[str, Any], names: Sequence[str], classes: int) -> JointLaw:
    """Read one row's laws."""
    try:
        laws, scales, offsets = entry["laws"], entry["scales"], entry["offsets"]
    except (KeyError, TypeError):
        raise InputError("joint laws: an entry lacks laws, scales or offsets") from None
    if not len(laws) == len(scales) == len(offsets) == classes:
        raise InputError(f"joint laws: an entry does not fit {classes} classes")
    return JointLaw(
        tuple(None if text is None else parse(text, names) for text in laws),
        tuple(float(s) for s in scales),
        tuple(-math.inf if b is None else float(b) for b in offsets),
    )
