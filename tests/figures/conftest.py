"""Made-up results that look like real ones, and checks that hold for every figure."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from itertools import combinations
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from occamscope.figures.style import FigureResult

SIZE, SHAPE0, SHAPE45 = 29, 17, 21
NAMES = pd.DataFrame(
    {
        "latent": ["z29", "z17", "z21", "z3"],
        "name": ["size", "elongation (0/90 deg)", "elongation (45/135 deg)", "texture"],
        "confidence": [0.98, 0.95, 0.94, 0.5],
    }
)


def ellipses(codes: np.ndarray) -> np.ndarray:
    """Draw the nuclei of codes (n, 32): z29 shrinks, z17 and z21 stretch; z3 darkens the core."""
    codes = np.atleast_2d(np.asarray(codes, float))
    y, x = np.mgrid[31.5:-32.5:-1, -31.5:32.5:1]
    images = []
    for z in codes:
        radius = 13 * np.exp(-0.25 * z[SIZE])
        e = np.hypot(z[SHAPE0], z[SHAPE45]) * 0.16
        theta = 0.5 * np.arctan2(z[SHAPE45], z[SHAPE0])
        ratio = np.sqrt((1 + min(e, 0.8)) / (1 - min(e, 0.8)))
        u = (x * np.cos(theta) + y * np.sin(theta)) / (radius * ratio)
        v = (y * np.cos(theta) - x * np.sin(theta)) / (radius / ratio)
        r = np.hypot(u, v)
        core = 1 - 0.12 * (1 + z[3]) * np.exp(-3 * r**2)
        images.append(core / (1 + np.exp((r - 1) * radius / 1.2)))
    return np.array(images, np.float32)


def paper_law(codes: np.ndarray) -> np.ndarray:
    """Compute the published law: f = z29 (z17^2 + z21^2) - exp(exp(z3))."""
    z = np.asarray(codes, float)
    round_ = z[:, SHAPE0] ** 2 + z[:, SHAPE45] ** 2
    return z[:, SIZE] * round_ - np.exp(np.exp(np.minimum(z[:, 3], 3)))


def cells(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw codes (n, 32) of interphase (0) and metaphase (1) nuclei."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    codes = np.zeros((n, 32))
    angle = rng.uniform(0, 2 * np.pi, n)
    stretch = np.where(y == 1, rng.normal(1.9, 0.35, n), rng.normal(0.6, 0.3, n))
    codes[:, SIZE] = np.where(y == 1, rng.normal(1.0, 0.4, n), rng.normal(-0.9, 0.4, n))
    codes[:, SHAPE0], codes[:, SHAPE45] = stretch * np.cos(angle), stretch * np.sin(angle)
    codes[:, 3] = rng.normal(-0.5, 0.7, n)
    return codes, y


def names_of(n: int) -> pd.DataFrame:
    """Name n latents, the four above first."""
    more = [f"z{j}" for j in range(32) if f"z{j}" not in set(NAMES["latent"])][: max(n - 4, 0)]
    kinds = ["ring", "brightness", "other", "position"]
    extra = pd.DataFrame(
        {
            "latent": more,
            "name": [kinds[i % 4] for i in range(len(more))],
            "confidence": np.linspace(0.9, 0.3, len(more)),
        }
    )
    return pd.concat([NAMES, extra], ignore_index=True).head(n)


def save(figure: Figure, kind: str) -> bytes:
    """Write a figure as the store does."""
    buffer = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "occamscope", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()


def drawn_words(figure: Figure) -> list[tuple[str, np.ndarray]]:
    """Find the corners (4, 2) of all visible words of a figure, in px."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    reserve = hidden_tick_words(figure)
    words = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in reserve:
            words.append((text.get_text(), corners(text, renderer)))
    return words


def corners(text: Text, renderer: RendererAgg) -> np.ndarray:
    """Corners of a text, turned as it is about its anchor."""
    angle = np.radians(text.get_rotation())
    if text.get_rotation_mode() != "anchor":
        return text.get_window_extent(renderer).corners()[[0, 1, 3, 2]]
    text.set_rotation(0)
    flat = text.get_window_extent(renderer).corners()[[0, 1, 3, 2]]
    text.set_rotation(np.degrees(angle))
    anchor = text.get_transform().transform(text.get_unitless_position())
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (flat - anchor) @ turn + anchor


def depth_of_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """How far two rectangles reach into one another (separating axes), in px."""
    depths = []
    for polygon in (a, b):
        for edge in (polygon[1] - polygon[0], polygon[2] - polygon[1]):
            axis = edge / np.hypot(*edge)
            first, second = a @ axis, b @ axis
            depths.append(min(first.max(), second.max()) - max(first.min(), second.min()))
    return min(depths)


def hidden_tick_words(figure: Figure) -> set[Text]:
    """Collect words of ticks beyond the limits, which matplotlib keeps but does not draw."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in [*axis.majorTicks, *axis.minorTicks]:
                inside = low - slack <= tick.get_loc() <= high + slack
                if not inside or not axes.axison:
                    hidden |= {tick.label1, tick.label2}
    return hidden


def check_words(figure: Figure) -> None:
    """Fail where words overlap one another or leave the figure."""
    words, frame = drawn_words(figure), figure.bbox
    for word, box in words:
        outside = max(*(frame.min - box.min(0)), *(box.max(0) - frame.max))
        assert outside <= 1, f"{word!r} leaves the figure by {outside:.0f} px"
    for (word, a), (other, b) in combinations(words, 2):
        assert depth_of_overlap(a, b) <= 2, f"{word!r} overlaps {other!r}"


def check_alone(draw: Callable[[], FigureResult]) -> FigureResult:
    """Draw; fail at a warning, or where words overlap or leave the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = draw()
        check_words(result.figure)
    return result


def check_twice(draw: Callable[[], FigureResult]) -> FigureResult:
    """As `check_alone`, and fail if a second run writes other bytes or SVG text is no text."""
    result, again = check_alone(draw), draw()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = {kind: save(result.figure, kind) for kind in ("png", "svg")}
        assert all(save(again.figure, kind) == data for kind, data in written.items())
    assert b"<text" in written["svg"]
    assert result.data.to_csv() == again.data.to_csv()
    return result


@pytest.fixture
def neat() -> Callable[[Callable[[], FigureResult]], FigureResult]:
    """Draw and check: no warning, words apart and inside."""
    return check_alone


@pytest.fixture
def sound() -> Callable[[Callable[[], FigureResult]], FigureResult]:
    """Draw and check everything, the saved bytes included."""
    return check_twice


@pytest.fixture
def fake() -> SimpleNamespace:
    """Made-up nuclei, codes, laws and names."""
    return SimpleNamespace(
        ellipses=ellipses, paper_law=paper_law, cells=cells, names_of=names_of, names=NAMES
    )
