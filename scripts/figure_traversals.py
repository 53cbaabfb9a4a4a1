"""Draw the decoded traversals of the active latents."""

from occamscope.figures.latents import draw_traversals
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table
from occamscope.store.tensors import read_tensors

with open_job(snakemake) as job:
    arrays, _ = read_tensors(job.input.sheets)
    shown = draw_traversals(
        arrays["decoded"],
        arrays["values"],
        read_table(job.input.names),
        read_table(job.input.traversals),
        latents=[f"z{unit}" for unit in arrays["units"]],
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
