"""The images and factors of dSprites, packed to bits, and batches of them.

dSprites (Matthey, Higgins, Hassabis, Lerchner 2017): white shapes on black, 64x64, one image for
each combination of shape, scale, orientation and position.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from occamscope.errors import InputError

SIDE = 64
# Values of each factor; the last varies fastest. The one colour is left out.
LEVELS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
IMAGES = int(np.prod(list(LEVELS.values())))


def pack(path: Path, target: Path) -> None:
    """Write the images of a dSprites file as bits that can be mapped into memory.

    Parameters
    ----------
    path : the official archive (``imgs``, uint8 (737280, 64, 64) of 0 and 1), or one of the same
        images packed by `numpy.packbits` (``bits``, uint8 (737280, 512)).
    target : a new .npy file.

    Raises
    ------
    InputError
        For another archive.
    """
    with np.load(path) as archive:
        if "imgs" in archive:
            images = archive["imgs"]
            bits = np.concatenate(
                [np.packbits(part.reshape(len(part), -1), axis=1) for part in np.split(images, 90)]
            )
        elif "bits" in archive:
            bits = archive["bits"]
        else:
            raise InputError(f"{path} holds neither imgs nor bits; give the dSprites archive")
    if bits.shape != (IMAGES, SIDE * SIDE // 8):
        raise InputError(f"{path} has {len(bits)} images of another kind than the {IMAGES} expected")
    np.save(target, bits)


def factor_table(rows: np.ndarray) -> pd.DataFrame:
    """Return the factors of images by number: one column each, values from 0."""
    return pd.DataFrame(
        dict(zip(LEVELS, np.unravel_index(rows, tuple(LEVELS.values())), strict=True))
    )


def images(bits: np.ndarray, rows: np.ndarray) -> Tensor:
    """Return images (n, 1, 64, 64) as float32 of 0 and 1."""
    pixels = np.unpackbits(bits[rows], axis=1).reshape(-1, 1, SIDE, SIDE)
    return torch.from_numpy(pixels).float()


def resize(x: Tensor, side: int) -> Tensor:
    """Return images at that side, each pixel the mean of those that it covers."""
    return x if side == x.shape[-1] else functional.avg_pool2d(x, x.shape[-1] // side)
