"""The claims table: what was reached, against its target and beside the paper's words."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.evaluation import claim_rules as rules
from occamscope.evaluation.evidence import Claim, Evidence, MissingEvidenceError

__all__ = ["Claim", "Evidence", "claims_markdown", "collect_claims"]

COLUMNS = (
    "id",
    "statement",
    "paper",
    "metric",
    "split",
    "value",
    "low",
    "high",
    "interval",
    "n",
    "target",
    "holds",
)


@dataclass(frozen=True)
class _Entry:
    """What is claimed, before anything is measured.

    The column `paper` names where a statement was read: the authors' abstract or figure, or a
    summary by others; "inferred" is our reading.
    """

    id: str
    statement: str
    paper: str
    metric: str
    target: str
    rule: Callable[[Evidence], dict]


ENTRIES = (
    _Entry(
        "sparse_over_dense",
        "Sparse networks with at most 2 % of the dense parameters keep the dense accuracy",
        "summary: 98 % of the dense accuracy",
        "accuracy of the sparse over the dense network of the same seed, mean over seeds",
        ">= 0.99",
        rules.sparse_over_dense,
    ),
    _Entry(
        "sparse_parameters",
        "Sparse networks keep a small share of the dense network's parameters",
        "summary: 2 % of the parameters",
        "non-zero weights and live biases over those of the dense networks, mean over seeds",
        "<= 0.02",
        rules.sparse_parameters,
    ),
    _Entry(
        "law_over_black_box",
        "The law keeps the accuracy of the black box",
        "abstract: ~98 % of the accuracy of black-box models",
        "accuracy of the law over that of the CNN",
        ">= 0.99",
        rules.ratio_to_black_box("law"),
    ),
    _Entry(
        "law_over_black_box_balanced",
        "The law keeps the balanced accuracy of the black box",
        "abstract: ~98 % of the accuracy of black-box models; balanced accuracy is not mentioned",
        "balanced accuracy of the law over that of the CNN",
        ">= 0.99",
        rules.ratio_to_black_box("law", "balanced_ratio_to_black_box"),
    ),
    _Entry(
        "forest_over_black_box",
        "A random forest on shape features, the plain baseline, against the black box",
        rules.NO_COUNTERPART,
        "accuracy of the forest over that of the CNN",
        "",
        rules.ratio_to_black_box("forest"),
    ),
    _Entry(
        "law_nodes",
        "The law is short",
        "figure: one expression of 11 nodes",
        "operators, constants and variables of the law",
        "<= 13",
        rules.law_nodes,
    ),
    _Entry(
        "hinge_against_mse",
        "Laws searched with hinge loss against laws searched with MSE",
        "summary: both losses were used; no comparison is known to us",
        "balanced accuracy with hinge minus with MSE, each law chosen on validation, mean over "
        "seeds",
        "",
        rules.hinge_against_mse,
    ),
    _Entry(
        "selection_jaccard",
        "Sparse networks select the same latents whatever the seed",
        "summary: relevant latents identified consistently across runs; no number is known to us",
        "Jaccard index of the selected latents, mean over pairs of seeds",
        ">= 0.9",
        rules.selection_jaccard,
    ),
    _Entry(
        "size_r2",
        "One latent is the size of the nucleus",
        "figure: one latent changes the area at constant shape; no R2 is known to us",
        "R2 of log area from one latent",
        ">= 0.95",
        rules.factor_r2("size"),
    ),
    _Entry(
        "shape_r2",
        "Two latents are the ellipticity vector of the nucleus",
        "figure: one latent changes the axis ratio at constant area; a pair is inferred",
        "R2 of e cos 2theta and e sin 2theta, each from one latent of a rotated pair, the lower",
        ">= 0.9",
        rules.factor_r2("e_cos2theta", "e_sin2theta"),
    ),
    _Entry(
        "size_area_range",
        "The size latent spans a wide range of areas",
        "figure: 6.3-fold from -3 to 3, axis ratio at most 1.05",
        "largest over smallest decoded area along the latent",
        ">= 6",
        rules.size_area_range,
    ),
    _Entry(
        "size_axis_ratio",
        "Nuclei stay round along the size latent",
        "figure: axis ratio at most 1.05 from -3 to 3",
        "largest axis ratio decoded along the latent",
        "",
        rules.size_axis_ratio,
    ),
    _Entry(
        "blank_class",
        "The law calls blank images {negative}",
        "summary: blank images are called interphase",
        "share of blank probes that the law calls {negative}",
        ">= 0.5",
        rules.blank_class,
    ),
    _Entry(
        "gate_caught",
        "The gate says 'no nucleus here' to blank, constant and noise images",
        rules.NO_COUNTERPART,
        "share of probes caught, the lowest of the three kinds",
        ">= 0.99",
        rules.gate_caught,
    ),
    _Entry(
        "gate_false_alarms",
        "The gate lets real crops pass",
        rules.NO_COUNTERPART,
        "share of real crops caught",
        "<= 0.01",
        rules.gate_false_alarms,
    ),
    _Entry(
        "flip_distance_law_over_dense",
        "It takes a longer step to flip the law than to flip the dense network",
        "abstract: greater domain-appropriateness, as tested by adversarial attacks; summary: "
        "dense networks are overly sensitive; no number is known to us",
        "median smallest L2 flip of the law over that of the dense networks",
        ">= 1",
        rules.flip_ratio(),
    ),
    _Entry(
        "confident_distance_law_over_dense",
        "The step after which the law is sure of the new class, against that of the dense network",
        rules.NO_COUNTERPART,
        "median confident L2 flip of the law over that of the dense networks",
        "",
        rules.flip_ratio("confident_"),
    ),
    _Entry(
        "grid_beats_search",
        "The law's smallest flips are found: an exhaustive grid finds no shorter ones",
        rules.NO_COUNTERPART,
        "share of cells in which the grid over the law's variables finds a shorter step than the "
        "search, the larger of smallest and confident flips",
        "<= 0.02",
        rules.grid_beats_search,
    ),
    _Entry(
        "judge_new_class",
        "Flips of the law, decoded, look like the new class to an independent judge",
        rules.NO_COUNTERPART,
        "share of counted flips that the judge calls the new class",
        "",
        rules.judge_new_class(),
    ),
    _Entry(
        "judge_confident_class",
        "Confident flips of the law, decoded, look like the new class to an independent judge",
        rules.NO_COUNTERPART,
        "share of counted confident flips that the judge calls the new class",
        ">= 0.9",
        rules.judge_new_class("confident_"),
    ),
)


def collect_claims(evidence: Evidence) -> pd.DataFrame:
    """Compare every claim with its target.

    What was not measured gives a row without a value that says why; with a target it does not
    hold. The warnings of the evidence are rows "warning_1"... at the end.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; ``holds`` is "true", "false" or "" (no target), ``n`` a nullable
        integer, ``value, low, high`` nan where not measured.
    """
    claims = [_claim(entry, evidence) for entry in ENTRIES]
    claims += [
        Claim(f"warning_{k}", text, "", "warning")
        for k, text in enumerate(dict.fromkeys(evidence.warnings), start=1)
    ]
    table = pd.DataFrame([{name: getattr(claim, name) for name in COLUMNS} for claim in claims])
    return table.astype({"n": "Int64", "value": float, "low": float, "high": float})


def _claim(entry: _Entry, evidence: Evidence) -> Claim:
    statement = entry.statement.format(negative=evidence.negative_class)
    metric = entry.metric.format(negative=evidence.negative_class)
    try:
        measured = entry.rule(evidence)
        note = measured.pop("note", "")
    except MissingEvidenceError as reason:
        measured, note = {}, f"not measured: {reason}"
    if note:
        statement = f"{statement} ({note})"
    return Claim(entry.id, statement, entry.paper, metric, target=entry.target, **measured)


def claims_markdown(claims: pd.DataFrame) -> str:
    """Write the claims as a Markdown page: a table, then what failed and what to mind.

    Parameters
    ----------
    claims : DataFrame
        From `collect_claims`, or read back from its CSV (empty cells may be nan).
    """
    claims = claims.astype(object).where(claims.notna(), "")
    warning = claims["id"].astype(str).str.startswith("warning_")
    holds = claims["holds"].astype(str).str.lower()
    lines = [
        "| | claim | value | target | n | paper |",
        "|---|---|---|---|---|---|",
        *(_line(row) for row in claims[~warning].to_dict("records")),
    ]
    tried, held = int((holds != "").sum()), int((holds == "true").sum())
    lines += ["", f"{held} of {tried} claims with a target hold."]
    failed = claims[holds == "false"].to_dict("records")
    if failed:
        lines += ["", "**Missed:**", ""]
        lines += [f"- `{row['id']}`: {_shown(row)}, target {row['target']}" for row in failed]
    if warning.any():
        lines += ["", "**Mind:**", "", *(f"- {text}" for text in claims["statement"][warning])]
    return "\n".join(lines) + "\n"


def _line(row: dict) -> str:
    mark = {"true": "✓", "false": "✗"}.get(str(row["holds"]).lower(), "·")
    claim = f"{row['statement']}<br>`{row['id']}`: {row['metric']}"
    value = _shown(row) + (f"<br>{row['interval']}" if row["interval"] else "")
    where = "" if row["n"] == "" else str(int(row["n"]))
    where += f" ({row['split']})" if row["split"] else ""
    cells = [mark, claim, value, row["target"], where, row["paper"]]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _shown(row: dict) -> str:
    if row["value"] == "":
        return "not measured"
    if row["low"] == "" or row["high"] == "":
        return _number(row["value"])
    return f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}]"


def _number(value: float) -> str:
    """Four significant digits; shares near 1 keep what tells them from 1."""
    return np.format_float_positional(float(value), precision=4, fractional=False, trim="-")
