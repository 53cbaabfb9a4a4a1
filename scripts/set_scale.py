"""Set one scale for all crops.

Reads the objects and the input logs of all bundles; writes `scale.json`: um_per_px of the crops (null
where no pixel size is known), where it comes from, and the zoom of every file (crop px per source px).
"""

import pandas as pd

from occamscope.errors import InputError
from occamscope.imaging.zoom import choose_scale
from occamscope.job import open_job
from occamscope.store.input_logs import nothing_usable, read_input_logs
from occamscope.store.tables import read_table, write_json

with open_job(snakemake) as job:
    inputs = read_input_logs(job.input.log_tables)
    if not (inputs["status"] == "ok").any():
        raise InputError(nothing_usable(inputs))
    tables = [read_table(path) for path in job.input.objects]
    filled = [table for table in tables if len(table)]
    if not filled:
        name = inputs.loc[inputs["status"] == "ok", "file"].iloc[0]
        raise InputError(
            f"no nucleus was found in any field, as in {name}: check the images and "
            "input.fields.channel, or give label masks as input.fields.masks"
        )
    objects = pd.concat(filled, ignore_index=True)
    scale = choose_scale(
        objects.assign(um_per_px=pd.to_numeric(objects["um_per_px"], errors="coerce")),
        um_per_px=job.params.crops["um_per_px"],
        nucleus_diameter_px=job.params.crops["nucleus_diameter_px"],
    )
    job.say(scale.message)
    write_json(job.output.scale, scale.to_dict())
