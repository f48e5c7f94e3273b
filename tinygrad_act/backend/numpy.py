"""The CPU: the vocabulary of `namespace.py` on NumPy, with the faster spellings that NumPy has."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..numerics import special
from ..numerics.convolve import Block, Compute, Room
from ..numerics.logits import SMALL
from . import memory, threads
from .abutting import Abutting
from .attention import Attended
from .beside import Beside
from .choosing import Choice
from .config import config
from .ctc import Aligned
from .entropy import Entropies
from .gather import Gathered
from .namespace import Namespace, _narrow, _wide, numel
from .normalise import Normalised
from .products import Products
from .recurrent import InSteps
from .resampling import Resampled
from .rowsums import MANY, RUN, RowsAdded
from .sampling import Sampled
from .scans import Scanned
from .substitution import Substituted
from .volumes import Volumes

Array = np.ndarray
_add: Any = np.add.reduce
_max: Any = np.maximum.reduce
_min: Any = np.minimum.reduce
UNSIGNED = np.dtype("uint64")
CHAR = operator.attrgetter("dtype.char")
FEW = 1 << 11                          # numbers up to which sums of short rows are left to NumPy, whose loop a replay's rows take up
BITS = {"f": "i", "d": "l"}             # of floats, as whole numbers
TRIANGLE = 1 << 16                     # numbers of a matrix whose triangle is kept
LITTLE = 64                            # numbers that NumPy adds at an index sooner than their positions are known


def _dividing(function: Any) -> Any:
    """As PyTorch on the CPU: integers divided by 0 are an error (a GPU cannot tell without waiting)."""
    def divide(self: Any, a: Any, b: Any) -> Any:
        y = function(a, b)
        if y.size and y.dtype.kind in "iu" and not np.all(b):
            raise ZeroDivisionError("an integer is divided by 0")
        return y
    return divide


class NumpyNamespace(Abutting, Attended, Normalised, Entropies, Sampled, RowsAdded, Scanned, Gathered, Choice, Resampled, Aligned, InSteps, Beside, Volumes, Products, Substituted):
    name = "numpy"
    beside = Entropies.beside | Sampled.beside
    floor_divide, remainder, fmod = map(_dividing, (np.floor_divide, np.remainder, np.fmod))

    executor: Any = None                                 # execute.py, imported with the first large array
    calls: Mapping[Any, Any] = MappingProxyType({})      # the executor's: see its `remember`

    def settle(self) -> None:
        """Do as the config says now."""
        off = config.kernels == "off"
        self.large, self.shared = (type(self).large, type(self).shared) if off else (config.large, max(config.large, config.shared))
        if self.executor is not None:
            self.executor.settle()
            self.calls = self.executor.mode.calls

    def run(self, rule: Any, arrays: Any, params: Any) -> Any:
        """An elementwise rule, by the executor if one of the arrays is large."""
        if getattr(arrays[-1], "size", 0) < self.large and max([a.size for a in arrays if isinstance(a, Array)], default=0) < self.large:
            return super().run(rule, arrays, params)
        try:
            key = (rule, *map(CHAR, arrays))
        except AttributeError:                           # a number among the arrays
            key = (rule, *[a.dtype.char if isinstance(a, Array) else (a or str(a), type(a)) for a in arrays])       # 0.0 is equal to -0.0
        if params:
            key = (*key, *params, *params.values(), *map(type, params.values()))
        try:
            call = self.calls.get(key)
        except TypeError:                                # a setting that cannot be part of a key
            call = None
        return call(*arrays) if call else (self.executor or self.start()).run(rule, arrays, params, key=key)

    def single(self, rule: Any) -> bool:
        """Is the rule one operation at most? That is what NumPy does anyway: only threads gain something."""
        return bool((self.executor or self.start()).single(rule))

    def change(self, targets: Any, rule: Any, arrays: Any, params: Any) -> None:
        """Likewise, in the arrays' own memory."""
        if targets[0].size < self.large:
            super().change(targets, rule, arrays, params)
        else:
            (self.executor or self.start()).run(rule, arrays, params, tuple(targets))

    def columns(self, rows: Any) -> Any:
        from . import several  # loads the executor's compiler
        return several.Table(self, rows) if config.kernels == "auto" and several.possible(rows) else None

    def start(self) -> Any:
        from .execute import Executor
        self.executor = Executor(self)
        self.calls = self.executor.mode.calls
        return self.executor

    def ones_like(self, x: Any) -> Any:
        """As np.ones, in a third of the time for few numbers: every backward pass starts with it."""
        y = np.empty(x.shape, x.dtype)
        y.fill(1)
        return y

    # NumPy's reductions take (array, axis, dtype, out, keepdims); by position that is half a microsecond less
    def sum(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if x.dtype.char not in "fd":
            return _narrow(x, _add(x, axis=dim, keepdims=keepdim, dtype=_wide(x)))
        if x.size > FEW and x.flags.c_contiguous and (axes := _at_an_end(x.ndim, dim)):
            shape = x.shape[:-axes] if axes > 0 else x.shape[-axes:]
            if axes > 0:
                y = self.row_totals(x, axes)
            elif x.size > MANY and x.size > (columns := numel(shape)) > 1:
                y = self.sum_rows(x.reshape(x.size // columns, columns)).reshape(shape)
            else:
                return _add(x, dim, None, None, keepdim)
            return y.reshape((*shape, *(1,) * axes) if axes > 0 else ((1,) * -axes + shape)) if keepdim else y
        return _add(x, dim, None, None, keepdim)

    def mean(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if x.dtype.char in "fd":
            return self.sum(x, dim, keepdim) / numel(x.shape, dim)
        return _narrow(x, _add(x, axis=dim, keepdims=keepdim, dtype=_wide(x)) / numel(x.shape, dim))

    def sum_to(self, x: Any, shape: Any) -> Any:
        if x.ndim > 1 and len(shape) == 1 and x.shape[-1] == shape[0] and (shape[0] > 1 or x.size <= RUN) and x.dtype.char in "fd":
            return self.sum_rows(x if x.ndim == 2 else x.reshape(numel(x.shape[:-1]), shape[0]))
        return Namespace.sum_to(self, x, shape)              # no super(): a recording runs this text on a vocabulary of its own

    def amax(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _max(x, dim, None, None, keepdim)

    def amin(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _min(x, dim, None, None, keepdim)

    scores_at_once = 1 << 18                             # in float32 a megabyte: the cache of a core holds a few

    def together(self, work: Any, parts: Any, size: int) -> None:
        """Among threads, if there is enough to do: to start one takes as long as some passes over 10,000 numbers."""
        count, serial = min(threads.available(), len(parts)) if size > 1 << 17 else 1, super().together
        if count < 2:
            serial(work, parts, size)
        else:
            threads.run([functools.partial(serial, work, parts[i::count], 0) for i in range(count)])

    looks, rows = True, 1 << 16

    def row_dots(self, a: Any, b: Any) -> Any:
        return np.vecdot(a, b)

    def share(self, compute: Compute, blocks: Sequence[Sequence[Block]], size: int) -> list[Room]:
        """Among threads, if there is enough to do for two: blocks of the same images stay together, as some write to the same places."""
        count, serial = min(threads.available(), len(blocks)) if size > 2 * self.span else 1, super().share
        if count < 2:
            return serial(compute, blocks, size)
        ends = [len(blocks) * i // count for i in range(count + 1)]
        rooms = threads.run([functools.partial(serial, compute, blocks[a:b], 0) for a, b in itertools.pairwise(ends)])
        return [room for found in rooms for room in found]

    def windows(self, x: Any, dim: int, size: int, step: int) -> Any:
        """As NumPy's, which takes ten times as long to make a view; for x in one piece that is a buffer (bfloat16 is none)."""
        dim, n = dim % x.ndim, (x.shape[dim] - size) // step + 1
        if size < 0 or x.shape[dim] < size or not x.flags.c_contiguous or x.dtype.char == "E":
            view = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim, writeable=x.flags.writeable)
            return view[(slice(None),) * dim + (slice(None, None, step),)]
        strides = x.strides
        return np.ndarray((*x.shape[:dim], n, *x.shape[dim + 1:], size), x.dtype, x, 0,
                          (*strides[:dim], step * strides[dim], *strides[dim + 1:], strides[dim]))

    def tril(self, x: Any, diagonal: int = 0) -> Any:
        return _masked(x, diagonal, False) if _small_matrix(x) else np.tril(x, diagonal)

    def triu(self, x: Any, diagonal: int = 0) -> Any:
        return _masked(x, diagonal, True) if _small_matrix(x) else np.triu(x, diagonal)

    def add_at(self, y: Any, index: Any, v: Any) -> None:
        """By positions in flat memory: NumPy adds to one axis many times faster than to several, and C whole rows faster still.

        The index is within bounds: nobody looks at that here.
        """
        if v.size <= LITTLE or not y.flags.c_contiguous:
            np.add.at(y, index, v)
            return
        rows = _rows(y, index)
        if rows is not None:
            shape = rows.shape + y.shape[len(index) if isinstance(index, tuple) else 1:]
            wide = numel(shape[rows.ndim:])
            if wide > 1 and y.size and self.rows_in_c(y.reshape(-1, wide), np.broadcast_to(v, shape).reshape(-1, wide), rows.ravel()):
                return
            places = rows if wide == 1 else rows[..., None] * wide + np.arange(wide)
        elif y.size <= 8 * v.size:
            places = np.arange(y.size).reshape(y.shape)[index]
            shape = places.shape
        else:
            np.add.at(y, index, v)
            return
        np.add.at(y.reshape(-1), places.ravel(), np.broadcast_to(v, shape).ravel())

    def scatter_reduce(self, x: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
        """By positions in flat memory, as add_at."""
        join = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[reduce]
        y = np.array(x, order="C")
        places = self.gather(np.arange(y.size).reshape(y.shape), dim, index)
        join.at(y.reshape(-1), places.ravel(), src[tuple(slice(n) for n in index.shape)].ravel())
        return y

    def within(self, index: Any, low: int, high: int) -> bool:
        if low == 0 and index.dtype.char == "l":             # as unsigned numbers the negative ones are too large: one look
            return index.size == 0 or bool(_max(index.view(UNSIGNED), None) <= high)
        return index.size == 0 or bool(index.min() >= low and index.max() <= high)

    def require(self, look: Any, *arrays: Any) -> None:
        look(*arrays)

    def totals(self, x: Any, dim: int) -> Any:
        """Of short rows without looking for the largest numbers, which takes longer than all the rest, if the sums show that
        nothing overflowed or was lost: their logarithms are then less than 8. A small loss between large logits is then exact to
        a few units of the logits, not of itself.
        """
        if dim != x.ndim - 1 or not 0 < x.shape[-1] <= 1500 or not x.size:
            return super().totals(x, dim)
        if x.size > SMALL:
            e, total = 0.0, self._tiled(x, 0.0)
        else:
            e = np.exp(x)
            total = _add(e, dim, None, None, True)
        return (0.0, total, e) if _min(total, None) >= 4e-4 and _max(total, None) <= 2900 else super().totals(x, dim)

    def without_nan(self, x: Any) -> bool:
        top = _max(x, None) if x.size else 0
        return bool(top == top)

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        """As np.where; numbers or the int 0 by their bits, with no branch to guess: a tenth of the time where signs are mixed."""
        zero, keep = (a, b) if type(a) is int else (b, a)
        if type(zero) is int and zero == 0 and type(keep) is Array and keep.size > 1 << 11 \
                and keep.shape == condition.shape and keep.dtype.char in "fd" and condition.dtype.char == "?":
            bits = keep.dtype.str.replace("f", "i")
            y: Any = condition.astype(bits)
            y = np.subtract(y, 1, y) if zero is a else np.negative(y, y)             # all bits where it is kept
            return np.bitwise_and(y, keep.view(bits), y).view(keep.dtype)
        return np.where(condition, a, b)

    def expand(self, x: Any, shape: Any) -> Any:
        """As np.broadcast_to, in two thirds of the time; for x in one piece that is a buffer (bfloat16 is none)."""
        lead = len(shape) - x.ndim
        if lead < 0 or not x.flags.c_contiguous or x.dtype.char == "E":
            return np.broadcast_to(x, shape)
        strides = [0] * lead
        for n, wanted, stride in zip(x.shape, shape[lead:], x.strides, strict=True):
            if n != wanted and n != 1:
                return np.broadcast_to(x, shape)             # which says what is wrong
            strides.append(stride if n == wanted else 0)
        y: Any = np.ndarray(shape, x.dtype, x, 0, strides)
        y.flags.writeable = False
        return y

    def cummax(self, x: Any, dim: int) -> Any:
        return np.maximum.accumulate(x, axis=dim)

    def cummin(self, x: Any, dim: int) -> Any:
        return np.minimum.accumulate(x, axis=dim)


def _at_an_end(ndim: int, dim: Any) -> int:
    """How many axes are summed over, if they are the last ones; less than 0 if they are the first ones; 0 if they are others."""
    if dim is None:
        return ndim
    given = (dim,) if isinstance(dim, int) else dim
    dims, count = sorted([d % ndim for d in given if -ndim <= d < ndim]), len(given)
    return count if dims == [*range(ndim - count, ndim)] else -count if dims == [*range(count)] else 0


def _small_matrix(x: Any) -> bool:
    """Matrices of floats whose triangle is worth keeping."""
    return x.dtype.char in BITS and x.ndim > 1 and x.shape[-1] * x.shape[-2] <= TRIANGLE


def _masked(x: Any, diagonal: int, upper: bool) -> Any:
    """The triangles of matrices, by their bits."""
    bits = BITS[x.dtype.char]
    return np.bitwise_and(x.view(bits), _triangle(*x.shape[-2:], diagonal, upper, bits)).view(x.dtype)


@functools.lru_cache(maxsize=8)
def _triangle(rows: int, columns: int, diagonal: int, upper: bool, bits: str) -> Any:
    """All bits of each number that stays."""
    below = np.tri(rows, columns, diagonal - upper, bool)
    return -(~below if upper else below).astype(bits)


def _rows(y: Any, index: Any) -> Any:
    """Which rows of y an index of integers along the first axes names, as positions; None for an index of another kind."""
    parts = index if isinstance(index, tuple) else (index,)
    if not parts or not all(isinstance(p, np.ndarray) and p.dtype.kind == "i" for p in parts):
        return None
    rows: Any = 0
    for part, n in zip(parts, y.shape, strict=False):
        part = part.astype(np.int64, copy=False)             # a position may be too large for the index's own dtype
        rows = rows * n + np.where(part < 0, part + n, part)
    return rows


F = NumpyNamespace(np, special)
F.settle()
config.listeners.append(F.settle)
memory.keep()


def from_host(array: np.ndarray, index: int | None = None) -> np.ndarray:
    """NumPy is the host: nothing to do."""
    return array


def to_host(array: np.ndarray) -> np.ndarray:
    return array


def is_available() -> bool:
    return True


def device_index(array: np.ndarray) -> int | None:
    return None


def generator(seed: int, index: int | None = None) -> np.random.Generator:
    return np.random.default_rng(seed)


def generator_state(generator: np.random.Generator) -> bytes:
    """Where a generator stands, as text."""
    import json
    return json.dumps(generator.bit_generator.state).encode()


def set_generator_state(generator: np.random.Generator, state: bytes) -> None:
    import json
    generator.bit_generator.state = json.loads(state)
