"""The problems of the law benchmarks: planted rules, a network's logit, textbook formulas.

All are made from seeds by numpy alone (the network's by scikit-learn as well), so that every
engine, run and machine sees the same numbers; `tests/laws/test_benchmark_problems.py` pins them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamscope.laws.expressions.expression import parse

Array = NDArray[np.float64]

FEATURES = 32
TEST_ROWS = 20_000
FORMULA_ROWS, FORMULA_TEST_ROWS = 1_000, 5_000


@dataclass(frozen=True)
class Problem:
    """Data of one task.

    Attributes
    ----------
    name : as in the tables
    is_classification : targets are labels -1/+1 (else real numbers)
    X, y : (n, d) and (n,) training rows, labels with noise
    X_test, y_test : test rows, labels without noise
    names : of the columns
    truth : the planted law in our syntax; empty if there is none
    """

    name: str
    is_classification: bool
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    names: tuple[str, ...]
    truth: str = ""


@dataclass(frozen=True)
class Rule:
    """A planted rule: positive where `law` > 0; `noise` of the training labels are turned."""

    law: str
    noise: float


RULES: Mapping[str, Rule] = {
    "size_beats_shape": Rule("1.7*z7 - 0.4*z12**2 + 0.3*z3*z7 - 0.2", 0.025),
    "product": Rule("z4*z19 + 0.8*z22 - 0.3", 0.03),
    "ring": Rule("z1**2 + 0.7*z30**2 - 0.6*z8 - 1.6", 0.02),
    "gate": Rule("tanh(2*z5)*z11 + exp(neg(z17**2)) - 0.6", 0.025),
    # The form that Soelistyo and Lowe print (arXiv 2402.03115), with a constant threshold.
    "paper": Rule("z1*(z2**2 + z3**2) - 1", 0.025),
}


def latent(n: int, seed: int, d: int = FEATURES) -> Array:
    """Draw features as an autoencoder's latents are: weakly correlated, mild tails, sd 1."""
    z = np.random.default_rng(seed).standard_normal((n, d))
    leak = np.random.default_rng(7).standard_normal((d, d))
    z = z @ (np.eye(d) + 0.15 * leak / np.sqrt(d))
    z += 0.15 * z * np.abs(z)
    return np.asarray((z - z.mean(0)) / z.std(0))


def planted(rule: str, n: int, seed: int = 0, scale: float = 1.0) -> Problem:
    """Label n rows of 32 features by a rule.

    Parameters
    ----------
    scale : the features are given in this unit: the labels stay, the features are multiplied
    """
    names = tuple(f"z{k}" for k in range(FEATURES))
    z = latent(n + TEST_ROWS, seed=100 + seed)
    labels = np.where(parse(RULES[rule].law, names).evaluate(z) > 0, 1.0, -1.0)
    turned = np.random.default_rng(200 + seed).random(n) < RULES[rule].noise
    y = np.where(turned, -labels[:n], labels[:n])
    name = f"{rule}_{n}" if scale == 1.0 else f"{rule}_{n}_scale_{scale:g}"
    z *= scale
    return Problem(name, True, z[:n], y, z[n:], labels[n:], names, RULES[rule].law)


