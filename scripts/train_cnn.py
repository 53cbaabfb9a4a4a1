"""Train the black box: a CNN on the pixels of the labelled training crops.

Writes its weights and history. Resumes from a checkpoint of the same work after a crash.
"""

from occamscope.classifiers.cnn import CNNSettings, CNNState, train_cnn
from occamscope.devices import choose_device
from occamscope.job import open_job, plain
from occamscope.store.checkpoints import resuming
from occamscope.store.cnns import write_cnn
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    train, validation = split.take("train"), split.take("validation")
    trained = train_cnn(
        train.images,
        train.labels,
        validation.images,
        validation.labels,
        CNNSettings(**plain(job.params.training)),
        seed=job.params.seed,
        progress=job.progress,
        device=choose_device(job.params.device),
        **resuming(job.resume_folder, job.say, CNNState),
    )
    write_cnn(job.output.model, trained.model.cpu(), {})
    write_table(job.output.history, trained.history)
