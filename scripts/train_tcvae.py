"""Train the beta-TCVAE on the crops of the training part, labelled or not.

Reads `crops.h5` and the split; writes `tcvae.safetensors` and the history (losses in nats per crop).
Resumes from a checkpoint of the same work after a crash.
"""

from occamscope.devices import choose_device
from occamscope.job import open_job, plain
from occamscope.representation.augment import AffinePrior
from occamscope.representation.framed_tcvae import FrameSettings
from occamscope.representation.networks import Architecture
from occamscope.representation.objective import TrainingSettings
from occamscope.representation.train import train_tcvae
from occamscope.representation.training_state import TrainingState
from occamscope.store.checkpoints import resuming
from occamscope.store.representations import write_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    train = split.take("train", labelled=False)
    validation = split.take("validation", labelled=False)
    recipe = plain(job.params.training)
    ranges = {key: recipe.pop(key) for key in ("area_range", "axis_ratio")}
    frame = FrameSettings(**ranges) if recipe.pop("frame") else None
    trained = train_tcvae(
        train.images,
        train.masks.sum((1, 2)),
        TrainingSettings(**recipe),
        Architecture(frame=frame),
        AffinePrior(),
        seed=job.params.seed,
        validation_images=validation.images,
        validation_areas=validation.masks.sum((1, 2)),
        progress=job.progress,
        device=choose_device(job.params.device),
        **resuming(job.resume_folder, job.say, TrainingState),
    )
    facts = {"crops": len(train), "stopped_early": trained.stopped_early}
    write_tcvae(job.output.model, trained.model.cpu(), facts)
    write_table(job.output.history, trained.history)
