"""Search the smallest latent change that flips each model, and how accuracy falls under attacks.

Attacks the same test crops for all seeds of the dense network and of the law's density, and for the law.
Distances are L2 in units of the prior's standard deviation. Writes distances, the flipped codes of one
network of each kind and of the law, and FGSM/PGD curves.
"""

import numpy as np
import pandas as pd
import torch

from occamscope.classifiers.ensemble import torch_decision
from occamscope.evaluation.attacks import attack_curve, smallest_flip
from occamscope.job import open_job
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.laws import read_law
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table
from occamscope.store.tensors import write_tensors

EPSILONS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    rng = np.random.default_rng(job.params.seed)
    rows = np.sort(rng.permutation(split.rows("test"))[: job.params.attack["attack_cells"]])
    labels, crop_ids = split.crops.labels[rows], split.crops.table["crop_id"].iloc[rows]
    pool = codes[split.rows("train")]

    law = read_law(job.input.law).expression
    models = [("law", "law", 0, law.to_torch())]
    ensembles = read_ensembles(job.input.networks)
    for kind, density in (("dense", 1.0), ("sparse", job.params.law_density)):
        net = ensembles[density]
        for member in range(min(net.members, job.params.attack["attack_members"])):
            seed = net.seeds[member]
            models.append((f"{kind} seed {seed}", kind, seed, torch_decision(net, member)))

    tables, curves, flipped = [], [], {}
    for number, (model, kind, seed, decision) in enumerate(models):
        flips = smallest_flip(decision, codes[rows], pool, seed=job.params.seed)
        called = (decision(torch.from_numpy(codes[rows])) > 0).long().numpy()
        facts = {"model": model, "kind": kind, "seed": seed}
        tables.append(
            pd.DataFrame({"crop_id": crop_ids, "label": labels, "called": called,
                          "distance": flips.distance,
                          "reached": flips.reached}).assign(**facts)
        )  # fmt: skip
        flipped.setdefault(kind, flips.codes)
        for method in ("fgsm", "pgd"):
            curve = attack_curve(decision, codes[rows], labels, EPSILONS, method)
            curves.append(curve.assign(**facts))
        if number % 8 == 0:
            job.say(
                f"{number + 1}/{len(models)} {model}: median {np.median(flips.distance):.2f} sd"
            )
    write_table(job.output.flips, pd.concat(tables, ignore_index=True))
    write_table(job.output.curves, pd.concat(curves, ignore_index=True))
    write_tensors(job.output.codes, {"codes": codes[rows], **flipped}, {"crop_id": list(crop_ids)})
