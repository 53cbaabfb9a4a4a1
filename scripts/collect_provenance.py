"""Collect who made what from what: rule, params, code, seed, versions and checksum of every output."""

from pathlib import Path

from occamscope.job import open_job
from occamscope.store.provenance import META_SUFFIX, read_meta
from occamscope.store.tables import write_json

with open_job(snakemake) as job:
    run = Path(job.output[0]).parent
    sidecars = sorted(path for path in run.rglob(f"*{META_SUFFIX}") if ".resume" not in path.parts)
    files = [Path(str(path).removesuffix(META_SUFFIX)) for path in sidecars]
    own = Path(job.output[0])
    records = {
        file.relative_to(run).as_posix(): read_meta(file)
        for file in files
        if file.is_file() and file != own
    }
    write_json(job.output[0], records)
