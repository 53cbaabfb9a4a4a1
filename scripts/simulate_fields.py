"""Simulate fields of nuclei with known factors.

Writes multi-page uint16 TIFFs (one plate each) and `truth.csv`: a row per nucleus with file, frame,
y, x (px), class and true factors.
"""

from pathlib import Path

import pandas as pd

from occamscope.imaging.simulate import SimulationSettings, simulate_field
from occamscope.job import open_job
from occamscope.store.tables import write_table
from occamscope.store.tiff_writing import write_tiff

with open_job(snakemake) as job:
    options = dict(job.params.simulate)
    count = options.pop("fields")
    settings = SimulationSettings(**options)
    truth = []
    for index, path in enumerate(job.output.fields):
        field = simulate_field(settings, seed=job.params.seed * 100_003 + index)
        write_tiff(path, field.pages, um_per_px=settings.um_per_px)
        truth.append(field.truth.assign(file=Path(path).name))
        if (index + 1) % 6 == 0 or index + 1 == count:
            job.say(f"{index + 1}/{count} files")
    table = pd.concat(truth, ignore_index=True)
    write_table(job.output.truth, table[["file", *table.columns.drop("file")]])
