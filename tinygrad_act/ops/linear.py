"""Linear: x @ W.T + b as one node, alone or with the activation before it."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import float32, is_half
from ..errors import ShapeError
from ..graph import recording
from ..op import Single, tensor_of
from ..tensor import Tensor
from .registry import op


def _rows(F: Any, x: Any) -> Any:
    """x as a matrix: all leading dims in one. (Spelled out, because -1 means nothing for an empty x.)"""
    return x if x.ndim == 2 else F.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _product(F: Any, x: Any, weight: Any) -> Any:
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise _misfit(x, weight)
    return F.matmul(_rows(F, x), weight.T)


def _shaped(F: Any, y: Any, x: Any) -> Any:
    """y, a matrix, with the leading dims of x."""
    return y if x.ndim == 2 else F.reshape(y, (*x.shape[:-1], y.shape[1]))


def _misfit(x: Any, weight: Any) -> ShapeError:
    """What is wrong with these two, and what would fit."""
    got = f"an input of shape {x.shape} with a weight of shape {weight.shape}"
    if weight.ndim != 2:
        return ShapeError("linear", got, "the weight must be (out_features, in_features)")
    out, features = weight.shape
    if x.ndim == 0:
        return ShapeError("linear", got, f"the input's last size must be in_features, {features}, and it has no axis")
    whole = math.prod(x.shape[1:])
    if x.ndim > 2 and whole == features:
        remedy = f"flatten the input first: x.flatten(1) has {whole} features"
    else:
        remedy = f"make it Linear({x.shape[-1]}, {out}), or give it an input of shape {(*x.shape[:-1], features)}"
        remedy += f"; flattened by x.flatten(1), this one needs Linear({whole}, {out})" if x.ndim > 2 else ""
    return ShapeError("linear", got, f"the input's last size must be in_features, {features}, and it is {x.shape[-1]}", remedy)


def _biased(F: Any, x: Any, weight: Any, bias: Any) -> Any:
    if bias.shape != weight.shape[:1] and bias.shape not in ((1,), ()):
        raise ShapeError("linear", f"a bias of shape {bias.shape} with a weight of shape {weight.shape}",
                         f"the bias must have out_features, {weight.shape[0]}, elements")
    y = _product(F, x, weight)
    y += bias                                        # the product is ours, so nobody sees it change
    return _shaped(F, y, x)


def _unbiased(F: Any, x: Any, weight: Any) -> Any:
    return _shaped(F, _product(F, x, weight), x)


def _for_x(F: Any, g: Any, weight: Any, x_shape: Any) -> Any:
    gx = F.matmul(_rows(F, g), weight)
    return gx if len(x_shape) == 2 else F.reshape(gx, x_shape)


def _for_weight(F: Any, g: Any, x: Any) -> Any:
    return F.matmul(_rows(F, g).T, _rows(F, x))


def _for_bias(F: Any, g: Any, bias_shape: Any) -> Any:
    return F.sum_to(g, bias_shape)


# A rule an input, not one for all: the graph then keeps x only for a weight that learns, and the weight only for an x.
_linear = op("linear", _biased, _for_x, _for_weight, _for_bias, same_dtype=True)
_without_bias = Single("linear", _unbiased, _for_x, _for_weight, same_dtype=True)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias.

    Args:
        input: (*, in_features), with any leading dims.
        weight: (out_features, in_features), or (in_features,) for one output without its axis.
        bias: (out_features,).

    Returns: (*, out_features).

    Raises:
        ShapeError: the input's last size is not in_features.
        DTypeError: dtypes differ.

    >>> ta.nn.functional.linear(ta.ones(2, 3), ta.ones(1, 3), ta.tensor([0.5]))
    tensor([[3.5000],
            [3.5000]])
    """
    if not isinstance(input, Tensor):
        input = tensor_of(input, "linear")
    if weight.ndim == 1:
        return linear(input, weight.reshape((1, -1)), bias).squeeze(-1)
    return _without_bias.call(input, weight) if bias is None else _linear.call(input, weight, bias)


# --------------------------------------------------------------------------------------------- behind an activation
def behind(activation: Single) -> Single:
    """The row of linear(dropout(activation(x)), weight, bias). `keep` says what dropout leaves, to be multiplied by `gain`; it is
    an array or the number 0.0.

    The graph keeps x and not what the activation makes of it, which is as large: that is made again, in the pass over x in which
    the gradient is made too.
    """
    slope: Any = activation.rules[0].function if activation.rules[0] else None

    def value(F: Any, x: Any, keep: Any, *, gain: float) -> Any:
        h = activation(x) if F is recording else activation.forward(F, x)
        return h if isinstance(keep, float) else F.where(keep, h * gain, 0)

    def both(F: Any, g: Any, x: Any, keep: Any, *, gain: float) -> Any:
        g = g if isinstance(keep, float) else F.where(keep, g * gain, 0)
        gx = activation.gradient(g, x) if F is recording and activation.gradient else slope(F, g, x)
        return value(F, x, keep, gain=gain), gx

    def forward(F: Any, x: Any, weight: Any, bias: Any, keep: Any, *, gain: float = 1.0) -> Any:
        if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
            raise _misfit(x, weight)
        return _biased(F, F.run(value, (x, keep), {"gain": gain}), weight, bias)

    def backward(F: Any, g: Any, x: Any, weight: Any, bias_shape: Any, keep: Any, *, gain: float, needs: Any) -> list[Any]:
        gx = _for_x(F, g, weight, x.shape)
        if F is recording:
            h, gx = both(F, gx, x, keep, gain=gain)
        else:
            dtype = x.dtype
            gx, x = [F.cast(v, float32) if is_half(dtype) else v for v in (gx, x)]
            if x.dtype.char in F.plain and x.size < F.large:
                h, gx = both(F, gx, x, keep, gain=gain)
            else:
                h = F.new(x.shape, x.dtype)
                F.change((h, gx), both, (gx, x, keep), {"gain": gain})
            h, gx = F.cast(h, dtype), F.cast(gx, dtype)
        return [gx, _for_weight(F, g, h) if needs[1] else None, _for_bias(F, g, bias_shape) if needs[2] else None, None]

    return Single(f"{activation.name}_linear", forward, joint=backward, free=8)          # the dtype of `keep` is its own
