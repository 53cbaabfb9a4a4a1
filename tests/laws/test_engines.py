import subprocess
import sys

import pytest

from occamscope.errors import InputError
from occamscope.laws.engines import ENGINES, Engine, get_engine


def test_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="evolution, pysr"):
        get_engine("gplearn")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_meets_the_protocol(name):
    engine = get_engine(name)
    assert isinstance(engine, Engine)
    assert engine.name == name


def test_asking_for_names_loads_neither_numba_nor_torch():
    code = (
        "import sys, occamscope.laws.engines;"
        "assert not {'numba', 'torch', 'sympy', 'pysr'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
