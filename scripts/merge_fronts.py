"""Merge the fronts of all searches and add how each law does on the validation part."""

from occamscope.job import open_job
from occamscope.laws.choice.choose import validation_columns
from occamscope.laws.front import merge_fronts
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    rows = split.rows("validation")
    names = [f"z{unit}" for unit in range(codes.shape[1])]
    merged = merge_fronts([read_table(path) for path in job.input.fronts])
    merged = validation_columns(merged, codes[rows].astype(float), split.crops.labels[rows], names)
    job.say(f"{len(merged)} laws, {merged['on_front'].sum()} on the fronts")
    write_table(job.output.front, merged)
