"""A compact CNN on the pixels of a crop: the black box, and the independent judge."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from occamscope.classifiers.batched_mlp import class_weights
from occamscope.classifiers.cnn_model import CNN, CNNSettings, count_weights, turn_randomly
from occamscope.errors import InputError
from occamscope.scale import CROP_SIZE, WHITE

__all__ = [
    "CNN",
    "CNNSettings",
    "CNNState",
    "TrainedCNN",
    "cnn_logits",
    "count_weights",
    "train_cnn",
]


@dataclass(frozen=True)
class CNNState:
    """A checkpoint: all tensors, and a JSON-able rest."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


@dataclass(frozen=True)
class TrainedCNN:
    """A trained model.

    Attributes
    ----------
    model : the weights of the epoch with the lowest validation loss, in evaluation mode
    history : epoch, loss, validation_loss (class-balanced logistic), validation_balanced_accuracy
    """

    model: CNN
    history: pd.DataFrame


def train_cnn(
    images: NDArray[np.uint8],
    labels: ArrayLike,
    validation_images: NDArray[np.uint8],
    validation_labels: ArrayLike,
    settings: CNNSettings,
    seed: int,
    resume: CNNState | None = None,
    on_checkpoint: Callable[[CNNState], None] | None = None,
    progress: Callable[[str], None] | None = None,
    device: str = "cpu",
) -> TrainedCNN:
    """Train with random turns and mirrors; both classes count the same.

    Resuming from a checkpoint gives the same bytes as an uninterrupted run.

    Parameters
    ----------
    images, validation_images : uint8 (n, 64, 64), 196 = 1.0
    labels, validation_labels : (n,) 0 or 1, both present
    resume : a state that `on_checkpoint` got (after every epoch)

    Raises
    ------
    InputError
        If shapes or labels do not suit, or a checkpoint is of another training.
    """
    run = _Run(
        _checked(images, labels, device),
        _checked(validation_images, validation_labels, device),
        settings,
        seed,
        device,
    )
    if resume is not None:
        run.restore(resume)
    while not run.finished:
        run.train_epoch()
        if progress:
            progress(run.line())
        if on_checkpoint:
            on_checkpoint(run.state())
    return run.result()


def cnn_logits(
    model: CNN, images: NDArray, batch: int = 512, device: str = "cpu"
) -> NDArray[np.float32]:
    """Logits (n,) of crops (n, 64, 64): uint8 with 196 = 1.0, or float in 0..1.3."""
    model = model.to(device).eval()
    scale = 1 / WHITE if images.dtype == np.uint8 else 1.0
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            x = torch.as_tensor(images[start : start + batch], device=device).float() * scale
            parts.append(model(x[:, None]).cpu().numpy())
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


@dataclass(frozen=True)
class _Data:
    images: Tensor  # uint8 (n, 1, 64, 64)
    labels: Tensor  # float32 (n,)
    weight: Tensor  # float32 (n,), mean 1, both classes the same sum


def _checked(images: NDArray, labels: ArrayLike, device: str) -> _Data:
    target = np.array(labels)
    expected = (len(target), CROP_SIZE, CROP_SIZE)
    if images.dtype != np.uint8 or images.shape != expected:
        raise InputError(
            f"need uint8 crops (n, {CROP_SIZE}, {CROP_SIZE}) and n labels, got {images.shape} of "
            f"{images.dtype} and {len(target)} labels"
        )
    if set(np.unique(target).tolist()) != {0, 1}:
        raise InputError("labels must be 0 and 1, both present: leave unlabelled crops out")
    y = torch.as_tensor(target, dtype=torch.float32, device=device)
    return _Data(torch.as_tensor(images, device=device)[:, None], y, class_weights(y))


