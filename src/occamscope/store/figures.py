"""Figures: PNG for screens, SVG for papers, CSV with the numbers that are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from occamscope.store.atomic import atomic_path
from occamscope.store.tables import write_table

PNG_DPI = 200


def write_figure(
    png: str | Path, svg: str | Path, csv: str | Path, figure: Any, data: pd.DataFrame
) -> None:
    """Write one figure in its three forms, byte-identical for identical content."""
    from matplotlib import rc_context

    # A fixed salt and no dates: SVG ids and metadata are else new at every run.
    with rc_context({"svg.hashsalt": "occamscope", "svg.fonttype": "none"}):
        with atomic_path(png) as temporary:
            figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})
        with atomic_path(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    write_table(csv, data)
