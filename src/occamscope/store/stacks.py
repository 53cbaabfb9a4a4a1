"""Images of different sizes and types, as few stacks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

MOST = 2000  # images in a stack, so that memory stays bounded


def stacks_by_shape(
    images: Sequence[np.ndarray], keys: Sequence[Hashable]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Stack images of the same shape, type and key (their pixel size): (positions, (n, h, w))."""
    groups: dict[tuple, list[int]] = {}
    for position, (image, key) in enumerate(zip(images, keys, strict=True)):
        groups.setdefault((image.shape, str(image.dtype), key), []).append(position)
    for positions in groups.values():
        for start in range(0, len(positions), MOST):
            chosen = positions[start : start + MOST]
            yield chosen, np.stack([images[k] for k in chosen])
