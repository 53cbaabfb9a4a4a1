"""Draw how much of each factor each active latent explains."""

from occamscope.figures.latents import draw_factors
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    shown = draw_factors(read_table(job.input.factors), read_table(job.input.names))
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
