"""Kernels are compiled once, for one signature each."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba.core.errors import TypingError

from occamscope.laws.evolution import compilation, engine
from occamscope.laws.evolution.compilation import CACHE_FOLDER, Kernel


def run_python(code, **environment):
    """Output of a Python process."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_every_kernel_has_one_signature():
    engine.warm_up()
    assert len(Kernel.registered) > 50
    for kernel in Kernel.registered:
        assert kernel.dispatcher.signatures == [kernel.signature.args]


def test_symbols_are_unique():
    symbols = [kernel.symbol for kernel in Kernel.registered]
    assert len(set(symbols)) == len(symbols)


def test_a_kernel_refuses_another_type():
    from occamscope.laws.evolution.tokens import measure_sizes

    with pytest.raises(TypingError):
        measure_sizes("text", 1, 2)


def test_a_wrong_return_type_is_noticed():
    before = len(Kernel.registered)
    kernel = compilation.kernel(compilation.INT(compilation.FLOAT))(lambda x: x + 0.5)
    try:
        with pytest.raises(TypeError, match="returns float64"):
            kernel.prepare()
    finally:
        del Kernel.registered[before:]


def test_a_second_process_starts_within_seconds():
    code = (
        "import time; start = time.process_time()\n"
        "from occamscope.laws.evolution.engine import warm_up\n"
        "lines = []; warm_up(lines.append)\n"
        "print(len(lines), time.process_time() - start)"
    )
    engine.warm_up()
    lines, seconds = run_python(code, NUMBA_CACHE_DIR=str(CACHE_FOLDER.parent)).split()
    assert lines == "0"
    assert float(seconds) < 5  # 1.3 s on a free machine


def test_the_cache_folder_can_be_chosen(tmp_path):
    code = "from occamscope.laws.evolution.compilation import CACHE_FOLDER; print(CACHE_FOLDER)"
    folder = Path(run_python(code, NUMBA_CACHE_DIR=str(tmp_path)).strip())
    assert folder.parent == tmp_path
    elsewhere = tmp_path / "user"
    folder = Path(run_python(code, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(elsewhere)).strip())
    assert folder.parent == elsewhere


def test_a_cache_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(tmp_path):
    (tmp_path / "file").write_text("in the way")
    code = (
        "from occamscope.laws.evolution.compilation import CACHE_FOLDER\n"
        "print(CACHE_FOLDER, CACHE_FOLDER.is_dir())"
    )
    folder, exists = run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "file")).split()
    assert tmp_path not in Path(folder).parents
    assert exists == "True"
    assert not Path(folder).exists()  # it goes with the process


def test_decoration_leaves_numbas_own_cache_folder_alone():
    code = (
        "import numba; before = numba.config.CACHE_DIR\n"
        "import occamscope.laws.evolution.island\n"
        "print(numba.config.CACHE_DIR == before)"
    )
    assert run_python(code).strip() == "True"


@pytest.mark.slow
def test_a_cold_start_compiles_everything_and_says_so(tmp_path):
    code = (
        "import time; start = time.process_time()\n"
        "from occamscope.laws.evolution.engine import warm_up\n"
        "lines = []; warm_up(lines.append)\n"
        "print(lines[0].split(',')[0]); print(time.process_time() - start)"
    )
    start = time.perf_counter()
    line, seconds = run_python(code, NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert line == "laws: compiling the search kernels"
    assert float(seconds) < 40
    assert time.perf_counter() - start < 300
