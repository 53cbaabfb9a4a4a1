from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import PathPatch

from occamscope.figures.stream_responses import pick_panels
from occamscope.figures.streams import draw_streams, line_widths, path_label, sum_streams

LATENTS = ("z29", "z17", "z21", "z3")


def network(inputs, first, second, keep, seed=0):
    """Nodes, edges and paths of a random network with those layers."""
    rng = np.random.default_rng(seed)
    layers = [LATENTS[:inputs], [f"h1.{i}" for i in range(first)],
              [f"h2.{i}" for i in range(second)], ["output"]]  # fmt: skip
    weight = {
        pair: rng.normal() for a, b in pairwise(layers) for pair in product(a, b)
        if rng.random() < keep or b == ["output"]
    }  # fmt: skip
    chains = [c for c in product(*layers) if all(p in weight for p in pairwise(c))]
    size = [abs(np.prod([weight[p] for p in pairwise(c)])) for c in chains]
    paths = pd.DataFrame(
        {
            "path": [" > ".join(c) for c in chains],
            "stream": [c[1] for c in chains],
            "share": np.array(size) / sum(size),
            "cut_balanced_accuracy": -np.array(size) / 50,
        }
    )
    used = {p for c in chains for p in pairwise(c)}
    edges = pd.DataFrame([(a, b, weight[a, b]) for a, b in sorted(used)],
                         columns=["source", "target", "weight"])  # fmt: skip
    names = sorted({node for pair in used for node in pair})
    depth = {node: k for k, layer in enumerate(layers) for node in layer}
    nodes = pd.DataFrame({"node": names, "layer": [depth[n] for n in names]})
    return nodes, edges.assign(flow=edges["weight"].abs()), paths


def test_streams_are_sound_and_hold_the_input(fake, sound):
    nodes, edges, paths = network(3, 5, 4, 0.6)
    data = sound(lambda: draw_streams(nodes, edges, paths, fake.names)).data
    parts = dict(list(data.groupby("element")))
    assert sorted(parts["path"]["share"]) == sorted(paths["share"])
    assert parts["edge"]["weight"].tolist() == edges["weight"].tolist()
    assert parts["stream"]["share"].sum() == pytest.approx(1)


@pytest.mark.parametrize(("size", "keep"), [((1, 1, 1), 1.0), ((1, 3, 2), 1.0), ((4, 9, 7), 0.4)])
def test_small_and_large_networks_are_drawn(fake, neat, size, keep):
    neat(lambda: draw_streams(*network(*size, keep), fake.names))


def test_paths_without_streams_or_cuts_are_drawn(neat):
    nodes, edges, paths = network(2, 3, 2, 0.9)
    bare = paths[["path", "share"]]
    result = neat(lambda: draw_streams(nodes, edges.drop(columns="flow"), bare))
    assert "stream" not in set(result.data["element"])


def test_every_connection_is_a_curve_coloured_by_its_sign():
    nodes, edges, paths = network(3, 5, 4, 0.6)
    figure = draw_streams(nodes, edges, paths).figure
    curves = [p for p in figure.axes[0].patches if isinstance(p, PathPatch)]
    assert len(curves) == len(edges)
    assert len({p.get_edgecolor() for p in curves}) == 2


def test_the_widest_connection_of_each_layer_is_equally_wide():
    edges = pd.DataFrame({"source": ["a", "b", "h"], "target": ["h", "h", "o"],
                          "weight": [-2.0, 1.0, 9.0]})  # fmt: skip
    widths = line_widths(edges, {"a": 0, "b": 0, "h": 1, "o": 2})
    assert widths == pytest.approx([3.5, 2.0, 3.5])


def test_the_bars_are_the_largest_shares():
    nodes, edges, paths = network(4, 9, 7, 0.4)
    figure = draw_streams(nodes, edges, paths).figure
    widths = [bar.get_width() for bar in figure.axes[-1].patches]
    largest = paths["share"].sort_values(ascending=False)
    assert widths[:12] == pytest.approx(100 * largest.iloc[:12])
    assert widths[12] == pytest.approx(100 * largest.iloc[12:].sum())


def bundled(groups):
    """A network with groups for hidden units, a bundle of 40 paths from each latent to each."""
    hubs = [f"group.{k}" for k in range(1, groups + 1)]
    paths = pd.DataFrame(
        [(f"{z} > {hub} > output", f"group {hub[-1]}", 40) for z in LATENTS for hub in hubs],
        columns=["path", "stream", "paths"],
    ).assign(share=lambda t: np.arange(len(t), 0, -1) / np.arange(len(t) + 1).sum())
    links = [*product(LATENTS, hubs), *product(hubs, ["output"])]
    edges = pd.DataFrame(links, columns=["source", "target"]).assign(weight=1.0, flow=0.5)
    layer = {**dict.fromkeys(LATENTS, 0), **dict.fromkeys(hubs, 1), "output": 2}
    return pd.DataFrame({"node": list(layer), "layer": list(layer.values())}), edges, paths


