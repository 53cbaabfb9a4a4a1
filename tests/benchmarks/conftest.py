"""The benchmarks' modules are no package: their scripts are run from their folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "laws"))