def network_logit(n: int, seed: int = 0) -> Problem:
    """Logit of a small network on six of the 32 features: a law is to imitate it.

    The network (24 tanh units) was trained on the noisy labels of size_beats_shape.
    """
    from sklearn.neural_network import MLPClassifier

    task = planted("size_beats_shape", n, seed)
    seen = [3, 7, 12, 20, 25, 28]
    network = MLPClassifier((24,), activation="tanh", alpha=1e-2, max_iter=150, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        network.fit(task.X[:, seen], task.y)

    def logit(X: Array) -> Array:
        hidden = np.tanh(X[:, seen] @ network.coefs_[0] + network.intercepts_[0])
        return np.asarray((hidden @ network.coefs_[1] + network.intercepts_[1]).ravel())

    y, y_test = logit(task.X), logit(task.X_test)
    return Problem(f"network_{n}", False, task.X, y, task.X_test, y_test, task.names)


@dataclass(frozen=True)
class Formula:
    """A law of physics (or of a benchmark's): where its variables lie, and what it says."""

    ranges: tuple[tuple[float, float], ...]
    function: Callable[..., Array]
    law: str


# Feynman Symbolic Regression Database (Udrescu and Tegmark, arXiv 1905.11481) and one of
# Nguyen's (Uy et al. 2011). `function` rounds as the first measurements did; `law` is its text.
FORMULAS: Mapping[str, Formula] = {
    "I.6.2a": Formula(
        ((1, 3),),
        lambda t: np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi),
        "0.3989422804014327*exp(-0.5*x0**2)",
    ),
    "I.12.2": Formula(
        ((1, 5),) * 4,
        lambda a, b, e, c: a * b / (4 * np.pi * e * c**2),
        "0.07957747154594767*x0*x1/(x2*x3**2)",
    ),
    "I.13.4": Formula(
        ((1, 5),) * 4,
        lambda m, v, u, w: 0.5 * m * (v**2 + u**2 + w**2),
        "0.5*x0*(x1**2 + x2**2 + x3**2)",
    ),
    "I.15.3t": Formula(
        ((1, 5), (3, 10), (1, 2), (1, 5)),
        lambda x, c, u, t: (t - u * x / c**2) / np.sqrt(1 - u**2 / c**2),
        "(x3 - x2*x0/x1**2)/sqrt(1 - x2**2/x1**2)",
    ),
    "I.27.6": Formula(
        ((1, 5),) * 3, lambda a, b, c: 1 / (1 / a + c / b), "1/(1/x0 + x2/x1)"
    ),
    "I.37.4": Formula(
        ((1, 5),) * 3,
        lambda a, b, d: a + b + 2 * np.sqrt(a * b) * np.cos(d),
        "x0 + x1 + 2*sqrt(x0*x1)*cos(x2)",
    ),
    "II.6.15a": Formula(
        ((1, 3),) * 3,
        lambda p, c, s: 3 * p * c * s / (4 * np.pi * (c**2 + s**2) ** 2.5) * 1.0,
        "0.238732414637843*x0*x1*x2/((x1**2 + x2**2)**2*sqrt(x1**2 + x2**2))",
    ),
    "II.11.28": Formula(
        ((0, 1),) * 2, lambda a, b: 1 + a * b / (1 - a * b / 3), "1 + x0*x1/(1 - x0*x1/3)"
    ),
    "III.4.33": Formula(
        ((1, 5),) * 3,
        lambda h, w, k: h * w / (np.exp(h * w / k) - 1),
        "x0*x1/(exp(x0*x1/x2) - 1)",
    ),
    "Nguyen-7": Formula(
        ((0, 2),), lambda x: np.log(x + 1) + np.log(x**2 + 1), "log(x0 + 1) + log(x0**2 + 1)"
    ),
}  # fmt: skip


def formula(name: str, seed: int = 0) -> Problem:
    """Sample a formula without noise: 1,000 rows to learn from, 5,000 to test."""
    known = FORMULAS[name]
    random = np.random.default_rng(300 + seed)
    X, X_test = (
        np.column_stack([random.uniform(low, high, rows) for low, high in known.ranges])
        for rows in (FORMULA_ROWS, FORMULA_TEST_ROWS)
    )
    names = tuple(f"x{k}" for k in range(len(known.ranges)))
    y, y_test = known.function(*X.T), known.function(*X_test.T)
    return Problem(name, False, X, y, X_test, y_test, names, known.law)


def scaled_paper_law(scale: float) -> str:
    """Return the paper's form for features in that unit."""
    return f"z1*(z2**2 + z3**2) - {scale**3:.6g}"


# The six classification tasks whose mean hinge is compared.
CLASSIFICATION: Mapping[str, Callable[[int], Problem]] = {
    f"{rule}_{n}": lambda seed, rule=rule, n=n: planted(rule, n, seed)  # type: ignore[misc]
    for rule, n in [
        ("size_beats_shape", 2_000), ("product", 2_000), ("ring", 2_000), ("gate", 2_000),
        ("size_beats_shape", 10_000), ("ring", 10_000),
    ]
}  # fmt: skip
DISTILLATION: Mapping[str, Callable[[int], Problem]] = {
    f"network_{n}": lambda seed, n=n: network_logit(n, seed)  # type: ignore[misc]
    for n in (2_000, 10_000)
}
