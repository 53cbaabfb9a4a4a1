"""Where networks train."""

from __future__ import annotations

import torch

from occamscope.errors import InputError


def choose_device(wanted: str) -> str:
    """Torch device for "auto", "cpu" or "cuda".

    Raises
    ------
    InputError
        If "cuda" is demanded where there is none.
    """
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise InputError("device is cuda, but torch sees no GPU here: set device: auto or cpu")
    return "cpu"
