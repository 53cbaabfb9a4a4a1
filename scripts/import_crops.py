"""Import the user's crops: class folders, zips, or a manifest.

Every crop is segmented in the crop, resampled to one scale, normalised, masked and centred. Writes the
crops, what was excluded or set aside and why, the log of what every file is, and the scale.
"""

import pandas as pd

from occamscope.errors import InputError
from occamscope.imaging.crop import CropSettings, prepare_crops
from occamscope.imaging.quality import QualitySettings, exclude_crops
from occamscope.imaging.segment import SegmentationSettings
from occamscope.imaging.zoom import choose_scale
from occamscope.job import open_job, plain
from occamscope.store.crop_parts import (
    QUALITY_COLUMNS,
    Identity,
    reasons_of,
    split_off,
    to_crop_set,
)
from occamscope.store.crop_reading import describe_crop, iter_crops
from occamscope.store.crop_sources import list_crops
from occamscope.store.crops import write_crops
from occamscope.store.images import describe_image
from occamscope.store.quarantine import QuarantinedFile
from occamscope.store.stacks import stacks_by_shape
from occamscope.store.tables import write_json, write_table

with open_job(snakemake) as job:
    reading, settings = plain(job.params.reading), CropSettings(**plain(job.params.crops))
    segmentation = SegmentationSettings(
        nucleus_diameter_px=settings.nucleus_diameter_px, **plain(job.params.segmentation)
    )
    listing = list_crops(reading["path"], reading["columns"], reading["group"])
    good, rows, aside = [], [], []
    ignore = reading["ignore_pixel_size_tags"]
    for item in iter_crops(
        listing, pixel_size_um=reading["um_per_px"], ignore_pixel_size_tags=ignore
    ):
        if isinstance(item, QuarantinedFile):
            job.say(item.message)
            rows.append(describe_image(item))
            aside.append({"source": item.name, "reason": item.message})
        else:
            good.append(item)
            rows.append(describe_crop(*item))
    if not good:
        raise InputError(f"{reading['path']}: none of its {len(rows)} crops can be read")
    job.say(f"{len(good)} crops read, {len(aside)} set aside")

    # The size of the nuclei is known only after a first segmentation at the crops' own scale.
    parts = []
    pixel_sizes = [entry.pixel_size_um for entry, _ in good]
    for indices, windows in stacks_by_shape([image for _, image in good], pixel_sizes):
        first = prepare_crops(windows, 1.0, segmentation, settings)
        parts.append((indices, windows, first.area_px))
    objects = pd.concat(
        pd.DataFrame(
            {
                "file": [good[k][0].name for k in indices],
                "area_px": areas,
                "um_per_px": [pixel_sizes[k] for k in indices],
            }
        )
        for indices, _, areas in parts
    )
    found = objects[objects["area_px"] > 0]
    scale = choose_scale(found, settings.um_per_px, settings.nucleus_diameter_px)
    job.say(scale.message)

    crop_sets, excluded = [], [pd.DataFrame(aside, columns=list(QUALITY_COLUMNS))]
    for indices, windows, _ in parts:
        entries = [good[k][0] for k in indices]
        zoom = next((scale.zoom[e.name] for e in entries if e.name in scale.zoom), 1.0)
        prepared = prepare_crops(windows, zoom, segmentation, settings)
        who = Identity(
            source=[entry.name for entry in entries],
            group=[entry.group or "" for entry in entries],
            frame=[entry.frame or 0 for entry in entries],
            object_label=[0] * len(entries),
            y=prepared.y if entries[0].y is None else [entry.y for entry in entries],
            x=prepared.x if entries[0].x is None else [entry.x for entry in entries],
            class_name=[entry.class_name or "" for entry in entries],
        )
        crops = to_crop_set(prepared, who, job.params.task)
        reasons = reasons_of(exclude_crops(prepared, QualitySettings()), len(prepared))
        usable, left_out = split_off(crops, reasons)
        crop_sets.append(usable)
        excluded.append(left_out)
    write_crops(job.output.crops, crop_sets, {})
    write_table(job.output.quality, pd.concat(excluded, ignore_index=True))
    write_table(job.output.factors, pd.DataFrame(columns=["crop_id"]))
    write_table(job.output.log_table, pd.DataFrame(rows))
    write_json(job.output.scale, scale.to_dict())
