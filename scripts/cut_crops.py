"""Cut, normalise, mask and centre the nuclei of one bundle.

Reads TIFFs, label images, the scale and the label table (file, frame, y, x, class); writes crops with
their labels, what was excluded and why, and the true factors of simulated nuclei.
"""

from pathlib import Path

import pandas as pd

from occamscope.imaging.crop import CropSettings, cut_objects
from occamscope.imaging.labels import label_objects
from occamscope.imaging.quality import QualitySettings, exclude_crops
from occamscope.job import open_job
from occamscope.store.crops import write_crops
from occamscope.store.fields import crop_part, crop_settings, factors_of, read_bundle
from occamscope.store.label_tables import read_label_table
from occamscope.store.segmentations import read_label_images
from occamscope.store.sources import group_of
from occamscope.store.tables import read_json, write_table

with open_job(snakemake) as job:
    settings = CropSettings(**crop_settings(job.params.crops))
    scale = read_json(job.input.scale)
    label_images = read_label_images(job.input.labels)
    points, factors = None, None
    if job.input.table:
        points = read_label_table(Path(job.input.table[0]), list(job.params.all_fields))
        factors = factors_of(job.input.table[0])
    parts, excluded, truths = [], [], []
    for field in read_bundle(list(job.input.fields), job.params.reading):
        if field.stack is None:
            continue
        group = group_of(field.name, job.params.reading["group"])
        for frame, page in enumerate(field.stack.pages):
            labels = label_images[field.name][frame]
            crops = cut_objects(page, labels, scale["zoom"][field.name], settings)
            reasons = exclude_crops(crops, QualitySettings())
            named = label_objects(labels, points, field.name, frame)
            part = crop_part(crops, reasons, named, job.params.task, field.name, frame, group)
            parts.append(part.crops)
            excluded.append(part.excluded)
            truths.append(part.join(factors))
        job.say(f"{field.name}: {sum(len(part) for part in parts)} crops so far")
    write_crops(job.output.crops, parts, {})
    write_table(job.output.quality, pd.concat(excluded, ignore_index=True))
    write_table(job.output.factors, pd.concat(truths, ignore_index=True))
