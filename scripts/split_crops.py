"""Split crops into train, validation, calibration, judge and test, by whole groups.

Writes the part of every crop and a summary: the unit that was kept whole, counts, and warnings, which
travel into the claims.
"""

import pandas as pd

from occamscope.imaging.split import SplitSettings, split_groups
from occamscope.job import naming, open_job, plain
from occamscope.store.crops import read_crops
from occamscope.store.splits import write_split
from occamscope.store.tables import write_json

with open_job(snakemake) as job:
    crops = read_crops(job.input.crops, images=False)
    table = crops.table
    with naming(job.input.crops):
        split = split_groups(
            table["label"].to_numpy(),
            table["group"].to_numpy(str),
            table["source"].to_numpy(str),
            table["frame"].to_numpy(),
            SplitSettings(**plain(job.params.split)),
            fold=int(job.wildcards.fold),
            seed=job.params.seed,
            class_names=crops.attributes["class_names"],
        )
    counts = pd.crosstab(split.part, crops.labels)
    for part, row in counts.iterrows():
        job.say(f"{part}: {row.to_dict()}")
    for warning in split.warnings:
        job.say(f"WARNING: {warning}")
    warnings = list(split.warnings)
    if crops.attributes.get("scale_source") != "pixel size":
        warnings.append(crops.attributes["scale_message"])
    write_split(job.output.split, crops, split.part)
    summary = {"unit": split.unit, "warnings": warnings, "crops": len(crops)}
    summary["counts"] = {
        part: {str(label): int(n) for label, n in row.items()} for part, row in counts.iterrows()
    }
    write_json(job.output.summary, summary)
