"""The code digest: what changes it, and what must not."""

from pathlib import Path

import pytest

from occamscope.digest import code_digest, reached_files

FILES = {
    "__init__.py": '"""Package."""\n',
    "model.py": "from occamscope.helper import one\n\n\ndef f():\n    return one()\n",
    "helper.py": '"""Doc."""\n\n\ndef one():\n    """Return one."""\n    return 1  # why\n',
    "unrelated.py": "x = 1\n",
    "look.py": 'STYLE = "occamscope.mplstyle"\n',
    "occamscope.mplstyle": "font.size: 8\n",
}


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "occamscope"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    script = tmp_path / "script.py"
    script.write_text("from occamscope import model\nimport occamscope.look\n")
    return script, root


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_reaches_modules_through_other_modules_and_their_data_files(package):
    names = {path.name for path in reached_files(*package)}
    assert names == {"__init__.py", "model.py", "helper.py", "look.py", "occamscope.mplstyle"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("helper.py", "return 1", "return 2"),
        ("model.py", "return one()", "return -one()"),
        ("occamscope.mplstyle", "8", "9"),
    ],
)
def test_an_edit_of_reached_code_changes_the_digest(package, name, old, new):
    before = code_digest(*package)
    edit(package[1] / name, old, new)
    assert code_digest(*package) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("helper.py", "# why", "# because"),
        ("helper.py", "Return one.", "Return 1."),
        ("helper.py", "return 1", "return (1)"),
        ("unrelated.py", "x = 1", "x = 2"),
    ],
)
def test_comments_docstrings_layout_and_unreached_code_do_not(package, name, old, new):
    before = code_digest(*package)
    edit(package[1] / name, old, new)
    assert code_digest(*package) == before


def test_none_and_missing_values_are_told_apart(package):
    before = code_digest(*package)
    edit(package[1] / "helper.py", "return 1", "return None")
    middle = code_digest(*package)
    edit(package[1] / "helper.py", "return None", "return")
    assert len({before, middle, code_digest(*package)}) == 3


def test_a_lazily_named_module_counts_as_imported(package):
    script, root = package
    (root / "lazy.py").write_text("y = 1\n")
    edit(root / "model.py", "return one()", 'return "occamscope.lazy"')
    before = code_digest(script, root)
    edit(root / "lazy.py", "y = 1", "y = 2")
    assert code_digest(script, root) != before
