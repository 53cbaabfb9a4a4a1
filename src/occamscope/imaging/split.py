"""Split crops into parts without dividing a group; folds with disjoint test parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from occamscope.errors import InputError
from occamscope.imaging.allocate import allocate

PARTS = ("train", "validation", "calibration", "judge", "test")
# Where cells are too few for all parts, these are given up first and join validation.
_GIVEN_UP = ((), ("calibration",), ("calibration", "judge"))
# Train keeps at least this fraction of its share of every class, else parts are given up.
_TRAIN_KEEPS = 0.5
# Blocks of time: this many for each fold, so that the shares can be met.
_BLOCKS_PER_FOLD = 4


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the parts; they are divided by their sum."""

    train: float = 0.5  # trains representation and models
    validation: float = 0.12  # early stop, pruning, selection, choice of the law
    calibration: float = 0.08  # probabilities and the gate
    judge: float = 0.1  # the independent judge of decoded images
    test: float = 0.2  # read once, at the end; with two or more folds 1 / folds instead
    folds: int = 5  # disjoint test parts that together hold every crop; 1 = a single split
    min_per_class: int = 2  # fewer cells of a class in a part are reported


@dataclass(frozen=True)
class Split:
    """The part of every crop."""

    part: np.ndarray  # (n,) str, one of PARTS
    unit: str  # what was kept whole: "group", "source_block" or "crop"
    warnings: tuple[str, ...]  # sentences that belong to every figure made with this split


@dataclass(frozen=True)
class _Units:
    """Crops bundled into what must not be divided."""

    kind: str
    of_crop: np.ndarray  # (n,) int, unit of every crop
    counts: np.ndarray  # (units, classes + 1): labelled crops by class, unlabelled ones last
    warnings: tuple[str, ...]


def split_groups(
    labels: np.ndarray,
    groups: np.ndarray,
    sources: np.ndarray,
    frames: np.ndarray,
    settings: SplitSettings,
    fold: int = 0,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
) -> Split:
    """Split crops by whole groups, with both classes in every part.

    Groups are dealt out so that the class counts come near the shares. Where too few groups hold
    a class, blocks of source and time are kept whole instead, then single crops; where cells are
    too few for all parts, calibration and judge join validation. Each of these is a warning.
    The unit is the same for all folds, and their test parts are disjoint and hold every crop.

    Parameters
    ----------
    labels : (n,) int, 0, 1, ... or -1 for unlabelled crops, which follow their group.
    groups : (n,) str, plate, movie or field; "" where unknown (the source takes its place).
    sources : (n,) str, file of the crop.
    frames : (n,) number of the frame in the source; negative or NaN where unknown.
    settings : see :class:`SplitSettings`.
    fold : which of the test parts, 0 .. folds - 1.
    seed : order of equal groups; the same seed gives the same split.
    class_names : for messages.

    Raises
    ------
    InputError
        One class only, or too few cells of a class (the message says how many are needed), a fold
        that does not exist, or shares that are no shares.
    """
    labels = np.asarray(labels)
    _check(labels, settings, fold, class_names)
    reasons: list[str] = []
    for units in _candidates(labels, groups, sources, frames, settings):
        dealt = _deal(units, settings, fold, seed)
        if dealt is None:
            reasons.append(f"too few {_PLURAL[units.kind]} hold all classes")
            continue
        part_of_unit, given_up = dealt
        part = part_of_unit[units.of_crop]
        warnings = [
            *units.warnings,
            *_fallback_warning(units.kind, reasons),
            *_share_warnings(units.kind, settings, given_up),
            *_count_warnings(part, labels, settings, class_names),
        ]
        return Split(part, units.kind, tuple(warnings))
    raise InputError("too few cells for these shares; make the shares of train and test larger")


_PLURAL = {"group": "groups", "source_block": "blocks of source and time", "crop": "crops"}


def _check(
    labels: np.ndarray, settings: SplitSettings, fold: int, class_names: Sequence[str] | None
) -> None:
    if not 0 <= fold < settings.folds:
        raise InputError(f"fold {fold} does not exist; the split has folds 0 .. folds - 1")
    shares = [getattr(settings, part) for part in PARTS]
    if min(shares) < 0 or min(settings.train, settings.validation, settings.test) == 0:
        raise InputError("the shares of train, validation and test must be above 0, none below")
    classes, cells = np.unique(labels[labels >= 0], return_counts=True)
    if len(classes) < 2:
        found = "no labelled cell" if len(classes) == 0 else "cells of one class only"
        raise InputError(f"there are {found}; a classifier needs two classes")
    needed = _cells_needed(settings.folds)
    for label, count in zip(classes, cells, strict=True):
        if count < needed:
            raise InputError(
                f"class {_name(label, class_names)} has {count} cells; a split with "
                f"{settings.folds} folds needs at least {needed} of each class: add cells"
                + (" or lower split.folds" if settings.folds > 2 else "")
            )


def _cells_needed(folds: int) -> int:
    """Fewest cells of a class for one in each test part, and two beside the largest of them."""
    if folds == 1:
        return 3
    count = max(folds, 3)
    while count - int(np.ceil(count / folds)) < 2:
        count += 1
    return count


