"""The order of axes and of elements: transposing, flipping, rolling, windows."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ArgumentError, IndexingError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from . import arguments
from .arguments import Ints, dimension, dimensions
from .registry import enter, op, public
from .shape import reshape, reshape_op
from .views import View

permute_op = enter(View("permute", lambda F, x, *, dims: F.permute(x, dims),
                        lambda F, g, *, dims: F.permute(g, tuple(sorted(range(len(dims)), key=dims.__getitem__)))))
flip_op = op("flip", lambda F, x, *, dims: F.copy(F.flip(x, dims)), lambda F, g, *, dims: F.flip(g, dims))
roll_op = op("roll", lambda F, x, *, shifts, dims: F.roll(x, shifts, dims),
             lambda F, g, *, shifts, dims: F.roll(g, tuple([-s for s in shifts]), dims))
windows_op = enter(View("windows", lambda F, x, *, dim, size, step: F.windows(x, dim, size, step),
                        lambda F, g, x_shape, *, dim, size, step: F.unwindow(g, dim, size, step, x_shape[dim])))
op("unwindow", lambda F, w, *, dim, size, step, n: F.unwindow(w, dim, size, step, n),
   lambda F, h, *, dim, size, step: F.windows(h, dim, size, step))



# --------------------------------------------------------------------------------------------- order of the axes
def _swap(x: Tensor, dim0: int, dim1: int, op: str) -> Tensor:
    n = x.ndim
    i, j = dimension(dim0, n, op), dimension(dim1, n, op)
    dims = list(range(n))
    if n:
        dims[i], dims[j] = j, i
    return permute_op.call(x, dims=tuple(dims))


@public("transpose", "swapdims")
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two axes swapped.

    >>> ta.zeros(2, 3, 4).transpose(0, -1).shape
    (4, 3, 2)
    """
    return _swap(input, dim0, dim1, "transpose")


