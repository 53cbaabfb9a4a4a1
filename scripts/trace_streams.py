"""Decompose one sparse network into streams: paths from latents to the output.

Reads the representative network of the density that the laws use; writes its nodes, edges and paths with
the share of each path in the decision and the effect of cutting it, and how each stream answers when one of
its latents moves, on the validation part.
"""

import numpy as np

from occamscope.classifiers.stream_responses import stream_responses
from occamscope.classifiers.stream_units import stream_units
from occamscope.classifiers.streams import trace_streams
from occamscope.job import open_job
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import read_json, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    latents = read_latents(job.input.latents, split.crops.table["crop_id"])
    rows = split.rows("validation")
    codes, labels = latents.codes[rows], split.crops.labels[rows]
    selected = read_json(job.input.selected)
    net, member = read_ensembles(job.input.networks)[selected["density"]], selected["member"]
    streams = trace_streams(net, member, codes, labels)
    job.say(f"{streams.streams['paths'].sum()} paths in {len(streams.streams)} streams")
    responses = stream_responses(net, member, codes, labels, stream_units(net, member, codes))
    # What a network would answer to latents that no cell uses says nothing of cells.
    used = responses["latent"].isin([f"z{unit}" for unit in np.flatnonzero(latents.active)])
    write_table(job.output.nodes, streams.nodes)
    write_table(job.output.edges, streams.edges)
    write_table(job.output.paths, streams.paths)
    write_table(job.output.streams, streams.streams)
    write_table(job.output.responses, responses[used])
