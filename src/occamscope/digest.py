"""Digest of the code that a script reaches.

Snakemake watches a rule's script but not the modules that the script imports. Each rule therefore
carries, as a param, a digest of its script and of every `occamscope` module that the script reaches,
so that an edit reruns exactly what depends on it. Comments, docstrings and layout do not count. The
job recomputes the digest of what it really imports and refuses on a mismatch: that catches a stale
installed copy and edits made while jobs were queued.

Only the standard library is imported: the Snakefile runs this where nothing but Snakemake exists.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "occamscope"


def package_root() -> Path:
    """Folder that holds the imported `occamscope` package."""
    return Path(__file__).resolve().parent


def code_digest(script: str | Path, root: Path | None = None) -> str:
    """Digest of a script and of all package modules and data files that it reaches.

    Parameters
    ----------
    script : path
        The script of a rule.
    root : path, optional
        Folder of the package; by default the imported one.

    Returns
    -------
    str
        16 hexadecimal digits; unchanged by comments, docstrings and formatting.
    """
    root = root or package_root()
    script = Path(script)
    files = reached_files(script, root)
    total = hashlib.sha256(_file_digest(script).encode())
    for path in sorted(files):
        total.update(f"{path.relative_to(root).as_posix()}:{_file_digest(path)}\n".encode())
    return total.hexdigest()[:16]


def reached_files(script: Path, root: Path) -> set[Path]:
    """Modules of the package that `script` imports, directly or not, and the data files they name."""
    seen: set[Path] = set()
    todo = [Path(script)]
    while todo:
        path = todo.pop()
        for found in _names_in(path, root, _mtime(path)):
            if found not in seen:
                seen.add(found)
                if found.suffix == ".py":
                    todo.append(found)
    return seen


def _mtime(path: Path) -> int:
    return path.stat().st_mtime_ns


def _file_digest(path: Path) -> str:
    return _cached_file_digest(path, _mtime(path))


@cache
def _cached_file_digest(path: Path, _: int) -> str:
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tree = _without_docstrings(ast.parse(path.read_text("utf-8"), str(path)))
    return hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: object) -> str:
    """Text of a syntax tree that is the same in every Python version (`ast.dump` is not).

    Empty fields are left out: newer versions add some to old constructs.
    """
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
        kept = (f"{name}={_canonical(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({','.join(kept)})"
    if isinstance(node, list):
        return f"[{','.join(_canonical(item) for item in node)}]"
    return repr(node)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if not isinstance(node, owners) or not node.body:
            continue
        first = node.body[0]
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        if is_text and isinstance(first.value.value, str):  # type: ignore[attr-defined]
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _names_in(path: Path, root: Path, _: int) -> frozenset[Path]:
    """Package files that one Python file names: imported modules, and data files beside it."""
    tree = _without_docstrings(ast.parse(path.read_text("utf-8"), str(path)))
    found: set[Path] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= _module_files(alias.name, root)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_name(node, path, root)
            found |= _module_files(base, root)
            for alias in node.names:
                found |= _module_files(f"{base}.{alias.name}", root)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= _data_file(node.value, path, root)
    return frozenset(found - {path})


def _absolute_name(node: ast.ImportFrom, path: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
    base = parts[: len(parts) - node.level]
    return ".".join([*base, node.module] if node.module else base)


def _module_files(name: str, root: Path) -> set[Path]:
    """Files of a dotted module name: the module and the `__init__` of each package above it."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return set()
    found = set()
    for depth in range(1, len(parts) + 1):
        stem = root.joinpath(*parts[1:depth])
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                found.add(path)
    return found


def _data_file(text: str, path: Path, root: Path) -> set[Path]:
    """A data file (style, template) of the package that a module names by a string constant.

    A string that is itself the dotted name of a package module counts as an import: lazy
    registries and worker processes (`python -m`) name their modules so.
    """
    named = _module_files(text, root) if text.startswith(f"{PACKAGE}.") else set()
    if not text or len(text) > 80 or "/" in text or "\n" in text or "." not in text[1:]:
        return named
    candidate = path.parent / text
    if root in candidate.parents and candidate.suffix != ".py" and candidate.is_file():
        named.add(candidate)
    return named
