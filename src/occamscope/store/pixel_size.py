"""Pixel size in micrometres from what a microscope or ImageJ wrote into an image file."""

import math
import re
from dataclasses import dataclass
from xml.etree import ElementTree

from occamscope.errors import InputError

PLAUSIBLE_UM = (0.01, 10.0)
"""Pixel sizes of a light microscope, um. Print resolutions (72 dpi = 353 um) fall outside."""

LARGEST_INEQUALITY = 0.01
"""Largest relative difference between the pixel's width and height."""

_UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("micrometers", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers", "nanometres"), 1e-3),
    **{"å": 1e-4, "pm": 1e-6, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6},
    **{"inch": 25_400.0, "in": 25_400.0},
}


@dataclass(frozen=True)
class PixelSize:
    """Pixel size of one file.

    Attributes
    ----------
    um : float or None
        Micrometres per pixel; None if unknown.
    source : str or None
        'ome', 'imagej', 'resolution' or 'config'.
    note : str
        Remark for the inputs log.
    problem : str
        Why the metadata cannot be used; empty if they can.
    """

    um: float | None = None
    source: str | None = None
    note: str = ""
    problem: str = ""


UNKNOWN = PixelSize()


def size_from_ome(xml: str, name: str) -> PixelSize:
    """PhysicalSizeX and PhysicalSizeY of the first `Pixels` element of an OME-XML text."""
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise InputError(
            f"{name}: the OME-XML declares a document type, which OME files never do. "
            "Export the image again from the microscope's software or Fiji."
        )
    try:
        elements = ElementTree.fromstring(xml.encode()).iter()
        pixels = next(e for e in elements if e.tag.rpartition("}")[2] == "Pixels")
    except (ElementTree.ParseError, StopIteration):
        return UNKNOWN
    sizes = []
    for axis in "XY":
        value = _number(pixels.get(f"PhysicalSize{axis}"))
        unit = _unit_um(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        sizes.append(value * unit if value and unit else None)
    return _checked(sizes[0], sizes[1], "ome")


def size_from_imagej(unit: object, per_unit: tuple[float, float] | None) -> PixelSize:
    """From ImageJ's unit and the resolution tags (pixels per unit along x and y)."""
    um = _unit_um(unit) if isinstance(unit, str) else None
    if um is None or per_unit is None:
        return UNKNOWN
    return _checked(_inverse(per_unit[0], um), _inverse(per_unit[1], um), "imagej")


def size_from_resolution(um_per_unit: float, per_unit: tuple[float, float]) -> PixelSize:
    """From plain resolution tags, `per_unit` pixels per unit of `um_per_unit` micrometres."""
    x, y = (_inverse(value, um_per_unit) for value in per_unit)
    return _checked(x, y, "resolution")


def merge_with_config(tag: PixelSize, um: float | None, name: str) -> PixelSize:
    """The file's pixel size checked against the one that the user states (um; None: not stated).

    A stated size that differs from OME or ImageJ metadata by more than 1 % is refused, because one
    of the two is wrong; resolution tags alone are too weak a source and give way.
    """
    if tag.problem:
        raise InputError(
            f"{name}: {tag.problem}. Resample the image to square pixels, or correct its metadata "
            "(Fiji: Image > Properties)."
        )
    if um is None:
        return tag
    low, high = PLAUSIBLE_UM
    if not low <= um <= high:
        raise InputError(
            f"{name}: a pixel size of {um} um was stated, outside {low} to {high} um. "
            "State it in micrometres per pixel."
        )
    if tag.um is None:
        return PixelSize(um, "config", tag.note)
    if abs(tag.um - um) <= LARGEST_INEQUALITY * um:
        return tag
    if tag.source == "resolution":
        return PixelSize(um, "config", f"resolution tag of {tag.um:.6g} um overridden by config")
    raise InputError(
        f"{name}: the config or manifest states {um:.6g} um per pixel, the file's metadata "
        f"({tag.source}) {tag.um:.6g}. Remove the stated size if the file is right; if it is "
        "wrong, let its metadata be ignored, or correct them in Fiji (Image > Properties)."
    )


def _unit_um(unit: str) -> float | None:
    unit = re.sub(r"\\u00b5", "µ", unit.strip(), flags=re.IGNORECASE)
    return 1e6 if unit == "m" else _UM_PER_UNIT.get(unit.casefold(), _UM_PER_UNIT.get(unit))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _inverse(per_unit: float, um_per_unit: float) -> float | None:
    return um_per_unit / per_unit if math.isfinite(per_unit) and per_unit > 0 else None


def _checked(x: float | None, y: float | None, source: str) -> PixelSize:
    """Drop what cannot be a microscope's pixel; note pixels that are not square."""
    if x is None or y is None:
        return UNKNOWN
    low, high = PLAUSIBLE_UM
    if not (low <= x <= high and low <= y <= high):
        return PixelSize(note=f"pixel size of {x:.4g} x {y:.4g} um ({source}) ignored: implausible")
    if abs(x - y) > LARGEST_INEQUALITY * min(x, y):
        return PixelSize(problem=f"pixels are {x:.6g} um wide and {y:.6g} um high ({source})")
    return PixelSize(x, source)
