"""Cut, normalise, mask and centre the nuclei of one bundle.

Reads TIFFs, label images, the scale and the label table (file, frame, y, x, class); writes crops with
their labels, what was excluded and why, and the true factors of simulated nuclei. Files that were set
aside have no label image; their reasons stand in the inputs log.
"""

from pathlib import Path

import pandas as pd

from occamscope.imaging.crop import CropSettings, cut_objects
from occamscope.imaging.named_objects import name_objects
from occamscope.imaging.quality import QualitySettings, exclude_crops
from occamscope.job import naming, open_job, plain
from occamscope.store.crop_parts import (
    Identity,
    no_crops,
    quality_table,
    reasons_of,
    split_off,
    to_crop_set,
)
from occamscope.store.crops import write_crops
from occamscope.store.fields import read_bundle
from occamscope.store.label_tables import read_label_table
from occamscope.store.segmentations import read_label_images
from occamscope.store.sources import group_of
from occamscope.store.tables import read_json, read_table, write_table

with open_job(snakemake) as job:
    settings = CropSettings(**plain(job.params.crops))
    scale = read_json(job.input.scale)
    label_images = read_label_images(job.input.labels)
    points = pd.DataFrame(columns=["file", "frame", "y", "x", "class_name"])
    truth = pd.DataFrame()
    if job.input.table:
        shapes = {name: labels.shape for name, labels in label_images.items()}
        points = read_label_table(Path(job.input.table[0]), list(job.params.all_fields), shapes)
        if job.params.simulated:
            truth = read_table(job.input.table[0]).drop(columns=["file", "frame", "class"])
    parts, excluded, factors, strays = [no_crops(settings.size)], [], [], 0
    for field in read_bundle(list(job.input.fields), job.params.reading):
        of_field = points[points["file"] == field.name]
        if field.name not in label_images:
            if len(of_field):
                job.say(f"{field.name} was set aside, and its {len(of_field)} labels with it")
            continue
        group = group_of(field.name, job.params.reading["group"])
        for frame, page in enumerate(field.stack.pages):
            labels = label_images[field.name][frame]
            with naming(field.name):
                zoom = scale["zoom"].get(field.name, 1.0)
                prepared = cut_objects(page, labels, zoom, settings)
            here = of_field[of_field["frame"] == frame]
            named = name_objects(labels, prepared.object_label, here)
            n = len(prepared)
            strays += named.unmatched
            who = Identity([field.name] * n, [group] * n, [frame] * n, prepared.object_label,
                           prepared.y, prepared.x, named.class_name)  # fmt: skip
            crops = to_crop_set(prepared, who, job.params.task)
            reasons = reasons_of(exclude_crops(prepared, QualitySettings()), n)
            usable, left_out = split_off(crops, named.add_conflicts(reasons))
            parts.append(usable)
            excluded.append(left_out)
            if len(truth):
                matched = named.row >= 0
                rows = truth.loc[named.row[matched]]
                factors.append(rows.assign(crop_id=crops.table["crop_id"][matched].to_numpy()))
        job.say(f"{field.name}: {sum(len(part) for part in parts)} crops so far")
    if strays:
        job.say(f"{strays} rows of the label table lie on no nucleus")
    write_crops(job.output.crops, parts, {})
    write_table(job.output.quality, quality_table(excluded))
    empty = pd.DataFrame(columns=["crop_id"])
    write_table(job.output.factors, pd.concat(factors or [empty], ignore_index=True))
