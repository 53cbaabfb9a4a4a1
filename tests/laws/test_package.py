"""`import occamscope.laws` is quick, and names what the package offers."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import occamscope.laws

HEAVY = ("torch", "numba", "sympy", "sklearn", "pandas", "scipy", "matplotlib", "numpy")


def modules_after(code):
    """Modules that a fresh interpreter has loaded after some code."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    loaded = modules_after("import occamscope.laws; dir(occamscope.laws)")
    assert not loaded & set(HEAVY)
    own = {name for name in loaded if name.startswith("occamscope")}
    assert own == {"occamscope", "occamscope.laws"}


def test_importing_the_package_takes_less_than_a_third_of_a_second():
    timed = (
        "import time; start = time.perf_counter(); import occamscope.laws; "
        "print(time.perf_counter() - start)"
    )
    seconds = min(
        float(subprocess.check_output([sys.executable, "-c", timed], timeout=60)) for _ in range(3)
    )
    assert seconds < 0.3


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("parse", ("torch", "numba", "sympy", "sklearn", "pandas", "scipy")),
        ("SearchSpec", ("torch", "numba", "sympy", "sklearn", "pandas", "scipy")),
        ("LawClassifier", ("torch", "numba", "sympy")),
    ],
)
def test_a_name_loads_no_more_than_it_needs(name, absent):
    assert not modules_after(f"from occamscope.laws import {name}") & set(absent)


@pytest.mark.parametrize("name", occamscope.laws.__all__)
def test_every_name_is_there(name):
    value = getattr(occamscope.laws, name)
    assert value is getattr(occamscope.laws, name)
    assert name in dir(occamscope.laws)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = occamscope.laws.nothing


def test_type_checkers_are_told_of_the_same_names_from_the_same_modules():
    stub = Path(occamscope.laws.__file__).with_suffix(".pyi")
    told = {
        alias.asname: node.module
        for node in ast.walk(ast.parse(stub.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = occamscope.laws._MODULES
    assert told == {name: f"occamscope.laws.{module}" for name, module in modules.items()}
