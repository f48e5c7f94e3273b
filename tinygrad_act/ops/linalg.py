"""Matrix products. `matmul` for any ranks, and the products of PyTorch's that fix them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import namespaces
from ..backend.namespace import broadcast_shape, numel
from ..errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from ..graph import recording
from ..op import Single
from ..tensor import Tensor, wrap
from .arguments import whole
from .reduce import operand
from .registry import enter, operators, public


class Product(Single):
    """Two tensors of one dtype, of the ranks given (None: at least 1): the general call, and a short one for floats."""

    def __init__(self, name: str, ranks: tuple[int, int] | None, forward: Callable[..., Any], *rules: Any) -> None:
        self.ranks = ranks
        super().__init__(name, forward, *rules, same_dtype=True)

    def fits(self, a: Any, b: Any) -> bool:
        return (a.ndim, b.ndim) == self.ranks if self.ranks else a.ndim > 0 and b.ndim > 0

    def takes(self, dtype: Any, inputs: Sequence[Any]) -> bool:
        return False                                         # off the short path, prepare looks at everything

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        inputs = super().prepare(inputs)
        for x in inputs:
            if not isinstance(x, Tensor):
                raise ArgumentError(self.name, repr(x), "a number is no matrix", "multiply by it with *")
            if x.dtype.kind == "b":
                raise DTypeError(self.name, "bool", "it takes numbers", "convert it first, with .to(ta.float32) or .int()")
        a, b = inputs
        if not self.fits(a, b):
            wants = f"{self.ranks[0]}-d and {self.ranks[1]}-d tensors" if self.ranks else "tensors with at least one axis each"
            raise ShapeError(self.name, _shapes(a, b), f"it takes {wants}",
                             "multiply by a number with *" if not self.ranks else "reshape them, or use matmul")
        return inputs

    def explain(self, error: Exception, arrays: Sequence[Any]) -> TinygradActError:
        return mismatch(self.name, *arrays) or super().explain(error, arrays)


def _shapes(a: Any, b: Any) -> str:
    return f"{tuple(a.shape)} @ {tuple(b.shape)}"


def mismatch(name: str, a: Any, b: Any) -> TinygradActError | None:
    """What is wrong with the shapes of a @ b."""
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        fits = b.ndim > 1 and a.shape[-1] == b.shape[-1]
        return ShapeError(name, _shapes(a, b), f"inner sizes {a.shape[-1]} and {inner} differ",
                          "transpose the second (.mT)" if fits else "the last size of the first and the "
                          f"{'second to last' if b.ndim > 1 else 'only'} size of the second must be equal")
    if broadcast_shape(a.shape[:-2], b.shape[:-2]) is None:
        return ShapeError(name, _shapes(a, b), f"batches {a.shape[:-2]} and {b.shape[:-2]} do not broadcast",
                          "sizes must be equal or 1")
    return None


def product(name: str, ranks: tuple[int, int] | None, forward: Callable[..., Any], for_a: Any, for_b: Any) -> Product:
    """A row, part of F."""
    row = Product(name, ranks, forward, for_a, for_b)
    enter(row)
    return row


# ------------------------------------------------------------------------------------------------------------- rules
def turned(F: Any, x: Any) -> Any:
    """x with its last two axes exchanged."""
    return F.permute(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def column(F: Any, x: Any) -> Any:
    return F.reshape(x, (*x.shape, 1))


def row_of(F: Any, x: Any) -> Any:
    return F.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _same_batch(F: Any, a: Any, b: Any) -> Any:
    if a.shape[0] != b.shape[0]:
        raise ShapeError("bmm", _shapes(a, b), f"batches of {a.shape[0]} and {b.shape[0]} differ", "use matmul to broadcast them")
    return F.matmul(a, b)


def _for_first(F: Any, g: Any, b: Any, a_shape: Any) -> Any:
    if b.ndim == 1:
        return F.sum_to(column(F, g) * b, a_shape)
    if len(a_shape) == 1:
        ga = F.matmul(row_of(F, g), turned(F, b))
        return F.sum_to(F.reshape(ga, (*ga.shape[:-2], ga.shape[-1])), a_shape)
    return F.sum_to(F.matmul(g, turned(F, b)), a_shape)


def _for_second(F: Any, g: Any, a: Any, b_shape: Any) -> Any:
    if a.ndim == 1:
        return F.sum_to(column(F, a) * row_of(F, g), b_shape)
    if len(b_shape) <= 2:                                    # one product over all rows of the batch
        rows = numel(a.shape[:-1])
        a = F.reshape(a, (rows, a.shape[-1]))
        return F.matmul(turned(F, a), F.reshape(g, (rows, b_shape[1]) if len(b_shape) == 2 else (rows,)))
    return F.sum_to(F.matmul(turned(F, a), g), b_shape)


_matmul = product("matmul", None, lambda F, a, b: F.matmul(a, b), _for_first, _for_second)
wide_matmul = product("wide_matmul", None, lambda F, a, b: F.matmul(a, b), _for_first, _for_second)      # not in halves under autocast
_mm = product("mm", (2, 2), lambda F, a, b: F.matmul(a, b),
              lambda F, g, b: F.matmul(g, F.permute(b, (1, 0))), lambda F, g, a: F.matmul(F.permute(a, (1, 0)), g))
_bmm = product("bmm", (3, 3), _same_batch,
               lambda F, g, b: F.matmul(g, turned(F, b)), lambda F, g, a: F.matmul(turned(F, a), g))
_mv = product("mv", (2, 1), lambda F, a, b: F.matmul(a, b),
              lambda F, g, b: column(F, g) * b, lambda F, g, a: F.matmul(F.permute(a, (1, 0)), g))
_dot = product("dot", (1, 1), lambda F, a, b: F.matmul(a, b), lambda F, g, b: g * b, lambda F, g, a: g * a)

_BY_RANKS = {(2, 2): _mm, (2, 1): _mv, (1, 1): _dot}


@public()
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, without broadcasting."""
    return _mm.call(input, mat2)


