"""Element types and how they mix. They are NumPy's own dtypes; the rules of promotion are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import ArgumentError, DTypeError, MissingPackageError

float16 = half = np.dtype("float16")
float32 = np.dtype("float32")
float64 = double = np.dtype("float64")
uint8, int8 = np.dtype("uint8"), np.dtype("int8")
int16 = short = np.dtype("int16")
int32 = np.dtype("int32")
int64 = long = np.dtype("int64")
bool_ = np.dtype("bool")

DType: Any = np.dtype                    # what they are all of

_NAMES = {"float": float32, "double": float64, "half": float16, "long": int64, "int": int32, "short": int16}
_PYTHON = {float: float64, int: int64, bool: bool_}
_default = float32


def bfloat16() -> Any:
    """The bfloat16 dtype, of the package ml_dtypes."""
    try:
        import ml_dtypes
    except ImportError:
        raise MissingPackageError("bfloat16", "", "NumPy has no bfloat16 of its own and ml_dtypes is not installed",
                                  "pip install 'tinygrad-act[bfloat16]'") from None
    return np.dtype(ml_dtypes.bfloat16)


def as_dtype(dtype: Any) -> Any:
    """A NumPy dtype, in this machine's byte order, from what PyTorch takes: a dtype, its name, or Python's float, int, bool. None
    stays None.
    """
    if dtype is None:
        return None
    if not isinstance(dtype, np.dtype):
        dtype = _named(dtype)
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def _named(dtype: Any) -> Any:
    if dtype in _PYTHON:
        return _PYTHON[dtype]
    if isinstance(dtype, str):
        dtype = dtype.removeprefix("torch.")
        if dtype == "bfloat16":
            return bfloat16()
        if dtype in _NAMES:
            return _NAMES[dtype]
    try:
        return np.dtype(dtype)
    except TypeError:
        raise ArgumentError("dtype", repr(dtype), "that is not an element type", "write ta.float32 or 'float32'") from None


def get_default_dtype() -> Any:
    """The dtype of tensors made from Python floats: float32, unless it was set."""
    return _default


def set_default_dtype(dtype: Any) -> None:
    """The dtype of tensors made from Python floats: float32 until this changes it."""
    global _default
    dtype = as_dtype(dtype)
    if not is_floating(dtype):
        raise DTypeError("set_default_dtype", str(dtype), "the default dtype must be a floating one", "pass ta.float32 or ta.float64")
    _default = dtype


def is_floating(dtype: Any) -> bool:
    """True for float16, float32, float64 and bfloat16 (which is NumPy's kind V or f)."""
    return bool(dtype.kind == "f" or (dtype.kind == "V" and dtype.name == "bfloat16"))       # to ask for the name takes long


def is_half(dtype: Any) -> bool:
    """True for the two-byte floats, whose rules are computed in float32."""
    return dtype.itemsize == 2 and is_floating(dtype)


def _category(dtype: Any) -> int:
    return 2 if is_floating(dtype) else 0 if dtype.kind == "b" else 1


KINDS = {"b": "bool", "i": "integers", "f": "floats"}


def kind(dtype: Any) -> str:
    """"b", "i" or "f": bool, integer or floating."""
    return "bif"[_category(dtype)]


def wrapped(number: int, dtype: Any) -> int:
    """A Python int as an integer tensor of `dtype` takes it: modulo the range, as its own arithmetic is.

    >>> wrapped(300, uint8), wrapped(200, int8)
    (44, -56)
    """
    bits = 8 * dtype.itemsize
    number &= (1 << bits) - 1
    return number - (1 << bits) if dtype.kind == "i" and number >> (bits - 1) else number


def stored(number: Any, dtype: Any, op: str) -> Any:
    """A Python number as a tensor of `dtype` stores it. As in PyTorch, an unsigned one counts a negative number from its end.

    Raises ArgumentError for a number that the dtype cannot hold, which would wrap or become infinite.

    >>> stored(-1, uint8, "full"), stored(2.5, float32, "full")
    (255, 2.5)
    """
    to = kind(dtype)
    if to == "b" or type(number) not in (int, float) or (to == "f" and (abs(number) < 60000 or not math.isfinite(number))):
        return number
    limits = iinfo(dtype) if to == "i" else finfo(dtype)
    if not float(-limits.max if dtype.kind == "u" else limits.min) <= number <= float(limits.max):
        raise ArgumentError(op, f"{number} in a tensor of {dtype}", "that dtype cannot hold it", "choose another value or a wider dtype")
    return wrapped(number, dtype) if to == "i" and type(number) is int else number


class finfo:
    """The limits of a floating dtype (the default one), as Python's numbers.

    >>> finfo(float16)
    finfo(bits=16, eps=0.0009765625, max=65504.0, min=-65504.0, tiny=6.103515625e-05, smallest_normal=6.103515625e-05, resolution=0.001, dtype=float16)
    """

    def __init__(self, dtype: Any = None) -> None:
        dtype = as_dtype(dtype) or _default
        if not is_floating(dtype):
            raise DTypeError("finfo", str(dtype), "that is not a floating dtype", "ask iinfo")
        ask: Any = np.finfo
        if dtype.name == "bfloat16":
            import ml_dtypes
            ask = ml_dtypes.finfo
        limits = ask(dtype)
        self.bits = int(limits.bits)
        self.eps, self.max, self.min, self.tiny = (float(getattr(limits, name)) for name in ("eps", "max", "min", "tiny"))
        self.smallest_normal, self.resolution, self.dtype = self.tiny, 10.0 ** -limits.precision, dtype.name

    def __repr__(self) -> str:
        return f"finfo({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


def iinfo(dtype: Any) -> Any:
    """The limits of an integer dtype: `.max`, `.min`, `.bits`."""
    dtype = as_dtype(dtype)
    if kind(dtype) != "i":
        raise DTypeError("iinfo", str(dtype), "that is not an integer dtype", "ask finfo")
    return np.iinfo(dtype)


def promote_types(a: Any, b: Any) -> Any:
    """PyTorch's table: a float beats any int, float16 and bfloat16 meet in float32.

    >>> promote_types(float32, int64), promote_types(uint8, int8)
    (dtype('float32'), dtype('int16'))
    """
    a, b = as_dtype(a), as_dtype(b)
    if _category(a) != _category(b):
        return a if _category(a) > _category(b) else b
    if a.name == b.name:
        return a
    if _category(a) == 2 and a.itemsize == b.itemsize == 2:
        return float32
    if _category(a) == 2:
        return a if a.itemsize > b.itemsize else b
    return np.promote_types(a, b)


def result_type(*operands: Any) -> Any:
    """The dtype of an op over tensors (or arrays) and Python numbers.

    Within a category (bool, int, float) tensors with dimensions decide before 0-d tensors, and those before numbers.
    """
    best: list[Any] = [None, None, None]                       # by rank: dimensioned, 0-d, Python number
    for x in operands:
        if hasattr(x, "dtype"):
            rank, dtype = (0 if x.ndim else 1), x.dtype
        else:
            rank, dtype = 2, _default if isinstance(x, float) else as_dtype(type(x))
        best[rank] = dtype if best[rank] is None else promote_types(best[rank], dtype)
    result = None
    for dtype in best:
        if dtype is not None and (result is None or _category(dtype) > _category(result)):
            result = dtype
    return result
