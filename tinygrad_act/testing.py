"""`assert_close`, PyTorch's way to compare in tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import _functions as ops
from . import backend, dtypes
from .errors import ArgumentError
from .grad_mode import no_grad
from .tensor import Tensor, wrap

__all__ = ["assert_close"]

# PyTorch's tolerances: of a dtype, (relative, absolute). What is not here is to be equal.
TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
Message = str | Callable[[str], str] | None


def assert_close(actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
                 equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
                 check_stride: bool = False, msg: Message = None) -> None:
    """Raise an AssertionError unless abs(actual - expected) <= atol + rtol * abs(expected) everywhere.

    Args:
        actual, expected: Tensors, arrays, numbers, None, or sequences and mappings of such; both of one kind.
        allow_subclasses: False asks for the same class (a Parameter is no Tensor then).
        rtol, atol: both or none. By default they are PyTorch's for the dtype: 1.3e-6 and 1e-5 for float32, 1e-7 for float64, 1e-3
            and 1e-5 for float16, 1.6e-2 and 1e-5 for bfloat16, and 0 for all others; of two dtypes the larger ones.
        equal_nan: NaN is close to NaN.
        check_device, check_dtype: they must be equal, too.
        check_layout: changes nothing: all tensors have one layout.
        check_stride: elements must lie in memory alike.
        msg: what the error says instead, or a function of what it would say.

    >>> ta.testing.assert_close(ta.tensor([1.0, 2.0]), ta.tensor([1.0, 2.0]) + 1e-6)
    >>> ta.testing.assert_close(ta.tensor([1.0, 2.0]), ta.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.20000000298023224 at index (1,) (up to 1.3e-06 allowed)
    """
    if (rtol is None) != (atol is None):
        given, missing = ("rtol", "atol") if atol is None else ("atol", "rtol")
        raise ArgumentError("assert_close", f"{given} without {missing}", "they are given both, or not at all")
    check = _Check(allow_subclasses, None if rtol is None or atol is None else (rtol, atol), equal_nan, check_device, check_dtype, check_stride)
    with no_grad():
        found = check.compare(actual, expected, "")
    if found is not None:
        raise AssertionError(msg(found) if callable(msg) else msg if msg is not None else found)


class _Check:
    """What is asked for, and the comparisons, which return what is wrong, or None."""

    def __init__(self, subclasses: bool, tolerances: tuple[float, float] | None, equal_nan: bool, device: bool, dtype: bool, stride: bool) -> None:
        self.subclasses, self.tolerances, self.equal_nan = subclasses, tolerances, equal_nan
        self.device, self.dtype, self.stride = device, dtype, stride

    def compare(self, actual: Any, expected: Any, place: str) -> str | None:
        found = self._pair(actual, expected, place)
        return found and (f"{found}\n\nThe failure occurred for item {place}" if place and "The failure occurred" not in found else found)

    def _pair(self, actual: Any, expected: Any, place: str) -> str | None:
        if actual is None or expected is None:
            return None if actual is expected else f"None mismatch: {actual} is not {expected}"
        if not self.subclasses and type(actual) is not type(expected):
            self._refuse(actual, expected)
        if isinstance(actual, Mapping) and isinstance(expected, Mapping):
            missing, more = ([k for k in a if k not in b] for a, b in ((expected, actual), (actual, expected)))
            if missing or more:
                return ("The keys of the mappings do not match:\n"
                        f"Missing keys in the actual mapping: {sorted(missing, key=str)}\nAdditional keys in the actual mapping: {sorted(more, key=str)}")
            return self._first(self.compare(actual[k], expected[k], f"{place}[{k!r}]") for k in expected)
        if _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
            return self._first(self.compare(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(actual, expected, strict=True)))
        if isinstance(actual, bool) and isinstance(expected, bool):
            return None if actual is expected else f"Booleans mismatch: {actual} is not {expected}"
        if isinstance(actual, (int, float)) and isinstance(expected, (int, float)):
            return self._numbers(actual, expected)
        for a, b in ((actual, expected), (expected, actual)):
            if not (isinstance(a, Tensor) or backend.is_array(a)) or isinstance(a, Tensor) != isinstance(b, Tensor):
                self._refuse(actual, expected)
        return self._tensors(*(t if isinstance(t, Tensor) else wrap(t) for t in (actual, expected)))

    def _refuse(self, actual: Any, expected: Any) -> None:
        raise ArgumentError("assert_close", f"a {type(actual).__name__} and a {type(expected).__name__}",
                            "two Tensors can be compared, two arrays, two numbers, or sequences and mappings of such", "convert one of them")

    @staticmethod
    def _first(found: Any) -> str | None:
        return next((f for f in found if f is not None), None)

    def _numbers(self, actual: float, expected: float) -> str | None:
        if self.dtype and type(actual) is not type(expected):
            return f"The (d)types do not match: {type(actual)} != {type(expected)}."
        by_default = TOLERANCES["float64"] if float in (type(actual), type(expected)) else (0, 0)
        return self._number(actual, expected, *(self.tolerances or by_default))

    def _number(self, actual: float, expected: float, rtol: float, atol: float) -> str | None:
        difference = abs(actual - expected)
        if actual == expected or (self.equal_nan and actual != actual and expected != expected) or (
                math.isfinite(difference) and difference <= atol + rtol * abs(expected)):
            return None
        relative = difference / abs(expected) if expected else math.inf
        return (f"Scalars are not {_close(rtol, atol)}!\n\nExpected {expected} but got {actual}.\nAbsolute difference: {difference}{_allowed(atol, rtol)}"
                f"\nRelative difference: {relative}{_allowed(rtol, atol)}")

    def _tensors(self, actual: Tensor, expected: Tensor) -> str | None:
        for what, wanted in (("shape", True), ("device", self.device), ("dtype", self.dtype)):
            a, b = getattr(actual, what), getattr(expected, what)
            if wanted and a != b:
                return f"The values for attribute {what!r} do not match: {a} != {b}."
        if self.stride and actual.stride() != expected.stride():
            return f"The values for attribute 'stride()' do not match: {actual.stride()} != {expected.stride()}."
        pairs = [TOLERANCES.get(t.dtype.name, (0.0, 0.0)) for t in (actual, expected)]
        rtol, atol = self.tolerances or (max(pairs[0][0], pairs[1][0]), max(pairs[0][1], pairs[1][1]))
        common = dtypes.promote_types(actual.dtype, expected.dtype)
        whole = not dtypes.is_floating(common)
        a, b = (t.detach().cpu().to(dtypes.int64 if whole else common) for t in (actual, expected))
        close = (a == b) | ((a - b).abs() <= atol + rtol * b.abs()) & ops.isfinite(a) & ops.isfinite(b)
        if self.equal_nan and not whole:
            close = close | (a.isnan() & b.isnan())
        count, total = int((~close).sum().item()), close.numel()
        if not count:
            return None
        if not a.shape:
            return self._number(a.item(), b.item(), rtol, atol)
        difference = ops.where(close, 0, (a - b).abs())
        relative = ops.where(close, 0, difference / b.abs())
        lines = [f"Greatest {name} difference: {d.reshape(-1)[at].item()} at index {_index(at, a.shape)}{_allowed(most, other)}"
                 for name, d, most, other in (("absolute", difference, atol, rtol), ("relative", relative, rtol, atol))
                 for at in [int(d.reshape(-1).argmax().item())]]
        return f"Tensor-likes are not {_close(rtol, atol)}!\n\nMismatched elements: {count} / {total} ({count / total:.1%})\n" + "\n".join(lines)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _close(rtol: float, atol: float) -> str:
    return "close" if rtol or atol else "equal"


def _allowed(most: float, other: float) -> str:
    return f" (up to {most} allowed)" if most or other else ""


def _index(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The place of an element of which the number is known."""
    out: list[int] = []
    for size in reversed(shape):
        at, i = divmod(at, size)
        out.append(i)
    return tuple(reversed(out))
