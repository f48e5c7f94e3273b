"""What the smooth activations are made of: exponentials whose tail outlives a product with something large.

e^t is subnormal, and soon 0, while x e^t is still an ordinary number. So the rules carry it as two factors, e^t = e * f,
of which f is 1 but in the far tail, and multiply by f last: `x * e * f`. They fold the line at 0 and compute with |x|, so
that nothing overflows; folded by `where`, not by `abs`, a rule has the right derivative at 0 too, to any order.
"""

from __future__ import annotations

from typing import Any

FAR = 1e3            # e^-1000 is 0 in float64 too; stands in for what is beyond, so that infinity times 0 does not come up
TAIL = -60.0         # from e^TAIL on the second factor takes over


def exponential(F: Any, t: Any) -> tuple[Any, Any]:
    """(e, f) with e * f = e^t for t <= 88. Where f is not 1, 1 + e is 1 as 1 + e f is: e stands for both in a sum."""
    near = F.maximum(t, TAIL)
    return F.exp(near), F.exp(t - near)


def fold(F: Any, x: Any) -> tuple[Any, Any]:
    """(x < 0, |x| up to FAR)."""
    left = x < 0
    return left, F.minimum(F.where(left, -x, x), FAR)


def logistic(F: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """(e, f, s, r): s = sigma(x), r = sigma(-x), and s r = e f / (1 + e)^2."""
    left, a = fold(F, x)
    e, f = exponential(F, -a)
    d = 1 + e
    small, large = e * f / d, 1 / d
    return e, f, F.where(left, small, large), F.where(left, large, small)


# ------------------------------------------------------------------------- x sigma(w(x)), for odd w that grows with x
# It is relu(x) - |x| sigma(-w(|x|)): what is taken off is even, so one formula serves both sides.
def gate(F: Any, x: Any, a: Any, w: Any) -> Any:
    """The value, with a = |x| and w = w(a)."""
    e, f = exponential(F, -w)
    return F.maximum(x, 0) - a * e / (1 + e) * f


def gate_slope(F: Any, g: Any, left: Any, w: Any, aw: Any) -> Any:
    """g times the first derivative, with aw = a w'(a)."""
    e, f = exponential(F, -w)
    slope = ((1 - aw) + e) * e / (1 + e * (2 + e)) * f
    return F.where(left, g * slope, g * (1 - slope))


def gate_second(F: Any, g: Any, w: Any, b: Any, c: Any) -> Any:
    """g times the second derivative, with b = 2 w' + a w'' and c = a w' w'."""
    e, f = exponential(F, -w)
    return g * ((b - c * ((1 - e) / (1 + e))) * e / (1 + e * (2 + e)) * f)
