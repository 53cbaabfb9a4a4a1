"""Elementary functions in float32 without branches, so that LLVM can vectorise their loops.

The polynomials are those of the Cephes library (S. Moshier, single precision); the relative
error is a few 1e-7. They need no SVML. The functions are compiled without reassociation,
because the argument reductions depend on the order of operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from occamscope.laws.evolution.compilation import inlined

f4 = np.float32
i4 = np.int32

ZERO, HALF, ONE, TWO, THREE = f4(0), f4(0.5), f4(1), f4(2), f4(3)
_INFINITY, _NAN = f4(np.inf), f4(np.nan)
# Added and subtracted again, it rounds a float32 to a whole number.
_ROUND = f4(12582912.0)
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = f4(88.72283), f4(-86.6)
_LOG2_E = f4(1.44269504088896341)
# ln 2 and pi/2 in parts whose products with small whole numbers are exact.
_LN2_HIGH, _LN2_LOW = f4(0.693359375), f4(-2.12194440e-4)
_TWO_OVER_PI = f4(0.63661977236758134)
_PI2_HIGH, _PI2_MIDDLE, _PI2_LOW = f4(1.5703125), f4(4.83751296997e-4), f4(7.54978995489e-8)
# Beyond this the reduction by pi/2 leaves no digits: sin and cos are undefined.
_LARGEST_ANGLE = f4(1.0e5)


@intrinsic
def _as_int(_context: Any, x: Any) -> Any:
    """Reinterpret the bits of a float32 as int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@intrinsic
def _as_float(_context: Any, x: Any) -> Any:
    """Reinterpret the bits of an int32 as float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@intrinsic
def select(_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, else b, without a branch."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return types.float32(types.boolean, types.float32, types.float32), generate


def _pointer(builder: Any, address: Any, index: Any) -> Any:
    """Pointer to the float32 of that index behind an address."""
    return builder.gep(builder.inttoptr(address, ir.FloatType().as_pointer()), [index])


@intrinsic
def load(_context: Any, memory: Any, index: Any) -> Any:
    """Return the float32 number `index` of those that begin at an address.

    The kernels hand on the address of their memory, not an array: an array's reference count
    would be written at every call, and its index checks keep loops from being vectorised.
    """

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[0], args[1]))

    return types.float32(types.int64, types.int64), generate


@intrinsic
def store(_context: Any, memory: Any, index: Any, value: Any) -> Any:
    """Set the float32 number `index` of those that begin at an address."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(builder, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32), generate


