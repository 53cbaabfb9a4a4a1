"""Draw the Pareto fronts of all searches, hinge against MSE, and the chosen law."""

from occamscope.figures.fronts import draw_fronts
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_json, read_table

with open_job(snakemake) as job:
    front = read_table(job.input.front)
    chosen = front["expression"] == read_json(job.input.law)["expression"]
    shown = draw_fronts(front.assign(chosen=chosen))
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
