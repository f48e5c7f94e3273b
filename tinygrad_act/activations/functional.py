"""The activations under PyTorch's names and with PyTorch's signatures: what `nn.functional` offers.

Each chooses the record's op and, with `inplace=True`, writes the result into its input. All keep the input's shape and
dtype (integers become the default float, unless they pass through unchanged as with relu); a record that PyTorch
does not have is its op itself, `squared_relu(x)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .. import dtypes
from ..changes import tick
from ..errors import ArgumentError, DTypeError, ShapeError
from ..grad_mode import no_grad
from ..graph import casts, recording
from ..ops.inplace import assign, named
from ..ops.registry import add_method, functions
from ..tensor import Tensor
from . import adaptive, gated, pade, shrinking, smooth, softmaxes, waves  # noqa: F401  (so that the catalogue is full)
from .gelu import gelu as _gelu_record
from .record import catalogue
from .rectifiers import relu as _relu_record
from .sigmoids import sigmoid as _sigmoid_record
from .sigmoids import tanh as _tanh_record
from .swish import silu as _silu_record

_op: dict[str, Callable[..., Tensor]] = {name: record.op.call for name, record in catalogue.items()}
_hot: list[Callable[..., Tensor]] = [r.op.call for r in (_relu_record, _sigmoid_record, _tanh_record, _gelu_record, _silu_record)]
_relu, _sigmoid, _tanh, _gelu, _silu = _hot                                      # without a look-up


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
    if input.dtype != weight.dtype and not casts("prelu"):
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


# ------------------------------------------------------------------------------------------------------ smooth
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the chance that a normal number is below it; approximate="tanh" is the older formula.

    >>> gelu(ta.tensor([-1.0, 2.0])), gelu(ta.tensor([-1.0, 2.0]), approximate="tanh")
    (tensor([-0.1587,  1.9545]), tensor([-0.1588,  1.9546]))
    """
    if approximate == "none":
        return _gelu(input)
    if approximate != "tanh":
        raise ArgumentError("gelu", f"approximate={approximate!r}", "it is 'none' or 'tanh'")
    return _op["gelu_tanh"](input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also known as swish.

    >>> silu(ta.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return _in_place("silu", input, _silu) if inplace else _silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)).

    >>> mish(ta.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """
    return _in_place("mish", input, _op["mish"]) if inplace else _op["mish"](input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6.

    >>> hardswish(ta.tensor([-1.0, 2.0]))
    tensor([-0.3333,  1.6667])
    """
    return _in_place("hardswish", input, _op["hard_swish"]) if inplace else _op["hard_swish"](input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta. PyTorch takes x where beta * x > threshold; here a threshold of 20 or more changes
    nothing, as the formula is exact there.

    >>> softplus(ta.tensor([-1.0, 2.0, 500.0]))
    tensor([3.1326e-01, 2.1269e+00, 5.0000e+02])
    """
    return _op["softplus"](input, beta=beta, threshold=threshold)


# --------------------------------------------------------------------------------------------- shrinking, gated
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, but 0 for |x| <= lambd.

    >>> hardshrink(ta.tensor([-1.0, 0.25]))
    tensor([-1.,  0.])
    """
    return _op["hard_shrink"](input, lambd=lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, moved towards 0 by lambd and no further.

    >>> softshrink(ta.tensor([-1.0, 0.25]))
    tensor([-0.5000,  0.0000])
    """
    return _op["soft_shrink"](input, lambd=lambd)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of `dim` times the sigmoid of the second. ShapeError if its size is odd.

    >>> glu(ta.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """
    return _op["glu"](input, dim=dim)


def _as_own(input: Any, number: float) -> float:
    """The number as integers hold it, if that is what the input is."""
    return number if not isinstance(input, Tensor) or dtypes.is_floating(input.dtype) else int(number)


# ------------------------------------------------------------------------------------------ where they are entered
def _written(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(input: Tensor, *args: Any, **settings: Any) -> Tensor:
        return f(input, *args, **settings, inplace=True)
    return named(function, f"{f.__name__}_", f)


relu_, leaky_relu_, rrelu_, threshold_ = _written(relu), _written(leaky_relu), _written(rrelu), _written(threshold)
elu_, celu_, selu_, hardtanh_ = _written(elu), _written(celu), _written(selu), _written(hardtanh)

def _initial(name: str) -> Callable[..., Tensor]:
    """The op with the record's initial values where a parameter is not given: `swish(x)`, `swish(x, beta)`."""
    record = catalogue[name]

    names = record.op.inputs[1:]

    def function(input: Tensor, *args: Any, **settings: Any) -> Tensor:
        given = dict(zip(names, args, strict=False)) | {n: settings.pop(n) for n in names if n in settings}
        for n, value in record.initial.items():
            if given.get(n) is None:
                given[n] = functions["tensor"](value, dtype=input.dtype, device=input.device)
        out: Tensor = record.op(input, *[given[n] for n in names if n in given], *args[len(names):], **settings)
        return out

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    defaults = {"input": inspect.Parameter.empty, **dict.fromkeys(record.op.inputs[1:]), **record.initial, **record.settings}
    function.__signature__ = inspect.Signature([inspect.Parameter(n, kind, default=d) for n, d in defaults.items()])  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = record.__doc__
    return function


for _name, _record in catalogue.items():                     # those that PyTorch does not have
    if _name not in globals() or isinstance(globals()[_name], ModuleType):
        globals()[_name] = _initial(_name) if _record.initial else _record.op

# PyTorch's torch.NAME and Tensor.NAME; ops without a choice to make are entered themselves, which is fastest
functions |= {"relu": relu, "prelu": prelu, "rrelu": rrelu, "threshold": threshold, "celu": celu, "selu": selu,
              "sigmoid": _sigmoid, "tanh": _tanh, "hardshrink": hardshrink}
for _name in ("relu", "prelu", "sigmoid", "tanh", "hardshrink"):
    add_method(_name, functions[_name])
