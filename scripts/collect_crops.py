"""Collect all crops in `crops.h5`.

Reads the parts of all bundles; writes crops, what was excluded and why, the log of all input files, and
the true factors of simulated nuclei. Copies of a file in another bundle are found here and left out.
"""

import pandas as pd

from occamscope.errors import InputError
from occamscope.job import open_job
from occamscope.store.crop_parts import split_off
from occamscope.store.crops import read_crops, write_crops
from occamscope.store.quarantine import duplicate_message
from occamscope.store.tables import read_json, read_table, write_table

with open_job(snakemake) as job:
    inputs = pd.concat([read_table(path) for path in job.input.log_tables], ignore_index=True)
    copies = {}
    if "sha256" in inputs:
        read = inputs[inputs["status"] == "ok"]
        first = read.groupby("sha256")["file"].transform("first")
        for name, original in zip(read["file"], first, strict=True):
            if name != original:
                copies[name] = duplicate_message(name, original)
    excluded = [read_table(path) for path in job.input.quality]
    classes = pd.Series(dtype=object)

    def usable_parts():
        global classes
        for path in job.input.crops:
            crops = read_crops(path)
            kept, left_out = split_off(crops, [copies.get(s, "") for s in crops.table["source"]])
            excluded.append(left_out)
            classes = pd.concat([classes, kept.table["class_name"]])
            yield kept

    scale = read_json(job.input.scale)
    attributes = {
        "class_names": [job.params.task["negative"], job.params.task["positive"]],
        "um_per_px": scale["um_per_px"],
        "scale_source": scale["source"],
        "scale_message": scale["message"],
    }
    count = write_crops(job.output.crops, usable_parts(), attributes)
    for name in attributes["class_names"]:
        if not (classes == name).any():
            found = sorted(set(classes) - {""})
            raise InputError(f"no crop has the class {name} of task; the data has {found}")
    job.say(f"{count} crops: {classes.replace('', 'unlabelled').value_counts().to_dict()}")
    inputs.loc[inputs["file"].isin(copies), ["status"]] = "quarantined"
    inputs["message"] = [
        copies.get(name, message)
        for name, message in zip(inputs["file"], inputs["message"], strict=True)
    ]
    factors = [read_table(path) for path in job.input.factors]
    write_table(job.output.quality, pd.concat(excluded, ignore_index=True))
    write_table(job.output.inputs, inputs)
    write_table(job.output.factors, pd.concat(factors, ignore_index=True))
