"""The activations under PyTorch's names and with PyTorch's signatures: what `nn.functional` offers.

Each chooses the record's op and, with `inplace=True`, writes the result into its input. All keep the input's shape and
dtype (integers become the default float, unless they pass through unchanged as with relu); a record that PyTorch
does not have is its op itself, `squared_relu(x)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, DTypeError, ShapeError
from ..grad_mode import no_grad
from ..graph import recording, tick
from ..ops.inplace import assign
from ..ops.registry import add_method, functions
from ..tensor import Tensor
from . import rectifiers, sigmoids  # noqa: F401  (the records, before they are looked up below)
from .record import catalogue

_op: dict[str, Callable[..., Tensor]] = {name: record.op for name, record in catalogue.items()}
_relu, _sigmoid, _tanh = _op["relu"], _op["sigmoid"], _op["tanh"]          # the hot ones, without a look-up


def _in_place(name: str, input: Tensor, result: Callable[..., Tensor], *args: Any, **settings: Any) -> Tensor:
    since = tick()
    return assign(input, result(input, *args, **settings), f"{name}_", since)


# -------------------------------------------------------------------------------------------------- rectifiers
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x); integers stay integers.

    >>> relu(ta.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _in_place("relu", input, _relu) if inplace else _relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6).

    >>> relu6(ta.tensor([-1.0, 2.0, 9.0]))
    tensor([0., 2., 6.])
    """
    return _in_place("relu6", input, _op["relu6"]) if inplace else _op["relu6"](input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope * x.

    >>> leaky_relu(ta.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    if inplace:
        return _in_place("leaky_relu", input, _op["leaky_relu"], negative_slope=negative_slope)
    return _op["leaky_relu"](input, negative_slope=negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else weight * x; `weight` is one number, or has one for each channel (axis 1 of input).

    >>> prelu(ta.tensor([[-1.0, -2.0]]), ta.tensor([0.5, 0.25]))
    tensor([[-0.5000, -0.5000]])
    """
    if not isinstance(input, Tensor) or not isinstance(weight, Tensor):
        raise ArgumentError("prelu", f"{type(input).__name__} and {type(weight).__name__}", "both must be Tensors",
                            "make one with ta.tensor(...)")
    if input.dtype != weight.dtype:
        raise DTypeError("prelu", f"{input.dtype} and a weight of {weight.dtype}", "the dtypes differ", "convert one with .to")
    if weight.ndim > 1:
        raise ShapeError("prelu", f"a weight of shape {weight.shape}", "it must be a scalar or have one axis")
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.array.size == 1:
        weight = recording.reshape(weight, shape=()) if weight.ndim else weight
    elif weight.array.size == channels:
        weight = recording.reshape(weight, shape=(channels, *[1] * (input.ndim - 2)))
    else:
        raise ShapeError("prelu", f"a weight of {weight.array.size} numbers for an input of shape {input.shape}",
                         f"the input has {channels} channels (axis 1)", "give one number, or one for each channel")
    return _op["prelu"](input, weight)


def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
          inplace: bool = False) -> Tensor:
    """x where positive, else s * x: in training s is drawn for each number from U(lower, upper), else it is their mean.

    >>> rrelu(ta.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5000,  2.0000])
    """
    if lower > upper:
        raise ArgumentError("rrelu", f"lower={lower}, upper={upper}", "the lower bound exceeds the upper one")
    if inplace:
        return _in_place("rrelu", input, rrelu, lower, upper, training)
    if not training:
        return _op["leaky_relu"](input, negative_slope=(lower + upper) / 2)
    with no_grad():
        slope = functions["rand_like"](input) * (upper - lower) + lower
    return _op["rrelu"](input, slope)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds `threshold`, else `value`.

    >>> threshold(ta.tensor([0.0, 2.0]), 1.0, 20.0)
    tensor([20.,  2.])
    """
    settings = {"threshold": threshold, "value": _as_own(input, value)}
    return _in_place("threshold", input, _op["threshold"], **settings) if inplace else _op["threshold"](input, **settings)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha * (exp(x) - 1).

    >>> elu(ta.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _in_place("elu", input, _op["elu"], alpha=alpha) if inplace else _op["elu"](input, alpha=alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha * (exp(x / alpha) - 1).

    >>> celu(ta.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise ArgumentError("celu", "alpha=0", "it divides by alpha", "take relu, its limit")
    return _in_place("celu", input, _op["celu"], alpha=alpha) if inplace else _op["celu"](input, alpha=alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU scaled to keep mean 0 and variance 1.

    >>> selu(ta.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return _in_place("selu", input, _op["selu"]) if inplace else _op["selu"](input)


# ---------------------------------------------------------------------------------------------------- sigmoids
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)).

    >>> sigmoid(ta.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return _sigmoid(input)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), exact in both tails.

    >>> logsigmoid(ta.tensor([0.0, -200.0]))
    tensor([  -0.6931, -200.0000])
    """
    return _op["log_sigmoid"](input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6.

    >>> hardsigmoid(ta.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _in_place("hardsigmoid", input, _op["hard_sigmoid"]) if inplace else _op["hard_sigmoid"](input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent.

    >>> tanh(ta.tensor([0.0, 2.0]))
    tensor([0.0000, 0.9640])
    """
    return _tanh(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """min(max(x, min_val), max_val).

    >>> hardtanh(ta.tensor([-4.0, 0.5, 4.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ArgumentError("hardtanh", f"min_val={min_val}, max_val={max_val}", "min_val exceeds max_val")
    settings = {"min_val": _as_own(input, min_val), "max_val": _as_own(input, max_val)}
    return _in_place("hardtanh", input, _op["hard_tanh"], **settings) if inplace else _op["hard_tanh"](input, **settings)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|).

    >>> softsign(ta.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return _op["softsign"](input)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x).

    >>> tanhshrink(ta.tensor([0.0, 2.0]))
    tensor([0.0000, 1.0360])
    """
    return _op["tanh_shrink"](input)


def _as_own(input: Any, number: float) -> float:
    """The number as integers hold it, if that is what the input is."""
    return number if not isinstance(input, Tensor) or dtypes.is_floating(input.dtype) else int(number)


# ------------------------------------------------------------------------------------------ where they are entered
def _written(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(input: Tensor, *args: Any, **settings: Any) -> Tensor:
        return f(input, *args, **settings, inplace=True)
    function.__name__ = function.__qualname__ = f"{f.__name__}_"
    function.__doc__ = f"`{f.__name__}`, in place; returns the tensor itself."
    return function


relu_, leaky_relu_, rrelu_, threshold_ = _written(relu), _written(leaky_relu), _written(rrelu), _written(threshold)
elu_, celu_, selu_, hardtanh_ = _written(elu), _written(celu), _written(selu), _written(hardtanh)

for _name, _record_op in _op.items():                        # those that PyTorch does not have
    globals().setdefault(_name, _record_op)

# PyTorch's torch.NAME and Tensor.NAME; ops without a choice to make are entered themselves, which is fastest
functions |= {"relu": relu, "prelu": prelu, "rrelu": rrelu, "threshold": threshold, "celu": celu, "selu": selu,
              "sigmoid": _sigmoid, "tanh": _tanh}
for _name in ("relu", "prelu", "sigmoid", "tanh"):
    add_method(_name, functions[_name])
