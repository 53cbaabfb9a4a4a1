"""How each claim follows from the evidence: its value, interval and number of cells or seeds.

A rule returns fields of a `Claim`, and under "note" what its statement shall add.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import t as student

from occamscope.evaluation.accuracy import wilson_interval
from occamscope.evaluation.evidence import Evidence, MissingEvidenceError

MAX_PARAMETER_SHARE = 0.02
LEAST_JUDGE_ACCURACY = 0.98
GATED = ("blank", "constant", "noise")
NO_COUNTERPART = "no counterpart in the paper"


def _rows(table: pd.DataFrame | None, what: str, **equal: object) -> pd.DataFrame:
    """Rows of a table with given values, or MissingEvidenceError with a plain reason."""
    if table is None or table.empty:
        raise MissingEvidenceError(f"no {what} measured")
    for column, value in equal.items():
        table = table[table[column] == value]
    if table.empty:
        raise MissingEvidenceError(f"no {what} of {' and '.join(str(v) for v in equal.values())}")
    return table


def _run(table: pd.DataFrame) -> pd.Series:
    """Which run each row is of."""
    return table["run"].astype(str) if "run" in table else pd.Series("", index=table.index)


def _pooled(rows: pd.DataFrame, name: str, n: str) -> dict:
    """A share pooled over runs with its Wilson interval, as fields of a `Claim`."""
    rows = rows[rows[n] > 0]
    if rows.empty:
        raise MissingEvidenceError("no cell counted")
    total = int(rows[n].sum())
    hits = int(np.rint(rows[name] * rows[n]).sum())
    low, high = wilson_interval(hits, total)
    ends = {"low": float(low), "high": float(high), "interval": "95 % Wilson"}
    return {"value": hits / total, "n": total, "split": "test"} | ends


def over_seeds(values: np.ndarray) -> dict:
    """Mean with a 95 % t interval over seeds (or folds), as fields of a `Claim`."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise MissingEvidenceError("no reference to compare with")
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return {"value": mean, "n": 1}
    half = float(student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    interval = f"95 % t interval over {n} seeds"
    return {"value": mean, "low": mean - half, "high": mean + half, "interval": interval, "n": n}


def _splits(table: pd.DataFrame) -> str:
    return ", ".join(dict.fromkeys(table["split"])) if "split" in table else ""


def sparse_rows(evidence: Evidence) -> pd.DataFrame:
    """Accuracy rows of the sparse networks at the density that the claims are about."""
    rows = _rows(evidence.accuracy, "accuracy", kind="sparse")
    shares = rows["parameters"] / dense_parameters(evidence)
    if np.isfinite(evidence.density):
        return _rows(rows, "sparse networks", density=evidence.density)
    by_density = shares.groupby(rows["density"]).mean()
    within = by_density[by_density <= MAX_PARAMETER_SHARE]
    density = within.index.max() if len(within) else by_density.index.min()
    return rows[rows["density"] == density]


def dense_parameters(evidence: Evidence) -> float:
    """Mean number of parameters of the dense networks."""
    return float(_rows(evidence.accuracy, "accuracy", kind="dense")["parameters"].mean())


def sparse_over_dense(evidence: Evidence) -> dict:
    rows = sparse_rows(evidence)
    share = rows["parameters"].mean() / dense_parameters(evidence)
    if share > MAX_PARAMETER_SHARE:
        raise MissingEvidenceError(
            f"the sparsest networks keep {share:.1%} of the parameters, above 2 %"
        )
    return over_seeds(rows["ratio_to_dense"].to_numpy()) | {"split": _splits(rows)}


def sparse_parameters(evidence: Evidence) -> dict:
    rows = sparse_rows(evidence)
    shares = rows["parameters"].to_numpy(np.float64) / dense_parameters(evidence)
    return {
        "value": float(shares.mean()),
        "low": float(shares.min()),
        "high": float(shares.max()),
        "interval": f"range over {len(shares)} seeds",
        "n": len(shares),
    }


def ratio_to_black_box(kind: str, column: str = "ratio_to_black_box") -> Callable[[Evidence], dict]:
    """Rule: the ratio of one kind of model to the black box."""

    def rule(evidence: Evidence) -> dict:
        rows = _rows(evidence.accuracy, "accuracy", kind=kind)
        if len(rows) > 1:
            return over_seeds(rows[column].to_numpy()) | {"split": _splits(rows)}
        row = rows.iloc[0]
        if not np.isfinite(row[column]):
            raise MissingEvidenceError("no black box to compare with")
        result = {"value": float(row[column]), "n": int(row["n"]), "split": _splits(rows)}
        if f"{column}_low" in row:
            result |= {"low": float(row[f"{column}_low"]), "high": float(row[f"{column}_high"])}
            result["interval"] = "95 % paired bootstrap over cells"
        return result

    return rule


def law_nodes(evidence: Evidence) -> dict:
    rows = _rows(evidence.accuracy, "accuracy", kind="law")
    nodes = rows["complexity"].to_numpy(np.float64)
    spread = {"low": nodes.min(), "high": nodes.max(), "interval": f"range over {len(nodes)} laws"}
    return {"value": float(nodes.mean()), "n": len(nodes)} | (spread if len(nodes) > 1 else {})


def hinge_against_mse(evidence: Evidence) -> dict:
    """Test accuracy of the law that validation picks from each loss's front, hinge minus MSE."""
    fronts = _rows(evidence.fronts, "Pareto fronts")
    fronts = fronts[fronts["complexity"] <= evidence.max_nodes]
    picked = {}
    for loss in ("hinge", "mse"):
        rows = _rows(fronts, "front", loss_name=loss).sort_values(
            ["validation_balanced_accuracy", "complexity"], ascending=[False, True], kind="stable"
        )
        picked[loss] = rows.groupby([_run(rows), "seed"])["test_balanced_accuracy"].first()
    difference = (picked["hinge"] - picked["mse"]).dropna()
    if difference.empty:
        raise MissingEvidenceError("no seed was searched with both losses")
    return over_seeds(difference.to_numpy()) | {"split": "test"}


def selection_jaccard(evidence: Evidence) -> dict:
    density = float(sparse_rows(evidence)["density"].iloc[0])
    pairs = _rows(evidence.jaccard, "selection over seeds", density=density)["jaccard"].to_numpy()
    low, high = np.quantile(pairs, [0.05, 0.95])
    return {
        "value": float(pairs.mean()),
        "low": float(low),
        "high": float(high),
        "interval": "5 to 95 % of pairs of seeds",
        "n": len(pairs),
    }


def factor_r2(*quantities: str) -> Callable[[Evidence], dict]:
    """Rule: R2 of a quantity from its latent, the lowest of several; over runs their mean."""

    def rule(evidence: Evidence) -> dict:
        found = [_rows(evidence.factors, "R2", quantity=q) for q in quantities]
        rows = min(found, key=lambda rows: rows["r2"].mean())
        note = f"{rows['quantity'].iloc[0]} by {', '.join(rows['latent'].astype(str))}"
        if len(rows) > 1:
            return over_seeds(rows["r2"].to_numpy()) | {"split": _splits(rows), "note": note}
        row = rows.iloc[0]
        ends: dict = {"low": float(row["low"]), "high": float(row["high"])}
        ends["interval"] = "95 % bootstrap over cells"
        return (
            {"value": float(row["r2"]), "n": int(row["n"]), "note": note}
            | ends
            | {"split": _splits(rows)}
        )

    return rule


def _size_traversals(evidence: Evidence) -> pd.DataFrame:
    """Area range and largest axis ratio along the size latent, one row a run."""
    factors = _rows(evidence.factors, "R2", quantity="size")
    traversals = _rows(evidence.traversals, "traversal")
    rows = []
    for run, latent in zip(_run(factors), factors["latent"], strict=True):
        own = traversals[(_run(traversals) == run) & (traversals["latent"] == latent)]
        if own.empty:
            raise MissingEvidenceError(f"no traversal of {latent}")
        area = own["area_px"].to_numpy(np.float64)
        if not (area > 0).all():
            raise MissingEvidenceError(f"{latent} decodes to an empty image on its way")
        rows.append((latent, area.max() / area.min(), own["axis_ratio"].max()))
    return pd.DataFrame(rows, columns=["latent", "area_range", "axis_ratio"])


def _extreme(values: pd.Series, worst: float) -> dict:
    """The worst over runs, with the range where there are several."""
    result: dict = {"value": float(worst), "n": len(values)}
    if len(values) > 1:
        ends = {"low": float(values.min()), "high": float(values.max())}
        result |= ends | {"interval": f"range over {len(values)} runs"}
    return result


def size_area_range(evidence: Evidence) -> dict:
    rows = _size_traversals(evidence)
    note = (
        f"{', '.join(rows['latent'])}; largest axis ratio along it {rows['axis_ratio'].max():.2f}"
    )
    return _extreme(rows["area_range"], rows["area_range"].min()) | {"note": note}


def size_axis_ratio(evidence: Evidence) -> dict:
    ratio = _size_traversals(evidence)["axis_ratio"]
    return _extreme(ratio, ratio.max())


def blank_class(evidence: Evidence) -> dict:
    rows = _rows(evidence.probes, "probes", probe="blank", model=evidence.law)
    caught = _pooled(rows, "caught_share", "n")["value"]
    note = f"median margin {rows['margin_median'].mean():.2f}; {caught:.1%} caught by the gate"
    rows = rows.assign(negative_share=1 - rows["positive_share"])
    return _pooled(rows, "negative_share", "n") | {"note": note}


def _caught(evidence: Evidence, probe: str) -> dict:
    """Share of one kind of probe that the gate caught; it is the same for every model."""
    rows = _rows(evidence.probes, f"{probe} crops at the gate", probe=probe)
    return _pooled(rows[rows["model"] == rows["model"].iloc[0]], "caught_share", "n")


def gate_caught(evidence: Evidence) -> dict:
    found = {kind: _caught(evidence, kind) for kind in GATED}
    least = min(found, key=lambda kind: found[kind]["value"])
    return found[least] | {"note": f"the least caught is {least}"}


def gate_false_alarms(evidence: Evidence) -> dict:
    return _caught(evidence, "real")


def flip_ratio(prefix: str = "") -> Callable[[Evidence], dict]:
    """Rule: median flip of the law over that of the dense networks.

    The bootstrap draws the same cells for both, and networks. `prefix` of the columns: "" for the
    smallest flips, "confident_".
    """

    def rule(evidence: Evidence) -> dict:
        law, dense = (_distances(evidence, kind, prefix) for kind in ("law", "dense"))
        cells = law.columns.intersection(dense.columns)
        if cells.empty:
            raise MissingEvidenceError("law and dense networks were not attacked on the same cells")
        a, b = law[cells].to_numpy(), dense[cells].to_numpy()
        middle = (_median_of_medians(a), _median_of_medians(b))
        if not np.isfinite(middle).all():
            raise MissingEvidenceError(
                "half of the cells could not be flipped, so the medians are not finite"
            )
        rng = np.random.default_rng(evidence.seed)
        ratios = []
        for _ in range(1000):
            column = rng.integers(len(cells), size=len(cells))
            drawn = [x[rng.integers(len(x), size=len(x))][:, column] for x in (a, b)]
            ratios.append(_median_of_medians(drawn[0]) / _median_of_medians(drawn[1]))
        low, high = np.quantile(ratios, [0.025, 0.975], method="nearest")
        return {
            "value": middle[0] / middle[1],
            "low": float(low),
            "high": float(high),
            "interval": f"95 % bootstrap over cells and {len(b)} dense networks",
            "n": len(cells),
            "split": "test",
            "note": f"medians {middle[0]:.2f} and {middle[1]:.2f} sd",
        }

    return rule


def _distances(evidence: Evidence, kind: str, prefix: str) -> pd.DataFrame:
    """Flip distances, (networks, cells); a cell that was not flipped counts as infinitely far.

    Every cell keeps its distances in the order of the table: over folds each network has other
    cells, so the k-th networks of all folds share a row.
    """
    rows = _rows(evidence.attacks, "attacks", kind=kind)
    distance = rows[f"{prefix}distance"].where(rows[f"{prefix}reached"].astype(bool), np.inf)
    rows = rows.assign(distance=distance, network=rows.groupby("crop_id").cumcount())
    return rows.pivot(index="network", columns="crop_id", values="distance").dropna(axis=1)


def _median_of_medians(distance: np.ndarray) -> float:
    # method "lower": no interpolation between a finite and an infinite distance.
    return float(np.median(np.quantile(distance, 0.5, axis=1, method="lower")))


def grid_beats_search(evidence: Evidence) -> dict:
    """Share of cells with a shorter flip on the grid, for the kind of flips with most of them."""
    rows = _rows(evidence.grid, "flips on a grid")
    checked = rows[rows["n"] > 0]
    if checked.empty:
        counts = " or ".join(dict.fromkeys(rows["variables"].astype(str)))
        raise MissingEvidenceError(f"a grid takes 1 to 4 variables, the law has {counts}")
    # The cells of a law without a grid are empty, which makes the column one of text.
    checked = checked.astype({"beaten_share": float, "largest_excess": float})
    found = {str(name): _pooled(own, "beaten_share", "n") for name, own in checked.groupby("flips")}
    worst = max(found, key=lambda name: found[name]["value"])
    excess = checked.loc[checked["flips"] == worst, "largest_excess"].max()
    note = f"{worst} flips, the search's at most {excess:.2g} sd longer"
    if len(checked) < len(rows):
        note += "; laws of too many variables for a grid are left out"
    return found[worst] | {"note": note}


def judge_new_class(prefix: str = "") -> Callable[[Evidence], dict]:
    """Rule: share of the law's flips that the judge calls the new class; `prefix` of columns."""

    def rule(evidence: Evidence) -> dict:
        judged = _rows(evidence.judged, "judged flips")
        rows = _rows(judged, "judged flips", kind="law")
        accuracy = rows["judge_accuracy"].min()
        worth = f"{accuracy:.3f}"
        if accuracy < LEAST_JUDGE_ACCURACY:
            worth = f"only {worth}, below {LEAST_JUDGE_ACCURACY:g}"
        note = f"the judge's own accuracy on reconstructions is {worth}"
        share, n = f"{prefix}new_class_share", f"{prefix}n_counted"
        for kind in ("sparse", "dense"):
            other = judged[judged["kind"] == kind]
            if (other[n] > 0).any():
                note += f"; of the {kind} networks' flips {_pooled(other, share, n)['value']:.3f}"
        return _pooled(rows, share, n) | {"note": note}

    return rule
