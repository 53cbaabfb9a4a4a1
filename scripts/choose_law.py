"""Choose the law by validation accuracy and complexity, and export it.

Writes `law.json` (expression, terms, calibrated probability, who found it), LaTeX and a plain NumPy
function as Python text.
"""

from occamscope.job import open_job
from occamscope.laws.choice.calibration import fit_platt
from occamscope.laws.choice.choose import ChoiceSettings, choose_law
from occamscope.laws.expressions.expression import parse
from occamscope.store.atomic import write_text
from occamscope.store.latents import read_latents
from occamscope.store.laws import law_document
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_json

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes.astype(float)
    front = read_table(job.input.front)
    tolerance = -1.0 if job.params.tolerance is None else job.params.tolerance
    settings = ChoiceSettings(max_complexity=job.params.max_complexity, tolerance=tolerance)
    row = front.loc[choose_law(front, settings)]
    law = parse(row["expression"], [f"z{unit}" for unit in range(codes.shape[1])])
    rows = split.rows_or_validation("calibration")
    platt = fit_platt(law.evaluate(codes[rows]), split.crops.labels[rows])
    names = read_table(job.input.names).set_index("latent")["name"].to_dict()
    job.say(f"{law.to_text(digits=4)} ({law.complexity()} nodes)")
    write_json(job.output.law, law_document(law, row, platt, names))
    write_text(job.output.latex, law.latex() + "\n")
    write_text(job.output.python, law.python_source())
