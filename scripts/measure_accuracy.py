"""Measure the accuracy of all models on the test part.

Writes one row a model (accuracy, balanced accuracy, AUC with 95 % intervals; parameters or nodes; ratios to
the black box and to the dense network of the same seed), test accuracies of all laws found, and the
decision scores of the black box, the forest, the first dense and sparse network and the law.
"""

import pandas as pd

from occamscope.classifiers.cnn import cnn_logits, count_weights
from occamscope.classifiers.ensemble import logits
from occamscope.classifiers.forest import count_nodes, forest_scores, train_forest
from occamscope.classifiers.pruning import count_parameters
from occamscope.evaluation.accuracy import accuracy_table
from occamscope.evaluation.scoreboard import Scoreboard
from occamscope.imaging.measure import measure_shapes
from occamscope.job import open_job
from occamscope.laws.choice.choose import validation_columns
from occamscope.store.cnns import read_cnn
from occamscope.store.ensembles import read_ensembles
from occamscope.store.latents import read_latents
from occamscope.store.laws import read_law
from occamscope.store.splits import read_split
from occamscope.store.tables import read_table, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    codes = read_latents(job.input.latents, split.crops.table["crop_id"]).codes
    labels = split.crops.labels
    train, test = split.rows("train"), split.rows("test")
    board = Scoreboard()

    cnn = read_cnn(job.input.cnn)
    scores = cnn_logits(cnn, split.crops.images[test])
    board.add("black_box", "black_box", scores, parameters=count_weights(cnn))
    features = measure_shapes(split.crops.masks, split.crops.images)
    forest = train_forest(features.iloc[train], labels[train], job.params.seed)
    scores = forest_scores(forest, features.iloc[test])
    board.add("forest", "forest", scores, parameters=count_nodes(forest))
    for density, net in read_ensembles(job.input.networks).items():
        kind = "dense" if density == 1 else "sparse"
        sizes = count_parameters(net)
        for seed, size, scores in zip(net.seeds, sizes, logits(net, codes[test]), strict=True):
            name = f"{kind} {density:g} seed {seed}"
            board.add(name, kind, scores, seed=seed, density=density, parameters=size)
    law = read_law(job.input.law)
    scores = law.expression.evaluate(codes[test].astype(float))
    board.add("law", "law", scores, complexity=law.facts["complexity"])

    table = accuracy_table(board.models(), board.scores(), labels[test], "test", job.params.seed)
    for row in table[table["kind"].isin(["black_box", "forest", "law"])].itertuples():
        job.say(f"{row.model}: accuracy {row.accuracy:.4f}, balanced {row.balanced_accuracy:.4f}")
    front = read_table(job.input.front)
    names = law.expression.names
    measured = validation_columns(front, codes[test].astype(float), labels[test], names)
    measured = measured.filter(like="validation_")
    measured.columns = [name.replace("validation", "test") for name in measured]
    laws = pd.concat([front, measured], axis=1)
    predictions = pd.DataFrame(
        {"crop_id": split.crops.table["crop_id"].iloc[test], "label": labels[test]}
        | board.first_of_each_kind()
    )
    write_table(job.output.accuracy, table)
    write_table(job.output.laws, laws)
    write_table(job.output.predictions, predictions)
