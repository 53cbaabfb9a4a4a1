"""The look that all figures share: sizes for print, colours, words, accuracy axes."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

STYLE_FILE = Path(__file__).with_name("occamscope.mplstyle")
SINGLE_MM, DOUBLE_MM = 85.0, 180.0  # widths of one and of two columns of a journal
MM_PER_INCH = 25.4

# Okabe & Ito (2008), "Color universal design": told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#707070"
SIGNED_MAP = "RdBu_r"  # red: positive; blue: negative
SHARE_MAP = "Blues"
TITLE: dict[str, Any] = {"fontsize": 8, "fontweight": "bold"}

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class FigureResult:
    """A figure and the tidy table of what it draws."""

    figure: Figure
    data: pd.DataFrame


@dataclass(frozen=True)
class Look:
    """How a kind of thing is drawn: word, colour, marker and line, so that no one is alone."""

    label: str
    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]] = "-"


MODELS = {
    "black_box": Look("black box", BLACK, "s", (0, (1, 1))),
    "forest": Look("forest", GREEN, "^", (0, (3, 1, 1, 1))),
    "dense": Look("dense", BLUE, "o", (0, (4, 1.5))),
    "sparse": Look("sparse", ORANGE, "D", (0, (6, 1, 1, 1, 1, 1))),
    "law": Look("law", VERMILLION, "P", "-"),
}
LOSSES = {
    "hinge": Look("hinge", VERMILLION, "o", "-"),
    "mse": Look("MSE", BLUE, "s", (0, (4, 1.5))),
    "squared_hinge": Look("squared hinge", ORANGE, "D", (0, (6, 1, 1, 1))),
    "logistic": Look("logistic", GREEN, "^", (0, (1, 1))),
    "ramp": Look("ramp", BLACK, "P", (0, (3, 1, 1, 1))),
}
# Class 0 is negative (blue in the signed map), class 1 positive (red).
CLASSES = (Look("negative", BLUE, "o"), Look("positive", VERMILLION, "^"))


def look_of(kind: str, looks: Mapping[str, Look] = MODELS) -> Look:
    """Return how a kind of model (or another key of `looks`) is drawn; grey if unknown."""
    return looks.get(kind, Look(kind.replace("_", " "), GREY, "v", "-"))


def model_colour(kind: str) -> str:
    """Return the colour of a kind of model: black_box, forest, dense, sparse, law."""
    return look_of(kind).colour


def in_order(kinds: ArrayLike, looks: Mapping[str, Look] = MODELS) -> list[str]:
    """Return the kinds that occur in the order of `looks`, unknown ones last."""
    present = {str(kind) for kind in np.asarray(kinds, dtype=object).ravel()}
    return [k for k in looks if k in present] + sorted(present - set(looks))


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function under `occamscope.mplstyle`, whatever the user's own settings."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(fname=STYLE_FILE):
            return draw(*args, **kwargs)

    return in_style


def open_sheet(width_mm: float, body_mm: float, title: str) -> tuple[Figure, float]:
    """Open a figure for axes placed in mm: a title on top, below it room for the body.

    Returns
    -------
    The figure and where its body begins, in mm from the top.
    """
    text, title_mm = wrap_title(title, width_mm)
    top = title_mm + 2.5 * bool(title)
    figure = Figure(figsize=(width_mm / MM_PER_INCH, (top + body_mm) / MM_PER_INCH))
    y = 1 - 1.5 / (top + body_mm)
    if title:
        figure.suptitle(text, x=2 / width_mm, y=y, ha="left", va="top", **TITLE)
    return figure, top


def open_chart(width_mm: float, height_mm: float, title: str) -> Figure:
    """Open a figure whose axes arrange themselves around their labels, with a title on top."""
    size = (width_mm / MM_PER_INCH, height_mm / MM_PER_INCH)
    figure = Figure(figsize=size, layout="constrained")
    # Without a y the layout makes room for the title.
    figure.suptitle(wrap_title(title, width_mm)[0], x=2 / width_mm, ha="left", **TITLE)
    return figure


def settle(figure: Figure) -> None:
    """Arrange the axes of a chart for good.

    The layout approaches its end at each drawing, so that a figure saved twice would differ.
    """
    for _ in range(2):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def wrap_title(title: str, width_mm: float) -> tuple[str, float]:
    """Break a title into lines that fit the width; return it with its height in mm."""
    size_mm = TITLE["fontsize"] * MM_PER_INCH / 72
    # The mean width of a bold letter of DejaVu Sans is 0.66 of its size.
    lines = textwrap.wrap(title, int((width_mm - 4) / (0.66 * size_mm)), break_long_words=False)
    return "\n".join(lines), 1.5 + len(lines) * 1.2 * size_mm


def size_mm(figure: Figure) -> tuple[float, float]:
    """Return width and height in mm."""
    return figure.get_figwidth() * MM_PER_INCH, figure.get_figheight() * MM_PER_INCH


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes whose box is given in mm from the top left corner of the figure."""
    w, h = size_mm(figure)
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def text_at(figure: Figure, left: float, top: float, text: str, **how: object) -> None:
    """Write text at mm from the top left corner of the figure; its top lies there."""
    w, h = size_mm(figure)
    options: dict[str, object] = {"va": "top", "ha": "left"} | how
    figure.text(left / w, 1 - top / h, text, **options)  # type: ignore[arg-type]


