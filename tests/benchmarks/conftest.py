"""The benchmarks' modules are no package: their scripts are run from their folder."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / folder) for folder in ("laws", "representation")]
