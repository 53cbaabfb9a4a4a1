"""Decompose one sparse network into streams: paths from latents to the output.

Reads the representative network of the density that the laws use; writes its nodes, edges and paths with
the share of each path in the decision and the effect of cutting it, on the validation part.
"""

from occamscope.classifiers.streams import trace_streams
from occamscope.job import open_job
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import read_json, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    rows = split.rows("validation")
    selected = read_json(job.input.selected)
    net = read_ensembles(job.input.networks)[selected["density"]]
    streams = trace_streams(net, selected["member"], codes[rows], split.crops.labels[rows])
    job.say(f"{streams.streams['paths'].sum()} paths in {len(streams.streams)} streams")
    write_table(job.output.nodes, streams.nodes)
    write_table(job.output.edges, streams.edges)
    write_table(job.output.paths, streams.paths)
    write_table(job.output.streams, streams.streams)
