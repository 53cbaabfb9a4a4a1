"""Find the nuclei in the fields of one bundle, or take the user's label masks.

Reads TIFFs; writes label images, a table of objects (file, frame, object_label, y, x, area_px,
um_per_px) and the log of what every file is (axes, dtype, range, pixel size, status).
"""

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.imaging.objects import locate_objects
from occamscope.imaging.segment import SegmentationSettings, segment_field
from occamscope.job import open_job
from occamscope.store.fields import read_bundle
from occamscope.store.input_logs import inputs_table
from occamscope.store.label_masks import read_label_mask
from occamscope.store.segmentations import write_label_images
from occamscope.store.tables import write_table

COLUMNS = ["file", "frame", "object_label", "y", "x", "area_px", "um_per_px"]

with open_job(snakemake) as job:
    settings = SegmentationSettings(**job.params.segmentation)
    images, masks = list(job.input.fields), list(job.input.masks)

    def label(index, stack):
        if masks:
            return read_label_mask(masks[index], shape=stack.pages.shape)
        size = stack.pixel_size_um
        return np.stack([segment_field(page, settings, size) for page in stack.pages])

    rows, tables, labelled = [], [pd.DataFrame(columns=COLUMNS)], []
    for index, field in enumerate(read_bundle(images, job.params.reading)):
        if field.stack is not None:
            try:
                labels = label(index, field.stack)
            except InputError as error:
                field = field.set_aside(str(error))
        rows.append(field.row)
        if field.stack is None:
            job.say(field.row["message"])
            continue
        objects = locate_objects(labels)
        labelled.append((field.name, labels))
        tables.append(objects.assign(file=field.name, um_per_px=field.stack.pixel_size_um))
        job.say(f"{index + 1}/{len(images)} {field.name}: {len(objects)} nuclei")
    write_label_images(job.output.labels, labelled)
    write_table(job.output.objects, pd.concat(tables, ignore_index=True)[COLUMNS])
    write_table(job.output.log_table, inputs_table(rows))
