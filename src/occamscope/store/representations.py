"""`tcvae.safetensors`: weights of a beta-TCVAE with its network settings in the header."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from occamscope.representation.framed_tcvae import FrameSettings
from occamscope.representation.networks import (
    Architecture,
    Network,
    architecture_of,
    build_network,
)
from occamscope.representation.tcvae import NetworkSettings
from occamscope.store.tensors import read_tensors, write_tensors


def write_tcvae(path: str | Path, model: Network, facts: dict) -> None:
    """Write a trained model; `facts` (JSON-able) say how it was trained."""
    document = {**asdict(architecture_of(model)), "facts": facts}
    write_tensors(path, model.state_dict(), document)


def read_tcvae(path: str | Path) -> Network:
    """Read a model, ready to encode and decode on the CPU."""
    arrays, document = read_tensors(path)
    network = document["network"] | {"channels": tuple(document["network"]["channels"])}
    frame = document["frame"] and FrameSettings(**document["frame"])
    model = build_network(Architecture(NetworkSettings(**network), frame), torch.Generator())
    model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return model.eval()
