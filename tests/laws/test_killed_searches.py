"""A search that is killed again and again ends like one that never was."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SEARCH = """
import sys
import numpy as np
from occamscope.laws import LawClassifier, warm_up

random = np.random.default_rng(0)
X = random.normal(size=(1000, 6))
y = X[:, 0] * X[:, 1] + 0.7 * X[:, 2] ** 2 - 0.5 > random.normal(0, 0.3, 1000)
model = LawClassifier(
    evaluations=int(sys.argv[2]), islands=4, random_state=5, verbose=0, checkpoint=sys.argv[1],
    checkpoint_every=0.02, resume=True, threads=2,
)
warm_up()
print("searching", flush=True)
model.fit(X, y)
print(model.front_.to_csv())
"""


def start(path, evaluations):
    """Start the search in a process of its own; return it once it searches."""
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(path), str(evaluations)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "searching\n"
    return process


def survive(path, evaluations, kills, seed):
    """Kill the search so many times at random moments, then let it end; return its front."""
    random = np.random.default_rng(seed)
    for _ in range(kills):
        process = start(path, evaluations)
        time.sleep(random.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start(path, evaluations)
    return process.communicate()[0]


@pytest.mark.parametrize(
    ("evaluations", "kills"),
    [(100_000, 3), pytest.param(1_000_000, 20, marks=pytest.mark.slow)],
)
def test_a_search_killed_at_random_moments_ends_the_same(tmp_path, evaluations, kills):
    undisturbed = start(tmp_path / "whole.npz", evaluations).communicate()[0]
    assert "expression" in undisturbed
    assert survive(tmp_path / "killed.npz", evaluations, kills, seed=kills) == undisturbed
