"""The search behind `attacks.smallest_flip` and `attacks.confident_flip`.

Starts, and rays from each code that turn towards the boundary, or towards a threshold beyond it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch
from torch import Tensor

from occamscope.errors import InputError

Decision = Callable[[Tensor], Tensor]
TINY = 1e-12


@dataclass(frozen=True)
class FlipSettings:
    """How hard `smallest_flip` and `confident_flip` search."""

    # Starts: the nearest codes of the pool on the other side, and random directions.
    neighbours: int = 3
    random_starts: int = 4
    # Steps that turn a ray towards the normal of the boundary: from all starts, then from the best.
    turns: int = 8
    best_starts: int = 2
    best_turns: int = 30
    # Halvings of a ray at each turn.
    halvings: int = 8
    best_halvings: int = 14
    deepfool_steps: int = 20
    ddn_steps: int = 60
    # Random directions are followed up to this distance.
    max_radius: float = 12.0
    # The code returned lies this share of its distance beyond the boundary.
    overshoot: float = 1e-4


@dataclass(frozen=True)
class Flips:
    """Smallest changes found that flip a decision.

    Attributes
    ----------
    codes : ndarray, shape (..., n, d)
        Codes on the other side; the code itself where none was found.
    distance : ndarray, shape (..., n)
        L2 distance from the code, in sd of the prior; inf where none was found.
    reached : ndarray of bool, shape (..., n)
    """

    codes: np.ndarray
    distance: np.ndarray
    reached: np.ndarray


def used_latents(decision: Decision, z: Tensor, pool: Tensor) -> Tensor:
    """Latents with any gradient at a code, (..., 1, d): starts need not move the others."""
    _, gradient = value_and_gradient(decision, torch.cat([z, pool], -2))
    used = (gradient != 0).any(-2, keepdim=True)
    return used | ~used.any(-1, keepdim=True)


def value_and_gradient(decision: Decision, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = decision(x)
        if not value.requires_grad:  # a constant law
            return value, torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(value.sum(), x, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(x)
    return value.detach(), torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)


def checked_thresholds(
    upper: float | np.ndarray, lower: float | np.ndarray, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Thresholds of `across` as tensors, () or (..., 1); InputError where they make no sense."""
    high, low = torch.as_tensor(upper, dtype=dtype), torch.as_tensor(lower, dtype=dtype)
    if not ((high >= 0).all() and (low <= 0).all()):
        raise InputError(
            f"thresholds upper {upper} and lower {lower}: a flip crosses the boundary at 0, so "
            "give an upper one of at least and a lower one of at most 0"
        )
    if any(threshold.ndim and threshold.shape[-1] != 1 for threshold in (high, low)):
        raise InputError("give one threshold a model, shape (..., 1), not one a cell")
    return high, low


