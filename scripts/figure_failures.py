"""Draw the failure probes: examples, class, margin, the gate, and the terms that decide."""

from occamscope.figures.failures import draw_failures
from occamscope.job import open_job
from occamscope.store.figures import write_figure
from occamscope.store.tables import read_table
from occamscope.store.tensors import read_tensors

with open_job(snakemake) as job:
    arrays, document = read_tensors(job.input.probes)
    examples = {
        kind: (arrays[f"window_{kind}"], arrays[f"image_{kind}"]) for kind in document["kinds"]
    }
    shown = draw_failures(
        examples,
        read_table(job.input.summary),
        read_table(job.input.terms),
        class_names=(job.params.task["negative"], job.params.task["positive"]),
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
