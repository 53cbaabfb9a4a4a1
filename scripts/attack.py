"""Search the smallest latent change that flips each model, and how accuracy falls under attacks.

Attacks the same test crops for all seeds of the dense network and of the law's density, and for the law,
in the latents that are active. Distances are L2 in units of the prior's standard deviation; a confident flip
goes on until the model, calibrated on held-out crops, is sure of the new class. Writes distances, the flipped
codes of one network of each kind and of the law, FGSM/PGD curves, and what an exhaustive grid over the law's
variables finds instead of the search.
"""

import numpy as np
import pandas as pd
import torch

from occamscope.classifiers.ensemble import torch_decision
from occamscope.errors import InputError
from occamscope.evaluation.attacks import attack_curve, confident_flip, confined, smallest_flip
from occamscope.evaluation.confidence import ConfidenceThresholds, confidence_thresholds
from occamscope.evaluation.flip_grid import STEPS, compare_with_grid, grid_flip
from occamscope.job import open_job
from occamscope.laws.choice.calibration import fit_platt
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.laws import read_law
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table
from occamscope.store.tensors import write_tensors

EPSILONS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
# The grid reaches a little farther than the search, but not without end where that found no flip.
GRID_REACH, GRID_MOST = 1.25, 8.0
GRID_COLUMNS = ["flips", "variables", "n", "beaten_share", "beaten_share_low", "beaten_share_high",
                "largest_excess", "below_share", "bound"]  # fmt: skip

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    latents = read_latents(job.input.latents, split.crops.table["crop_id"])
    codes, seed = latents.codes, job.params.seed
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(split.rows("test"))[: job.params.attack["attack_cells"]])
    labels, crop_ids = split.crops.labels[rows], split.crops.table["crop_id"].iloc[rows]
    pool, held = codes[split.rows("train")], split.rows_or_validation("calibration")

    law = read_law(job.input.law).expression
    variables = [law.names.index(name) for name in law.variables()]
    models = [("law", "law", 0, law.to_torch())]
    ensembles = read_ensembles(job.input.networks)
    for kind, density in (("dense", 1.0), ("sparse", job.params.law_density)):
        net = ensembles[density]
        for member in range(min(net.members, job.params.attack["attack_members"])):
            own = net.seeds[member]
            models.append((f"{kind} seed {own}", kind, own, torch_decision(net, member)))

    def sure_from(model, decision) -> ConfidenceThresholds:
        """Scores from which on a model is sure; none where they say nothing of the class."""
        level = job.params.attack["attack_confidence"]
        scores = decision(torch.from_numpy(codes[held])).detach().numpy()
        try:
            return confidence_thresholds(scores, split.crops.labels[held], fit_platt, level)
        except InputError as error:
            job.say(f"{model} is never sure of a class: {error}")
            return ConfidenceThresholds(level, np.inf, -np.inf)

    def check(decision, name, distance, **thresholds) -> dict:
        """Compare the law's flips with a grid over its variables, where those are few."""
        facts = {"flips": name, "variables": len(variables)}
        if len(variables) not in STEPS:
            return facts | {"n": 0}
        radius = GRID_REACH * np.minimum(distance, GRID_MOST)
        grid = grid_flip(decision, codes[rows].astype(float), variables, radius, **thresholds)
        return facts | compare_with_grid(distance, grid)

    tables, curves, flipped, checks = [], [], {}, []
    for number, (model, kind, own, decision) in enumerate(models):
        decision = confined(decision, latents.active)
        flips = smallest_flip(decision, codes[rows], pool, seed=seed)
        t = sure_from(model, decision)
        sure = confident_flip(decision, codes[rows], pool, t.upper, t.lower, seed=seed)
        called = (decision(torch.from_numpy(codes[rows])) > 0).long().numpy()
        facts = {"model": model, "kind": kind, "seed": own}
        tables.append(
            pd.DataFrame({"crop_id": crop_ids, "label": labels, "called": called,
                          "distance": flips.distance, "reached": flips.reached,
                          "confident_distance": sure.distance, "confident_reached": sure.reached,
                          "upper": t.upper, "lower": t.lower}).assign(**facts)
        )  # fmt: skip
        flipped.setdefault(kind, flips.codes)
        flipped.setdefault(f"{kind} confident", sure.codes)
        if kind == "law":
            checks += [
                check(decision, "smallest", flips.distance),
                check(decision, "confident", sure.distance, upper=t.upper, lower=t.lower),
            ]
        for method in ("fgsm", "pgd"):
            curve = attack_curve(decision, codes[rows], labels, EPSILONS, method)
            curves.append(curve.assign(**facts))
        if number % 8 == 0:
            medians = np.median(flips.distance), np.median(sure.distance)
            job.say(
                f"{number + 1}/{len(models)} {model}: median {medians[0]:.2f} sd, "
                f"confident {medians[1]:.2f} sd"
            )
    write_table(job.output.flips, pd.concat(tables, ignore_index=True))
    write_table(job.output.curves, pd.concat(curves, ignore_index=True))
    write_table(job.output.grid, pd.DataFrame(checks, columns=GRID_COLUMNS))
    write_tensors(job.output.codes, {"codes": codes[rows], **flipped}, {"crop_id": list(crop_ids)})