def across(value: Tensor, positive: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
    """Which values lie above `upper` (cells called negative) or at most at `lower` (positive).

    nan is called negative, like any value that is not above 0, but never confidently.
    """
    down = (value <= lower) | (value.isnan() & (lower == 0))
    return torch.where(positive, down, value > upper)


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(TINY)


class FlipSearch:
    """The searches about one set of codes, for steps across `upper` or `lower`.

    `upper` and `lower` (0 or (..., 1)) are the thresholds of `across`; both 0 is a plain flip.
    """

    def __init__(
        self,
        decision: Decision,
        z: Tensor,
        settings: FlipSettings,
        used: Tensor,
        upper: Tensor,
        lower: Tensor,
    ):
        self.decision, self.z, self.settings, self.used = decision, z, settings, used
        self.upper, self.lower = upper, lower
        with torch.no_grad():
            self.positive = decision(z) > 0
        self.sign = torch.where(self.positive, 1.0, -1.0).to(z.dtype)

    def across(self, value: Tensor, positive: Tensor) -> Tensor:
        # The class before the step alone says which threshold counts, so that codes may be
        # evaluated in any number side by side.
        return across(value, positive, self.upper, self.lower)

    def crossed(self, x: Tensor, positive: Tensor) -> Tensor:
        with torch.no_grad():
            return self.across(self.decision(x), positive)

    def random_directions(self, generator: torch.Generator) -> Tensor:
        noise = torch.randn(self.z.shape, generator=generator, dtype=torch.float64)
        return unit(noise.to(self.z.dtype) * self.used)

    def deepfool(self) -> Tensor:
        """Newton steps along the gradient up to a first crossing."""
        x, threshold = self.z.clone(), torch.where(self.positive, self.lower, self.upper)
        for _ in range(self.settings.deepfool_steps):
            value, gradient = value_and_gradient(self.decision, x)
            steepness = gradient.norm(dim=-1).clamp_min(TINY)
            step = (1.02 * (value - threshold).abs() / steepness + 1e-4).clamp_max(1.0)
            move = (self.sign * step / steepness).unsqueeze(-1) * gradient
            x = torch.where(self.across(value, self.positive).unsqueeze(-1), x, x - move)
        return x

    def neighbours(self, pool: Tensor) -> list[Tensor]:
        """The nearest codes of the pool on the other side, in the latents that are used."""
        with torch.no_grad():
            value = self.decision(pool).unsqueeze(-2)
        thresholds = self.upper.unsqueeze(-1), self.lower.unsqueeze(-1)
        other = across(value, self.positive.unsqueeze(-1), *thresholds)
        distance = torch.cdist(self.z * self.used, pool * self.used)
        distance = distance.masked_fill(~other, torch.inf)
        count = min(self.settings.neighbours, pool.shape[-2])
        nearest = distance.topk(count, dim=-1, largest=False).indices
        return [self._towards(pool, nearest[..., k : k + 1]) for k in range(count)]

    def _towards(self, pool: Tensor, index: Tensor) -> Tensor:
        target = torch.gather(pool, -2, index.expand(*index.shape[:-1], pool.shape[-1]))
        return torch.where(self.used, target, self.z)

    def random_points(self, generator: torch.Generator) -> list[Tensor]:
        """For each random direction the first of growing radii that lies across."""
        points = []
        for _ in range(self.settings.random_starts):
            direction = self.random_directions(generator)
            point, found = self.z, torch.zeros_like(self.positive)
            for share in (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0):
                x = self.z + share * self.settings.max_radius * direction
                new = self.crossed(x, self.positive) & ~found
                point = torch.where(new.unsqueeze(-1), x, point)
                found = found | new
            points.append(point)
        return points

    def ddn(self, generator: torch.Generator) -> Tensor:
        """DDN: the norm shrinks while across and grows while not; the nearest crossing seen."""
        lost = self.random_directions(generator)
        delta, norm = torch.zeros_like(self.z), torch.ones_like(self.sign)
        best, nearest = self.z.clone(), torch.full_like(self.sign, torch.inf)
        for k in range(self.settings.ddn_steps):
            value, gradient = value_and_gradient(self.decision, self.z + delta)
            across = self.across(value, self.positive)
            length = delta.norm(dim=-1)
            better = across & (length < nearest)
            nearest = torch.where(better, length, nearest)
            best = torch.where(better.unsqueeze(-1), self.z + delta, best)
            flat = gradient.norm(dim=-1, keepdim=True) < TINY
            away = torch.where(flat, lost, -self.sign.unsqueeze(-1) * unit(gradient))
            step = 0.01 + 0.99 * (1 + cos(pi * k / self.settings.ddn_steps)) / 2
            norm = norm * torch.where(across, 0.95, 1.05).to(norm.dtype)
            delta = norm.unsqueeze(-1) * unit(delta + step * away)
        return best

    def shortest(self, starts: list[Tensor]) -> Flips:
        """Turn the rays through all starts, go on with the best, return the shortest."""
        s = self.settings
        x = torch.stack(starts)  # (starts, ..., n, d)
        radius = torch.where(
            torch.stack([self.crossed(start, self.positive) for start in starts]),
            (x - self.z).norm(dim=-1),
            torch.inf,
        )
        direction, radius = self._turn(unit(x - self.z), radius, s.turns, s.halvings)
        order = radius.argsort(dim=0, stable=True)[: s.best_starts]
        direction = direction.gather(0, order.unsqueeze(-1).expand(*order.shape, x.shape[-1]))
        radius = radius.gather(0, order)
        direction, radius = self._turn(direction, radius, s.best_turns, s.best_halvings)
        best = radius.argmin(0, keepdim=True)
        direction = direction.gather(0, best.unsqueeze(-1).expand(*best.shape, x.shape[-1]))[0]
        return self._finish(direction, radius.gather(0, best)[0])

    def _turn(
        self, direction: Tensor, radius: Tensor, turns: int, halvings: int
    ) -> tuple[Tensor, Tensor]:
        """Turn rays (starts, ..., n, d) towards the boundary's normal where it shortens them."""
        shape, starts = direction.shape, len(direction)
        # Starts are laid side by side along n: a decision of stacked models keeps its batch.
        z, positive = _beside(self.z, starts, -2), _beside(self.positive, starts, -1)
        u = torch.cat(list(direction), -2)
        r = self._halve(z, u, torch.cat(list(radius), -1), positive, halvings)
        sign = torch.where(positive, 1.0, -1.0).to(z.dtype).unsqueeze(-1)
        turn = torch.ones_like(r)
        for _ in range(turns):
            at = torch.where(r.isfinite(), r, 0).unsqueeze(-1)
            _, gradient = value_and_gradient(self.decision, z + at * u)
            turned = unit(u + turn.unsqueeze(-1) * (-sign * unit(gradient) - u))
            inside = r.isfinite() & self.crossed(z + at * turned, positive)
            shorter = self._halve(z, turned, torch.where(inside, r, torch.inf), positive, halvings)
            better = shorter < r
            u = torch.where(better.unsqueeze(-1), turned, u)
            r = torch.where(better, shorter, r)
            turn = torch.where(better, (1.5 * turn).clamp_max(1.0), 0.5 * turn)
        return (
            torch.stack(u.split(shape[-2], -2)),
            torch.stack(r.split(shape[-2], -1)),
        )

    def _halve(
        self, z: Tensor, direction: Tensor, radius: Tensor, positive: Tensor, halvings: int
    ) -> Tensor:
        """A crossing on each ray, by bisection below a radius that lies across (inf stays)."""
        high = torch.where(radius.isfinite(), radius, 0)
        low = torch.zeros_like(high)
        for _ in range(halvings):
            middle = (low + high) / 2
            across = self.crossed(z + middle.unsqueeze(-1) * direction, positive)
            high = torch.where(across, middle, high)
            low = torch.where(across, low, middle)
        return torch.where(radius.isfinite(), high, radius)

    def _finish(self, direction: Tensor, radius: Tensor) -> Flips:
        radius = self._halve(self.z, direction, radius, self.positive, 30)
        tight = torch.where(radius.isfinite(), radius, 0).unsqueeze(-1)
        beyond = self.z + (1 + self.settings.overshoot) * tight * direction
        code = torch.where(
            self.crossed(beyond, self.positive).unsqueeze(-1), beyond, self.z + tight * direction
        )
        reached = radius.isfinite() & self.crossed(code, self.positive)
        code = torch.where(reached.unsqueeze(-1), code, self.z)
        distance = torch.where(reached, (code - self.z).norm(dim=-1), torch.inf)
        return Flips(code.numpy(), distance.numpy(), reached.numpy())


def _beside(x: Tensor, times: int, dim: int) -> Tensor:
    return torch.cat([x] * times, dim)
