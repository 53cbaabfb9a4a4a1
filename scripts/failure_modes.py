"""Probe failure modes: what the models say to images that hold no proper nucleus.

Probes are made from windows of the test part and pass through the same segmentation, normalisation and
encoder as any crop. Writes for every kind of probe and model the class, the margin and the share that the
gate catches, the terms of the law that decide, and examples.
"""

import numpy as np
import pandas as pd

from occamscope.classifiers.cnn import cnn_logits
from occamscope.classifiers.ensemble import logits
from occamscope.evaluation.failure_modes import deciding_terms, summarise_probes
from occamscope.evaluation.gate import Gate, gate_features
from occamscope.evaluation.probes import make_probes
from occamscope.imaging.crop import CropSettings, prepare_crops
from occamscope.imaging.segment import SegmentationSettings, segment_windows
from occamscope.job import open_job, plain
from occamscope.representation.codes import encode_images
from occamscope.store.cnns import read_cnn
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.laws import read_law
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import read_json, write_table
from occamscope.store.tensors import write_tensors

EXAMPLES = 4

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    latents = read_latents(job.input.latents, split.crops.table["crop_id"])
    test = split.rows("test")
    windows, labels = split.crops.windows[test], split.crops.labels[test]
    task = (job.params.task["negative"], job.params.task["positive"])
    probes = make_probes(windows, job.params.probes, job.params.seed)
    kinds = np.concatenate([probes.kind, np.full(len(test), "real")])
    everything = np.concatenate([probes.windows, windows.astype(np.float32)])
    segmentation = SegmentationSettings(**plain(job.params.segmentation))
    settings = CropSettings(**plain(job.params.crops))
    prepared = prepare_crops(everything, 1.0, segmentation, settings)
    codes = encode_images(read_tcvae(job.input.tcvae), prepared.images).mean
    codes = np.where(latents.active, codes, np.float32(0))
    gate = Gate.from_dict(read_json(job.input.gate))
    masks = segment_windows(everything, segmentation)
    caught = gate.catches(gate_features(everything, masks))

    law = read_law(job.input.law).expression
    ensembles = read_ensembles(job.input.networks)
    scores = {
        "black_box": cnn_logits(read_cnn(job.input.cnn), prepared.images),
        "dense": logits(ensembles[1.0], codes)[0],
        "sparse": logits(ensembles[job.params.law_density], codes)[0],
        "law": law.evaluate(codes.astype(float)),
    }
    summary = summarise_probes(kinds, pd.DataFrame(scores), caught, task)
    real = kinds == "real"
    terms = [(text, term.evaluate(codes.astype(float))) for text, term in law.terms()]
    decided = deciding_terms(
        [(text, values[~real]) for text, values in terms],
        kinds[~real],
        [(text, values[real]) for text, values in terms],
        labels,
        task,
    )
    for row in summary[summary["model"] == "law"].itertuples():
        job.say(f"{row.probe}: {row.called}, margin {row.margin_median:.2f}, "
                f"gate catches {row.caught_share:.1%}")  # fmt: skip
    examples = {}
    for kind in dict.fromkeys(kinds):
        first = np.flatnonzero(kinds == kind)[:EXAMPLES]
        examples[f"window_{kind}"] = np.clip(everything[first], 0, 255).astype(np.uint8)
        examples[f"image_{kind}"] = prepared.images[first]
    write_table(job.output.summary, summary)
    write_table(job.output.terms, decided)
    write_tensors(job.output.probes, examples, {"kinds": list(dict.fromkeys(kinds))})
