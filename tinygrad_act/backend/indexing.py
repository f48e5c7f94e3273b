"""Reading and writing at indices: the part of the vocabulary behind ops/index.py and ops/scatter.py.

`index` is what NumPy takes in x[index]; `dim` and an index tensor are PyTorch's. Nothing here changes its input.
"""

from __future__ import annotations

from typing import Any

BASIC = {int, slice, type(None), type(Ellipsis)}


class Indexing:
    """Mixed into Namespace, whose `xp` it uses."""

    xp: Any

    def getitem(self, x: Any, index: Any) -> Any:
        y = x[index]                       # a NumPy scalar is a copy; with an Ellipsis it is a view
        return y if type(y) is type(x) else x[(*index, ...) if isinstance(index, tuple) else (index, ...)]

    def index_add_to(self, g: Any, index: Any, shape: Any) -> Any:
        """Zeros of `shape` with g added at `index`: the adjoint of getitem."""
        y = self.xp.zeros(shape, g.dtype)
        if _once(index):
            y[index] = g
        else:
            self.add_at(y, index, g)
        return y

    def index_put(self, x: Any, index: Any, v: Any) -> Any:
        """A copy of x with x[index] = v."""
        y = x.copy()
        y[index] = v
        return y

    def add_at(self, y: Any, index: Any, v: Any) -> None:
        """y[index] += v with repeated indices summed, in place: for arrays this namespace has just made."""
        self.xp.add.at(y, index, v)

    def gather(self, x: Any, dim: int, index: Any) -> Any:
        slices = self.slices(index, dim, x.shape)
        return x[self._grid(index, dim)] if slices is None else self.index_select(x, dim, slices)

    def scatter(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        slices, src = self.slices(index, dim, x.shape), src[tuple(slice(n) for n in index.shape)]
        if slices is not None:
            return self.index_copy(x, dim, slices, src)
        y = x.copy()
        y[self._grid(index, dim)] = src
        return y

    def scatter_add(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        slices, src = self.slices(index, dim, x.shape), src[tuple(slice(n) for n in index.shape)]
        if slices is not None:
            return self.index_add(x, dim, slices, src)
        y = x.copy()
        self.add_at(y, self._grid(index, dim), src)
        return y

    def slices(self, index: Any, dim: int, shape: Any) -> Any:
        """Which slices along `dim` are meant, where `index` was made by expanding one number for each; None where it was not."""
        others = [i for i in range(index.ndim) if i != dim % index.ndim]
        if not others or any(index.shape[i] != shape[i] or (index.strides[i] and index.shape[i] > 1) for i in others) or not index.size:
            return None
        return index[tuple([0 if i in others else slice(None) for i in range(index.ndim)])]

    def _grid(self, index: Any, dim: int) -> Any:
        """`index` along `dim`, its own coordinates along the other axes."""
        dim %= max(index.ndim, 1)
        grid = [self.xp.arange(n).reshape((-1,) + (1,) * (index.ndim - i - 1)) for i, n in enumerate(index.shape)]
        if grid:
            grid[dim] = index
        return tuple(grid) if grid else index

    def nonzero(self, x: Any) -> Any:
        """The indices of what is not 0, an int64 array an axis."""
        return x.nonzero()

    def within(self, index: Any, low: int, high: int) -> bool:
        """Are all of `index` from `low` to `high`? Where looking would mean waiting for a GPU, the answer is yes."""
        return True

    def require(self, look: Any, *arrays: Any) -> None:
        """Have `look` raise an error if the arrays are not as they must be; where it would mean waiting for a GPU, nobody looks."""

    def index_select(self, x: Any, dim: int, index: Any) -> Any:
        return x.take(index, axis=dim)

    def index_add(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        y = x.copy()
        self.add_at(y, (slice(None),) * (dim % x.ndim) + (index,), src)
        return y

    def index_copy(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        y = x.copy()
        y[(slice(None),) * (dim % x.ndim) + (index,)] = src
        return y

    def scatter_reduce(self, x: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
        """`reduce` is prod, amax or amin; a sum is scatter_add."""
        y = x.copy()
        {"prod": self.xp.multiply, "amax": self.xp.maximum, "amin": self.xp.minimum}[reduce].at(y, self._grid(index, dim), src)
        return y


def _once(index: Any) -> bool:
    """True for integers, slices, None, Ellipsis and masks, which cannot name an element twice."""
    for p in index if type(index) is tuple else (index,):
        if type(p) not in BASIC and getattr(p, "dtype", None) != "bool":
            return False
    return True
