"""Encode all crops.

Reads `crops.h5`, the split and the VAE; writes `latents.h5`. A unit counts as active if its mean varies
over the training part; without details only units of size and shape do.
"""

from occamscope.devices import choose_device
from occamscope.errors import InputError
from occamscope.job import open_job
from occamscope.representation.codes import active_units, encode_images
from occamscope.representation.networks import shape_latents
from occamscope.store.latents import Latents, write_latents
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    model = read_tcvae(job.input.tcvae)
    codes = encode_images(model, split.crops.images, device=choose_device(job.params.device))
    active = active_units(codes.mean[split.rows("train", labelled=False)])
    if not job.params.details:
        active &= shape_latents(model)
    job.say(f"{active.sum()} of {len(active)} units are active")
    if active.sum() < 2:
        raise InputError(
            "fewer than two latents are active, so nothing can be read from the codes: train longer "
            "(representation.steps), lower representation.sigma, or give more crops"
        )
    latents = Latents(
        codes.mean, codes.log_variance, codes.kl, active, split.crops.table["crop_id"].to_numpy()
    )
    write_latents(job.output.latents, latents, job.input.crops)
