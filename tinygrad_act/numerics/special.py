"""erf, erfc, erfcx and erfinv for NumPy, which has none: float64 to less than one unit in the last place.

Near 0, erf(x) = x + x NEAR(x^2). From x = 0.4 on, erfc(x) = exp(-x^2) (1 + REST(x)) / (sqrt(pi) (x + 1/2)), with each of
the three factors kept as a short head, whose products are exact, and a tail; so one rounding is left, the last. erfinv
solves erfc(x) = 1 - |y| by one step of Halley's method on that unrounded erfc. erfcx(x) = exp(x^2) erfc(x) is the same
without its first factor; for negative x, 2 exp(x^2) less that, and to 2.5 units. float32 takes a shorter way through
float64. The coefficients are our own fits: `tests/backend/fit_special.py` prints them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

NEAR = (
    -1.462091340945175e-07, 1.637123442577e-06, -1.4923003368152099e-05, 0.00012055286202005714, -0.0008548326510724796,
    0.0052239776220169365, -0.02686617064499972, 0.1128379167095487, -0.3761263890318375, 0.1283791670955126)
REST = (
    6.96333338289579e-12, 4.6985398755952544e-12, -1.0425706098791883e-10, -4.417731242717632e-11,
    1.0587989664239159e-09, 2.7964344340459284e-10, -1.0197877133593163e-08, -4.110858217767443e-09,
    1.0187022822566851e-07, 1.0679282943265675e-07, -1.0156988665200585e-06, -2.555380799139244e-06,
    7.766515464569765e-06, 5.0240588175472235e-05, 4.183752795657675e-05, -0.0005728785042139744,
    -0.0033953267622936286, -0.011113007920916669, -0.025499265573477724, -0.04240813223119418, -0.04594156866760698,
    -0.008282240329524378, 0.09802986498589464, 0.10278009312947484)
INVERSE = (
    0.12003690619362008, -0.09642274527103643, 0.08722866446698135, -0.0014607021070302691, 0.030910158235606017,
    0.026969129751201436, 0.03181283844468519, 0.03645513184554066, 0.042837381929296245, 0.05173125434128652,
    0.06495961849686033, 0.08655212922928228, 0.1275561753057025, 0.23201366653465413, -0.11377307454724199)
GUESS = (
    7.1799162324745825e-06, -4.469110505013317e-06, -0.0002841486757818493, -0.00028020125662665287,
    0.0017228537774148513, 0.014259884549496811, 0.003140945334191375, -0.30003224874124074, 0.5407987215924318)
SINGLE = (
    1.3690929967554647e-07, -9.946202880323146e-07, 6.445683293872934e-07, 8.7949879260657e-06, -2.1853858172199846e-05,
    -3.9768370904973424e-05, 0.0002642780012240835, 8.026584635370413e-05, -0.0030472303504672713,
    -0.0010205131895746266, 0.047137411242556146, 0.19746110617632878, 0.4289206636198975, 0.3302570590310081)
SCALED = (
    -1.7604320698932338e-05, -2.5286262459977816e-06, 0.00013713324580658478, -6.625186031558835e-05,
    -0.000658174509982131, 0.0008543913769217021, 0.003089116821258644, -0.0064838646818707844, -0.02151047096443451,
    0.036442796460743714, 0.2794720856819758, 0.6871606645198982, 1.021582705242023)
EXPM1 = (
    0.001388888888888889, -0.008333333333333333, 0.041666666666666664, -0.16666666666666666, 0.5, -1.0)

BLOCK = 8192                                          # elements at a time: the temporaries stay in the cache
FEW = 64                                              # up to here a Python loop is faster than NumPy
ROOT_HIGH, ROOT_LOW = 0.5641895835477563, 7.66772980658294e-18      # 1 / sqrt(pi)
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefap-6"), float.fromhex("0x1.cf79abc9e3b39p-45")       # ln(2) / 32


def _powers() -> tuple[Any, Any]:
    """2^(-j/32) for j = 0 .. 31 as heads of 24 bits and tails, by integer roots."""
    root = 2 << 120
    for _ in range(5):
        root = math.isqrt(root << 120)
    powers = [1 << 120]
    for _ in range(31):
        powers.append((powers[-1] << 120) // root)
    heads = [float(np.float32(p / 2**120)) for p in powers]
    return np.array(heads), np.array([(p - int(h * 2**120)) / 2**120 for p, h in zip(powers, heads, strict=True)])


HEADS, TAILS = _powers()


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y *= x
        y += c
    return y


def _head(x: Any) -> Any:
    """x to 24 bits, so that a product of two is exact."""
    return x.astype(np.float32).astype(np.float64)


def _upper(x: Any) -> tuple[Any, Any, Any]:
    """erfc(x) for x >= 0.4, as (high + low) * 2^-k."""
    x = np.minimum(x, 28.0)                                              # where it is 0
    head = _head(x)
    rest = x - head
    square = head * head
    steps = np.rint(square * (32 / math.log(2)))
    r = (square - steps * LN2_HIGH) + (rest * (x + head) - steps * LN2_LOW)
    steps = steps.astype(np.int32)
    e_high, e_low = HEADS[steps & 31], TAILS[steps & 31]                 # exp(-x^2) = (e_high + e_low) * 2^-k
    e_low += (e_high + e_low) * (r * _polynomial(EXPM1, r))
    p_high, p_low = _scaled(x, head, rest)
    return e_high * p_high, e_high * p_low + e_low * (p_high + p_low), steps >> 5


def _scaled(x: Any, head: Any, rest: Any) -> tuple[Any, Any]:
    """exp(x^2) erfc(x) for 0.4 <= x <= 28, as high + low."""
    below = head + 0.5
    p_high = _head(ROOT_HIGH / below)
    left = ((ROOT_HIGH - p_high * below) + (ROOT_LOW - p_high * rest)) / (below + rest)
    u = 1 - (x - 0.375) / (x + 3.5) * (63 / 27.625)                      # 1 .. -1 for 3/8 .. 28, exact where it matters
    return p_high, left + (p_high + left) * _polynomial(REST, u)


def _erf(x: Any) -> Any:
    y = x + x * _polynomial(NEAR, np.minimum(x * x, 0.25))
    far = np.flatnonzero(np.abs(x) >= 0.5)
    if far.size:
        high, low, k = _upper(np.abs(x[far]))
        y[far] = np.copysign(1 - np.ldexp(high + low, -k), x[far])
    return y


def _erfc(x: Any) -> Any:
    y = 1 - (x + x * _polynomial(NEAR, np.minimum(x * x, 0.25)))
    far = np.flatnonzero(np.abs(x) >= 0.4)
    if far.size:
        high, low, k = _upper(np.abs(x[far]))
        tail = np.ldexp(high + low, -k)
        y[far] = np.where(x[far] > 0, tail, 2 - tail)
    return y


def _erfcx(x: Any) -> Any:
    a = np.abs(x)
    small = np.clip(x, -0.5, 0.5)
    square = small * small
    y = 1 - (np.exp(square) * (small + small * _polynomial(NEAR, square)) - np.expm1(square))
    far = np.flatnonzero(a >= 0.4)
    if far.size:
        b = np.minimum(a[far], 28.0)
        head = _head(b)
        high, low = _scaled(b, head, b - head)
        y[far] = np.where(a[far] < 28, high + low, _far_erfcx(np.maximum(a[far], 28.0)))
    left = np.flatnonzero(x <= -0.4)
    if left.size:
        b = np.minimum(a[left], 30.0)                                    # where it is infinite
        head = _head(b)
        y[left] = 2 * (np.exp(head * head) * np.exp((b - head) * (b + head))) - y[left]
    return y


def _far_erfcx(x: Any) -> Any:
    """The asymptotic series, from its smallest term."""
    s, y = 0.5 / x / x, 1.0
    for k in (11, 9, 7, 5, 3, 1):
        y = 1 - k * s * y
    return y * (ROOT_HIGH / x)


def _erfinv(y: Any) -> Any:
    x = y + y * _polynomial(INVERSE, np.minimum(y * y, 0.25))
    far = np.flatnonzero(np.abs(y) > 0.5)
    if far.size:
        w = 1 - np.abs(y[far])
        r = np.sqrt(-np.log(w)) + 1
        u = (2 / (1 / 1.83 - 1 / 7.1)) / r - (1 / 1.83 + 1 / 7.1) / (1 / 1.83 - 1 / 7.1)
        guess = r * _polynomial(GUESS, u)
        high, low, k = _upper(guess)
        step = ((np.ldexp(high, -k) - w) + np.ldexp(low, -k)) * (np.exp(guess * guess) * (math.sqrt(math.pi) / 2))
        x[far] = np.where(w == 0, np.inf, guess + step / (1 - guess * step))
    return np.copysign(x, y)


def _single_erfc(x: Any) -> Any:
    a = np.abs(x)
    tail = np.exp(-(a * a)) * _polynomial(SINGLE, (2 / (1 / 2 - 1 / 12.5)) / (np.minimum(a, 10.5) + 2) - 58 / 42)
    return np.where(x < 0, 2 - tail, tail)


def _single_erf(x: Any) -> Any:
    return np.where(np.abs(x) < 0.5, x + x * _polynomial(NEAR[3:], np.minimum(x * x, 0.25)),
                    np.copysign(1 - _single_erfc(np.abs(x)), x))


def _single_erfcx(x: Any) -> Any:
    a = np.abs(x)
    t = 1 / (a + 2)
    y = t * _polynomial(SCALED, 4 * t - 1)
    left = np.flatnonzero(x < 0)
    if left.size:
        y[left] = 2 * np.exp(a[left] * a[left]) - y[left]
    return y


def _one_erfcx(x: float) -> float:
    """For one number, to float32's precision."""
    if -9.5 < x < 26:
        return math.exp(x * x) * math.erfc(x)
    return (1 - 0.5 / x / x * (1 - 1.5 / x / x)) * ROOT_HIGH / x if x > 0 else -x * math.inf


