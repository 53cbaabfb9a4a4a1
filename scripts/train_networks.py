"""Train the networks of one density and one chunk of seeds, and prune the sparse ones.

Reads codes and labels of the training and validation parts; writes networks and their training history
(class-balanced logistic loss), with parameters before and after pruning in the header.
"""

from occamscope.classifiers.ensemble import EnsembleSettings, train_ensemble
from occamscope.classifiers.fine_tuning import fine_tune
from occamscope.classifiers.pruning import PruningSettings, count_parameters, prune
from occamscope.classifiers.rigl import RigLSettings
from occamscope.devices import choose_device
from occamscope.job import open_job, plain
from occamscope.store.ensembles import write_ensemble
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    labels = split.crops.labels
    train, validation = split.rows("train"), split.rows("validation")
    training = plain(job.params.training)
    first, last = job.params.seeds
    settings = EnsembleSettings(steps=training["steps"], batch=training["batch"])
    device = choose_device(job.params.device)
    net = train_ensemble(
        codes[train],
        labels[train],
        settings,
        RigLSettings(**training["rigl"]),
        seeds=range(first, last + 1),
        density=job.params.density,
        progress=job.progress,
        device=device,
    )
    facts = {"parameters_before_pruning": count_parameters(net).tolist()}
    history = net.history
    if training["prune"] and job.params.density < 1:
        net = prune(
            net, codes[validation], labels[validation], PruningSettings(),
            tune=lambda fewer: fine_tune(fewer, codes[train], labels[train], settings, device=device),
        )  # fmt: skip
    facts["parameters"] = count_parameters(net).tolist()
    job.say(f"parameters {facts['parameters_before_pruning']} -> {facts['parameters']}")
    write_ensemble(job.output.networks, net, facts)
    write_table(job.output.history, history)
