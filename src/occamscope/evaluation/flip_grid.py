"""Flips of laws of few variables by exhaustion, a check of the search that follows gradients."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from occamscope.errors import InputError
from occamscope.evaluation.accuracy import wilson_interval
from occamscope.evaluation.flip_search import Decision, across, checked_thresholds

# Grid steps from the code to the radius, by number of variables: about 3e5 points a cell.
STEPS = {1: 2000, 2: 300, 3: 40, 4: 16}
MAX_POINTS = 20_000_000
# Codes that are evaluated at once, and cells that share a walk over the grid.
BATCH = 131_072
CELLS = 64
HALVINGS = 26


@dataclass(frozen=True)
class GridFlips:
    """The smallest flips lie between two lengths.

    Attributes
    ----------
    distance : ndarray, shape (n,)
        Length of the shortest flip found, in sd of the prior: the smallest is no longer. inf
        where no grid point within the radius lies across.
    least : ndarray, shape (n,)
        The smallest flip is no shorter, see `grid_flip`.
    """

    distance: np.ndarray
    least: np.ndarray

    @property
    def bound(self) -> np.ndarray:
        """Largest error of `distance`, at most a diagonal of the grid; inf where that is."""
        return self.distance - self.least


def grid_flip(
    decision: Decision,
    z: np.ndarray | Tensor,
    variables: list[int] | np.ndarray,
    radius: float | np.ndarray,
    steps: int | None = None,
    upper: float = 0.0,
    lower: float = 0.0,
) -> GridFlips:
    """Find the smallest flip of each code on a grid over a law's variables, without gradients.

    All points of a square grid about each code, within the radius, are looked at in order of
    distance, and each ray to a point across, no farther than a diagonal of the grid beyond the
    nearest such point, is halved down to its crossing. The nearest point of the other side lies
    in a box of the grid; where a corner of that box lies across too, as it must for a plane and
    unless the other side is thinner than a box there, no smallest flip is shorter than
    the nearest grid point across less a diagonal: `least`.

    Parameters
    ----------
    decision : callable
        Tensor (n, d) -> Tensor (n,); a single model that reads only `variables`.
    z : array or tensor, shape (n, d)
    variables : list of int
        Latents of the decision, 1 to 4. Steps in others change nothing and are not tried.
    radius : float or ndarray, shape (n,)
        Largest distance looked at, in sd of the prior. A little beyond the distance of the
        search that is to be checked (1.25 times) is enough and keeps the grid fine.
    steps : int, optional
        Grid steps in the radius, so that the diagonal is radius * sqrt(variables) / steps;
        about 300 000 points a cell where not given.
    upper, lower : float
        Thresholds as for `attacks.confident_flip`.

    Returns
    -------
    GridFlips

    Raises
    ------
    InputError
        If there are more than 4 variables, the decision reads others, the grid is too large or
        a radius is not positive and finite.
    """
    z = torch.as_tensor(z).detach()
    columns = torch.as_tensor(np.asarray(variables, int))
    reach = torch.as_tensor(np.broadcast_to(np.asarray(radius, np.float64), len(z)).copy())
    steps = _checked(decision, z, columns, reach, steps)
    grid = _Grid(decision, z, columns, checked_thresholds(upper, lower, z.dtype))
    ball = _ball(len(columns), steps)
    diagonal = reach * len(columns) ** 0.5 / steps
    distance, nearest = (torch.full_like(reach, torch.inf) for _ in range(2))
    for cells in torch.arange(len(z)).split(CELLS):
        grid.walk(ball, cells, reach, diagonal, nearest, distance)
    least = (torch.minimum(nearest, reach) - diagonal).clamp_min(0)
    return GridFlips(distance.numpy(), least.numpy())


def _checked(
    decision: Decision, z: Tensor, columns: Tensor, reach: Tensor, steps: int | None
) -> int:
    count = len(columns)
    if count not in STEPS:
        raise InputError(
            f"a grid over {count} variables: it serves laws of 1 to {max(STEPS)}; use "
            "attacks.smallest_flip alone for others"
        )
    if not (reach.isfinite() & (reach > 0)).all():
        raise InputError(
            "a radius is not positive and finite; cap the distances of cells unflipped"
        )
    steps = STEPS[count] if steps is None else steps
    if steps < 1 or (2 * steps + 1) ** count > MAX_POINTS:
        raise InputError(
            f"{steps} grid steps over {count} variables: choose 1 to "
            f"{int((MAX_POINTS ** (1 / count) - 1) / 2)}"
        )
    others = torch.ones(z.shape[-1], dtype=z.dtype)
    others[columns] = 0
    with torch.no_grad():
        here, moved = decision(z), decision(z + others)
    if not ((here == moved) | (here.isnan() & moved.isnan())).all():
        raise InputError("the decision reads latents that are not among the grid's variables")
    return steps


def _ball(count: int, steps: int) -> Tensor:
    """Grid points of the unit ball but its centre, (points, count), the nearest first."""
    axis = np.arange(-steps, steps + 1)
    squared = sum(np.ix_(*[axis**2] * count), np.zeros((), int)).ravel()
    inside = np.flatnonzero((squared > 0) & (squared <= steps**2))
    inside = inside[np.argsort(squared[inside], kind="stable")]
    points = np.unravel_index(inside, (len(axis),) * count)
    return torch.from_numpy((np.stack(points, 1) - steps) / steps)


class _Grid:
    def __init__(
        self,
        decision: Decision,
        z: Tensor,
        columns: Tensor,
        thresholds: tuple[Tensor, Tensor],
    ):
        self.decision, self.z, self.columns, self.thresholds = decision, z, columns, thresholds
        with torch.no_grad():
            self.positive = decision(z) > 0
        # One row a latent: most stay 0, and those that are read lie together.
        self.room = torch.zeros(z.shape[-1], BATCH, dtype=z.dtype)

    def crossed(self, cells: Tensor, step: Tensor) -> Tensor:
        """Whether steps (m, variables) of `cells` (m,) lead across."""
        x = self.room[:, : len(cells)]
        for column, change in zip(self.columns.tolist(), step.T, strict=True):
            x[column] = self.z[cells, column] + change.to(x.dtype)
        with torch.no_grad():
            return across(self.decision(x.T), self.positive[cells], *self.thresholds)

    def walk(
        self,
        ball: Tensor,
        cells: Tensor,
        reach: Tensor,
        diagonal: Tensor,
        nearest: Tensor,
        distance: Tensor,
    ) -> None:
        """Look at the points of the ball for some cells; fill in `nearest` and `distance`."""
        lengths, start = ball.norm(dim=1), 0
        while len(cells) and start < len(ball):
            part = slice(start, start + max(1, BATCH // len(cells)))
            length = reach[cells, None] * lengths[part]
            step = reach[cells, None, None] * ball[part]
            owner = cells.repeat_interleave(step.shape[1])
            hit = self.crossed(owner, step.flatten(0, 1)).view_as(length)
            found = length.masked_fill(~hit, torch.inf).amin(1)
            nearest[cells] = torch.minimum(nearest[cells], found)
            last = nearest[cells] + diagonal[cells]
            row, point = (hit & (length <= last[:, None])).nonzero(as_tuple=True)
            crossing = self._crossing(cells[row], step[row, point]) * length[row, point]
            distance.scatter_reduce_(0, cells[row], crossing, "amin")
            cells, start = cells[length[:, -1] <= last], part.stop

    def _crossing(self, cells: Tensor, step: Tensor) -> Tensor:
        """Share of each step, which leads across, at which it crosses."""
        low, high = (
            torch.zeros(len(step), dtype=step.dtype),
            torch.ones(len(step), dtype=step.dtype),
        )
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            hit = self.crossed(cells, middle[:, None] * step)
            low, high = torch.where(hit, low, middle), torch.where(hit, middle, high)
        return high


def compare_with_grid(
    distance: np.ndarray, grid: GridFlips, tolerance: float = 1e-3
) -> dict[str, float]:
    """Measure how often and by how much the grid finds a shorter flip than a search did.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        `Flips.distance` of the same cells, decision and thresholds; inf where none was found.
    grid : GridFlips
    tolerance : float
        Differences up to this, in sd of the prior and as a share of longer distances, do not
        count: both end a hair beyond the boundary.

    Returns
    -------
    dict
        ``n``; ``beaten_share`` of cells where the grid's flip is shorter, with ``_low, _high``
        (Wilson, 95 %); ``largest_excess``, the most by which the search's is longer, in sd (inf
        where the grid alone found one); ``below_share`` of cells whose search is shorter than
        `GridFlips.least`, where the grid missed a thin part of the other side; ``bound``, the
        median of `GridFlips.bound`.
    """
    distance = np.asarray(distance, np.float64)
    slack = tolerance * np.maximum(1, np.where(np.isfinite(grid.distance), grid.distance, 1))
    with np.errstate(invalid="ignore"):  # inf - inf: neither found a flip
        excess = np.nan_to_num(distance - grid.distance, nan=0.0, posinf=np.inf)
    beaten = excess > slack
    low, high = wilson_interval(int(beaten.sum()), len(beaten))
    return {
        "n": len(distance),
        "beaten_share": float(beaten.mean()),
        "beaten_share_low": float(low),
        "beaten_share_high": float(high),
        "largest_excess": float(max(excess.max(), 0.0)),
        "below_share": float(np.mean(distance < grid.least - slack)),
        "bound": float(np.median(grid.bound)),
    }
