"""Which dimension of an image file is time, channel or z, and bringing it to (T, H, W)."""

import numpy as np

from occamscope.errors import InputError

KNOWN = "TZC"
"""Axes besides Y and X that an image may have: time, z, channel."""


def check_stated_axes(stated: str) -> str:
    """Refuse an axes string that is not letters of TZC followed by YX, each at most once."""
    if not stated.endswith("YX") or len(set(stated)) < len(stated) or set(stated[:-2]) - set(KNOWN):
        raise InputError(
            f"axes '{stated}' are not understood. Write letters of T (time), Z, C (channel) in the "
            "order of the file, ending in YX, such as 'TYX' or 'TCYX'."
        )
    return stated


def resolve_axes(
    letters: str, shape: tuple[int, ...], firm: bool, stated: str | None, name: str
) -> str:
    """Name each dimension of a file, from its metadata and what the user states.

    Parameters
    ----------
    letters : str
        Axes as the file's format gives them; other letters than TZCYX mean "not said".
    shape : tuple of int
        Lengths of the axes.
    firm : bool
        False if the file's Z is only a default: ImageJ calls any plain stack "slices".
    stated : str or None
        Axes that the user states, checked by `check_stated_axes`.
    name : str
        Name of the file in messages.

    Returns
    -------
    str
        One letter of T, Z, C, Y, X for each dimension that is longer than 1 (Y and X always).

    Raises
    ------
    InputError
        Where file and user contradict each other, or a dimension stays without a meaning.
    """
    if letters.count("Y") != 1 or letters.count("X") != 1:
        raise InputError(
            f"{name}: has axes '{letters}', no image plane. Export it as a TIFF image."
        )
    kept = _drop_singletons(letters, shape)
    if stated is not None:
        return _apply_stated(letters, kept, shape, firm, stated, name)
    unknown = [a for a in kept if a not in "TZCYX"]
    if len(unknown) > 1 or (unknown and "T" in kept):
        raise InputError(
            f"{name}: shape {shape} has axes '{letters}', of which the metadata do not name all. "
            "State the axes in the config (such as 'TCYX'), or export it as OME-TIFF."
        )
    return kept.replace(unknown[0], "T") if unknown else kept


def _drop_singletons(letters: str, shape: tuple[int, ...]) -> str:
    return "".join(a for a, n in zip(letters, shape, strict=True) if n > 1 or a in "YX")


def squeeze_singletons(pixels: np.ndarray, letters: str) -> np.ndarray:
    """Pixels without dimensions of length 1, Y and X kept."""
    pairs = enumerate(zip(letters, pixels.shape, strict=True))
    return np.squeeze(pixels, axis=tuple(i for i, (a, n) in pairs if n == 1 and a not in "YX"))


def _apply_stated(
    letters: str, kept: str, shape: tuple[int, ...], firm: bool, stated: str, name: str
) -> str:
    """The file's axes with the user's names where the file has none of its own."""
    if _is_subsequence(kept, stated):
        return kept
    if _agree(letters, stated, firm):
        return _drop_singletons(stated, shape)
    if _agree(kept, stated, firm):
        return stated
    raise InputError(
        f"{name}: the config states axes '{stated}', the file has '{letters}' (shape {shape}). "
        "Correct the stated axes, or the file's (Fiji: Image > Properties), or leave them out."
    )


def _agree(own: str, stated: str, firm: bool) -> bool:
    """The same letters, place by place, where the file's own are more than a default."""
    soft = [a not in "TZCYX" or (a == "Z" and not firm) for a in own]
    return len(own) == len(stated) and all(
        a == b or (free and b in KNOWN) for a, b, free in zip(own, stated, soft, strict=True)
    )


def _is_subsequence(short: str, long: str) -> bool:
    letters = iter(long)
    return all(a in letters for a in short)


def to_pages(pixels: np.ndarray, axes: str, channel: int, firm: bool, name: str) -> np.ndarray:
    """Pages (T, H, W) of one channel; `axes` names the dimensions of `pixels`.

    Raises
    ------
    InputError
        For a z axis, or a channel that is not there.
    """
    if "Z" in axes:
        depth = pixels.shape[axes.index("Z")]
        hint = "" if firm else " If these slices are time points, state axes 'TYX' in the config."
        raise InputError(
            f"{name}: has {depth} z planes; images must be flat. Make a projection first "
            f"(Fiji: Image > Stacks > Z Project).{hint}"
        )
    channels = pixels.shape[axes.index("C")] if "C" in axes else 1
    if not 0 <= channel < channels:
        raise InputError(
            f"{name}: channel {channel} was asked for, the file has {channels} (counted from 0). "
            "Correct the channel in the config."
        )
    if "C" in axes:
        pixels = np.take(pixels, channel, axis=axes.index("C"))
        axes = axes.replace("C", "")
    pixels = np.moveaxis(pixels, (axes.index("Y"), axes.index("X")), (-2, -1))
    return pixels.reshape(-1, *pixels.shape[-2:])