@pytest.mark.parametrize(
    ("groups", "title"),
    [
        (3, "480 paths in 3 streams from 4 latents; group 1 makes 38 % of the decision"),
        (1, "160 paths from 4 latents to the output; 2 bundles make half of the decision"),
    ],
)
def test_groups_of_units_are_drawn_as_such(fake, neat, groups, title):
    figure = neat(lambda: draw_streams(*bundled(groups), fake.names)).figure
    written = [t.get_text() for t in figure.texts]
    assert any(title in text for text in written) and "groups of units" in written
    assert figure.axes[-1].get_title("left") == "bundles of paths"


def test_streams_sum_their_paths():
    paths = pd.DataFrame({"stream": ["a", "b", "a"], "share": [0.2, 0.5, 0.3]})
    assert sum_streams(paths)["share"].tolist() == [0.5, 0.5]
    assert sum_streams(paths.assign(stream="a")).empty


def test_a_path_is_written_with_its_latent_and_units():
    assert path_label("z29 > h1.3 > h2.0 > output") == "z29 → 3 → 0"


def responses(listens):
    """Straight curves: the k-th stream and latent rises by k + 1 over -3 to 3."""
    panels = [(stream, latent) for stream, latents in listens.items() for latent in latents]
    values = np.linspace(-3, 3, 7)
    return pd.concat(
        [
            pd.DataFrame({"stream": stream, "class": name, "latent": latent, "value": values})
            .assign(with_bias=(k + 1) * values / 6 + shift)
            for k, (stream, latent) in enumerate(panels)
            for name, shift in (("negative", 0.0), ("positive", 0.1))
        ],
        ignore_index=True,
    )  # fmt: skip


def test_responses_stand_below_the_network(fake, sound):
    nodes, edges, paths = network(3, 5, 4, 0.6)
    first, second = paths["stream"].unique()[:2]
    table = responses({first: LATENTS[:2], second: LATENTS[:1]})
    shown = sound(lambda: draw_streams(nodes, edges, paths, fake.names, table, ("round", "long")))
    drawn = shown.data[shown.data["element"] == "response"]
    assert drawn["with_bias"].tolist() == table["with_bias"].tolist()
    axes = shown.figure.axes[3:]
    assert len(axes) == 3
    for panel in axes:
        latent = panel.get_xlabel().split(":")[0]
        stream = panel.get_title("left").removeprefix("stream ")
        own = table[(table["stream"] == stream) & (table["latent"] == latent)]
        curves = {line.get_linestyle(): line.get_ydata() for line in panel.lines[1:]}
        assert curves["-"].tolist() == own.loc[own["class"] == "positive", "with_bias"].tolist()
        assert curves["--"].tolist() == own.loc[own["class"] == "negative", "with_bias"].tolist()
    words = [t.get_text() for legend in shown.figure.legends for t in legend.get_texts()]
    assert {"round", "long"} <= set(words)
    assert len({panel.get_ylim() for panel in axes}) == 1


def test_the_steepest_responses_are_drawn_in_the_order_of_the_streams(neat):
    groups = [f"group {k}" for k in (1, 2, 3)]
    table = responses(dict.fromkeys(groups, LATENTS))
    panels = pick_panels(table, groups[::-1], most=6)
    kept = {("group 3", z) for z in LATENTS} | {("group 2", z) for z in ("z21", "z3")}
    assert set(panels) == kept and [p[0] for p in panels] == ["group 3"] * 4 + ["group 2"] * 2
    assert panels[0] == ("group 3", "z3")  # the steepest
    shown = neat(lambda: draw_streams(*bundled(3), responses=table))
    assert len(shown.figure.axes) == 3 + 10
    assert any("flattest 2 are left out" in text.get_text() for text in shown.figure.texts)


def test_long_names_of_streams_are_cut(neat):
    streams = ["+".join(f"z{k}" for k in range(first, 32)) for first in (8, 9, 10, 11)]
    table = responses(dict.fromkeys(streams, LATENTS[:2]))
    shown = neat(lambda: draw_streams(*bundled(1), responses=table))
    assert "stream z11+z12+z13+z1…" in {axes.get_title("left") for axes in shown.figure.axes}


def test_a_network_whose_streams_hear_no_used_latent_has_no_curves(neat):
    empty = responses({"z29": ["z29"]}).head(0).astype(str)  # as read from a file
    shown = neat(lambda: draw_streams(*network(2, 3, 2, 0.9), responses=empty))
    assert "response" not in set(shown.data["element"])
