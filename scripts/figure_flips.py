"""Draw cells before and after the smallest and the confident flips of two networks and the law."""

import numpy as np
import pandas as pd

from occamscope.figures.attacks import draw_flips
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes
from occamscope.store.figures import write_figure
from occamscope.store.representations import read_tcvae
from occamscope.store.tables import read_table
from occamscope.store.tensors import read_tensors

KINDS = ("dense", "sparse", "law")
PER_CLASS = 5

with open_job(snakemake) as job:
    arrays, document = read_tensors(job.input.codes)
    judged = read_table(job.input.flips)
    model = read_tcvae(job.input.tcvae)
    law = judged[judged["model"] == "law"].set_index("crop_id").loc[document["crop_id"]]
    labels = law["label"].to_numpy()
    chosen = np.concatenate([np.flatnonzero(labels == label)[:PER_CLASS] for label in (0, 1)])
    ids = [document["crop_id"][k] for k in chosen]
    tables = [
        judged[judged["model"] == kind].set_index("crop_id").loc[ids].assign(kind=kind)
        for kind in KINDS
    ]
    after, confident = (
        np.stack([decode_codes(model, arrays[kind + flip][chosen]) for kind in KINDS])
        for flip in ("", " confident")
    )
    shown = draw_flips(
        decode_codes(model, arrays["codes"][chosen]),
        after,
        pd.concat(tables).reset_index(),
        class_names=(job.params.task["negative"], job.params.task["positive"]),
        confident=confident,
        level=job.params.confidence,
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
