"""Draw the law: its formula, its map over its two strongest latents, decoded nuclei along the axes."""

from occamscope.figures.laws import draw_law, strongest_variables
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes
from occamscope.store.figures import write_figure
from occamscope.store.latents import read_latents
from occamscope.store.laws import read_law
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes.astype(float)
    law = read_law(job.input.law)
    model = read_tcvae(job.input.tcvae)
    rows = split.rows("test")
    labels = split.crops.labels[rows]
    accuracy = ((law.expression.evaluate(codes[rows]) > 0) == (labels == 1)).mean()
    shown = draw_law(
        law.expression.evaluate,
        law.expression.latex(),
        strongest_variables(law.expression.evaluate, codes[rows], law.facts["variables"]),
        lambda z: decode_codes(model, z),
        codes[rows],
        labels,
        class_names=(job.params.task["negative"], job.params.task["positive"]),
        names=read_table(job.input.names),
        complexity=law.facts["complexity"],
        accuracy=f"accuracy {accuracy:.3f} on the test part",
    )
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
