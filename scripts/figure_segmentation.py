"""Draw the segmentation: outlines on the first field, or on crops where there are no fields."""

from occamscope.figures.segmentation import draw_crop_masks, draw_overlays
from occamscope.job import open_job
from occamscope.store.crops import read_crops
from occamscope.store.fields import read_bundle
from occamscope.store.figures import write_figure
from occamscope.store.segmentations import read_label_images

with open_job(snakemake) as job:
    labels = read_label_images(job.input.labels[0]) if job.input.labels else {}
    fields = read_bundle(job.input.fields, job.params.reading) if labels else ()
    field = next((field for field in fields if field.name in labels), None)
    if field is None:
        crops = read_crops(job.input.crops)
        labelled = crops.take(crops.table["class_name"] != "")
        shown = draw_crop_masks(labelled.windows, labelled.masks, labelled.table["class_name"])
    else:
        pages, um_per_px = field.stack.pages[:1], field.stack.pixel_size_um
        outlines = labels[field.name][:1]
        shown = draw_overlays(pages, outlines, um_per_px, names=[field.name])
    write_figure(job.output.png, job.output.svg, job.output.data, shown.figure, shown.data)
