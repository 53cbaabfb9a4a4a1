"""Collect the claims of the run: each with its value, interval, target, and whether it holds.

Where several folds or VAE seeds are run, their tables are put behind one another.
"""

import pandas as pd

from occamscope.evaluation.claim_rules import Evidence
from occamscope.evaluation.claims import claims_markdown, collect_claims
from occamscope.job import open_job
from occamscope.store.atomic import write_text
from occamscope.store.tables import read_json, read_table, write_table

with open_job(snakemake) as job:

    def stacked(paths) -> pd.DataFrame:
        return pd.concat([read_table(path) for path in paths], ignore_index=True)

    shape_r2 = stacked(job.input.shape_r2)
    warnings = [text for path in job.input.split for text in read_json(path)["warnings"]]
    evidence = Evidence(
        accuracy=stacked(job.input.accuracy),
        density=job.params.law_density,
        jaccard=stacked(job.input.jaccard),
        fronts=stacked(job.input.laws),
        max_nodes=job.params.chosen_complexity,
        factors=shape_r2[shape_r2["source"] == "measured"],
        traversals=stacked(job.input.traversals),
        probes=stacked(job.input.failures),
        attacks=stacked(job.input.flips),
        grid=stacked(job.input.grid),
        judged=stacked(job.input.domain),
        negative_class=job.params.task["negative"],
        warnings=tuple(warnings),
        seed=job.params.seed,
    )
    claims = collect_claims(evidence)
    write_table(job.output.table, claims)
    write_text(job.output.page, claims_markdown(claims))
