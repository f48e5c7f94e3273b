"""The vocabulary `F` of the rules, once, over any library that has NumPy's interface.

A rule is written against these names and no others. The same names, with the same arguments, exist as recording
ops on Tensors (`graph.recording`) and, for the elementwise ones, as symbols (`symbols/`): that is what lets one
text compute values, record gradients of gradients, and print itself as a kernel. Keywords are PyTorch's.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

from ..dtypes import float32, int64, is_half
from ..numerics.attention import Attention
from ..numerics.averaging import Averaging
from ..numerics.choosing import Choosing
from ..numerics.contract import contraction
from ..numerics.convolve import Convolutions
from ..numerics.ctc import Alignments
from ..numerics.logits import Logits
from ..numerics.normalise import Normalising
from ..numerics.padding import Padding
from ..numerics.patches import Patches
from ..numerics.pooling import Pooling
from ..numerics.recurrent import Recurrent
from ..numerics.resampling import Resampling
from ..numerics.rowsums import RowSums
from ..numerics.scan import Scans
from .factorise import Factorising
from .indexing import Indexing

# F's name -> the library's, for the elementwise functions; the same arguments, broadcasting, no dtype of their own.
ELEMENTWISE = {
    "abs": "absolute", "neg": "negative", "sign": "sign", "sqrt": "sqrt", "square": "square",
    "reciprocal": "reciprocal", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin", "acos": "arccos",
    "atan": "arctan", "atan2": "arctan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "hypot": "hypot", "floor": "floor", "ceil": "ceil", "round": "rint",
    "trunc": "trunc", "maximum": "maximum", "minimum": "minimum", "fmax": "fmax", "fmin": "fmin", "pow": "power",
    "fmod": "fmod", "remainder": "remainder", "floor_divide": "floor_divide", "isnan": "isnan", "isinf": "isinf",
    "isfinite": "isfinite", "signbit": "signbit", "copysign": "copysign", "nextafter": "nextafter",
    "logical_and": "logical_and", "logical_or": "logical_or", "logical_not": "logical_not",
    "logical_xor": "logical_xor", "where": "where", "gcd": "gcd", "lcm": "lcm",
}


KEPT = 256                               # arrays of numbers that are kept
NOWHERE = contextlib.nullcontext()


class Namespace(Scans, Convolutions, Attention, Normalising, RowSums, Padding, Pooling, Averaging, Resampling, Patches,
                Alignments, Logits, Recurrent, Choosing, Factorising, Indexing):
    """What a rule may call on arrays of one library, `xp` (with `special` for erf and its kin)."""

    plain = "fd?bhilqBHILQ"              # dtype characters a rule runs on as they are; the others go through `run`
    floats = "fd"                        # of these the float ones: the short way through an op
    large = shared = 1 << 62             # from how many numbers on elementwise rules go through `run`; those of one operation
    tile = 1 << 15                       # how many numbers a rule's temporaries may have to stay in the cache
    small = 1 << 13                      # how many numbers a parameter may have to be worth laying end to end with others
    beside: frozenset[str] = frozenset() # the rules that have a kernel of the library's own: see rule.beside

    def __init__(self, xp: Any, special: Any) -> None:
        self.xp = xp
        self.kept: dict[Any, Any] = {}       # see sent
        for name, theirs in ELEMENTWISE.items():
            if not hasattr(self, name):          # a backend may have its own
                setattr(self, name, getattr(xp, theirs))
        for name in ("erf", "erfc", "erfcx", "erfinv"):
            setattr(self, name, getattr(special, name))

    def run(self, rule: Any, arrays: Any, params: Any) -> Any:
        """An elementwise rule where `plain` does not hold: the halves are computed in float32 and rounded once."""
        half = next((a.dtype for a in arrays if hasattr(a, "dtype") and is_half(a.dtype)), None)
        if half is None:
            return rule(self, *arrays, **params)
        wide = [a.astype("float32") if hasattr(a, "dtype") and a.dtype == half else a for a in arrays]
        y = rule(self, *wide, **params)
        return y.astype(half) if y.dtype == "float32" else y

    def change(self, targets: Any, rule: Any, arrays: Any, params: Any) -> None:
        """Put the results of an elementwise rule, a tuple, in the places of the arrays `targets`; not for the halves."""
        for target, y in zip(targets, rule(self, *arrays, **params), strict=True):
            target[...] = y

    def columns(self, rows: Any) -> Any:
        """Rows of arrays that are to be changed all by one rule, again and again: see several.py. None if F would rather have
        small ones end to end.
        """
        return None

    # ---------------------------------------------------------------- making arrays
    def cast(self, x: Any, dtype: Any) -> Any:
        return x.astype(dtype, copy=False)

    def zeros_like(self, x: Any) -> Any:
        return self.xp.zeros(x.shape, x.dtype)

    def ones_like(self, x: Any) -> Any:
        return self.xp.ones(x.shape, x.dtype)

    def full(self, shape: Any, value: Any, like: Any) -> Any:
        """An array of `value` with `like`'s dtype, on `like`'s device."""
        return self.xp.full(shape, value, like.dtype)

    def on(self, index: int | None) -> Any:
        """A context in which new arrays are made on the device of that number: there is but one here."""
        return NOWHERE

    def new(self, shape: Any, dtype: Any, value: Any = None, index: int | None = None) -> Any:
        """An array of `value`, or of what the memory holds, on the device of that number."""
        with self.on(index):
            if value is None:
                return self.xp.empty(shape, dtype)
            return self.xp.zeros(shape, dtype) if value == 0 and type(value) is int else self.xp.full(shape, value, dtype)

    def count(self, n: int, index: int | None = None) -> Any:
        """0 .. n-1 as int64, on the device of that number."""
        with self.on(index):
            return self.xp.arange(n)

    def arange(self, n: int, like: Any) -> Any:
        """0 .. n-1 as int64, on `like`'s device."""
        return self.xp.arange(n)

    def to_device(self, x: Any, device: Any, source: Any = None) -> Any:
        from . import to_device
        return to_device(x, device)

    def sent(self, numbers: tuple[float, ...], dtype: Any) -> Any:
        """Python's numbers as an array, which is not to be changed: it is sent to a GPU once, and kept."""
        key = (numbers, str(dtype), self.here())
        if key not in self.kept:
            if len(self.kept) >= KEPT:
                self.kept.clear()
            self.kept[key] = self.xp.asarray(numbers, dtype)
        return self.kept[key]

    def here(self) -> int:
        """The number of the device on which new arrays are."""
        return 0

    # ---------------------------------------------------------------- reductions: dim is None, an int or a tuple
    def sum(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _narrow(x, self.xp.sum(x, axis=dim, keepdims=keepdim, dtype=_wide(x)))

    def mean(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _narrow(x, self.xp.sum(x, axis=dim, keepdims=keepdim, dtype=_wide(x)) / numel(x.shape, dim))

    def prod(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _narrow(x, self.xp.prod(x, axis=dim, keepdims=keepdim, dtype=_wide(x)))

    def amax(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return self.xp.max(x, axis=dim, keepdims=keepdim)

    def amin(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return self.xp.min(x, axis=dim, keepdims=keepdim)

    def all(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return self.xp.all(x, axis=dim, keepdims=keepdim)

    def any(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return self.xp.any(x, axis=dim, keepdims=keepdim)

    def argmax(self, x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        return self.xp.argmax(x, axis=dim, keepdims=keepdim)

    def argmin(self, x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        return self.xp.argmin(x, axis=dim, keepdims=keepdim)

    def cumsum(self, x: Any, dim: int) -> Any:
        return _narrow(x, self.xp.cumsum(x, axis=dim, dtype=_wide(x)))

    def cumprod(self, x: Any, dim: int) -> Any:
        return _narrow(x, self.xp.cumprod(x, axis=dim, dtype=_wide(x)))

    def argsort(self, x: Any, dim: int = -1) -> Any:
        """Ascending and stable; NaN last."""
        return self.xp.argsort(_ordered(x), axis=dim, kind="stable")

    def unique(self, x: Any, dim: int | None = None) -> Any:
        """The sorted distinct elements (slices along `dim`), where each of x's is among them, and how many there are."""
        y, inverse, counts = self.xp.unique(_ordered(x), return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
        return y.astype(x.dtype, copy=False), inverse.reshape(x.shape if dim is None else (-1,)), counts

    def bincount(self, x: Any, weights: Any = None, minlength: int = 0) -> Any:
        return self.xp.bincount(x, weights, minlength)

    def searchsorted(self, sequence: Any, values: Any, side: str = "left") -> Any:
        return self.xp.searchsorted(_ordered(sequence), _ordered(values), side)

    # ---------------------------------------------------------------- shape
    def reshape(self, x: Any, shape: Any) -> Any:
        return x.reshape(shape)

    def permute(self, x: Any, dims: Any) -> Any:
        return x.transpose(dims)

    def expand(self, x: Any, shape: Any) -> Any:
        """Broadcast to `shape`, as a view."""
        return self.xp.broadcast_to(x, shape)

    def as_strided(self, x: Any, size: Any, stride: Any, storage_offset: int = 0) -> Any:
        """A view of `x`, flat memory in one piece, by steps counted in elements. Nobody checks that it stays within."""
        return self.xp.lib.stride_tricks.as_strided(x[storage_offset:], size, [n * x.itemsize for n in stride])

    def sum_to(self, x: Any, shape: Any) -> Any:
        """The inverse of expand: sum over what broadcasting repeated."""
        if x.shape == tuple(shape):
            return x
        lead = x.ndim - len(shape)
        dims = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
        y = self.sum(x, dims)
        return y if y.shape == shape else y.reshape(shape)

    def cat(self, xs: Any, dim: int = 0) -> Any:
        return self.xp.concatenate(xs, axis=dim)

    def joined(self, arrays: Any) -> Any:
        """The arrays end to end, flat."""
        return self.cat([a.reshape(-1) for a in arrays])

    def divide_into(self, whole: Any, arrays: Any) -> None:
        """Write a flat array into these, one after the other; they are in one piece."""
        start = 0
        for a in arrays:
            start, end = start + a.size, start
            a[...] = whole[end:start].reshape(a.shape)

    def flip(self, x: Any, dims: Any) -> Any:
        return self.xp.flip(x, axis=dims)

    def roll(self, x: Any, shifts: Any, dims: Any) -> Any:
        return self.xp.roll(x, shifts, axis=dims)

    def windows(self, x: Any, dim: int, size: int, step: int) -> Any:
        """Views of `size` elements every `step` along `dim`; the window is a new last axis (PyTorch's `unfold`)."""
        view = self.xp.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
        return view[(slice(None),) * (dim % x.ndim) + (slice(None, None, step),)]

    def unwindow(self, w: Any, dim: int, size: int, step: int, n: int) -> Any:
        """The adjoint of windows: each element of an axis of n is the sum of its places in them."""
        dim %= w.ndim - 1
        y = self.xp.zeros((*w.shape[:dim], n, *w.shape[dim + 1:-1]), w.dtype)
        lead, count = (slice(None),) * dim, w.shape[dim]
        for i in range(size):
            y[(*lead, slice(i, i + step * count, step))] += w[..., i]
        return y

    def stack(self, xs: Any, dim: int = 0) -> Any:
        return self.xp.stack(xs, axis=dim)

    def unbind(self, x: Any, dim: int = 0) -> Any:
        lead = (slice(None),) * (dim % x.ndim)
        return tuple([x[(*lead, i, ...)] for i in range(x.shape[dim])])         # the dots: views, also of one number

    def split_sizes(self, x: Any, sizes: Any, dim: int = 0) -> Any:
        """Consecutive parts of these sizes along `dim`, as views."""
        lead, parts, start = (slice(None),) * (dim % x.ndim), [], 0
        for n in sizes:
            parts.append(x[(*lead, slice(start, start + n))])
            start += n
        return tuple(parts)

    def repeats(self, counts: Any) -> Any:
        """0, 1, 2, ... each as often as `counts` says."""
        ends = self.xp.cumsum(counts)
        total = ends[-1].item() if counts.size else 0
        return self.xp.searchsorted(ends, self.xp.arange(total), side="right")

    def diagonal(self, x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
        y = self.xp.diagonal(x, offset, dim1, dim2)
        if getattr(x.flags, "writeable", False):
            y.flags.writeable = True         # NumPy's is a view that one may not write to
        return y

    def undiagonal(self, g: Any, shape: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
        """Zeros of `shape` with g on the diagonal: the adjoint of diagonal."""
        y = self.xp.zeros(shape, g.dtype)
        i = self.xp.arange(g.shape[-1])
        self.xp.moveaxis(y, (dim1, dim2), (-2, -1))[..., i + max(-offset, 0), i + max(offset, 0)] = g
        return y

    def tril(self, x: Any, diagonal: int = 0) -> Any:
        return self.xp.tril(x, diagonal)

    def triu(self, x: Any, diagonal: int = 0) -> Any:
        return self.xp.triu(x, diagonal)

    # ---------------------------------------------------------------- in-place changes
    def write(self, x: Any, index: Any, v: Any) -> None:
        """x[index] = v in x's own memory: for in-place ops, which answer for it."""
        x[index] = self.copy(v) if type(v) is type(x) and v is not x and self.overlaps(v, x) else v

    def follow(self, x: Any, path: Any) -> Any:
        """The view of x that `path` describes: an op with its settings after another (see ops/inplace.py)."""
        for op, settings in path:
            x = op.forward(self, x, **settings)
        return x

    def put(self, x: Any, v: Any, path: Any) -> Any:
        """A copy of x in which the view that `path` describes is v."""
        y = self.copy(x)
        view, index = self.follow(y, path[:-1]), Ellipsis
        if len(path) > 1 and not self.overlaps(view, y):         # a reshape had to copy: a level at a time
            return self.put(x, self.put(self.follow(x, path[:1]), v, path[1:]), path[:1])
        if path and "index" in path[-1][1]:
            index = path[-1][1]["index"]
        else:
            view = self.follow(view, path[-1:])
        view[index] = v
        return y

    def erase(self, x: Any, *, path: Any) -> Any:
        """A copy of x in which the view that `path` describes is 0."""
        return self.put(x, 0, path)

    # ---------------------------------------------------------------- products
    def matmul(self, a: Any, b: Any) -> Any:
        if a.ndim > 2 and b.ndim == 2:           # a batch of rows by one matrix is one product, not one each
            rows = a.shape[:-1]
            return self.matmul(a.reshape(numel(rows), a.shape[-1]), b).reshape(*rows, b.shape[1])
        if is_half(a.dtype):                     # half: the products are summed in float32, as on a GPU
            return self.xp.matmul(a.astype("float32"), b.astype("float32")).astype(a.dtype)
        return self.xp.matmul(a, b)

    def einsum(self, equation: str, *xs: Any) -> Any:
        """`equation` names all axes and the result's ("ij,jk->ik"). A pair of operands is a matrix product."""
        pair = contraction(equation, *[x.shape for x in xs])
        if pair is not None:
            return pair(self, *xs)
        if is_half(xs[0].dtype):
            return self.xp.einsum(equation, *[x.astype("float32") for x in xs]).astype(xs[0].dtype)
        return self.xp.einsum(equation, *xs)

    # ---------------------------------------------------------------- housekeeping
    def asarray(self, x: Any, dtype: Any = None) -> Any:
        """An array of this library, whatever NumPy scalar or array of it comes in."""
        return self.xp.asarray(x, dtype)

    def copy(self, x: Any) -> Any:
        return self.xp.array(x, order="C")

    def owner(self, x: Any) -> Any:
        """The array that owns x's memory: two arrays share memory if they have one owner."""
        kind = type(x)
        while type(x.base) is kind:
            x = x.base
        return x

    def overlaps(self, a: Any, b: Any) -> bool:
        return self.owner(a) is self.owner(b)


# The dtype a sum is carried in, by the character of the summands' dtype: as they are where it is not said.
_WIDE = dict.fromkeys("eE", float32) | dict.fromkeys("?bhilqBHILQ", int64)


def _ordered(x: Any) -> Any:
    """x as numbers that the library knows how to order: of NaN among bfloat16 it does not."""
    return x.astype(float32) if is_half(x.dtype) else x


def _wide(x: Any) -> Any:
    """The dtype a sum is carried in: float32 for the halves, int64 for ints and bools, as it is for the rest."""
    return _WIDE.get(x.dtype.char)


def _narrow(x: Any, y: Any) -> Any:
    """What was carried in float32 as the half it is of."""
    return y.astype(x.dtype) if x.dtype.char in "eE" else y


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape, or None when there is none (PyTorch's and NumPy's rule).

    >>> broadcast_shape((5, 1), (4,)), broadcast_shape((3,), (4,))
    ((5, 4), None)
    """
    if shapes and shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    out = []
    for i in range(1, max(map(len, shapes), default=0) + 1):
        sizes = {s[-i] for s in shapes if len(s) >= i} - {1}
        if len(sizes) > 1:
            return None
        out.append(sizes.pop() if sizes else 1)
    return tuple(reversed(out))


def numel(shape: tuple[int, ...], dim: Any = None) -> int:
    """How many elements `shape` has, or as many as meet in a reduction over `dim` (an int or a tuple)."""
    if dim is None:
        return math.prod(shape)
    return shape[dim] if isinstance(dim, int) else math.prod(shape[d] for d in dim)
