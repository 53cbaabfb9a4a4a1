"""Train the independent judge: a CNN on crops that no other model has seen, and on their reconstructions.

Decoded images are blurry, so the judge learns both. Writes its weights and history.
"""

import numpy as np

from occamscope.classifiers.cnn import CNNSettings, CNNState, train_cnn
from occamscope.devices import choose_device
from occamscope.job import open_job, plain
from occamscope.representation.codes import decode_codes
from occamscope.scale import WHITE
from occamscope.store.checkpoints import resuming
from occamscope.store.cnns import write_cnn
from occamscope.store.latents import read_latents
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    model = read_tcvae(job.input.tcvae)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes

    def both_kinds(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decoded = np.clip(np.rint(decode_codes(model, codes[rows]) * WHITE), 0, 255)
        images = np.concatenate([split.crops.images[rows], decoded.astype(np.uint8)])
        return images, np.tile(split.crops.labels[rows], 2)

    trained = train_cnn(
        *both_kinds(split.rows_or_validation("judge")),
        *both_kinds(split.rows_or_validation("calibration")),
        CNNSettings(**plain(job.params.training)),
        seed=job.params.seed,
        progress=job.progress,
        device=choose_device(job.params.device),
        **resuming(job.resume_folder, job.say, CNNState),
    )
    write_cnn(job.output.model, trained.model.cpu(), {})
    write_table(job.output.history, trained.history)
