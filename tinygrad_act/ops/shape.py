"""Shapes: the same elements seen in another arrangement. Most results are views; their rules are the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import backend, dtypes
from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, IndexingError, ShapeError
from ..graph import recording
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import Dims, Ints, dimension, dimensions, synonyms
from .registry import enter, op, public
from .views import View

reshape_op = enter(View("reshape", lambda F, x, *, shape: F.reshape(x, shape), lambda F, g, x_shape: F.reshape(g, x_shape)))
expand_op = enter(View("expand", lambda F, x, *, shape: F.expand(x, shape), lambda F, g, x_shape: F.sum_to(g, x_shape)))


def _repeat(F: Any, x: Any, *, repeats: tuple[int, ...]) -> Any:
    ones = (1,) * (len(repeats) - x.ndim)
    pairs = list(zip(repeats, (*ones, *x.shape), strict=True))
    spread = F.expand(F.reshape(x, tuple([m for _, n in pairs for m in (1, n)])), tuple([m for pair in pairs for m in pair]))
    return F.reshape(F.copy(spread), tuple([r * n for r, n in pairs]))


def _unrepeat(F: Any, g: Any, x_shape: tuple[int, ...], *, repeats: tuple[int, ...]) -> Any:
    pairs = zip(repeats, (*(1,) * (len(repeats) - len(x_shape)), *x_shape), strict=True)
    spread = F.reshape(g, tuple([m for pair in pairs for m in pair]))
    return F.reshape(F.sum(spread, tuple(range(0, 2 * len(repeats), 2))), x_shape)


repeat_op = op("repeat", _repeat, _unrepeat)


# ------------------------------------------------------------------------------------------------------ reshape
def _fill_in(shape: tuple[int, ...], x: Tensor, op: str, count: int | None = None) -> tuple[int, ...]:
    """`shape` with its -1 worked out, for `count` elements (all of x's unless given)."""
    count = x.array.size if count is None else count
    if -1 not in shape:
        if math.prod(shape) == count and (count or not shape or min(shape) >= 0):
            return shape
    else:
        i = shape.index(-1)
        rest = math.prod(shape[:i] + shape[i + 1:])
        if -1 in shape[i + 1:]:
            raise ShapeError(op, f"{x.shape} into {shape}", "only one size can be -1")
        if rest == 0 and count == 0:
            raise ShapeError(op, f"{x.shape} into {shape}", "with no elements, -1 could be any size", "write the size out")
        if rest > 0 and count % rest == 0:
            return (*shape[:i], count // rest, *shape[i + 1:])
    cause, remedy = f"{count} elements do not fill that shape", ""
    if len(shape) == 2 and x.ndim > 1 and x.array.size == count > 0 and shape[0] in (-1, x.shape[0]):
        one = count // x.shape[0]                            # most likely a flatten before a Linear
        cause = f"that would be rows of {shape[1]}, and each of the {x.shape[0]} along dim 0 has {'·'.join(map(str, x.shape[1:]))} = {one}"
        remedy = f"write (-1, {one}) or flatten(1); a Linear after it takes in_features={one}"
    raise ShapeError(op, f"{x.shape} into {shape}", cause, remedy)


@public()
def reshape(input: Tensor, *size: Ints, shape: Ints | None = None) -> Tensor:
    """The same elements in another shape (ints, or one tuple; one may be -1); a view where it can be.

    >>> ta.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    if not size and shape is None:
        raise ArgumentError("reshape", "no shape", "the shape is missing", "write x.reshape(-1), or x.reshape(()) for 0-d")
    return reshape_op.call(input, shape=_fill_in(arguments.sizes(size or (shape,), "reshape"), input, "reshape"))


@public(function=False)
def view(self: Tensor, *size: Ints, dtype: Any = None) -> Tensor:
    """As reshape, but never a copy: raises ShapeError where one would be needed. `view(dtype)` reads the bytes anew.

    >>> ta.arange(6).view(3, 2).shape
    (3, 2)
    """
    if not size or not isinstance(size[0], (int, tuple, list, Tensor)):
        return _view_as_dtype(self, dtypes.as_dtype(dtype if dtype is not None else (*size, None)[0]))
    shape = _fill_in(arguments.sizes(size, "view"), self, "view")
    array = self.array
    if array.size and not is_contiguous(self):
        F = backend.namespace(array)
        if not F.overlaps(F.reshape(array, shape), array):
            raise ShapeError("view", f"{self.shape} with strides {stride(self)} into {shape}", "it would take a copy",
                             "use .reshape(...), or .contiguous().view(...)")
    return reshape_op.call(self, shape=shape)


def _view_as_dtype(x: Tensor, dtype: Any) -> Tensor:
    if dtype is None:
        raise ArgumentError("view", "no shape", "the shape or the dtype is missing")
    if (x.shape[-1] * x.dtype.itemsize if x.ndim else x.dtype.itemsize) % dtype.itemsize or not (
            x.dtype.itemsize == dtype.itemsize or (x.ndim and stride(x)[-1] == 1)):
        raise ShapeError("view", f"{x.shape} of {x.dtype} as {dtype}", "the last axis cannot be divided into such elements")
    return wrap(x.array.view(dtype))


@public(function=False)
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """`view(other.shape)`."""
    return view(self, other.shape)


@public(function=False)
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape(other.shape)`."""
    return reshape(self, other.shape)


@public()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` as one.

    >>> ta.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    shape = input.shape
    first, last = dimension(start_dim, len(shape), "flatten"), dimension(end_dim, len(shape), "flatten")
    if first > last:
        raise ArgumentError("flatten", f"start_dim={start_dim}, end_dim={end_dim}", "the start comes after the end")
    if first == last and shape:
        return input
    return reshape_op.call(input, shape=(*shape[:first], math.prod(shape[first:last + 1]), *shape[last + 1:]))


@public()
def ravel(input: Tensor) -> Tensor:
    """All elements in one axis; a view where it can be."""
    return input if input.ndim == 1 else reshape_op.call(input, shape=(input.array.size,))


@public()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Axis `dim` as several of these sizes, one of which may be -1.

    >>> ta.zeros(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    dim, shape = dimension(dim, input.ndim, "unflatten"), arguments.sizes((sizes,), "unflatten")
    if not shape or not input.ndim:
        raise ShapeError("unflatten", f"{input.shape} with sizes {shape}", "there is no axis, or no size, to unflatten")
    inner = _fill_in(shape, input, "unflatten", input.shape[dim])
    return reshape_op.call(input, shape=(*input.shape[:dim], *inner, *input.shape[dim + 1:]))


@public()
@synonyms
def squeeze(input: Tensor, dim: Dims = None) -> Tensor:
    """Without the axes of size 1: all of them, or those of `dim` (an int or several).

    >>> ta.zeros(1, 2, 1).squeeze().shape
    (2,)
    """
    shape = input.shape
    drop = range(len(shape)) if dim is None else dimensions(dim, len(shape), "squeeze")
    return reshape_op.call(input, shape=tuple([n for i, n in enumerate(shape) if n != 1 or i not in drop]))


@public()
@synonyms
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new axis of size 1 at `dim`.

    >>> ta.zeros(3).unsqueeze(-1).shape
    (3, 1)
    """
    dim = dimension(dim, input.ndim + 1, "unsqueeze")
    return reshape_op.call(input, shape=(*input.shape[:dim], 1, *input.shape[dim:]))


def _at_least(n: int, place: Any) -> Any:
    def at_least(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
            tensors = tuple(tensors[0])
        elif len(tensors) == 1:
            return tensors[0] if tensors[0].ndim >= n else reshape_op.call(tensors[0], shape=place(tensors[0].shape))
        return tuple([at_least(t) for t in tensors])
    at_least.__name__ = f"atleast_{n}d"
    at_least.__doc__ = f"Each tensor with axes of size 1 added until it has {n}; a tuple for several."
    return public(at_least.__name__, method=False)(at_least)


atleast_1d = _at_least(1, lambda shape: (1,))
atleast_2d = _at_least(2, lambda shape: (1,) * (2 - len(shape)) + shape)
atleast_3d = _at_least(3, lambda shape: {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


# ------------------------------------------------------------------------------------------------------- expand
@public(function=False)
def expand(self: Tensor, *size: Ints) -> Tensor:
    """A view in which axes of size 1 are repeated, and new ones put in front; -1 leaves an axis as it is.

    >>> ta.zeros(3, 1).expand(2, -1, 4).shape
    (2, 3, 4)
    """
    shape, here = arguments.sizes(size, "expand"), self.array.shape
    lead = len(shape) - len(here)
    if lead >= 0 and -1 in shape[lead:]:
        shape = shape[:lead] + tuple([m if n == -1 else n for n, m in zip(shape[lead:], here, strict=True)])
    fits = lead >= 0 and not (shape and min(shape) < 0)
    if fits and shape[lead:] != here:
        fits = all(m in (1, n) for n, m in zip(shape[lead:], here, strict=True))
    if not fits:
        raise ShapeError("expand", f"{here} to {shape}", "only axes of size 1, and new ones in front, can be expanded",
                         "unsqueeze where the new axis should be")
    return expand_op.call(self, shape=shape)


@public(function=False)
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """`expand(other.shape)`."""
    return expand(self, other.shape)


@public()
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` as a function."""
    return expand(input, size)


@public(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors as views of their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*[t.shape for t in tensors])
    return tuple([t if t.shape == shape else expand_op.call(t, shape=shape) for t in tensors])


@public(method=False)
def broadcast_shapes(*shapes: Ints) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    >>> ta.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    given = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    shape = broadcast_shape(*given)
    if shape is None:
        raise ShapeError("broadcast", " and ".join(map(str, given)), "the shapes do not broadcast: aligned at the right, "
                         "sizes must be equal or 1", "reshape or unsqueeze one of them")
    return shape


@public(function=False)
def sum_to_size(self: Tensor, *size: Ints) -> Tensor:
    """The inverse of expand: summed over the axes that broadcasting `size` to this shape would repeat."""
    shape = arguments.sizes(size, "sum_to_size")
    if broadcast_shape(shape, self.shape) != self.shape or len(shape) > self.ndim:
        raise ShapeError("sum_to_size", f"{self.shape} to {shape}", "that shape does not expand to this tensor's")
    return self if shape == self.shape else recording.sum_to(self, shape=shape)


@public(function=False)
def repeat(self: Tensor, *repeats: Ints) -> Tensor:
    """The tensor side by side with itself, as often as said for each axis; more numbers than axes add axes in front.

    >>> ta.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times = arguments.shape(repeats, "repeat")
    if len(times) < self.ndim:
        raise ShapeError("repeat", f"{times} for a tensor of shape {self.shape}", "there must be a number for each axis",
                         "use tile, which takes 1 for the first ones")
    return repeat_op(self, repeats=times)


@public()
def tile(input: Tensor, *dims: Ints) -> Tensor:
    """As repeat, with 1 for the axes in front that no number is given for."""
    times = arguments.shape(dims, "tile")
    return repeat_op(input, repeats=(*(1,) * (input.ndim - len(times)), *times))


# ------------------------------------------------------------------------------------------------------ questions
@public(function=False)
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one axis."""
    if dim is None:
        return self.shape
    if not self.ndim:
        raise IndexingError("size", f"dim={dim} of a 0-d tensor", "it has no axes")
    return self.shape[dimension(dim, self.ndim, "size")]


@public("dim", "ndimension", function=False)
def dim(self: Tensor) -> int:
    """The number of axes."""
    return self.ndim


@public("nelement", function=False)
@public()
def numel(input: Tensor) -> int:
    """The number of elements."""
    return int(input.array.size)


@public(function=False)
def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements of memory lie between neighbours along each axis (or one)."""
    array = self.array
    if array.flags.c_contiguous:
        strides, step = [], 1
        for n in reversed(self.shape):
            strides.append(step)
            step *= max(n, 1)
        result = tuple(reversed(strides))
    else:
        result = tuple([s // array.itemsize for s in array.strides])
    return result if dim is None else result[dimension(dim, self.ndim, "stride")]


@public(function=False)
def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Do the elements lie in memory in the order of the indices?"""
    return bool(self.array.flags.c_contiguous)


@public(function=False)
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """This tensor if it is contiguous, else a copy that is."""
    return self if self.array.flags.c_contiguous else recording.clone(self)
