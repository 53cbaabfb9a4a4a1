"""Draw the logic streams of a sparse network and how each answers to its latents."""

from occamscope.figures.streams import draw_streams
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    shown = draw_streams(
        read_table(job.input.nodes),
        read_table(job.input.edges),
        read_table(job.input.paths),
        read_table(job.input.names),
        read_table(job.input.responses),
        class_names=(job.params.task["negative"], job.params.task["positive"]),
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
