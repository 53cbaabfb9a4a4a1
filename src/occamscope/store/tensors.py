"""Weights and states: safetensors with a JSON document in the header. Never pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from occamscope.store.atomic import atomic_path
from occamscope.store.provenance import DamagedFileError, verify


def write_tensors(path: str | Path, tensors: dict[str, Any], document: Any) -> None:
    """Write named arrays (NumPy or torch on any device) and a JSON-able document.

    Parameters
    ----------
    tensors : dict of str to array
        Zero-dimensional arrays keep their shape.
    document : JSON-able
        Settings, history, seeds: what is needed to use the arrays.
    """
    arrays = {name: _as_array(value) for name, value in tensors.items()}
    text = json.dumps(document, sort_keys=True)
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata={"document": text})


def read_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], Any]:
    """Read what `write_tensors` wrote: (arrays, document).

    Raises
    ------
    DamagedFileError
        If the file is absent, truncated or altered.
    """
    try:
        with safe_open(verify(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            document = json.loads((file.metadata() or {}).get("document", "null"))
    except SafetensorError as error:
        raise DamagedFileError(f"{path} is not a readable safetensors file: {error}") from error
    return arrays, document


def _as_array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
