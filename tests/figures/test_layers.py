import pandas as pd

from occamscope.figures.layers import count_crossings, heights, order_layers


def frame(pairs):
    return pd.DataFrame(pairs, columns=["source", "target"])


def test_crossings_are_counted_between_the_same_layers():
    order = [["a", "b"], ["c", "d"], ["e"]]
    assert count_crossings(order, [("a", "d"), ("b", "c"), ("c", "e"), ("d", "e")]) == 1
    assert count_crossings(order, [("a", "c"), ("b", "d")]) == 0


def test_a_planar_network_is_drawn_without_crossings():
    layers = {"a": 0, "b": 0, "c": 0, "h2": 1, "h0": 1, "h1": 1, "out": 2}
    pairs = [("a", "h0"), ("b", "h1"), ("c", "h2"), ("b", "h0"), ("c", "h1"), ("h0", "out"),
             ("h1", "out"), ("h2", "out")]  # fmt: skip
    order = order_layers(layers, frame(pairs))
    assert count_crossings(order, pairs) == 0


def test_ordering_keeps_every_unit_and_never_adds_crossings():
    layers = {f"z{i}": 0 for i in range(5)} | {f"h{i}": 1 for i in range(7)} | {"out": 2}
    pairs = [(f"z{i}", f"h{(3 * i * i + k) % 7}") for i in range(5) for k in (0, 2)]
    pairs += [(f"h{i}", "out") for i in range(7)]
    start = [[u for u in layers if layers[u] == k] for k in range(3)]
    order = order_layers(layers, frame(pairs))
    assert [set(units) for units in order] == [set(units) for units in start]
    assert count_crossings(order, pairs) <= count_crossings(start, pairs)


def test_units_stand_at_least_one_apart_and_centred():
    y = heights([["a", "b", "c", "d"], ["h", "i"], ["out"]])
    assert y["out"] == 0 and y["a"] == -y["d"] and y["h"] == -y["i"]
    assert y["a"] - y["b"] >= 1 and y["h"] - y["i"] >= 1
