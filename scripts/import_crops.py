"""Import the user's crops: class folders, zips, or a manifest.

Every crop is segmented in the crop, resampled to one scale, normalised, masked and centred. Writes the
crops, what was excluded and why, the log of what every file is, and the scale.
"""

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.imaging.crop import CropSettings, prepare_crops
from occamscope.imaging.quality import QualitySettings, exclude_crops
from occamscope.imaging.segment import SegmentationSettings
from occamscope.imaging.window_areas import window_areas
from occamscope.imaging.zoom import choose_scale
from occamscope.job import naming, open_job, plain
from occamscope.store.crop_parts import (
    Identity,
    no_crops,
    quality_table,
    reasons_of,
    split_off,
    to_crop_set,
)
from occamscope.store.crop_reading import describe_crop, iter_crops
from occamscope.store.crop_sources import list_crops
from occamscope.store.crops import write_crops
from occamscope.store.images import describe_image
from occamscope.store.input_logs import SHOWN, ignored_row, inputs_table, nothing_usable
from occamscope.store.quarantine import QuarantinedFile
from occamscope.store.stacks import stacks_by_shape
from occamscope.store.tables import write_json, write_table

with open_job(snakemake) as job:
    reading, settings = plain(job.params.reading), CropSettings(**plain(job.params.crops))
    segmentation = SegmentationSettings(
        nucleus_diameter_px=settings.nucleus_diameter_px, **plain(job.params.segmentation)
    )
    listing = list_crops(reading["path"], reading["columns"], reading["group"])
    good, rows = [], {}

    def set_aside(name, reason):
        """Quarantine a crop; the first reasons are said, all stand in the inputs log."""
        rows[name] = describe_image(QuarantinedFile(name, reason))
        if sum(row["status"] == "quarantined" for row in rows.values()) <= SHOWN:
            job.say(reason)

    for item in iter_crops(
        listing,
        pixel_size_um=reading["um_per_px"],
        ignore_pixel_size_tags=reading["ignore_pixel_size_tags"],
    ):
        if isinstance(item, QuarantinedFile):
            set_aside(item.name, item.message)
        else:
            good.append(item)
            rows[item[0].name] = describe_crop(*item)
    if not good:
        raise InputError(nothing_usable(inputs_table(rows.values())))
    job.say(f"{len(good)} crops read, {len(rows) - len(good)} set aside")

    def stacks():
        return stacks_by_shape([image for _, image in good], [e.pixel_size_um for e, _ in good])

    found = pd.DataFrame({"file": [entry.name for entry, _ in good], "area_px": np.nan})
    found["um_per_px"] = pd.Series([entry.pixel_size_um for entry, _ in good], dtype=float)
    if found["um_per_px"].isna().all():
        for indices, windows in stacks():
            found.loc[indices, "area_px"] = window_areas(windows, segmentation, settings)
        found = found[found["area_px"] > 0]
    with naming(reading["path"]):
        scale = choose_scale(found, settings.um_per_px, settings.nucleus_diameter_px)
    job.say(scale.message)

    crop_sets, excluded = [no_crops(settings.size)], []
    for indices, windows in stacks():
        entries = [good[k][0] for k in indices]
        zoom = scale.zoom.get(entries[0].name, next(iter(scale.zoom.values())))
        try:
            prepared = prepare_crops(windows, zoom, segmentation, settings)
        except InputError as error:  # too few pixels, or a pixel size that makes no sense
            for entry in entries:
                set_aside(entry.name, f"{entry.name}: {error}")
            continue
        who = Identity(
            source=[entry.name for entry in entries],
            group=[entry.group or entry.source or "" for entry in entries],
            frame=[entry.frame or 0 for entry in entries],
            object_label=[0] * len(entries),
            y=[y if e.y is None else e.y for e, y in zip(entries, prepared.y, strict=True)],
            x=[x if e.x is None else e.x for e, x in zip(entries, prepared.x, strict=True)],
            class_name=[entry.class_name or "" for entry in entries],
        )
        crops = to_crop_set(prepared, who, job.params.task)
        reasons = reasons_of(exclude_crops(prepared, QualitySettings()), len(prepared))
        usable, left_out = split_off(crops, reasons)
        crop_sets.append(usable)
        excluded.append(left_out)
    inputs = inputs_table([*rows.values(), *map(ignored_row, listing.ignored)])
    if not (inputs["status"] == "ok").any():
        raise InputError(nothing_usable(inputs))
    write_crops(job.output.crops, crop_sets, {})
    write_table(job.output.quality, quality_table(excluded))
    write_table(job.output.factors, pd.DataFrame(columns=["crop_id"]))
    write_table(job.output.log_table, inputs)
    write_json(job.output.scale, scale.to_dict())