def show_image(
    axes: Axes, image: NDArray, vmin: float = 0.0, vmax: float = 1.0, cmap: str = "gray"
) -> None:
    """Fill axes with an image, without ticks or frame."""
    axes.imshow(image, vmin=vmin, vmax=vmax, cmap=cmap)
    hide_axes(axes)


def hide_axes(axes: Axes) -> None:
    """Remove ticks and frame but keep labels."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def stretch_accuracy(axes: Axes, lowest: float) -> None:
    """Give the y axis an accuracy scale that is stretched towards 1, from `lowest` to 1.

    Drawn is -log(1.005 - accuracy): equal steps are nearly equal ratios of the error.
    """
    axes.set_yscale("function", functions=(_stretch, _unstretch))
    bottom, top = _stretch([max(0.0, min(0.99, lowest)), 1.0])
    margin = 0.05 * (top - bottom)
    axes.set_ylim(*_unstretch([bottom - margin, top + margin / 4]))
    axes.yaxis.set_major_locator(FixedLocator(_accuracy_ticks(bottom - margin, top)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())


def _accuracy_ticks(bottom: float, top: float) -> list[float]:
    """Choose round accuracies that lie well apart on the stretched scale, from 1 downwards."""
    ticks = [1.0]
    for tick in (0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0):
        place, last = float(_stretch(tick)), float(_stretch(ticks[-1]))
        if place >= bottom and last - place > 0.07 * (top - bottom):
            ticks.append(tick)
    return ticks


def _stretch(accuracy: ArrayLike) -> NDArray[np.float64]:
    return -np.log(np.maximum(1.005 - np.asarray(accuracy, float), 1e-6))


def _unstretch(value: ArrayLike) -> NDArray[np.float64]:
    return 1.005 - np.exp(-np.asarray(value, float))


def signed(value: float) -> str:
    """Write a number with its sign, a true minus and a bare 0."""
    return f"{value:+g}".replace("-", "−") if value else "0"


def percent(share: float, digits: int = 0) -> str:
    """Write a share in per cent: 98 %."""
    return f"{100 * share:.{digits}f} %"


def latent_number(latent: str) -> int:
    """Return 17 for "z17"."""
    return int(str(latent).lstrip("z"))


def name_of(names: pd.DataFrame | Mapping[str, str] | None, latent: str) -> str:
    """Return the suggested name of a latent in short form, "" where there is none."""
    if names is None:
        return ""
    if isinstance(names, pd.DataFrame):
        names = dict(zip(names["latent"], names["name"], strict=True))
    name = str(names.get(latent, ""))
    return "" if name in ("nan", "None") else name.replace(" deg", "°")


def latent_label(names: pd.DataFrame | Mapping[str, str] | None, latent: str) -> str:
    """Return "z17 (elongation)" or the bare latent where it has no name."""
    name = name_of(names, latent)
    return f"{latent}: {name}" if name else latent
