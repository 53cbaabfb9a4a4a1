"""Train the beta-TCVAE on the crops of the training part, labelled or not.

Reads `crops.h5` and the split; writes `tcvae.safetensors` and the history (losses in nats per crop).
Resumes from a checkpoint of the same work after a crash.
"""

import torch

from occamscope.devices import choose_device
from occamscope.job import open_job, plain
from occamscope.representation.augment import AffinePrior
from occamscope.representation.objective import TrainingSettings
from occamscope.representation.tcvae import NetworkSettings
from occamscope.representation.train import train_tcvae
from occamscope.representation.training_state import TrainingState
from occamscope.store.checkpoints import load_checkpoint, save_checkpoint
from occamscope.store.representations import write_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    train = split.take("train", labelled=False)
    validation = split.take("validation", labelled=False)
    saved = load_checkpoint(job.resume_folder, job.say)
    resume = None
    if saved is not None:
        tensors = {name: torch.from_numpy(value) for name, value in saved[0].items()}
        resume = TrainingState(tensors, saved[1])
        job.say("resuming from a checkpoint")
    trained = train_tcvae(
        train.images,
        train.masks.sum((1, 2)),
        TrainingSettings(**plain(job.params.training)),
        NetworkSettings(),
        AffinePrior(),
        seed=job.params.seed,
        validation_images=validation.images,
        validation_areas=validation.masks.sum((1, 2)),
        resume=resume,
        on_checkpoint=lambda state: save_checkpoint(job.resume_folder, state.tensors, state.meta),
        progress=job.say,
        device=choose_device(job.params.device),
    )
    facts = {"crops": len(train), "stopped_early": trained.stopped_early}
    write_tcvae(job.output.model, trained.model.cpu(), facts)
    write_table(job.output.history, trained.history)
