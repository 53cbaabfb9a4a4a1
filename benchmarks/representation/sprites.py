"""The images and factors of dSprites, packed to bits, and batches of them.

dSprites (Matthey, Higgins, Hassabis, Lerchner 2017): one white shape on black in 64x64 px, one
image for each combination of shape, scale, orientation and position.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from occamscope.errors import InputError
from occamscope.representation.augment import AffinePrior, random_affine

SIDE = 64
# Values of each factor; the last varies fastest. The one colour is left out.
LEVELS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
IMAGES = int(np.prod(list(LEVELS.values())))
# The smallest sprite has 56 px: the default limit of nuclei would not let small ones shrink.
AFFINE = AffinePrior(area_min_px=56.0)


def pack(path: Path, target: Path) -> None:
    """Write the images of a dSprites archive as bits, to be mapped into memory.

    Parameters
    ----------
    path : the official archive (``imgs``, uint8 (737280, 64, 64) of 0 and 1), or one with the
        images packed by `numpy.packbits` (``bits``, uint8 (737280, 512)).
    target : a new .npy file.

    Raises
    ------
    InputError
        For a file that is no such archive.
    """
    try:
        with np.load(path) as archive:
            if "imgs" in archive:
                bits = np.packbits(archive["imgs"].reshape(-1, SIDE * SIDE), axis=1)
            else:
                bits = archive["bits"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read dSprites from {path} ({error})") from error
    if bits.shape != (IMAGES, SIDE * SIDE // 8) or bits.dtype != np.uint8:
        raise InputError(
            f"{path} holds {bits.dtype} bits of shape {bits.shape}; dSprites has {IMAGES} images "
            f"of {SIDE}x{SIDE} px"
        )
    np.save(target, bits)


def factor_table(rows: np.ndarray) -> pd.DataFrame:
    """Return the factors of images by number: a column each, whole values from 0."""
    values = np.unravel_index(rows, tuple(LEVELS.values()))
    return pd.DataFrame(dict(zip(LEVELS, values, strict=True)))


def images(bits: np.ndarray, rows: np.ndarray) -> Tensor:
    """Return images (n, 1, 64, 64) as float32 of 0 and 1."""
    pixels = np.unpackbits(bits[rows], axis=1).reshape(-1, 1, SIDE, SIDE)
    return torch.from_numpy(pixels).float()


def shrunk(x: Tensor, side: int) -> Tensor:
    """Return images (n, 1, 64, 64) at that side, each pixel the mean of those that it covers."""
    return x if side == SIDE else functional.avg_pool2d(x, SIDE // side)


def randomly_mapped(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return images (n, 1, 64, 64) under random affine maps about the image's centre, at that side.

    Positions and orientations move with the map, and a square may become a rhomb: a training on
    such images has other factors than the grid's.
    """
    areas = x.sum(dim=(1, 2, 3))
    if side < SIDE:  # what is sampled at every other pixel must have been smoothed
        x = functional.avg_pool2d(x, SIDE // side, 1)
    return random_affine(x, areas, generator, AFFINE, size=side)
