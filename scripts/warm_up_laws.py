"""Compile the law engine once, before searches start side by side.

Writes `laws_warm.json`, which only marks that it was done.
"""

from occamscope.job import open_job
from occamscope.laws.evolution.engine import warm_up
from occamscope.store.tables import write_json

with open_job(snakemake) as job:
    warm_up(job.say)
    write_json(job.output[0], {"compiled": True})
