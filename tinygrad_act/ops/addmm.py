"""Matrix products that add to another tensor, each one op: beta * input + alpha * (a @ b)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .linalg import _same_batch, column, mismatch, turned
from .reduce import operand, wide
from .registry import op, public

NUMBER: dict[str, Callable[[float], float]] = {"b": bool, "i": int, "u": int}      # what beta and alpha are, by the tensors' kind


def _added(name: str, ranks: tuple[int, int], multiply: Callable[..., Any], for_a: Callable[..., Any],
           for_b: Callable[..., Any]) -> Callable[..., Tensor]:
    """A row, and the function that calls it once the ranks are right."""
    def forward(F: Any, input: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        try:
            y = multiply(F, a, b)
        except ValueError as error:
            raise mismatch(name, a, b) or error from error
        if broadcast_shape(input.shape, y.shape) != y.shape:
            raise ShapeError(name, f"an input of {input.shape} for a product of {y.shape}", "it does not broadcast to that",
                             "reshape or unsqueeze it")
        y = y if alpha == 1 else alpha * y
        return y if beta == 0 else y + input if beta == 1 else y + beta * input    # beta = 0 leaves out NaN too

    row = op(name, wide(forward),
             wide(lambda F, g, input_shape, *, beta: F.sum_to(g if beta == 1 else beta * g, input_shape)),
             wide(lambda F, g, b, *, alpha: for_a(F, g if alpha == 1 else alpha * g, b)),
             wide(lambda F, g, a, *, alpha: for_b(F, g if alpha == 1 else alpha * g, a)), same_dtype=True)

    def call(input: Tensor, a: Tensor, b: Tensor, beta: float, alpha: float) -> Tensor:
        if (operand(a, name).ndim, operand(b, name).ndim) != ranks:
            raise ShapeError(name, f"{a.shape} @ {b.shape}", f"it takes {ranks[0]}-d and {ranks[1]}-d tensors")
        number = NUMBER.get(operand(input, name).dtype.kind)
        if number:
            if name == "addr" and number is int and not (isinstance(beta, int) and isinstance(alpha, int)):
                raise ArgumentError(name, f"beta={beta}, alpha={alpha} for ints", "they must be ints too")
            beta, alpha = number(beta), number(alpha)
        return row(input, a, b, beta=beta, alpha=alpha)
    return call


def _first(F: Any, g: Any, b: Any) -> Any:
    return F.matmul(g, turned(F, b))


def _second(F: Any, g: Any, a: Any) -> Any:
    return F.matmul(turned(F, a), g)


_addmm = _added("addmm", (2, 2), lambda F, a, b: F.matmul(a, b), _first, _second)
_baddbmm = _added("baddbmm", (3, 3), _same_batch, _first, _second)
_addbmm = _added("addbmm", (3, 3), lambda F, a, b: F.cast(F.sum(_same_batch(F, a, b), 0), a.dtype), _first, _second)
_addmv = _added("addmv", (2, 1), lambda F, a, b: F.matmul(a, b), lambda F, g, b: column(F, g) * b, _second)
_addr = _added("addr", (1, 1), lambda F, a, b: column(F, a) * b,
               lambda F, g, b: F.matmul(g, b), lambda F, g, a: F.matmul(turned(F, g), a))


@public()
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2). The input broadcasts; with beta = 0 it is left out, NaN and all.

    >>> ta.addmm(ta.ones(2), ta.ones(1, 3), ta.ones(3, 2), alpha=2)
    tensor([[7., 7.]])
    """
    return _addmm(input, mat1, mat2, beta, alpha)


@public()
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2), for two equally long batches of matrices."""
    return _baddbmm(input, batch1, batch2, beta, alpha)


@public()
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * the sum of the products of two equally long batches of matrices."""
    return _addbmm(input, batch1, batch2, beta, alpha)


@public()
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""
    return _addmv(input, mat, vec, beta, alpha)


@public()
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * the outer product of two vectors."""
    return _addr(input, vec1, vec2, beta, alpha)
