"""Pages that show code and what it prints: the code is run, and must print just that.

In a page every block marked `python` is run, one after the other, in a folder of its own; a block
marked `text` that follows it is what it prints. Figures that the code saves are those of
`docs/images/`. After a change of the code

    python tests/docs/test_pages.py docs/laws/tutorial.md docs/api.md README.md

runs pages and writes new outputs and figures into the docs.
"""

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["laws/tutorial.md", "api.md", "../README.md"]
# A block of code and, if it prints something, the block of its output.
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
IMAGES = re.compile(r"images/([\w-]+\.png)")


def run(page: str) -> list[str]:
    """Run a page's code in the working folder; return what each block prints."""
    printed, names = [], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, match in enumerate(BLOCK.finditer(page), start=1):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(match[1], f"<block {number}>", "exec"), names)
            lines = out.getvalue().splitlines()
            printed.append("".join(f"{line.rstrip()}\n" for line in lines))
    return printed


def filled(page: str, printed: list[str]) -> str:
    """Return the page with these outputs."""
    outputs = iter(printed)

    def block(match: re.Match) -> str:
        text = next(outputs)
        return f"```python\n{match[1]}```\n" + (f"\n```text\n{text}```\n" if text else "")

    return BLOCK.sub(block, page)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_code_prints(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    page = (DOCS / name).read_text()
    for number, (match, text) in enumerate(zip(BLOCK.finditer(page), run(page), strict=True), 1):
        assert (match[2] or "") == text, f"block {number}"
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn <= set(IMAGES.findall(page))


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_of_a_page_exists(name):
    page = (DOCS / name).read_text()
    assert [image for image in IMAGES.findall(page) if not (DOCS / "images" / image).exists()] == []


def test_outputs_are_put_behind_the_code_that_prints_them():
    page = "a\n```python\nx = 2\n```\nb\n```python\nprint(x)\n```\n\n```text\nold\n```\nc\n"
    assert run(page) == ["", "2\n"]
    assert filled(page, run(page)) == page.replace("old", "2")


def main() -> None:
    os.environ["COLUMNS"] = "100"
    for path in map(Path.resolve, map(Path, sys.argv[1:])):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            text = path.read_text()
            path.write_text(filled(text, run(text)))
            for figure in Path().glob("*.png"):
                shutil.copy(figure, DOCS / "images" / figure)


if __name__ == "__main__":
    main()
