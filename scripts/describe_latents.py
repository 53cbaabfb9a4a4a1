"""Describe what each latent changes and suggest a name.

Writes decoded traversals (-3..3, other latents at 0) and their measurements, R2 of factors measured on the
masks and, for simulated nuclei, of the true ones (test part), names with evidence, and the metrics.
"""

import numpy as np
import pandas as pd

from occamscope.imaging.measure import measure_decoded, measure_shapes
from occamscope.job import open_job
from occamscope.representation.codes import decode_codes
from occamscope.representation.disentanglement_metrics import mutual_information_gap
from occamscope.representation.factors import factor_r2
from occamscope.representation.framed_tcvae import FramedTCVAE
from occamscope.representation.naming import name_latents
from occamscope.representation.patterns import pattern_shares
from occamscope.representation.summary import (
    reconstruction_r2,
    size_range,
    summarise_shape,
    turned_ellipticity,
)
from occamscope.representation.traverse import describe_traversals, traverse
from occamscope.scale import WHITE
from occamscope.store.latents import read_latents
from occamscope.store.representations import read_tcvae
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_json, write_table
from occamscope.store.tensors import write_tensors

VALUES = np.linspace(-3, 3, 13)
FACTORS = (
    "area_px", "axis_ratio", "aspect_ratio", "e_cos2theta", "e_sin2theta", "intensity",
    "intensity_mean", "texture", "texture_contrast", "texture_grain_px", "rim_ratio",
    "background", "defocus_px",
)  # fmt: skip

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    latents = read_latents(job.input.latents, split.crops.table["crop_id"])
    model = read_tcvae(job.input.tcvae)
    test = split.rows("test", labelled=False)
    labelled_test = split.rows("test")
    units = np.flatnonzero(latents.active)
    decoded = traverse(lambda z: decode_codes(model, z), latents.mean.shape[1], units, VALUES)
    traversals = describe_traversals(decoded, measure_decoded, units, VALUES)

    sources = {"measured": measure_shapes(split.crops.masks[test], split.crops.images[test])}
    truth = read_table(job.input.factors)
    if len(truth):
        ids = split.crops.table["crop_id"].iloc[test]
        sources["true"] = truth.set_index("crop_id").reindex(ids).reset_index(drop=True)
    tables, summaries = [], []
    for source, factors in sources.items():
        summary = summarise_shape(latents.codes[test], factors, job.params.seed)
        turned = turned_ellipticity(factors, summary["angle_rad"].iloc[-1])
        kept = factors[[name for name in FACTORS if name in factors]].join(turned)
        tables.append(factor_r2(latents.codes[test], kept).assign(source=source))
        summaries.append(summary.assign(source=source, split="test"))
    r2 = pd.concat(tables, ignore_index=True)
    upper, middle, lower = (list(VALUES).index(value) for value in (2, 0, -2))
    areas = measure_decoded(decoded[:, middle])["area_px"].fillna(0).to_numpy()
    patterns = pattern_shares(
        decoded[:, upper] - decoded[:, lower],
        np.sqrt(areas / np.pi),
        isinstance(model, FramedTCVAE),
    )
    patterns.index = [f"z{unit}" for unit in units]
    measured_r2 = r2[r2["source"] == "measured"]
    names = name_latents(traversals, latents.active, measured_r2, patterns)

    reconstructions = decode_codes(model, latents.mean[labelled_test])
    shape = sources["measured"][["area_px", "e_cos2theta", "e_sin2theta"]]
    shape_r2 = pd.concat(summaries, ignore_index=True)
    metrics = {
        "active_units": int(latents.active.sum()),
        "size_range": size_range(traversals, shape_r2["latent"].iloc[0]),
        "reconstruction_r2": reconstruction_r2(
            split.crops.images[labelled_test] / WHITE, reconstructions
        ),
        "mutual_information_gap": float(
            mutual_information_gap(latents.codes[test], shape)["gap"].mean()
        ),
    }
    for row in names[names["name"] != "inactive"].itertuples():
        job.say(f"{row.latent}: {row.name} ({row.confidence:.2f}; {row.evidence})")
    write_tensors(job.output.sheets, {"decoded": decoded, "values": VALUES, "units": units}, {})
    write_table(job.output.traversals, traversals)
    write_table(job.output.factors, r2)
    write_table(job.output.shape_r2, shape_r2)
    write_table(job.output.names, names)
    write_json(job.output.metrics, metrics)
