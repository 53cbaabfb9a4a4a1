"""Fit the gate "no nucleus here" on real crops alone.

Windows of real crops are segmented again inside the window, as any unknown window is, so that what is
measured is comparable. Limits come from the training part and are widened on the calibration part.
"""

import numpy as np
import pandas as pd

from occamscope.evaluation.gate import GateSettings, fit_gate, gate_features
from occamscope.imaging.segment import SegmentationSettings, segment_windows
from occamscope.job import open_job, plain
from occamscope.store.splits import read_split
from occamscope.store.tables import write_json, write_table

with open_job(snakemake) as job:
    split = read_split(job.input.split, job.input.crops)
    segmentation = SegmentationSettings(**plain(job.params.segmentation))

    def measured(rows: np.ndarray) -> pd.DataFrame:
        windows = split.crops.windows[rows]
        return gate_features(windows, segment_windows(windows, segmentation))

    limits = GateSettings(max_share=job.params.false_alarms)
    gate = fit_gate(
        measured(split.rows("train")),
        measured(split.rows_or_validation("calibration")),
        limits,
    )
    test = measured(split.rows("test"))
    caught = gate.catches(test)
    job.say(f"{caught.sum()} of {len(caught)} real test crops are caught")
    ids = split.take("test").table["crop_id"]
    write_json(job.output.gate, gate.to_dict())
    write_table(
        job.output.table,
        test.assign(crop_id=ids, caught=caught, reason=gate.reasons(test)),
    )