def _int_operation(name: str) -> Any:
    """Make an operation on two int32 that stays in 32 bits (numba would widen to 64)."""

    @intrinsic
    def operation(_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return types.int32(types.int32, types.int32), generate

    return operation


_add, _subtract = _int_operation("add"), _int_operation("sub")
_shift_left, _shift_right = _int_operation("shl"), _int_operation("ashr")
_and, _or = _int_operation("and_"), _int_operation("or_")


@inlined
def _rounded(x: Any) -> Any:
    """Round to a whole number n, |n| < 2**22; returns n, and n in the low bits of an int32."""
    shifted = x + _ROUND
    return shifted - _ROUND, _as_int(shifted)


@inlined
def _exp_of(inside: Any, lowered: int) -> Any:
    """exp(x) / 2**lowered for an x where that is a normal number; nan for nan."""
    n, bits = _rounded(inside * _LOG2_E)
    r = inside - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = f4(1.9875691500e-4)
    p = p * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    p = p * (r * r) + r + ONE
    # What stands above the low bits is shifted out: this is 2**(n - lowered).
    power = _as_float(_add(_shift_left(bits, i4(23)), i4((127 - lowered) << 23)))
    return p * power


@inlined
def exp32(x: Any) -> Any:
    """Exponential function; infinite above 88.7, 0 below -86.6."""
    inside = select(x > _LARGEST_EXPONENT, _LARGEST_EXPONENT, x)
    inside = select(inside < _SMALLEST_EXPONENT, _SMALLEST_EXPONENT, inside)
    half = _exp_of(inside, 1)  # the largest powers of two are beyond float32
    value = select(x > _LARGEST_EXPONENT, _INFINITY, half + half)
    return select(x < _SMALLEST_EXPONENT, ZERO, value)


@inlined
def exp_negative32(x: Any) -> Any:
    """Exponential function for x <= 0 (never less than 2e-38); cheaper than `exp32`."""
    return _exp_of(select(x < _SMALLEST_EXPONENT, _SMALLEST_EXPONENT, x), 0)


@inlined
def log1p_unit32(x: Any) -> Any:
    """log(1 + x) for x in [0, 1]: a Chebyshev fit of log(1 + x)/x, absolute error 2e-7."""
    p = f4(5.253457929939032e-3)
    p = p * x + f4(-2.958850748836994e-2)
    p = p * x + f4(7.836166769266129e-2)
    p = p * x + f4(-0.13674770295619965)
    p = p * x + f4(0.19111430644989014)
    p = p * x + f4(-0.24844369292259216)
    p = p * x + f4(0.33319270610809326)
    p = p * x + f4(-0.49999502301216125)
    return x * (p * x + ONE)


@inlined
def log32(x: Any) -> Any:
    """Natural logarithm; -infinity at 0, nan below. Denormal numbers count as 0."""
    bits = _as_int(x)
    exponent = _subtract(_and(_shift_right(bits, i4(23)), i4(0xFF)), i4(126))
    m = _as_float(_or(_and(bits, i4(0x007FFFFF)), i4(0x3F000000)))  # in [0.5, 1)
    small = m < f4(0.70710678)
    e = f4(exponent) - select(small, ONE, ZERO)
    m = select(small, m + m - ONE, m - ONE)
    z = m * m
    p = f4(7.0376836292e-2)
    p = p * m + f4(-1.1514610310e-1)
    p = p * m + f4(1.1676998740e-1)
    p = p * m + f4(-1.2420140846e-1)
    p = p * m + f4(1.4249322787e-1)
    p = p * m + f4(-1.6668057665e-1)
    p = p * m + f4(2.0000714765e-1)
    p = p * m + f4(-2.4999993993e-1)
    p = p * m + f4(3.3333331174e-1)
    value = m * z * p + e * _LN2_LOW - HALF * z + m + e * _LN2_HIGH
    value = select(x == _INFINITY, _INFINITY, value)
    value = select(x < f4(1.1754944e-38), -_INFINITY, value)
    return select(x >= ZERO, value, _NAN)


@inlined
def _sine_core(x: Any, quarter_turns: Any) -> Any:
    """Sine of x plus so many quarter turns."""
    defined = np.abs(x) < _LARGEST_ANGLE
    inside = select(defined, x, ZERO)
    n, bits = _rounded(inside * _TWO_OVER_PI)
    r = inside - n * _PI2_HIGH
    r = r - n * _PI2_MIDDLE
    r = r - n * _PI2_LOW
    quadrant = _add(bits, quarter_turns)
    z = r * r
    s = f4(-1.9515295891e-4) * z + f4(8.3321608736e-3)
    s = (s * z + f4(-1.6666654611e-1)) * z * r + r
    c = f4(2.443315711809948e-5) * z + f4(-1.388731625493765e-3)
    c = (c * z + f4(4.166664568298827e-2)) * z * z - HALF * z + ONE
    value = select(_and(quadrant, i4(1)) == i4(0), s, c)
    value = select(_and(quadrant, i4(2)) != i4(0), -value, value)
    return select(defined, value, _NAN)


@inlined
def sin32(x: Any) -> Any:
    """Sine; nan where |x| > 1e5."""
    return _sine_core(x, i4(0))


@inlined
def cos32(x: Any) -> Any:
    """Cosine; nan where |x| > 1e5."""
    return _sine_core(x, i4(1))


@inlined
def tanh32(x: Any) -> Any:
    """Hyperbolic tangent."""
    a = np.abs(x)
    e = exp_negative32(-TWO * a)
    large = (ONE - e) / (ONE + e)
    large = select(x < ZERO, -large, large)
    z = x * x  # the quotient cancels for small arguments: a series there
    series = f4(0.1333333333) + z * f4(-0.0539682540)
    series = x * (ONE + z * (f4(-0.3333333333) + z * series))
    return select(a < f4(0.15), series, large)
