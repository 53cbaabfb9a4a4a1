"""Draw how often the sparse networks select each latent, and how far they agree."""

from occamscope.figures.models import draw_selection
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    shown = draw_selection(
        read_table(job.input.selection), read_table(job.input.jaccard), read_table(job.input.names)
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
