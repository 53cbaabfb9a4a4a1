"""Count which latents the sparse networks select, over seeds and densities.

Writes selection frequencies with Wilson intervals, the pairwise Jaccard index by density, and the
latents that go on to the law search with the network that represents its density (median validation
accuracy, then median size).
"""

import pandas as pd

from occamscope.classifiers.pruning import count_parameters, live_inputs
from occamscope.classifiers.representative import representative_member
from occamscope.classifiers.selection import (
    choose_latents,
    jaccard_interval,
    pairwise_jaccard,
    selection_frequencies,
)
from occamscope.job import open_job
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.splits import read_split
from occamscope.store.tables import write_json, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops, images=False)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    validation = split.rows("validation")
    frequencies, agreement, pairs = [], [], []
    ensembles = read_ensembles(job.input.networks)
    for density, net in ensembles.items():
        live = live_inputs(net)
        frequencies.append(selection_frequencies(live).assign(density=density))
        mean, low, high = jaccard_interval(live, seed=job.params.seed)
        agreement.append(
            {"density": density, "mean": mean, "low": low, "high": high, "seeds": len(live)}
        )
        pairs.append(pd.DataFrame({"jaccard": pairwise_jaccard(live)}).assign(density=density))
    selection = pd.concat(frequencies, ignore_index=True)
    chosen_density = selection[selection["density"] == job.params.law_density]
    latents = choose_latents(chosen_density, job.params.frequency)
    net = ensembles[job.params.law_density]
    member = representative_member(net, codes[validation], split.crops.labels[validation])
    job.say(f"density {job.params.law_density:g} selects {[f'z{k}' for k in latents]}")
    write_table(job.output.selection, selection)
    write_table(job.output.jaccard, pd.DataFrame(agreement))
    write_table(job.output.pairs, pd.concat(pairs, ignore_index=True))
    write_json(
        job.output.selected,
        {
            "latents": latents,
            "density": job.params.law_density,
            "frequency": job.params.frequency,
            "member": member,
            "member_seed": net.seeds[member],
            "member_parameters": int(count_parameters(net)[member]),
        },
    )
