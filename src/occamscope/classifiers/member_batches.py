"""Mini-batches for a stack of networks: each walks its own permutation of its own crops."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from occamscope.errors import InputError


def member_rows(rows: ArrayLike, y: NDArray, members: int, batch: int) -> list[Tensor]:
    """Crop numbers of each member, in ascending order.

    Parameters
    ----------
    rows : bool (S, n), or int (S, m) with crop numbers 0..n - 1, no crop twice
    y : (n,) 0 or 1
    members : number of networks S
    batch : crops a step

    Raises
    ------
    InputError : if the shape is another, a crop number does not exist or comes twice, a member
        lacks a class, or members of different size have fewer crops than a batch.
    """
    table, n = np.asarray(rows), len(y)
    if table.dtype != bool and not np.issubdtype(table.dtype, np.integer):
        raise InputError(f"rows of type {table.dtype}: give truth values or crop numbers")
    if table.ndim != 2 or len(table) != members or (table.dtype == bool and table.shape[1] != n):
        raise InputError(f"rows of shape {table.shape} for {members} networks and {n} crops")
    own = [np.flatnonzero(r) if table.dtype == bool else np.sort(r) for r in table]
    for member, numbers in enumerate(own):
        if len(numbers) and (numbers[0] < 0 or numbers[-1] >= n):
            raise InputError(f"rows of network {member}: crop numbers must lie in 0..{n - 1}")
        if (np.diff(numbers) == 0).any():
            raise InputError(
                f"rows of network {member} name a crop twice: give each once, "
                "and a mask as truth values"
            )
        if len(np.unique(y[numbers])) < 2:
            raise InputError(f"rows of network {member} lack a class: draw them within each class")
    sizes = {len(numbers) for numbers in own}
    # A batch as small as the smallest member would make the others depend on it.
    if len(sizes) > 1 and min(sizes) < batch:
        raise InputError(
            f"networks with {min(sizes)} to {max(sizes)} crops, fewer than a batch of {batch}: "
            "lower batch"
        )
    return [torch.from_numpy(numbers.astype(np.int64)) for numbers in own]


class MemberBatches:
    """Crop numbers of one batch after another.

    Parameters
    ----------
    rows : crop numbers of each member
    batch : crops a step; all crops of the smallest member if there are fewer
    generators : one a member, the only source of its order
    device : torch device of the numbers
    """

    def __init__(
        self,
        rows: Sequence[Tensor],
        batch: int,
        generators: Sequence[torch.Generator],
        device: torch.device,
    ) -> None:
        self.rows, self.generators = rows, generators
        self.sizes = [len(own) for own in rows]
        self.batch = min(batch, *self.sizes)
        self.order = torch.zeros((len(rows), max(self.sizes)), dtype=torch.int64, device=device)
        self.positions = list(self.sizes)
        self._offsets = torch.arange(self.batch, device=device)

    def next(self) -> Tensor:
        """Crop numbers [S, B]; a member whose crops run out begins a new permutation."""
        for member, (position, size) in enumerate(zip(self.positions, self.sizes, strict=True)):
            if position + self.batch > size:
                order = torch.randperm(size, generator=self.generators[member])
                self.order[member, :size] = self.rows[member][order]
                self.positions[member] = 0
        first = self.positions[0]
        if all(position == first for position in self.positions):
            index = self.order[:, first : first + self.batch].clone()
        else:
            start = torch.tensor(self.positions, device=self.order.device)
            index = self.order.gather(1, start[:, None] + self._offsets)
        self.positions = [position + self.batch for position in self.positions]
        return index
