"""Draw test accuracy against the size of every model."""

from occamscope.figures.models import draw_accuracy_size
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    shown = draw_accuracy_size(read_table(job.input.accuracy), metric="balanced_accuracy")
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