class _Run:
    """The state of a training: model, optimiser, generator, history, best weights."""

    def __init__(
        self, data: _Data, validation: _Data, settings: CNNSettings, seed: int, device: str
    ) -> None:
        self.data, self.validation, self.settings = data, validation, settings
        self.generator = torch.Generator().manual_seed(seed)
        self.model = CNN(settings, self.generator).to(device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.recipe = {"seed": seed, "crops": len(data.labels)} | asdict(settings)
        self.recipe["channels"] = list(settings.channels)
        self.history: list[dict[str, float]] = []
        self.best = copy.deepcopy(self.model.state_dict())
        self.batch = min(settings.batch, len(data.labels))
        least = math.ceil(settings.min_steps / settings.epochs)
        self.steps_per_epoch = max(len(data.labels) // self.batch, least)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        losses = [row["validation_loss"] for row in self.history]
        since_best = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        stopped = 0 < self.settings.patience <= since_best
        return stopped or self.epoch == self.settings.epochs

    def train_epoch(self) -> None:
        self.model.train()
        total = 0.0
        for step, rows in enumerate(self._batches()):
            self._set_learning_rate(self.epoch * self.steps_per_epoch + step)
            x = turn_randomly(self.data.images[rows].float() / WHITE, self.generator)
            loss = self._loss(self.model(x), self.data.labels[rows], self.data.weight[rows])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            total += float(loss.detach())
        self._validate(total / self.steps_per_epoch)

    def _batches(self) -> Iterator[Tensor]:
        """Rows of each step; a set smaller than the epoch is shuffled and walked again."""
        n, size = len(self.data.labels), self.batch
        for step in range(self.steps_per_epoch):
            place = step % (n // size)
            if place == 0:
                order = torch.randperm(n, generator=self.generator).to(self.data.labels.device)
            yield order[place * size : (place + 1) * size]

    def _set_learning_rate(self, step: int) -> None:
        """Rise over the first tenth of all steps, then a cosine to 0."""
        done = (step + 1) / (self.steps_per_epoch * self.settings.epochs)
        rise = min(1.0, done / 0.1)
        fall = 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * rise * fall

    def _loss(self, logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        target = labels * (1 - self.settings.smoothing) + 0.5 * self.settings.smoothing
        return functional.binary_cross_entropy_with_logits(logits, target, weight)

    @torch.no_grad()
    def _validate(self, training_loss: float) -> None:
        self.model.eval()
        logits = torch.cat(
            [self.model(part.float() / WHITE) for part in self.validation.images.split(512)]
        )
        labels = self.validation.labels
        loss = float(self._loss(logits, labels, self.validation.weight))
        called = logits > 0
        recalls = [float((called == bool(k))[labels == k].float().mean()) for k in (0, 1)]
        lowest = min((row["validation_loss"] for row in self.history), default=math.inf)
        if loss < lowest:
            self.best = copy.deepcopy(self.model.state_dict())
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "loss": training_loss,
                "validation_loss": loss,
                "validation_balanced_accuracy": sum(recalls) / 2,
            }
        )

    def line(self) -> str:
        row = self.history[-1]
        return (
            f"epoch {self.epoch}/{self.settings.epochs}: loss {row['loss']:.4f}, validation "
            f"{row['validation_loss']:.4f}, balanced {row['validation_balanced_accuracy']:.4f}"
        )

    def state(self) -> CNNState:
        moments = self.optimiser.state_dict()["state"]
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        tensors |= {
            f"optimiser.{k}.{name}": v for k, entry in moments.items() for name, v in entry.items()
        }
        tensors["generator"] = self.generator.get_state()
        copies = {name: t.detach().to("cpu", copy=True) for name, t in tensors.items()}
        history = [dict(row) for row in self.history]
        return CNNState(copies, {"recipe": self.recipe, "history": history})

    def restore(self, state: CNNState) -> None:
        if state.meta["recipe"] != self.recipe:
            raise InputError("the checkpoint is of another training: delete it and start again")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimiser": {}}
        for name, tensor in state.tensors.items():
            if name != "generator":
                kind, rest = name.split(".", 1)
                parts[kind][rest] = tensor
        self.model.load_state_dict(parts["model"])
        # clones: training goes on in place, and the caller's checkpoint must not change with it
        self.best = {name: tensor.clone() for name, tensor in parts["best"].items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimiser"].items():
            position, key = name.split(".", 1)
            moments.setdefault(int(position), {})[key] = tensor.clone()
        packed = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**packed, "state": moments})
        self.generator.set_state(state.tensors["generator"])
        self.history = [dict(row) for row in state.meta["history"]]

    def result(self) -> TrainedCNN:
        self.model.load_state_dict(self.best)
        return TrainedCNN(self.model.eval(), pd.DataFrame(self.history))
