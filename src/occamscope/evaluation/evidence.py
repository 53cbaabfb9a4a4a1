"""What the claims rest on, and one row of their table."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Claim:
    """One row of the claims table.

    `value` is nan where nothing was measured; the statement then says why.
    """

    id: str
    statement: str
    paper: str
    metric: str
    split: str = ""
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    interval: str = ""
    n: int | None = None
    target: str = ""

    @property
    def holds(self) -> str:
        """ "true" or "false" by comparing value and target; "" without a target."""
        if not self.target:
            return ""
        match = re.fullmatch(r"(>=|<=) (\S+)", self.target)
        if match is None:
            raise ValueError(f"target {self.target!r} of claim {self.id!r} is not '>= x' or '<= x'")
        bound = float(match[2])
        met = self.value >= bound if match[1] == ">=" else self.value <= bound
        return "true" if met else "false"


@dataclass(frozen=True)
class Evidence:
    """The tables that the claims rest on; what is None or empty was not measured.

    Tables stacked over folds or representations carry a column ``run`` that tells them apart;
    a table without it is of one run.

    Attributes
    ----------
    accuracy : DataFrame
        From `accuracy_table`, on the test part: ``model, kind, seed, density, parameters,
        complexity, split, n, n_positive, ratio_to_black_box``...; the chosen law is the one row
        of kind "law" (or one a fold).
    density : float
        Nominal density of the sparse networks that the claims are about; nan: the largest that
        keeps the mean number of parameters within 2 % of the dense network's.
    jaccard : DataFrame
        ``density, jaccard``, one row a pair of seeds.
    fronts : DataFrame
        ``loss_name, seed, complexity, validation_balanced_accuracy, test_balanced_accuracy``, one
        row an expression.
    max_nodes : int
        Largest complexity of a law that is compared in `hinge_against_mse`.
    factors : DataFrame
        ``quantity`` ("size", "e_cos2theta", "e_sin2theta"), ``latent, r2, low, high, n, split``.
    traversals : DataFrame
        ``latent, value, area_px, axis_ratio`` of decoded nuclei.
    probes : DataFrame
        From `summarise_probes`; real test crops under the kind "real", the law under its name.
    law : str
        Name of the chosen law in the column ``model`` of `probes`.
    attacks : DataFrame
        ``model, kind, seed, crop_id, label, distance, reached, confident_distance,
        confident_reached``.
    grid : DataFrame
        From `compare_with_grid` for the law's flips, with ``flips`` ("smallest", "confident")
        and ``variables``; ``n`` is 0 where the law has too many variables.
    judged : DataFrame
        From `summarise_flips` with ``model, kind, seed``.
    negative_class : str
        Name of the negative class in statements.
    warnings : tuple of str
        Warnings that travel with the results, e.g. a split that fell back to single crops.
    seed : int
        Seed of the bootstrap of flip distances.
    """

    accuracy: pd.DataFrame | None = None
    density: float = np.nan
    jaccard: pd.DataFrame | None = None
    fronts: pd.DataFrame | None = None
    max_nodes: int = 20
    factors: pd.DataFrame | None = None
    traversals: pd.DataFrame | None = None
    probes: pd.DataFrame | None = None
    law: str = "law"
    attacks: pd.DataFrame | None = None
    grid: pd.DataFrame | None = None
    judged: pd.DataFrame | None = None
    negative_class: str = "interphase"
    warnings: tuple[str, ...] = field(default=())
    seed: int = 0


class MissingEvidenceError(Exception):
    """A claim's evidence is not there; the text says what."""
