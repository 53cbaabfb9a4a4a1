"""Relate accuracy to image quality: contrast to noise and sharpness of the test crops, in bins."""

import pandas as pd

from occamscope.evaluation.image_quality import accuracy_by_quality, sharpness
from occamscope.job import open_job
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_table

with open_job(snakemake) as job:
    test = read_split(job.input.split, job.input.crops).take("test")
    predictions = read_table(job.input.predictions).set_index("crop_id").loc[test.table["crop_id"]]
    qualities = {
        "contrast_to_noise": test.table["contrast_to_noise"].to_numpy(),
        "sharpness": sharpness(test.windows, test.masks),
    }
    tables = []
    for model in predictions.columns.drop("label"):
        correct = (predictions[model].to_numpy() > 0) == (test.labels == 1)
        for name, values in qualities.items():
            table = accuracy_by_quality(values, correct, test.labels, name)
            tables.append(table.assign(model=model))
    write_table(job.output.table, pd.concat(tables, ignore_index=True))
