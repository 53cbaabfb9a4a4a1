"""`latents.h5`: codes of all crops.

::

    latents.h5
    ├─ mean          (n, 32) float32   posterior means
    ├─ log_variance  (n, 32) float32   posterior log variances
    ├─ kl            (32,) float32     mean KL divergence of each unit, nats
    ├─ active        (32,) bool        unit not collapsed (variance of the mean over the training part)
    ├─ crop_id       (n,) str
    └─ attributes: crops_sha256 (the crops.h5 that was encoded)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from occamscope.errors import InputError
from occamscope.store.atomic import atomic_path
from occamscope.store.provenance import file_digest, verify


@dataclass(frozen=True)
class Latents:
    """Codes of n crops on L units; see the module docstring."""

    mean: np.ndarray
    log_variance: np.ndarray
    kl: np.ndarray
    active: np.ndarray
    crop_id: np.ndarray

    @property
    def codes(self) -> np.ndarray:
        """Means with collapsed units at 0 (n, L) float32: what classifiers and laws see.

        A collapsed unit has a tiny variance that still leaks the class; networks and laws would
        read it with huge weights.
        """
        return np.where(self.active, self.mean, np.float32(0))


def write_latents(path: str | Path, latents: Latents, crops_path: str | Path) -> None:
    """Write codes, tied to the crops file that they came from."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        for name in ("mean", "log_variance", "kl", "active"):
            file.create_dataset(name, data=getattr(latents, name), fletcher32=name != "active")
        file.create_dataset("crop_id", data=list(latents.crop_id), dtype=h5py.string_dtype("utf-8"))
        file.attrs["crops_sha256"] = file_digest(crops_path)


def read_latents(path: str | Path, crop_ids: np.ndarray | None = None) -> Latents:
    """Read codes, in the order of `crop_ids` where given.

    Raises
    ------
    DamagedFileError
        If the file is not what was written.
    InputError
        If a requested crop has no code: the latents belong to other crops.
    """
    with h5py.File(verify(path), "r", locking=False) as file:
        found = Latents(
            file["mean"][:],
            file["log_variance"][:],
            file["kl"][:],
            file["active"][:],
            file["crop_id"].asstr()[:].astype(object),
        )
    if crop_ids is None:
        return found
    rows = {crop: row for row, crop in enumerate(found.crop_id)}
    missing = [crop for crop in crop_ids if crop not in rows]
    if missing:
        raise InputError(
            f"{path} has no code for crop {missing[0]} ({len(missing)} missing): it was made from "
            "other crops. Remedy: snakemake --forcerun encode"
        )
    order = np.array([rows[crop] for crop in crop_ids], dtype=int)
    return Latents(
        found.mean[order], found.log_variance[order], found.kl, found.active, found.crop_id[order]
    )
