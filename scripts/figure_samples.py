"""Draw nuclei of both classes of the test part: window, prepared crop, reconstruction."""

import numpy as np

from occamscope.figures.samples import draw_samples
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes, encode_images
from occamscope.store.figures import write_figure
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split

PER_CLASS = 7

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    rng = np.random.default_rng(job.params.seed)
    rows, labels = rng.permutation(split.rows("test")), split.crops.labels
    chosen = np.concatenate([rows[labels[rows] == label][:PER_CLASS] for label in (0, 1)])
    crops = split.crops.take(chosen)
    model = read_tcvae(job.input.tcvae)
    reconstructions = decode_codes(model, encode_images(model, crops.images).mean)
    shown = draw_samples(
        crops.windows,
        crops.images,
        reconstructions,
        crops.table["class_name"].tolist(),
        um_per_px=crops.attributes.get("um_per_px"),
        per_class=PER_CLASS,
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
