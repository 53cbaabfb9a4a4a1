"""The label table of fields and the manifest of crops: every problem at once, with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.store.label_tables import read_label_table, read_manifest

FIELDS = ["p1/a.tif", "p1/b.tif", "p2/b.tif"]
SHAPES = {"p1/a.tif": (3, 100, 200), "p1/b.tif": (1, 100, 200)}


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path, shapes=None) -> str:
    with pytest.raises(InputError) as caught:
        read_label_table(path, FIELDS, shapes)
    assert str(caught.value).startswith("labels.csv: ")
    return str(caught.value)


GOOD = "file,frame,y,x,class\np1/a.tif,2,10.5,20,interphase\na.tif,0,1,2,NA\np2\\b.tif,0,1,2,007\n"


def test_table_comes_back_with_types_and_full_names(tmp_path):
    table = read_label_table(write(tmp_path, GOOD), FIELDS, SHAPES)
    assert list(table.columns) == ["file", "frame", "y", "x", "class_name"]
    assert list(table["file"]) == ["p1/a.tif", "p1/a.tif", "p2/b.tif"]
    assert list(table["class_name"]) == ["interphase", "NA", "007"]
    assert [str(table[c].dtype) for c in ("frame", "y", "x")] == ["int64", "float64", "float64"]


def test_byte_order_mark_windows_lines_and_blank_last_rows_are_fine(tmp_path):
    text = GOOD.replace("\n", "\r\n") + "\r\n,,,,\r\n"
    assert len(read_label_table(write(tmp_path, text, "utf-8-sig"), FIELDS)) == 3


def test_all_problems_come_in_one_message(tmp_path):
    text = (
        "file,frame,y,x,class\n"
        "gone.tif,0,1,2,m\n"
        "b.tif,0,1,2,m\n"
        "p1/a.tif,0,ten,2,m\n"
        "p1/a.tif,0,-1,2,m\n"
        "p1/a.tif,1.5,1,2,m\n"
        "p1/a.tif,0,1,nan,m\n"
        "p1/a.tif,3,100,200,m\n"
        "p1/a.tif,0,5,5,\n"
        "p1/a.tif,0,5,5,m\n"
    )
    message = refusal(write(tmp_path, text), SHAPES)
    for expected in (
        "11 problems",
        "row 2, column 'file': 'gone.tif' is not there",
        "row 3, column 'file': 'b.tif' is in several folders",
        "row 4, column 'y': 'ten' is not a number",
        "row 5, column 'y': -1 is not a number from 0",
        "row 6, column 'frame': 1.5 is not a whole number",
        "row 7, column 'x': nan is not a number from 0",
        "row 8, column 'frame': 3 lies outside 'p1/a.tif' (0 to 2)",
        "row 8, column 'y': 100 lies outside",
        "row 8, column 'x': 200 lies outside",
        "row 9, column 'class': is blank",
        "row 10, column 'file': the same point of 'p1/a.tif' as in row 9",
    ):
        assert expected in message


def test_a_missing_file_suggests_the_nearest(tmp_path):
    text = "file,frame,y,x,class\np1/a.tiff,0,1,2,m\n"
    assert "(nearest: 'p1/a.tif')" in refusal(write(tmp_path, text))


def test_missing_columns_name_the_nearest(tmp_path):
    message = refusal(write(tmp_path, "File,frame,y,x,clas\np1/a.tif,0,1,2,m\n"))
    assert "'file' (nearest: 'File'), 'class' (nearest: 'clas')" in message


def test_frame_may_be_left_out_where_every_field_has_one(tmp_path):
    path = write(tmp_path, "file,y,x,class\np1/b.tif,1,2,m\n")
    assert list(read_label_table(path, FIELDS, {"p1/b.tif": (1, 9, 9)})["frame"]) == [0]
    assert "'frame'" in refusal(path, SHAPES)


def test_long_lists_of_problems_are_cut_and_counted(tmp_path):
    rows = "".join(f"gone{i}.tif,0,1,2,m\n" for i in range(100))
    message = refusal(write(tmp_path, "file,frame,y,x,class\n" + rows))
    assert "100 problems" in message
    assert message.endswith("and 70 more")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("file,frame,y,x,class\n", "no rows"),
        ("file;frame;y;x;class\np1/a.tif;0;1;2;m\n", "not separated by commas"),
        ("file,y,y,x,class\n", "stands in the header twice"),
        ("file,frame,y,x,class\np1/a.tif,0,1,2\n", "row 2: 4 cells, the header 5"),
        ("file,frame,y,x,class\np1/a.tif,0,1,5,2,m\n", "row 2: 6 cells"),
        ('file,frame,y,x,class\n"p1/a.tif,0,1,2,m\n', "not a valid CSV"),
        ("file,frame,y,x,class\np1/a.tif,0,1_0,2,m\n", "'1_0' is not a number"),
    ],
)
def test_malformed_tables_are_refused(tmp_path, text, says):
    assert says in refusal(write(tmp_path, text))


def test_other_encodings_are_refused(tmp_path):
    assert "UTF-8" in refusal(write(tmp_path, GOOD.replace("NA", "é"), "latin-1"))


def test_a_table_that_is_not_there_is_refused(tmp_path):
    assert "cannot be opened" in refusal(tmp_path / "labels.csv")


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_one_message(content):
    try:
        read_manifest(b"file,label\n" + content, "m.csv")
    except InputError as error:
        assert str(error).startswith("m.csv: ")


cells = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(cells, min_size=1, max_size=5))
def test_labels_come_back_letter_for_letter(labels):
    lines = [f'{i}.tif,"{label.replace(chr(34), chr(34) * 2)}"' for i, label in enumerate(labels)]
    rows = read_manifest("\n".join(["file,label", *lines]).encode(), "m.csv")
    assert [r.class_name for r in rows] == labels


def test_manifest_problems_come_in_one_message():
    text = (
        b"file,label,plate,frame,y,x,pixel_size_um\n"
        b"a.tif,M,p1,0,1,2,0.5\n"
        b"a.tif,M,p1,0,1,2,0.5\n"
        b"b.tif,M,,0,1,2,0.5\n"
        b"c.tif,M,p1,-1,x,2,500\n"
        b",M,p1,0,1,2,0.5\n"
    )
    with pytest.raises(InputError) as caught:
        read_manifest(text, "m.csv")
    message = str(caught.value)
    for expected in (
        "6 problems",
        "row 3, column 'file': 'a.tif' stands in row 2 already",
        "row 4, column 'plate': is blank",
        "row 5, column 'frame': -1",
        "row 5, column 'y': 'x' is not a number",
        "row 5, column 'pixel_size_um': 500 um per pixel",
        "row 6, column 'file': is blank",
    ):
        assert expected in message


def test_manifest_takes_class_and_group_by_either_name():
    first = read_manifest(b"file,class,group\na.tif,M,g\n", "m.csv")[0]
    assert (first.class_name, first.group) == ("M", "g")
    first = read_manifest(b"file,label,plate,class,group\na.tif,M,p,other,g\n", "m.csv")[0]
    assert (first.class_name, first.group) == ("M", "g")


@pytest.mark.parametrize(
    ("columns", "says"),
    [({"grup": "plate"}, "nearest: 'group'"), ({"group": "Plate"}, "'Plate'.*nearest: 'plate'")],
)
def test_a_column_mapping_is_checked(columns, says):
    with pytest.raises(InputError, match=says):
        read_manifest(b"file,label,plate\na.tif,M,p\n", "m.csv", columns)


@pytest.mark.parametrize("header", ["file,lable", "fil,label"])
def test_a_manifest_needs_file_and_label(header):
    with pytest.raises(InputError, match="nearest"):
        read_manifest(f"{header}\na.tif,M\n".encode(), "m.csv")