def _lift(double: Callable[[Any], Any], single: Callable[[Any], Any], one: Callable[[float], float] | None = None
          ) -> Callable[[Any], Any]:
    """Blocks of a flat float64 copy through `double` (or `single`, for less than that), shape and dtype put back. A few
    float32 numbers go through `one`, one by one, which spares the many short steps of the others.
    """
    def function(x: Any) -> Any:
        x = np.asarray(x)
        if one is not None and x.dtype == np.float32 and x.size <= FEW:
            return np.array([one(v) for v in x.ravel().tolist()], np.float32).reshape(x.shape)[()]
        dtype = x.dtype if x.dtype.itemsize < 8 and x.dtype.kind not in "iub" else np.float64
        f, flat = double if dtype == np.float64 else single, x.ravel()
        y = np.empty(flat.size, dtype)
        with np.errstate(all="ignore"):
            for i in range(0, flat.size, BLOCK):
                y[i:i + BLOCK] = f(flat[i:i + BLOCK].astype(np.float64))
        return y.reshape(x.shape)[()]
    return function


erf = _lift(_erf, _single_erf, math.erf)
erfc = _lift(_erfc, _single_erfc, math.erfc)
erfcx = _lift(_erfcx, _single_erfcx, _one_erfcx)
erfinv = _lift(_erfinv, _erfinv)
