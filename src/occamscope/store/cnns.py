"""`cnn.safetensors`: weights of a CNN with its settings in the header."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from occamscope.classifiers.cnn import CNN, CNNSettings
from occamscope.store.tensors import read_tensors, write_tensors


def write_cnn(path: str | Path, model: CNN, facts: dict) -> None:
    """Write a trained model; `facts` (JSON-able) say how it was trained."""
    write_tensors(path, model.state_dict(), {"settings": asdict(model.settings), "facts": facts})


def read_cnn(path: str | Path) -> CNN:
    """Read a model, ready to classify on the CPU."""
    arrays, document = read_tensors(path)
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document["settings"].items()
    }
    model = CNN(CNNSettings(**settings))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return model.eval()
