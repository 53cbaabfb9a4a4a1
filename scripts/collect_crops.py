"""Collect all crops in `crops.h5`.

Reads the parts of all bundles; writes crops, what was excluded and why, the log of all input files, and
the true factors of simulated nuclei. Copies of a file in another bundle are found here and left out.
"""

import pandas as pd

from occamscope.job import open_job
from occamscope.store.crop_parts import (
    QUALITY_COLUMNS,
    files_left_out,
    quality_table,
    require_classes,
    split_off,
)
from occamscope.store.crops import read_crops, write_crops
from occamscope.store.input_logs import quarantine_copies, read_input_logs
from occamscope.store.tables import read_json, read_table, read_tables, write_table

with open_job(snakemake) as job:
    read = read_input_logs(job.input.log_tables)
    inputs, copies = quarantine_copies(read)
    excluded = [files_left_out(read)]
    excluded += [read_table(path, text=QUALITY_COLUMNS) for path in job.input.quality]
    classes = []

    def usable_parts():
        for path in job.input.crops:
            crops = read_crops(path)
            kept, left_out = split_off(crops, [copies.get(s, "") for s in crops.table["source"]])
            excluded.append(left_out)
            classes.append(kept.table["class_name"])
            yield kept

    task, scale = job.params.task, read_json(job.input.scale)
    attributes = {
        "class_names": [task["negative"], task["positive"]],
        "um_per_px": scale["um_per_px"],
        "scale_source": scale["source"],
        "scale_message": scale["message"],
    }
    count = write_crops(job.output.crops, usable_parts(), attributes)
    quality, usable = quality_table(excluded), pd.concat(classes, ignore_index=True)
    require_classes(task, usable, quality)
    job.say(f"{count} crops: {usable.replace('', 'unlabelled').value_counts().to_dict()}")
    if len(quality):
        job.say(f"{len(quality)} nuclei and files left out: see {job.output.quality}")
    write_table(job.output.quality, quality)
    write_table(job.output.inputs, inputs)
    write_table(job.output.factors, read_tables(job.input.factors))
