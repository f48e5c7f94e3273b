"""Bilinear: x1ᵀ A x2 + b for several matrices A, as one node."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError, DTypeError, ShapeError
from ..op import Single
from ..tensor import Tensor
from .registry import enter


def _pairs(F: Any, x1: Any, x2: Any) -> Any:
    """All products of an element of x1 and one of x2: (samples, I * J)."""
    n, i, j = math.prod(x1.shape[:-1]), x1.shape[-1], x2.shape[-1]
    return F.reshape(F.reshape(x1, (n, i, 1)) * F.reshape(x2, (n, 1, j)), (n, i * j))


def _matrix(F: Any, weight: Any) -> Any:
    """The matrices as rows: (out, I * J)."""
    return F.reshape(weight, (weight.shape[0], weight.shape[1] * weight.shape[2]))


def _bilinear(F: Any, x1: Any, x2: Any, weight: Any, bias: Any) -> Any:
    y = F.matmul(_pairs(F, x1, x2), F.permute(_matrix(F, weight), (1, 0)))
    return F.reshape(y if isinstance(bias, float) else y + bias, (*x1.shape[:-1], weight.shape[0]))


def _for_input(F: Any, g: Any, other: Any, weight: Any, dims: tuple[int, int, int], shape: Any) -> Any:
    """The gradients of all products, each times its element of the other input."""
    n = math.prod(shape[:-1])
    pull = F.matmul(F.reshape(g, (n, g.shape[-1])), _matrix(F, weight))
    pull = F.permute(F.reshape(pull, (n, *weight.shape[1:])), dims)
    return F.reshape(F.matmul(pull, F.reshape(other, (n, other.shape[-1], 1))), shape)


def _for_weight(F: Any, g: Any, x1: Any, x2: Any, weight_shape: Any) -> Any:
    g = F.reshape(g, (math.prod(x1.shape[:-1]), g.shape[-1]))
    return F.reshape(F.matmul(F.permute(g, (1, 0)), _pairs(F, x1, x2)), weight_shape)


_row = enter(Single("bilinear", _bilinear,
                    lambda F, g, x1_shape, x2, weight: _for_input(F, g, x2, weight, (0, 1, 2), x1_shape),
                    lambda F, g, x1, x2_shape, weight: _for_input(F, g, x1, weight, (0, 2, 1), x2_shape),
                    _for_weight, lambda F, g, bias_shape: F.sum_to(g, bias_shape)))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1ᵀ weight[k] input2 + bias[k], for each k.

    Args:
        input1, input2: (*, in1_features) and (*, in2_features).
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,).

    Returns: (*, out_features).

    >>> ta.nn.functional.bilinear(ta.tensor([[1.0, 2.0]]), ta.tensor([[3.0]]), ta.ones(1, 2, 1))
    tensor([[9.]])
    """
    given = {"input1": input1, "input2": input2, "weight": weight} | ({} if bias is None else {"bias": bias})
    for what, t in given.items():
        if not isinstance(t, Tensor):
            raise ArgumentError("bilinear", f"{what}: {type(t).__name__}", f"the {what} must be a Tensor")
    if len({t.dtype for t in given.values()}) > 1:
        raise DTypeError("bilinear", " and ".join(f"{what} of {t.dtype}" for what, t in given.items()), "the dtypes differ",
                         "convert one, for example with .to(ta.float32)")
    shapes = " and ".join(f"{what} {t.shape}" for what, t in given.items())
    if weight.ndim != 3 or not input1.ndim or not input2.ndim or input1.shape[:-1] != input2.shape[:-1]:
        raise ShapeError("bilinear", shapes, "the weight has three axes, and the inputs the same sizes up to the last")
    if (input1.shape[-1], input2.shape[-1]) != weight.shape[1:]:
        raise ShapeError("bilinear", shapes, f"the inputs' last sizes are {input1.shape[-1]} and {input2.shape[-1]}, and those of the "
                         f"weight {weight.shape[1]} and {weight.shape[2]}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError("bilinear", shapes, f"the bias must have out_features, {weight.shape[0]}, elements")
    return _row(input1, input2, weight, 0.0 if bias is None else bias)