@public()
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two equally long batches of matrices."""
    return _bmm.call(input, mat2)


@public()
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _mv.call(input, vec)


@public()
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors.

    >>> ta.tensor([1., 2.]).dot(ta.tensor([3., 4.]))
    tensor(11.)
    """
    return _dot.call(input, tensor)


@public()
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot`: the two differ for complex numbers only."""
    return _dot.call(input, other)


@public(F=True)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product `input @ other`: of the last two axes, the others broadcast; a 1-d tensor is a row or a column.

    Raises ShapeError where inner sizes differ, DTypeError where dtypes do. Halves are summed in float32.

    >>> ta.ones(2, 3) @ ta.ones(3)
    tensor([3., 3.])
    """
    try:
        row = _BY_RANKS.get((input.array.ndim, other.array.ndim), _matmul)
    except AttributeError:
        row = _matmul                                        # not Tensors: it says so
    return row.call(input, other)


operators(__matmul__=matmul, __rmatmul__=matmul)


# ------------------------------------------------------------------------------------------- products made of the others
@public("outer", "ger")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of one vector with one of the other: shape (n, m).

    >>> ta.tensor([1., 2.]).outer(ta.tensor([3., 4.]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    if operand(input, "outer").ndim != 1 or operand(vec2, "outer").ndim != 1:
        raise ShapeError("outer", f"{input.shape} and {vec2.shape}", "it takes two 1-d tensors")
    return recording.reshape(input, shape=(input.shape[0], 1)) * vec2  # type: ignore[no-any-return]


@public()
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of `input` times the whole of `other`, laid out in blocks."""
    n = max(operand(input, "kron").ndim, operand(other, "kron").ndim)
    a, b = ((1,) * (n - x.ndim) + x.shape for x in (input, other))
    blocks = recording.reshape(input, shape=tuple(s for size in a for s in (size, 1))) \
        * recording.reshape(other, shape=tuple(s for size in b for s in (1, size)))
    return recording.reshape(blocks, shape=tuple(p * q for p, q in zip(a, b, strict=True)))  # type: ignore[no-any-return]


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices (the first and last may be vectors), in the order that takes the fewest steps."""
    if len(tensors) < 2:
        raise ArgumentError("multi_dot", f"{len(tensors)} tensors", "it takes at least two")
    sizes = [1 if t.ndim == 1 and i == 0 else t.shape[0] for i, t in enumerate(tensors)] \
        + [1 if tensors[-1].ndim == 1 else tensors[-1].shape[-1]]
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(len(tensors))}
    for length in range(1, len(tensors)):                    # cost and split of each run of matrices
        for i in range(len(tensors) - length):
            j = i + length
            best[i, j] = min((best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                             for k in range(i, j))

    def multiply(i: int, j: int) -> Tensor:
        k = best[i, j][1]
        return tensors[i] if i == j else matmul(multiply(i, k), multiply(k + 1, j))
    return multiply(0, len(tensors) - 1)


@public(method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """As `linalg.multi_dot`, the matrices as arguments."""
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@public()
def matrix_power(input: Tensor, n: int) -> Tensor:
    """`input` times itself, n times, by repeated squaring; n = 0 is the identity, a negative one a power of the inverse."""
    if operand(input, "matrix_power").ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ShapeError("matrix_power", str(input.shape), "only square matrices have powers")
    n = whole(n, "matrix_power", "n")
    if n < 0:
        return matrix_power(recording.inv(input), -n)
    if n == 0:
        F = namespaces[type(input.array)]
        i = F.arange(input.shape[-1], input.array)
        return wrap(F.copy(F.expand(F.cast(i == F.reshape(i, (-1, 1)), input.dtype), input.shape)))
    result = input
    for bit in bin(n)[3:]:                                   # the leading one is `input` itself
        result = matmul(result, result)
        if bit == "1":
            result = matmul(result, input)
    return result
