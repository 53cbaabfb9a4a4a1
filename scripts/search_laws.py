"""Search short laws of the selected latents with one engine, loss, target and seed.

Reads codes of the training part; writes the front: complexity, loss (float64, from the printed
expression), expression, LaTeX. Target `labels` is the class as -1/+1; `logits` the output of the
representative sparse network (its sign for margin losses, with |logit| as weight).
"""

from occamscope.classifiers.ensemble import logits
from occamscope.errors import InputError
from occamscope.job import open_job, plain
from occamscope.laws.engines import get_engine
from occamscope.laws.spec import SearchSpec
from occamscope.laws.targets import search_target
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import read_json, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    selected = read_json(job.input.selected)
    train = split.rows("train")
    net = read_ensembles(job.input.networks)[selected["density"]]
    teacher = logits(net, codes[train])[selected["member"]]
    target = search_target(job.params.target, split.crops.labels[train], teacher, job.params.loss)
    engine = get_engine(job.params.engine)
    ready, remedy = engine.available()
    if not ready:
        raise InputError(remedy)
    front = engine.fit(
        codes[train][:, selected["latents"]].astype(float),
        target.y,
        SearchSpec(loss=job.params.loss, seed=job.params.seed, **plain(job.params.search)),
        [f"z{unit}" for unit in selected["latents"]],
        sample_weight=target.weight,
        progress=job.progress,
        target=job.params.target,
    )
    write_table(job.output.front, front.table)
