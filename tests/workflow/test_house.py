"""The architecture, kept by tests."""

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/occamscope"
COLUMNS = ("imaging", "representation", "classifiers", "laws", "evaluation", "figures")
MODULES = sorted(PACKAGE.rglob("*.py"))
SHARED = {"occamscope.errors", "occamscope.scale"}
# An estimator has no script above it that would write its checkpoints.
OWN_FILES = {"estimators/search.py": {"occamscope.store.search_states"}}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_imports_no_other_column_no_store_and_no_snakemake(column):
    for path in (PACKAGE / column).rglob("*.py"):
        for name in imported(path):
            assert not name.startswith("snakemake"), path
            if name.startswith("occamscope"):
                own = name.startswith(f"occamscope.{column}")
                allowed = SHARED | OWN_FILES.get("/".join(path.parts[-2:]), set())
                assert own or name in allowed, f"{path.name} imports {name}"


def test_packages_import_nothing_until_a_name_is_used():
    for path in PACKAGE.rglob("__init__.py"):
        assert imported(path) <= {"importlib"}, path


def test_estimators_import_the_store_late():
    tree = ast.parse((PACKAGE / "laws/estimators/search.py").read_text())
    top = [getattr(node, "module", "") or "" for node in tree.body]
    assert not any(name.startswith("occamscope.store") for name in top)


def test_the_head_needs_no_numerical_library():
    heavy = {"numpy", "pandas", "torch", "h5py", "skimage", "scipy"}
    todo = ["config.py", "digest.py", "errors.py", "store/sources.py", "store/crop_files.py"]
    for name in todo:
        tree = ast.parse((PACKAGE / name).read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {getattr(node, "module", None) or node.names[0].name for node in top}
        assert not {module.split(".")[0] for module in names} & heavy, name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_are_short_and_documented(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


def test_nothing_unpickles_or_evaluates():
    pattern = re.compile(
        r"\b(pickle|joblib)\b|(?<![\w.])eval\(|(?<![\w.])exec\(|torch\.(save|load)\(|yaml\.load\("
        r"|allow_pickle=True"
    )
    for path in [*MODULES, *(ROOT / "scripts").glob("*.py"), *(ROOT / "workflow").rglob("*.smk")]:
        code = (
            ast.unparse(ast.parse(path.read_text())) if path.suffix == ".py" else path.read_text()
        )
        code = re.sub(r"(?s)(\"\"\"|''').*?\1|\"[^\"\n]*\"|'[^'\n]*'", "", code)
        assert not pattern.search(code), path


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    found = (re.match(r"\s*-?\s*([\w.-]+)==([\w.]+)", line) for line in lines)
    return {m[1].lower().replace("_", "-"): m[2] for m in found if m}


@pytest.mark.parametrize("name", ["occamscope", "pysr"])
def test_conda_pins_equal_the_lock(name):
    lock = pins(ROOT / "requirements/runtime.txt")
    environment = pins(ROOT / f"envs/{name}.yaml")
    assert environment and {k: lock[k] for k in environment} == environment
    assert yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["channels"][-1] == "nodefaults"


def test_profiles_share_no_key():
    default, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
        for name in ("default", "slurm")
    )
    assert not set(default) & set(slurm)


def test_every_rule_has_what_a_rule_needs():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"\n(?=rule )", path.read_text())[1:]:
            name = rule.split()[1].rstrip(":")
            for directive in ("log:", "conda:", "threads:", "resources:", "message:", "script:"):
                assert directive in rule, f"{name} lacks {directive}"
            assert "benchmark:" in rule or "cache: True" in rule, name
            assert f'code=code("{name}")' in rule, f"{name} has no code digest"
            script = re.search(r"scripts/(\w+)\.py", rule)
            assert script and (ROOT / f"scripts/{script[1]}.py").is_file()


def test_captions_exist_for_every_report_item():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for caption in re.findall(r'caption="\.\./report/(\w+\.rst)"', path.read_text()):
            assert (ROOT / "workflow/report" / caption).read_text().strip()
