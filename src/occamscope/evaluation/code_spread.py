"""How unusual codes are among those of real cells: do flips leave what cells look like?"""

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf

from occamscope.errors import InputError


@dataclass(frozen=True)
class CodeSpread:
    """Where the codes of real cells lie, and how far out held-out ones do; see `fit_spread`.

    Attributes
    ----------
    latents : ndarray of int, shape (k,)
        Latents that are looked at.
    means : ndarray, shape (classes, k)
    factors : ndarray, shape (classes, k, k)
        Lower Cholesky factors of the classes' precision matrices.
    held_out : ndarray, shape (m,)
        `distance` of held-out real cells, ascending.
    """

    latents: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    held_out: np.ndarray

    def distance(self, codes: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance of codes (n, d) to the nearest class, in its sd, (n,)."""
        codes = np.asarray(codes, np.float64)[:, self.latents]
        return _distance(codes, self.means, self.factors)

    def farther_out(self, codes: np.ndarray) -> np.ndarray:
        """Return the share of held-out real cells that lie farther out than each code.

        Parameters
        ----------
        codes : ndarray, shape (n, d)

        Returns
        -------
        ndarray, shape (n,)
            0..1: real cells are spread evenly over it, with 0.5 in the middle; 0.02 is as
            unusual as the outermost 2 % of real cells, 0 is beyond all of them.
        """
        rank = np.searchsorted(self.held_out, self.distance(codes), side="right")
        return 1 - rank / len(self.held_out)


def fit_spread(
    codes: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    latents: np.ndarray | list[int] | None = None,
) -> CodeSpread:
    """Fit one Gaussian a class to training codes and rank held-out real cells by distance.

    Covariances are full and shrunk as by Ledoit and Wolf (J. Multivar. Anal. 88:365, 2004). A
    code is as far out as from the class that it is nearest to, in units of that class's spread:
    cells of a rare or a wide class are not unusual for it, and a step from one class towards the
    other leads over the gap between them, where there is one.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Codes of real training cells.
    labels : ndarray, shape (n,)
        Their classes.
    held_out : ndarray, shape (m, d)
        Codes of other real cells, of the mixture of classes that flips are to be compared with;
        none of those that are flipped.
    latents : ndarray of int or of bool (d,), optional
        Latents to look at, the active ones; those that vary over the training codes where not
        given. A change of others is not seen: keep flips out of them (`attacks.confined`).

    Returns
    -------
    CodeSpread

    Raises
    ------
    InputError
        If shapes do not match, a code is not finite, no latent varies, a class has fewer than
        two cells or no spread, or no cell is held out.
    """
    codes, held_out = np.asarray(codes, np.float64), np.asarray(held_out, np.float64)
    labels = np.asarray(labels)
    if codes.ndim != 2 or held_out.shape[1:] != codes.shape[1:] or len(labels) != len(codes):
        raise InputError(
            f"{codes.shape} codes, {labels.shape} labels and {held_out.shape} held-out codes do "
            "not match; give one label a code, and all codes of one representation"
        )
    if len(codes) == 0 or len(held_out) == 0:
        raise InputError("no code, or no held-out code; both are needed to say what is unusual")
    if not (np.isfinite(codes).all() and np.isfinite(held_out).all()):
        raise InputError("some codes of real cells are not finite; encode them again")
    chosen = np.ptp(codes, axis=0) > 0 if latents is None else np.asarray(latents)
    chosen = np.arange(codes.shape[1])[chosen]
    if len(chosen) == 0:
        raise InputError("no latent varies over the training codes; train the representation again")
    fitted = [_gaussian(codes[labels == c][:, chosen], c) for c in np.unique(labels)]
    means, factors = (np.stack(parts) for parts in zip(*fitted, strict=True))
    ranked = np.sort(_distance(held_out[:, chosen], means, factors))
    return CodeSpread(chosen, means, factors, ranked)


def _gaussian(codes: np.ndarray, label: object) -> tuple[np.ndarray, np.ndarray]:
    """Mean and the Cholesky factor of the precision of one class."""
    remedy = "give more cells of it, or leave it out"
    if len(codes) < 2:
        raise InputError(f"class {label} has {len(codes)} training code; {remedy}")
    found = LedoitWolf().fit(codes)
    try:
        factor = np.linalg.cholesky(np.linalg.inv(found.covariance_))
    except np.linalg.LinAlgError:
        raise InputError(f"the training codes of class {label} do not spread; {remedy}") from None
    return found.location_, factor


def _distance(codes: np.ndarray, means: np.ndarray, factors: np.ndarray) -> np.ndarray:
    whitened = np.einsum("cnk,ckj->cnj", codes - means[:, None], factors)
    return np.sqrt((whitened**2).sum(2).min(0))
