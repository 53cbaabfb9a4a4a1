"""Everything that a training run needs to go on where it stopped, bit for bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from occamscope.errors import InputError


@dataclass(frozen=True)
class TrainingState:
    """A checkpoint.

    Attributes
    ----------
    tensors : weights ("model."), Adam's moments ("first_moment.", "second_moment."), the weights of
        the lowest validation loss ("best."), the generator's state (uint8) and running sums; all
        contiguous on the CPU, so that any array file can hold them.
    meta : step, history and settings; goes through JSON unchanged.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any] = field(default_factory=dict)


def copy_to_cpu(tensor: Tensor) -> Tensor:
    """Contiguous copy that later training steps do not change."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of named tensors under "prefix.name"."""
    return {f"{prefix}.{name}": copy_to_cpu(tensor) for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under "prefix.", by their own names."""
    start = f"{prefix}."
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}


def pack_model(model: nn.Module, optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Weights and Adam's moments as named tensors."""
    moments = {
        name: optimiser.state[p] for name, p in model.named_parameters() if p in optimiser.state
    }
    return {
        **prefixed("model", dict(model.named_parameters())),
        **prefixed("first_moment", {name: state["exp_avg"] for name, state in moments.items()}),
        **prefixed("second_moment", {name: state["exp_avg_sq"] for name, state in moments.items()}),
    }


def _each(
    model: nn.Module, tensors: Mapping[str, Tensor], prefix: str, trained: bool = False
) -> Iterator[tuple]:
    for name, parameter in model.named_parameters():
        if trained and not parameter.requires_grad:
            continue
        saved = tensors.get(f"{prefix}.{name}")
        if saved is None or saved.shape != parameter.shape:
            raise InputError(
                f"the checkpoint holds no {prefix}.{name} of shape {tuple(parameter.shape)}; "
                "delete it to start again"
            )
        yield parameter, saved


@torch.no_grad()
def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "model") -> None:
    """Copy named tensors into a model in place; its memory format stays.

    Raises
    ------
    InputError
        If a tensor is missing or has another shape.
    """
    for parameter, saved in _each(model, tensors, prefix):
        parameter.copy_(saved)


def load_moments(
    model: nn.Module, optimiser: torch.optim.Adam, tensors: Mapping[str, Tensor], step: int
) -> None:
    """Give Adam the moments of a checkpoint made after `step` (>= 1) steps of this optimiser."""
    for key, prefix in (("exp_avg", "first_moment"), ("exp_avg_sq", "second_moment")):
        for parameter, saved in _each(model, tensors, prefix, trained=True):
            # Same memory format as the weight: Adam's kernels then visit elements in the same order.
            moment = torch.empty_like(parameter, requires_grad=False).copy_(saved)
            optimiser.state[parameter][key] = moment
    for parameter in (p for p in model.parameters() if p.requires_grad):
        optimiser.state[parameter]["step"] = torch.tensor(float(step), device=parameter.device)
