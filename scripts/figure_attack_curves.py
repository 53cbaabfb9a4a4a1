"""Draw accuracy under latent attacks of growing length, and how far the smallest flips are."""

from occamscope.figures.attacks import draw_attack_curves
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    shown = draw_attack_curves(read_table(job.input.curves), read_table(job.input.flips))
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
