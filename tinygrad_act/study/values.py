"""Numbers of any backend on their way to a reader: to the CPU, in float64, and into a few words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import backend
from ..tensor import Tensor


def host(x: Any) -> Any:
    """A Tensor, an array or a number as NumPy's float64 array."""
    return backend.to_host(x.array if isinstance(x, Tensor) else x).astype("float64")


def parts(g: Any) -> list[Any]:
    """A gradient as a list: that of an op with several results has a part for each, None where there is none."""
    return [p for p in g if p is not None] if isinstance(g, (list, tuple)) else [] if g is None else [g]


def norm(g: Any) -> float:
    """The root of the sum of squares: inf or NaN if an element is, and not by overflow on the way."""
    values = [host(p) for p in parts(g)]
    top = max((float(abs(v).max()) for v in values if v.size), default=0.0)
    if not math.isfinite(top) or top == 0:
        return math.nan if any((v != v).any() for v in values) else top
    return top * math.sqrt(sum(float(((v / top) ** 2).sum()) for v in values))


def largest(g: Any) -> float:
    """The largest absolute value; NaN if one is."""
    values = [host(p) for p in parts(g)]
    if any((v != v).any() for v in values):
        return math.nan
    return max((float(abs(v).max()) for v in values if v.size), default=0.0)


def finite(g: Any) -> bool:
    """Is every element a number, and none infinite?"""
    return all(bool((abs(host(p)) < math.inf).all()) for p in parts(g))


def size(g: Any) -> int:
    """How many elements there are."""
    return sum(math.prod(p.shape) for p in parts(g))


def zeros(g: Any) -> int:
    """How many elements are 0."""
    return sum(int((host(p) == 0).sum()) for p in parts(g))


def number(x: float, digits: int = 4) -> str:
    """A number as a reader wants it: `0.42`, `1.2e-08`, `-3`."""
    text = f"{float(x):.{digits}g}"
    return "0" if text == "-0" else text


def shape_text(shape: Sequence[int] | None) -> str:
    """`3×4`; a scalar has no sizes; nothing of a shape that is not known."""
    return "" if shape is None else "×".join(map(str, shape)) or "scalar"


def unravel(k: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The index of the element that is the k-th of the flat array."""
    place: list[int] = []
    for n in reversed(shape):
        k, r = divmod(k, n)
        place.append(r)
    return tuple(reversed(place))


def index_text(index: Sequence[int]) -> str:
    """`[1, 2]`; nothing for the one element of a scalar."""
    return f"[{', '.join(map(str, index))}]" if len(index) else ""


def show(g: Any, most: int = 8) -> str:
    """All the numbers if there are few, else their shape, norm and range."""
    if isinstance(g, (list, tuple)):
        return "; ".join(show(p, most) if p is not None else "none" for p in g)
    if g is None:
        return "none"
    values = host(g)
    if values.ndim == 0:
        return number(float(values))
    if values.size == 0:
        return f"{shape_text(values.shape)}, empty"
    if values.size <= most and values.ndim <= 2:
        return nested(values.tolist())
    flat = values.reshape(-1)
    bad = int((abs(flat) == math.inf).sum()), int((flat != flat).sum())
    good = flat[abs(flat) < math.inf]
    text = f"{shape_text(values.shape)}, norm {number(norm(g), 3)}"
    if good.size:
        text += f", {number(float(good.min()), 3)} to {number(float(good.max()), 3)}"
    return text + "".join(f", {n:,} {what}" for n, what in zip(bad, ("inf", "nan"), strict=True) if n)


def nested(values: Any) -> str:
    """Numbers in nested lists as text."""
    return f"[{', '.join(map(nested, values))}]" if isinstance(values, list) else number(values)


def count_text(n: int) -> str:
    """A count that may have thousands of digits."""
    if n < 10**9:
        return f"{n:,}"
    exponent = int((n.bit_length() - 1) * math.log10(2))
    mantissa = n // 10**max(exponent - 3, 0)
    while mantissa >= 10**4:
        mantissa, exponent = mantissa // 10, exponent + 1
    while mantissa < 10**3:                              # the estimate of the exponent was one too high
        exponent -= 1
        mantissa = n // 10**(exponent - 3)
    return f"about {mantissa / 1000:.1f}e{exponent}"
