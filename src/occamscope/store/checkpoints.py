"""Checkpoints of long training, outside Snakemake's declared outputs so that a kill keeps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from occamscope.store.provenance import DamagedFileError
from occamscope.store.tensors import read_tensors, write_tensors


def save_checkpoint(folder: Path, tensors: dict[str, Any], meta: dict) -> None:
    """Replace the checkpoint in `folder` atomically."""
    write_tensors(folder / "state.safetensors", tensors, meta)


def load_checkpoint(
    folder: Path, say: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], dict] | None:
    """Checkpoint in `folder`, or None where there is none or it is damaged (then said)."""
    path = folder / "state.safetensors"
    if not path.is_file():
        return None
    try:
        return read_tensors(path)
    except DamagedFileError as error:
        say(f"checkpoint not usable, starting afresh ({error})")
        return None


def resuming(folder: Path, say: Callable[[str], None], make_state: Callable[..., Any]) -> dict:
    """Keyword arguments `resume` and `on_checkpoint` of a training that lives in `folder`.

    Parameters
    ----------
    make_state : the training's state class, called with (tensors, meta)
    """
    import torch

    saved = load_checkpoint(folder, say)
    resume = None
    if saved is not None:
        tensors = {name: torch.from_numpy(value) for name, value in saved[0].items()}
        resume = make_state(tensors, saved[1])
        say("resuming from a checkpoint")
    return {
        "resume": resume,
        "on_checkpoint": lambda state: save_checkpoint(folder, state.tensors, state.meta),
    }
