"""Write `config/README.md` from the schema, or check that it is up to date.

``python -m occamscope.config_files [--check]``, from the root of the project.
"""

from __future__ import annotations

import sys
from pathlib import Path

from occamscope.config import reference_markdown

REFERENCE = Path("config/README.md")


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if `--check` found the file out of date."""
    text = reference_markdown()
    if "--check" not in arguments:
        REFERENCE.write_text(text, "utf-8")
        return 0
    if REFERENCE.read_text("utf-8") == text:
        return 0
    print(f"{REFERENCE} is out of date with the schema: run make config", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
