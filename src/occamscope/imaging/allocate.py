"""Deal indivisible units out to parts so that every part gets its share of every class."""

import numpy as np

# A cell that a part lacks costs more than any deviation from the shares.
_LACK = 100.0
# Unlabelled cells matter less than labelled ones for the shares.
_UNLABELLED_WEIGHT = 0.3
# Swaps of two units are tried among at most this many; with more, moves alone come close enough.
_MOST_SWAPPED = 200


def allocate(
    counts: np.ndarray, shares: np.ndarray, least: int, seed: int
) -> tuple[np.ndarray, bool]:
    """Part of every unit, near the shares for every class; whether each part has its least.

    Greedy, largest unit first; then moves and swaps of units as long as one helps. Deterministic
    for a seed, which orders units of equal size.

    Parameters
    ----------
    counts : (units, classes + 1), cells of each class in each unit; the last column, unlabelled
        cells, is shared out too but needs no least number.
    shares : (parts,), sum 1, all above 0.
    least : cells of every class that every part should hold.
    seed : of the order of equal units.

    Returns
    -------
    (units,) int part of every unit, and True if every part holds ``least`` of every class.
    """
    cost = _Cost(counts, shares, least)
    order = np.random.default_rng(seed).permutation(len(counts))
    size = (counts / cost.totals).max(axis=1, initial=0)
    order = order[np.argsort(-size[order], kind="stable")]
    part = np.zeros(len(counts), dtype=int)
    held = np.zeros((len(shares), counts.shape[1]))
    for unit in order:
        part[unit] = np.argmin(cost.of(held + counts[unit]) - cost.of(held))
        held[part[unit]] += counts[unit]
    for _ in range(len(counts) + 100):
        if not (_move(counts, part, held, cost) or _swap(counts, part, held, cost)):
            break
    return part, bool((held[:, :-1] >= least).all())


class _Cost:
    """Deviation of parts from their shares: chi-square like, plus the cells they lack."""

    def __init__(self, counts: np.ndarray, shares: np.ndarray, least: int) -> None:
        self.totals = counts.sum(axis=0).clip(1)
        self.weights = np.ones(counts.shape[1])
        self.weights[-1] = _UNLABELLED_WEIGHT
        self.shares = shares[:, None]
        self.least = least

    def of(self, held: np.ndarray) -> np.ndarray:
        """Cost (..., parts) of parts that hold ``held`` (..., parts, classes + 1) cells."""
        deviation = (held / self.totals - self.shares) ** 2 / self.shares
        lack = np.maximum(self.least - held[..., :-1], 0).sum(axis=-1)
        return (deviation * self.weights).sum(axis=-1) + _LACK * lack


def _move(counts: np.ndarray, part: np.ndarray, held: np.ndarray, cost: _Cost) -> bool:
    """Make the move of one unit to another part that saves most; False if none does."""
    now = cost.of(held)
    unit = np.arange(len(counts))
    arriving = cost.of(held + counts[:, None, :]) - now
    without = held[None] - _only(counts, part, len(held))
    leaving = (cost.of(without) - now)[unit, part]
    saved = -(arriving + leaving[:, None])
    saved[unit, part] = 0
    best = int(np.argmax(saved))
    moved, to = divmod(best, len(held))
    if saved[moved, to] <= 1e-12:
        return False
    held[part[moved]] -= counts[moved]
    held[to] += counts[moved]
    part[moved] = to
    return True


def _swap(counts: np.ndarray, part: np.ndarray, held: np.ndarray, cost: _Cost) -> bool:
    """Exchange the two units of different parts that save most; False if none do."""
    if len(counts) > _MOST_SWAPPED:
        return False
    now = cost.of(held)
    best, pair = 1e-12, None
    for a in range(len(counts)):
        change = counts - counts[a]
        mine = cost.of(held + _only(change, np.full(len(counts), part[a]), len(held)))
        theirs = cost.of(held - _only(change, part, len(held)))
        saved = now[part[a]] - mine[:, part[a]] + now[part] - theirs[np.arange(len(part)), part]
        saved[part == part[a]] = 0
        b = int(np.argmax(saved))
        if saved[b] > best:
            best, pair = float(saved[b]), (a, b)
    if pair is None:
        return False
    a, b = pair
    held[part[a]] += counts[b] - counts[a]
    held[part[b]] += counts[a] - counts[b]
    part[a], part[b] = part[b], part[a]
    return True


def _only(values: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    """(units, parts, classes + 1): each unit's values in its own part, 0 in the others."""
    placed = np.zeros((len(values), parts, values.shape[1]))
    placed[np.arange(len(values)), part] = values
    return placed
