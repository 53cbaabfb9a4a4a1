"""Ask the judge whether the flips of each model, decoded, show the new class.

Writes one row a model with the median step, the share of its energy in latents named as size or elongation,
how far out the flipped codes lie among those of real cells, the judge's own accuracy on unperturbed
reconstructions and the share of flips that it calls the new class, for the smallest and for the confident
flips, beside the control of random steps of the same length; and one row a cell.
"""

import numpy as np
import pandas as pd

from occamscope.classifiers.cnn import cnn_logits
from occamscope.evaluation.code_spread import fit_spread
from occamscope.evaluation.domain_appropriateness import judge_flips, random_steps
from occamscope.evaluation.flip_search import Flips
from occamscope.evaluation.flip_summary import summarise_flips
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes
from occamscope.store.cnns import read_cnn
from occamscope.store.latents import read_latents
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_table
from occamscope.store.tensors import read_tensors

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    latents = read_latents(job.input.latents, split.crops.table["crop_id"])
    train, held = split.rows("train"), split.rows_or_validation("calibration")
    spread = fit_spread(
        latents.codes[train], split.crops.labels[train], latents.codes[held], latents.active
    )
    model, cnn = read_tcvae(job.input.tcvae), read_cnn(job.input.judge)
    arrays, _ = read_tensors(job.input.codes)
    table = read_table(job.input.flips)
    names = read_table(job.input.names)
    shape_units = np.flatnonzero(names["name"].str.contains("size|elongation"))
    before, seed = arrays["codes"], job.params.seed
    reconstructions = decode_codes(model, before)
    judge = lambda images: cnn_logits(cnn, images)  # noqa: E731
    summaries, cells = [], []
    for kind in ("dense", "sparse", "law"):
        rows = table[table["kind"] == kind]
        rows = rows[rows["model"] == rows["model"].iloc[0]]
        labels, called = rows["label"].to_numpy(), rows["called"].to_numpy()
        found = [
            Flips(arrays[key], rows[f"{prefix}distance"].to_numpy(),
                  rows[f"{prefix}reached"].to_numpy())
            for key, prefix in ((kind, ""), (f"{kind} confident", "confident_"))
        ]  # fmt: skip
        control = [
            Flips(random_steps(before, f.distance, seed, latents.active), f.distance, f.reached)
            for f in found
        ]
        for name, (small, sure) in {kind: found, f"{kind} random": control}.items():
            judged, judged_sure = (
                judge_flips(
                    judge, reconstructions, decode_codes(model, f.codes), labels, called, f.reached
                )
                for f in (small, sure)
            )
            facts = {"model": name, "kind": kind if name == kind else "control", "seed": 0}
            summaries.append(
                facts
                | summarise_flips(
                    before, small, sure, judged, judged_sure, shape_units, spread, seed
                )
            )
            own = judged_sure.cells[["reached", "judge_after", "counted", "new_class"]]
            cells.append(
                judged.cells.assign(model=name, crop_id=rows["crop_id"].to_numpy(),
                                    distance=small.distance, confident_distance=sure.distance)
                .join(own.add_prefix("confident_"))
            )  # fmt: skip
    write_table(job.output.table, pd.DataFrame(summaries))
    write_table(job.output.flips, pd.concat(cells, ignore_index=True))
