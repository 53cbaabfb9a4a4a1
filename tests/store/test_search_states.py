"""Checkpoints of law searches: equal after a round trip, and never half of one."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from occamscope.laws.control import SearchState
from occamscope.store.provenance import DamagedFileError
from occamscope.store.search_states import find_search_state, read_search_state, write_search_state

STATE = SearchState(
    "abc123",
    {
        "tokens": np.arange(12, dtype=np.int16).reshape(3, 4),
        "streams": np.array([2**64 - 1, 0], np.uint64),
        "loss": np.array([0.1, np.inf, np.nan]),
        "file": np.zeros(0),  # a name that numpy.savez uses itself
        "now": np.array(7.5),
    },
    {"used": 2**80, "seconds": 0.1, "generator": {"name": "PCG64", "state": [1, 2]}, "best": None},
)


def assert_equal(a, b):
    assert (a.digest, a.numbers) == (b.digest, b.numbers)
    assert a.arrays.keys() == b.arrays.keys()
    for name, value in a.arrays.items():
        assert value.dtype == b.arrays[name].dtype and value.shape == b.arrays[name].shape
        np.testing.assert_array_equal(value, b.arrays[name])


def test_a_state_comes_back_equal(tmp_path):
    write_search_state(tmp_path / "new/folder/a.npz", STATE)
    assert_equal(read_search_state(tmp_path / "new/folder/a.npz"), STATE)


def test_the_file_has_the_name_that_was_asked_for_and_no_litter_lies_beside_it(tmp_path):
    write_search_state(tmp_path / "search.state", STATE)
    write_search_state(tmp_path / "search.state", STATE)
    assert [item.name for item in tmp_path.iterdir()] == ["search.state"]


def test_numpy_numbers_are_written_as_plain_ones(tmp_path):
    numbers = {"a": np.int64(3), "b": np.float64(0.1), "c": np.array([1, 2])}
    write_search_state(tmp_path / "a", SearchState("", {}, numbers))
    assert read_search_state(tmp_path / "a").numbers == {"a": 3, "b": 0.1, "c": [1, 2]}


@pytest.mark.parametrize(
    "state",
    [
        SearchState("", {"a": np.array([object()])}, {}),
        SearchState("", {}, {"a": object()}),
    ],
)
def test_what_needs_pickle_is_refused_and_the_earlier_file_stays(tmp_path, state):
    write_search_state(tmp_path / "a", STATE)
    with pytest.raises(TypeError, match="search state"):
        write_search_state(tmp_path / "a", state)
    assert_equal(read_search_state(tmp_path / "a"), STATE)
    assert len(list(tmp_path.iterdir())) == 1


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_cut_short_anywhere_is_refused(tmp_path, data):
    path = tmp_path / "a"
    write_search_state(path, STATE)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DamagedFileError, match="no whole checkpoint"):
        read_search_state(path)


@given(data=st.data())
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_altered_file_is_refused_or_reads_the_same(tmp_path, data):
    path = tmp_path / "a"
    write_search_state(path, STATE)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read = read_search_state(path)
    except DamagedFileError:
        return
    assert_equal(read, STATE)  # bytes of the archive that mean nothing, such as a time


def other_npz():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


def other_form():
    buffer = io.BytesIO()
    np.savez(buffer, document=np.frombuffer(b'{"form": "occamscope law search 999"}', np.uint8))
    return buffer.getvalue()


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def plain_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("document", "[]")
    return buffer.getvalue()


def pickled_npz():
    buffer = io.BytesIO()
    np.savez(buffer, document=np.array([{"form": "occamscope law search 1"}], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", other_npz(), other_form(), npy(), plain_zip(), pickled_npz()],
    ids=["empty", "text", "npz", "form", "npy", "zip", "pickled"],
)
def test_a_foreign_file_is_refused_with_the_remedy(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DamagedFileError, match="start without resume"):
        read_search_state(tmp_path / "a")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(DamagedFileError, match="missing"):
        read_search_state(tmp_path / "a")


def test_a_search_that_has_not_begun_has_no_state(tmp_path):
    assert find_search_state(tmp_path / "a") is None
    write_search_state(tmp_path / "a", STATE)
    assert_equal(find_search_state(tmp_path / "a"), STATE)
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(DamagedFileError):
        find_search_state(tmp_path / "a")
