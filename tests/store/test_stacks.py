"""Stacks of images of one shape, type and key."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from occamscope.store import stacks
from occamscope.store.stacks import stacks_by_shape

KINDS = st.tuples(
    st.sampled_from([(8, 8), (8, 9)]), st.sampled_from(["u1", "u2"]), st.sampled_from([None, 0.5])
)


@given(st.lists(KINDS, max_size=12))
def test_every_image_is_in_one_stack_of_its_kind(kinds):
    images = [np.full(shape, k, dtype) for k, (shape, dtype, _) in enumerate(kinds)]
    seen = []
    for positions, stack in stacks_by_shape(images, [key for *_, key in kinds]):
        assert len({kinds[k] for k in positions}) == 1
        for position, image in zip(positions, stack, strict=True):
            assert image.dtype == images[position].dtype and (image == position).all()
        seen += positions
    assert sorted(seen) == list(range(len(kinds)))


def test_large_stacks_are_divided(monkeypatch):
    monkeypatch.setattr(stacks, "MOST", 3)
    images = [np.zeros((2, 2)) for _ in range(7)]
    assert [len(positions) for positions, _ in stacks_by_shape(images, [None] * 7)] == [3, 3, 1]
