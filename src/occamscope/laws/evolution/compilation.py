"""How the kernels are compiled: each one once per machine, kept on disk.

numba links the machine code of every function into each of its callers and optimises all of
it again, at every level: our kernels took 55 s of processor time that way. A `Kernel` is
compiled by itself, for one signature, and called through a symbol: 4 times faster to compile,
at the cost of a real call (a few nanoseconds).

numba's cache checks the source of the cached function alone; so the cache folder carries a
digest of all modules of this package, of numba's version and of the processor (clusters mix
processors on one file system).
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba import njit, types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate
from numba.extending import lower_builtin

# NaN and infinity keep their meaning: an undefined law must not score.
STRICT = frozenset({"contract"})
# For loops over rows: sums may be split into vector lanes.
VECTOR = frozenset({"reassoc", "contract", "arcp", "nsz"})

# Types of the kernels' arguments.
VOID, INT, FLOAT, SINGLE, FLAG = (
    types.void,
    types.int64,
    types.float64,
    types.float32,
    types.boolean,
)
MEMORY = types.float32[::1]
ADDRESS = types.int64
TOKENS, VALUES, INDICES = types.int16[::1], types.float64[::1], types.int64[::1]
FLAGS, MATRIX, STREAM = types.boolean[::1], types.float64[:, ::1], types.uint64[::1]
PAIR, TRIPLE = types.UniTuple(types.float64, 2), types.UniTuple(types.float64, 3)


def source_digest() -> str:
    """Digest of what decides about the machine code."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    processor = llvmlite.binding.get_host_cpu_name()
    digest.update(f"{numba.__version__} {processor} {sys.version_info[:2]}".encode())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Folder for machine code: NUMBA_CACHE_DIR if set, else the user's cache folder."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR)
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) if home else Path(os.path.expanduser("~"), ".cache")  # noqa: PTH111


def _make_cache_folder() -> Path:
    """Create the cache folder; where that is impossible, one for this process alone."""
    name = f"occamscope-kernels-{source_digest()}"
    folder = cache_root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return folder
    except OSError:
        # A folder of a foreseeable name in /tmp could be planted by another user.
        folder = Path(tempfile.mkdtemp(prefix=name))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


CACHE_FOLDER = _make_cache_folder()


class Kernel:
    """A function compiled for one signature, callable from Python and from other kernels."""

    registered: list[Kernel] = []
    ready = 0

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Any,
        flags: frozenset[str],
        entry: bool,
        allocates: bool,
    ) -> None:
        self.__doc__ = function.__doc__
        self.signature = signature
        self.symbol = f"{function.__module__}.{function.__name__}"
        # numba reads the folder when it decorates.
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(CACHE_FOLDER)
        try:
            # Wrappers for Python take a quarter of the time to compile.
            self.dispatcher = njit(
                fastmath=set(flags),
                error_model="numpy",
                nogil=True,
                cache=True,
                no_cpython_wrapper=not entry,
                # Without numba's memory management nothing can be allocated, but no reference
                # is counted either: at every call two atomic operations for every array.
                _nrt=allocates or entry,
            )(function)
        finally:
            numba.config.CACHE_DIR = before
        # What numba sees where a kernel is called in compiled code.
        members = {"key": self, "cases": [signature]}
        self._numba_type_ = types.Function(type("KernelCall", (ConcreteTemplate,), members))
        lower_builtin(self, *signature.args)(self._lower_call)
        self._from_python = self.dispatcher if entry else njit(lambda *args: self(*args))
        Kernel.registered.append(self)

    def __call__(self, *args: Any) -> Any:
        """Run the kernel from Python."""
        prepare_kernels()
        return self._from_python(*args)

    def _lower_call(self, context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a call by symbol, with numba's calling convention, without linking."""
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        function = cgutils.get_or_insert_function(builder.module, kind, self.symbol)
        status, result = convention.call_function(
            builder, function, signature.return_type, signature.args, args
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    def prepare(self) -> None:
        """Load the machine code from the cache or compile it, and publish its address."""
        self.dispatcher.compile(self.signature.args)
        result = self.dispatcher.overloads[self.signature.args]
        if result.signature.return_type != self.signature.return_type:
            raise TypeError(f"{self.symbol} returns {result.signature.return_type}")
        address = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        llvmlite.binding.add_symbol(self.symbol, address)
        self.dispatcher.disable_compile()


def kernel(
    signature: Any,
    flags: frozenset[str] = STRICT,
    entry: bool = False,
    allocates: bool = False,
) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function a `Kernel` of that signature.

    Parameters
    ----------
    signature : numba types of the result and the arguments
    flags : what LLVM may do to floating point arithmetic
    entry : True for a function that Python calls often
    allocates : True for a function that makes arrays
    """
    return lambda function: Kernel(function, signature, flags, entry, allocates)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into its callers: a small one, or one with large arguments."""
    options = {"fastmath": set(STRICT), "error_model": "numpy", "_nrt": False}
    return njit(forceinline=True, **options)(function)


def compiled_before() -> bool:
    """True if the cache holds machine code, so that the kernels are ready within a second."""
    return any(CACHE_FOLDER.rglob("*.nbc"))


def prepare_kernels() -> None:
    """Load or compile all kernels that have been defined, callees before callers."""
    while Kernel.ready < len(Kernel.registered):
        Kernel.registered[Kernel.ready].prepare()
        Kernel.ready += 1
