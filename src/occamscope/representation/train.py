"""Train a beta-TCVAE on nucleus crops, with checkpoints, validation and an early stop."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from occamscope.errors import InputError
from occamscope.representation.augment import AffinePrior
from occamscope.representation.batches import Crops, HeldOut
from occamscope.representation.framed_tcvae import FramedTCVAE
from occamscope.representation.networks import Architecture, Network, build_network
from occamscope.representation.objective import (
    TERMS,
    TrainingSettings,
    learning_rate_at,
    loss_terms,
    sigma_at,
    term_weights,
)
from occamscope.representation.tcvae import TCVAE
from occamscope.representation.training_state import (
    TrainingState,
    load_moments,
    load_weights,
    pack_model,
    prefixed,
    unprefixed,
)

# Augmented crops from which the patterns start.
OPENING = 6144
# Of pictures after the opening, relative to all else: principal patterns are near the optimum.
PICTURE_RATE = 0.1


@dataclass(frozen=True)
class TrainedTCVAE:
    """A trained model.

    Attributes
    ----------
    model : in evaluation mode, on the device that it was trained on.
    history : one row every `report_every` steps and at each validation check: step, learning_rate,
        sigma, loss and its terms (means over the steps since the row before), validation_loss
        and validation_reconstruction_sse (NaN between checks). The loss is in nats per image.
    stopped_early : training ended before its last step for want of a better validation loss.
    """

    model: Network
    history: pd.DataFrame
    stopped_early: bool


class _Run:
    """The state of a training run: model, optimiser, generator, history."""

    def __init__(
        self,
        crops: Crops,
        validation: HeldOut | None,
        recipe: dict[str, Any],
        settings: TrainingSettings,
        architecture: Architecture,
        affine: AffinePrior,
        device: str,
    ) -> None:
        self.crops, self.validation, self.recipe = crops, validation, recipe
        self.settings, self.affine = settings, affine
        self.generator = torch.Generator().manual_seed(recipe["seed"])
        self.model = build_network(architecture, self.generator).to(device)
        self.optimiser = self._optimiser()
        self.step = 0
        self.rows: list[dict[str, Any]] = []
        self.sums = torch.zeros(len(TERMS), dtype=torch.float64, device=device)
        self.summed = 0
        self.best: dict[str, Tensor] = {}
        self.best_loss = float("inf")
        self.checks_since_best = 0

    @property
    def stopped(self) -> bool:
        return 0 < self.settings.patience <= self.checks_since_best

    def _optimiser(self, picture_rate: float = 1.0) -> torch.optim.Adam:
        """Adam on what is trained; pictures learn at `picture_rate` times the rate of the rest."""
        painted = self.model.painted if isinstance(self.model, FramedTCVAE) else []
        pictures = {id(p) for p in painted}
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) not in pictures], "relative_rate": 1.0},
            {"params": [p for p in trained if id(p) in pictures], "relative_rate": picture_rate},
        ]
        groups = [group for group in groups if group["params"]]
        return torch.optim.Adam(groups, self.settings.learning_rate, fused=True)

    def _open(self, model: FramedTCVAE) -> None:
        """Open the further latents of a framed network; Adam starts afresh."""
        index = torch.randint(0, len(self.crops.areas), (OPENING,), generator=self.generator)
        parts = index.split(self.settings.batch)
        x = [self.crops.batch(part, self.generator, self.affine) for part in parts]
        model.open_details(torch.cat(x), self.settings.sigma)
        self.optimiser = self._optimiser(PICTURE_RATE)

    def _set_learning_rate(self) -> None:
        rate = learning_rate_at(self.step, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["relative_rate"]

    def advance(self) -> None:
        """One optimiser step."""
        settings, device = self.settings, self.sums.device
        if isinstance(self.model, FramedTCVAE) and self.step == settings.shape_steps:
            self._open(self.model)
        n = len(self.crops.areas)
        index = torch.randint(0, n, (settings.batch,), generator=self.generator)
        x = self.crops.batch(index, self.generator, self.affine)
        x[: settings.n_blank] = 0.0
        noise = torch.randn(
            settings.batch, self.model.settings.latents, generator=self.generator
        ).to(device)
        terms = loss_terms(self.model, x, noise, n, settings)
        loss = terms @ term_weights(sigma_at(self.step, settings), settings).to(device)
        self._set_learning_rate()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip)
        self.optimiser.step()
        self.sums += terms.detach()
        self.summed += 1
        self.step += 1

    def report(self) -> str:
        """Append a row of means to the history; returns the line to print."""
        settings, sigma = self.settings, sigma_at(self.step - 1, self.settings)
        means = (self.sums / self.summed).cpu()
        loss = float(means @ term_weights(sigma, settings).double())
        if not np.isfinite(loss):
            raise InputError(
                f"training diverged by step {self.step} (the loss is {loss}); lower learning_rate"
            )
        row = {
            "step": self.step,
            "learning_rate": learning_rate_at(self.step - 1, settings),
            "sigma": sigma,
            "loss": loss,
            **dict(zip(TERMS, means.tolist(), strict=True)),
            **self._validate(),
        }
        self.rows.append(row)
        self.sums.zero_()
        self.summed = 0
        return _line(row, settings.steps)

    def _validate(self) -> dict[str, float | None]:
        if self.validation is None or self.step % self.settings.validate_every:
            return {"validation_loss": None, "validation_reconstruction_sse": None}
        terms = self.validation.terms(self.model, len(self.crops.areas), self.settings)
        loss = float(terms @ term_weights(self.settings.sigma, self.settings))
        annealed = self.step >= self.settings.anneal * self.settings.steps
        annealed = annealed and self.step > self.settings.shape_steps
        if self.settings.patience and annealed:
            self._remember(loss)
        return {"validation_loss": loss, "validation_reconstruction_sse": float(terms[0])}

    def _remember(self, loss: float) -> None:
        """Keep the weights of the lowest validation loss; count the checks since."""
        self.checks_since_best += 1
        if loss < self.best_loss:
            self.best_loss, self.checks_since_best = loss, 0
            self.best = prefixed("best", dict(self.model.named_parameters()))

    def state(self) -> TrainingState:
        tensors = {
            **pack_model(self.model, self.optimiser),
            **self.best,
            "generator": self.generator.get_state(),
            "sums": self.sums.cpu().clone(),
        }
        meta = {
            "step": self.step,
            "summed": self.summed,
            "best_loss": self.best_loss if self.best else None,
            "checks_since_best": self.checks_since_best,
            "history": [dict(row) for row in self.rows],
            "recipe": self.recipe,
        }
        return TrainingState(tensors, meta)

    def restore(self, state: TrainingState) -> None:
        tensors, meta = state.tensors, state.meta
        changed = [key for key in self.recipe if meta["recipe"].get(key) != self.recipe[key]]
        if changed:
            raise InputError(
                f"the checkpoint was made with another {', '.join(changed)}; delete it to start "
                "again"
            )
        self.step, self.summed = meta["step"], meta["summed"]
        load_weights(self.model, tensors)
        steps = self.step
        if isinstance(self.model, FramedTCVAE) and self.step > self.settings.shape_steps:
            self.model.train_details()
            self.optimiser = self._optimiser(PICTURE_RATE)
            steps -= self.settings.shape_steps
        if steps:
            load_moments(self.model, self.optimiser, tensors, steps)
        self.generator.set_state(tensors["generator"])
        self.sums.copy_(tensors["sums"])
        self.rows = [dict(row) for row in meta["history"]]
        best = unprefixed("best", tensors)
        self.best = prefixed("best", best)
        self.best_loss = meta["best_loss"] if best else float("inf")
        self.checks_since_best = meta["checks_since_best"]

    def finish(self) -> TrainedTCVAE:
        if self.best:
            load_weights(self.model, self.best, prefix="best")
        history = pd.DataFrame(self.rows)
        for column in ("validation_loss", "validation_reconstruction_sse"):
            history[column] = history[column].astype(float)
        return TrainedTCVAE(self.model.eval(), history, self.step < self.settings.steps)


def _line(row: dict[str, Any], steps: int) -> str:
    text = f"step {row['step']}/{steps}: loss {row['loss']:.1f}, "
    text += f"squared error {row['reconstruction_sse']:.1f}, "
    text += f"MI {row['mutual_information']:.2f}, TC {row['total_correlation']:.2f}, "
    text += f"dimension-wise KL {row['dimension_wise_kl']:.2f}"
    if row["validation_loss"] is not None:
        text += f", validation loss {row['validation_loss']:.1f}"
    return text


def _due(run: _Run, every: int) -> bool:
    return run.step % every == 0 or run.step == run.settings.steps or run.stopped


def _recipe(seed: int, n: int, *settings: Any) -> dict[str, Any]:
    """What must not change between a checkpoint and its resumption, as JSON would return it."""
    values: dict[str, Any] = {"seed": seed, "number of images": n}
    for group in settings:
        values.update(asdict(group))
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def train_tcvae(
    images: np.ndarray,
    areas_px: np.ndarray,
    settings: TrainingSettings,
    architecture: Architecture,
    affine: AffinePrior,
    seed: int,
    validation_images: np.ndarray | None = None,
    validation_areas: np.ndarray | None = None,
    resume: TrainingState | None = None,
    on_checkpoint: Callable[[TrainingState], None] | None = None,
    progress: Callable[[str], None] | None = None,
    device: str = "cpu",
) -> TrainedTCVAE:
    """Train a beta-TCVAE (Chen et al. 2018) on randomly stretched, scaled and turned crops.

    Resuming from any checkpoint gives the same bytes as an uninterrupted run (on one kind of
    machine, with one thread).

    Parameters
    ----------
    images : uint8 (n, 64, 64), 196 = 1.0, masked and centred nuclei on a background of 0.
    areas_px : (n,) areas of the nuclei in px of these images.
    settings, architecture, affine : see there.
    seed : of the initial weights, the batches, the maps and the noise.
    validation_images, validation_areas : held-out crops for the validation loss; at most 1,024 are
        used. Without them there is no early stop.
    resume : a state that `on_checkpoint` got.
    on_checkpoint : called every `checkpoint_every` steps and at the end.
    progress : called with one line every `report_every` steps.
    device : "cpu" or a CUDA device; random numbers are drawn on the CPU either way.

    Raises
    ------
    InputError
        For images of another shape or type, a checkpoint of another recipe, or a diverged loss.
    """
    framed = architecture.frame is not None
    if framed != (settings.shape_steps > 0) or settings.shape_steps >= settings.steps:
        raise InputError(
            f"shape_steps is {settings.shape_steps} of {settings.steps} steps: a framed network "
            "needs some for its shape and some for what opens afterwards, the plain one 0"
        )
    size_px = FramedTCVAE.training_px if framed else TCVAE.training_px
    crops = Crops(images, areas_px, device, size_px)
    latents = architecture.network.latents
    validation = None
    if validation_images is not None and validation_areas is not None:
        held_out = Crops(validation_images, validation_areas, device, size_px)
        validation = HeldOut(held_out, latents, affine, seed + 1)
    parts = [settings, architecture.network, affine]
    parts += [architecture.frame] if architecture.frame else []
    recipe = _recipe(seed, len(images), *parts)
    run = _Run(crops, validation, recipe, settings, architecture, affine, device)
    if resume is not None:
        run.restore(resume)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        _loop(run, on_checkpoint, progress)
    return run.finish()


def _loop(
    run: _Run,
    on_checkpoint: Callable[[TrainingState], None] | None,
    progress: Callable[[str], None] | None,
) -> None:
    settings = run.settings
    while run.step < settings.steps and not run.stopped:
        run.advance()
        if _due(run, settings.report_every) or _due(run, settings.validate_every):
            line = run.report()
            if progress is not None:
                progress(line)
        if on_checkpoint is not None and _due(run, settings.checkpoint_every):
            on_checkpoint(run.state())