@public()
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose` under NumPy's name."""
    return _swap(input, axis0, axis1, "swapaxes")


@public()
def permute(input: Tensor, *dims: Ints, **named: Ints) -> Tensor:
    """A view with the axes in the order `dims`.

    >>> ta.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    given = arguments.sizes(dims or (named["dims"],), "permute") if dims or "dims" in named else ()
    if len(given) != input.ndim or not (dims or named):
        raise ShapeError("permute", f"{given} for a tensor of shape {input.shape}", "every axis must be named once")
    order = dimensions(given, input.ndim, "permute")
    return permute_op.call(input, dims=order)


@public("movedim", "moveaxis")
def movedim(input: Tensor, source: Ints, destination: Ints) -> Tensor:
    """A view in which the axes `source` are at `destination`, the others in their order.

    >>> ta.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    n = input.ndim
    start, end = dimensions(source, n, "movedim"), dimensions(destination, n, "movedim")
    if len(start) != len(end):
        raise ArgumentError("movedim", f"{source} to {destination}", "there must be a destination for each source")
    if not n:
        return input
    moved = dict(zip(end, start, strict=True))
    others = iter([d for d in range(n) if d not in start])
    return permute_op.call(input, dims=tuple([moved[d] if d in moved else next(others) for d in range(n)]))


@public()
def t(input: Tensor) -> Tensor:
    """A matrix transposed; 0-d and 1-d tensors as they are."""
    if input.ndim > 2:
        raise ShapeError("t", f"a tensor of shape {input.shape}", "it has more than 2 axes", "use .mT or .transpose(...)")
    return permute_op.call(input, dims=(1, 0)) if input.ndim == 2 else input


@public()
def adjoint(input: Tensor) -> Tensor:
    """The last two axes swapped."""
    return _matrix_transpose(input)


def _matrix_transpose(x: Tensor) -> Tensor:
    """The last two axes exchanged: a batch of matrices transposed."""
    if x.ndim == 1:
        raise ShapeError("mT", f"a tensor of shape {x.shape}", "it takes a matrix, or a batch of them")
    return _swap(x, -2, -1, "mT") if x.ndim else x


def _reversed(x: Tensor) -> Tensor:
    """The axes in reverse order: of a matrix, its transpose."""
    return permute_op.call(x, dims=tuple(range(x.ndim - 1, -1, -1)))


def _hermitian(x: Tensor) -> Tensor:
    """The transpose of a matrix, as nothing here is complex."""
    if x.ndim not in (0, 2):
        raise ShapeError("H", f"a tensor of shape {x.shape}", "it takes a matrix", "use .mH for batches of them")
    return _reversed(x)


for _name, _view in {"T": _reversed, "mT": _matrix_transpose, "H": _hermitian, "mH": _matrix_transpose}.items():
    setattr(Tensor, _name, property(_view))


# ---------------------------------------------------------------------------------------------- order of elements
@public()
def flip(input: Tensor, *dims: Ints, **named: Ints) -> Tensor:
    """A copy with the order along `dims` reversed.

    >>> ta.tensor([[1, 2], [3, 4]]).flip(0)
    tensor([[3, 4],
            [1, 2]])
    """
    if not dims and "dims" not in named:
        raise ArgumentError("flip", "no dims", "the dims are missing")
    order = dimensions(arguments.sizes(dims or (named["dims"],), "flip"), input.ndim, "flip")
    return flip_op.call(input, dims=order if input.ndim else ())


def _flipped(x: Tensor, dim: int, op: str) -> Tensor:
    if x.ndim <= dim:
        raise ShapeError(op, f"a tensor of shape {x.shape}", f"it needs {dim + 1} axes or more")
    return flip_op.call(x, dims=(dim,))


@public()
def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order."""
    return _flipped(input, 1, "fliplr")


@public()
def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order."""
    return _flipped(input, 0, "flipud")


@public()
def roll(input: Tensor, shifts: Ints, dims: Ints | None = None) -> Tensor:
    """Elements shifted along `dims`, those pushed out at the end coming in at the front; without dims, as if flat.

    >>> ta.arange(5).roll(2)
    tensor([3, 4, 0, 1, 2])
    """
    steps = arguments.sizes((shifts,) if isinstance(shifts, (tuple, list)) else ((shifts,),), "roll")
    if dims is None or dims == ():
        if len(steps) != 1:
            raise ArgumentError("roll", f"shifts={steps} without dims", "there must be a dim for each shift")
        return reshape(roll(reshape(input, -1), steps, (0,)), input.shape)
    axes = tuple([dimension(d, input.ndim, "roll") for d in (dims if isinstance(dims, (tuple, list)) else (dims,))])
    if not input.ndim:
        raise IndexingError("roll", f"dims={dims} of a 0-d tensor", "it has no axes")
    if len(axes) != len(steps):
        raise ArgumentError("roll", f"shifts={steps}, dims={dims}", "there must be a dim for each shift")
    return roll_op.call(input, shifts=steps, dims=axes)


@public()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by k quarters of a circle, from the first of the two dims towards the second."""
    if len(dims) != 2 or input.ndim < 2:
        raise ArgumentError("rot90", f"dims={dims} of a tensor of shape {input.shape}", "it takes two axes")
    i, j = dimensions(tuple(dims), input.ndim, "rot90")
    if k % 4 == 2:
        return flip(input, (i, j))
    if k % 4 == 0:
        return recording.clone(input)  # type: ignore[no-any-return]
    return flip(transpose(input, i, j), i if k % 4 == 1 else j)


@public(function=False)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of all windows of `size` elements, one every `step`, along an axis; the window is a new last axis.

    >>> ta.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    dim = arguments.dimension(dimension, self.ndim, "unfold")
    n = self.shape[dim] if self.ndim else 1
    if not 0 <= size <= n or step <= 0:
        raise ShapeError("unfold", f"size={size}, step={step} along an axis of {n}",
                         "the step must be positive" if step <= 0 else f"the size must be from 0 to {n}")
    x = self if self.ndim else reshape_op.call(self, shape=(1,))
    if not self.ndim:
        return reshape_op.call(x, shape=(1,))[:size]
    return windows_op.call(x, dim=dim, size=size, step=step)
