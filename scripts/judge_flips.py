"""Ask the judge whether the flips of each model, decoded, show the new class.

Writes one row a model with the median step, the share of its energy in latents named as size or elongation,
the judge's own accuracy on unperturbed reconstructions and the share of flips that it calls the new class,
beside the control of random steps of the same length; and one row a cell.
"""

import numpy as np
import pandas as pd

from occamscope.classifiers.cnn import cnn_logits
from occamscope.evaluation.domain_appropriateness import energy_share, judge_flips, random_steps
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes
from occamscope.store.cnns import read_cnn
from occamscope.store.representations import read_tcvae
from occamscope.store.tables import read_table, write_table
from occamscope.store.tensors import read_tensors

with open_job(snakemake) as job:
    model, cnn = read_tcvae(job.input.tcvae), read_cnn(job.input.judge)
    arrays, _ = read_tensors(job.input.codes)
    flips = read_table(job.input.flips)
    names = read_table(job.input.names)
    shape_units = np.flatnonzero(names["name"].str.contains("size|elongation"))
    before = arrays["codes"]
    reconstructions = decode_codes(model, before)
    judge = lambda images: cnn_logits(cnn, images)  # noqa: E731
    summaries, cells = [], []
    for kind in ("dense", "sparse", "law"):
        rows = flips[flips["kind"] == kind]
        rows = rows[rows["model"] == rows["model"].iloc[0]]
        labels, reached = rows["label"].to_numpy(), rows["reached"].to_numpy()
        called = rows["called"].to_numpy()
        steps = {
            kind: arrays[kind],
            f"{kind} random": random_steps(before, rows["distance"].to_numpy(), job.params.seed),
        }
        for name, codes in steps.items():
            judged = judge_flips(
                judge, reconstructions, decode_codes(model, codes), labels, called, reached
            )
            facts = {"model": name, "kind": kind if name == kind else "control", "seed": 0}
            facts |= {
                "distance_median": float(np.median(rows["distance"])),
                "shape_energy_share": float(np.nanmean(energy_share(codes - before, shape_units))),
            }
            summaries.append(facts | judged.summary)
            cells.append(
                judged.cells.assign(model=name, crop_id=rows["crop_id"].to_numpy(),
                                    distance=rows["distance"].to_numpy())
            )  # fmt: skip
    write_table(job.output.table, pd.DataFrame(summaries))
    write_table(job.output.flips, pd.concat(cells, ignore_index=True))
