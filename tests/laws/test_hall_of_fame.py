import pytest

from occamscope.laws.hall_of_fame import julia_numbers, read_hall_of_fame

GOOD = 'Complexity,Loss,Equation\n1,0.9,"x0"\n3,0.25,"x0 - -1.5"\n'


def write(folder, text, backup=None):
    path = folder / "hall_of_fame.csv"
    if text is not None:
        path.write_text(text)
    if backup is not None:
        (folder / "hall_of_fame.csv.bak").write_text(backup)
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


@pytest.mark.parametrize(
    ("julia", "python"), [("1.5f-7*x0", "1.5e-7*x0"), ("2.0f0", "2.0e0"), ("x1f0", "x1f0")]
)
def test_julias_single_precision_literals_are_understood(julia, python):
    assert julia_numbers(julia) == python


def test_protected_functions_get_their_common_names(tmp_path):
    rows = read_hall_of_fame(write(tmp_path, '2,1.0f-3,"safe_log(x0)"\n'))
    assert rows == [(2, 0.001, "log(x0)")]