def _candidates(
    labels: np.ndarray,
    groups: np.ndarray,
    sources: np.ndarray,
    frames: np.ndarray,
    settings: SplitSettings,
) -> Iterator[_Units]:
    """What could be kept whole, from the best to the worst."""
    groups, sources = np.asarray(groups).astype(str), np.asarray(sources).astype(str)
    missing = groups == ""
    if not missing.all():
        warnings = []
        if missing.any():
            warnings.append(f"{missing.sum()} crops have no group; their file takes its place")
        keys = np.where(missing, np.char.add("source ", sources), np.char.add("group ", groups))
        yield _bundle("group", keys, labels, warnings)
    blocks = _source_blocks(sources, frames, settings.folds * _BLOCKS_PER_FOLD)
    if len(np.unique(blocks)) < len(labels):
        yield _bundle("source_block", blocks, labels, [])
    yield _bundle("crop", np.arange(len(labels)), labels, [])


def _bundle(kind: str, keys: np.ndarray, labels: np.ndarray, warnings: list[str]) -> _Units:
    _, of_crop = np.unique(keys, return_inverse=True)
    classes = np.unique(labels[labels >= 0])
    counts = np.zeros((of_crop.max() + 1, len(classes) + 1))
    column = np.where(labels >= 0, np.searchsorted(classes, labels), len(classes))
    np.add.at(counts, (of_crop, column), 1)
    return _Units(kind, of_crop, counts, tuple(warnings))


def _source_blocks(sources: np.ndarray, frames: np.ndarray, wanted: int) -> np.ndarray:
    """Block of every crop: its source, and a stretch of its frames where sources are few."""
    frames = np.nan_to_num(np.asarray(frames, dtype=float), nan=-1.0)
    names, of_crop = np.unique(sources, return_inverse=True)
    stretches = int(np.ceil(wanted / len(names)))
    blocks = np.zeros(len(sources), dtype=int)
    for source in range(len(names)):
        here = of_crop == source
        times, position = np.unique(frames[here], return_inverse=True)
        blocks[here] = position * min(stretches, len(times)) // len(times)
    return of_crop * stretches + blocks


def _deal(
    units: _Units, settings: SplitSettings, fold: int, seed: int
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Part of every unit in one fold and the parts given up; None if units do not suffice.

    All folds must succeed, else folds would keep different units whole and share test crops.
    Single crops always suffice, which spares the work for the other folds.
    """
    fold_of = _deal_folds(units, settings, seed)
    if fold_of is None:
        return None
    if units.kind != "crop":
        for other in range(settings.folds):
            if other != fold and _deal_parts(units, fold_of == other, settings, seed) is None:
                return None
    return _deal_parts(units, fold_of == fold, settings, seed)


def _deal_folds(units: _Units, settings: SplitSettings, seed: int) -> np.ndarray | None:
    """Fold of every unit (for one fold: 0 = test, -1 = the rest); None if a test part lacks a class."""
    folds = settings.folds
    total = sum(getattr(settings, part) for part in PARTS)
    test = settings.test / total
    shares = np.full(folds, 1 / folds) if folds > 1 else np.array([test, 1 - test])
    dealt, complete = allocate(units.counts, shares, 1, seed)
    if not complete:
        return None
    return dealt if folds > 1 else -dealt


def _deal_parts(
    units: _Units, test: np.ndarray, settings: SplitSettings, seed: int
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Part of every unit and the parts that were given up; None if even that does not help."""
    rest = ~test
    for given_up in _GIVEN_UP:
        shares = {p: getattr(settings, p) for p in PARTS[:-1] if p not in given_up}
        shares["validation"] += sum(getattr(settings, p) for p in given_up)
        names = np.array([p for p, share in shares.items() if share > 0])
        wanted = np.array([shares[p] for p in names])
        dealt, complete = allocate(units.counts[rest], wanted / wanted.sum(), 1, seed)
        trained = units.counts[rest][dealt == 0].sum(0) / units.counts[rest].sum(0).clip(1)
        if complete and trained[:-1].min() >= _TRAIN_KEEPS * wanted[0] / wanted.sum():
            part = np.full(len(test), "test", dtype="<U11")
            part[rest] = names[dealt]
            return part, given_up
    return None


def _fallback_warning(kind: str, reasons: list[str]) -> list[str]:
    why = "; ".join(reasons) or "the crops have no group"
    if kind == "source_block":
        return [
            f"split by blocks of source and time ({why}): neighbouring frames can show the same "
            "cell in training and test, so test figures may be too good"
        ]
    if kind == "crop":
        return [
            f"SPLIT BY SINGLE CROPS ({why}): crops of one image, even of one cell, lie in "
            "training and test, so test figures are too good; add a group column"
        ]
    return []


def _share_warnings(kind: str, settings: SplitSettings, given_up: tuple[str, ...]) -> list[str]:
    warnings = []
    if given_up:
        warnings.append(
            f"too few {_PLURAL[kind]} for all parts: {' and '.join(given_up)} joined validation"
        )
    total = sum(getattr(settings, part) for part in PARTS)
    if settings.folds > 1 and abs(settings.test / total - 1 / settings.folds) > 0.02:
        warnings.append(
            f"with {settings.folds} folds the test part is 1/{settings.folds} of the cells, "
            f"not {settings.test:g}"
        )
    return warnings


def _count_warnings(
    part: np.ndarray,
    labels: np.ndarray,
    settings: SplitSettings,
    class_names: Sequence[str] | None,
) -> list[str]:
    few = []
    for name in PARTS:
        here = labels[part == name]
        for label in np.unique(labels[labels >= 0]) if here.size else ():
            count = int((here == label).sum())
            if count < settings.min_per_class:
                few.append(f"{count} of class {_name(label, class_names)} in {name}")
    return [f"very few cells: {', '.join(few)}"] if few else []


def _name(label: int, class_names: Sequence[str] | None) -> str:
    return str(class_names[label]) if class_names is not None else str(label)
