"""Set one scale for all crops.

Reads the objects of all bundles; writes `scale.json`: um_per_px of the crops (null where no pixel size
is known), where it comes from, and the zoom of every file (crop px per source px).
"""

import pandas as pd

from occamscope.imaging.zoom import choose_scale
from occamscope.job import open_job
from occamscope.store.tables import read_table, write_json

with open_job(snakemake) as job:
    objects = pd.concat([read_table(path) for path in job.input.objects], ignore_index=True)
    scale = choose_scale(
        objects,
        um_per_px=job.params.crops["um_per_px"],
        nucleus_diameter_px=job.params.crops["nucleus_diameter_px"],
    )
    job.say(scale.message)
    write_json(job.output.scale, scale.to_dict())
