import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.expressions.expression import parse
from occamscope.laws.pysr.hall_of_fame import julia_numbers, read_hall_of_fame

GOOD = 'Complexity,Loss,Equation\n1,0.9,"x0"\n3,0.25,"x0 - -1.5"\n'
quick = settings(derandomize=True, max_examples=200, deadline=None)


def write(folder, text, backup=None):
    path = folder / "hall_of_fame.csv"
    for file, content in ((path, text), (folder / "hall_of_fame.csv.bak", backup)):
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_are_read_as_pysr_writes_them(tmp_path):
    rows = read_hall_of_fame(write(tmp_path, GOOD, GOOD))
    assert rows == [(1, 0.9, "x0"), (3, 0.25, "x0 - -1.5")]


def test_no_file_is_no_row(tmp_path):
    assert read_hall_of_fame(tmp_path / "hall_of_fame.csv") == []


@pytest.mark.parametrize("cut", range(0, len(GOOD), 3))
def test_a_table_cut_short_by_a_kill_falls_back_to_its_copy(tmp_path, cut):
    assert len(read_hall_of_fame(write(tmp_path, GOOD[:cut], GOOD))) == 2
    assert len(read_hall_of_fame(write(tmp_path, GOOD, GOOD[:cut]))) == 2


def test_half_an_equation_is_never_read(tmp_path):
    assert read_hall_of_fame(write(tmp_path, '5,0.1,"x0 + 1.2')) == []


def test_a_new_table_joins_the_older_copy(tmp_path):
    newer = GOOD + '5,0.1,"x0 - x1*2.0"\n'
    assert [r.complexity for r in read_hall_of_fame(write(tmp_path, newer, GOOD))] == [1, 3, 5]


@pytest.mark.parametrize("line", [
    b'5,0.1,"x0 + \xff\xfe"', b'\xff,0.1,"x0"', b"\x00" * 100, b'5,0.1,"x0\x00"', b'5,,"x0"',
    b'5,abc,"x0"', b'-5,0.1,"x0"', b'5.5,0.1,"x0"', b'5,NaN,"x0"', b'5,0.1,x0', b'5,0.1,"x"0"',
    b'5,0.1,"x0",7', b"9" * 5000 + b',0.1,"x0"', b"5," + b"1" * 5000 + b',"x0"', b"", b'"', b",,",
])  # fmt: skip
def test_a_damaged_line_spoils_no_other(tmp_path, line):
    text = b'Complexity,Loss,Equation\n1,0.9,"x0"\n' + line + b'\n3,0.25,"x0 - -1.5"\n'
    rows = read_hall_of_fame(write(tmp_path, text))
    assert [row for row in rows if row.complexity in (1, 3)] == [
        (1, 0.9, "x0"),
        (3, 0.25, "x0 - -1.5"),
    ]
    assert len(rows) <= 3


@quick
@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_any_bytes_are_survived(tmp_path_factory, noise, place):
    text = GOOD.encode()
    path = write(tmp_path_factory.mktemp("hall"), text[:place] + noise + text[place:], GOOD)
    assert {row.complexity for row in read_hall_of_fame(path)} >= {1, 3}


@pytest.mark.parametrize(
    ("julia", "python"),
    [("1.5f-7*x0", "1.5e-7*x0"), ("2.0f0", "2.0e0"), ("1f0", "1e0"), ("x1f0", "x1f0"),
     ("1.0e-5", "1.0e-5"), ("cf1(x0)", "cf1(x0)")],
)  # fmt: skip
def test_julias_single_precision_literals_are_understood(julia, python):
    assert julia_numbers(julia) == python


@quick
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_single_precision_number_comes_back(value):
    number = np.float32(value)
    digits, _, exponent = np.format_float_scientific(number, trim="0").partition("e")
    literal = julia_numbers(f"x0 + ({digits}f{int(exponent)})")
    assert np.float32(parse(literal, ["x0"]).constants()[0]) == number


def test_protected_functions_get_their_common_names(tmp_path):
    rows = read_hall_of_fame(write(tmp_path, '2,1.0f-3,"safe_log(x0)"\n3,Inf,"safe_sqrt(x0)"\n'))
    assert rows == [(2, 0.001, "log(x0)"), (3, float("inf"), "sqrt(x0)")]
