"""The modules of adaptive activations that choose their start, or that have a network of their own."""

from __future__ import annotations

import math
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..activations import catalogue
from ..activations.pade import STARTS
from ..errors import ArgumentError
from ..ops.linear import linear
from ..tensor import Tensor
from . import init as initialise
from .module import Module
from .normalisation import BatchNorm1d
from .parameter import Parameter


def initial(start: Any, count: int, device: Any, dtype: Any) -> Parameter:
    """A parameter of `count` times `start`, which is a number, or a tuple for a vector: (count,), or (len, count)."""
    values = ops.tensor(start, dtype=dtype or dtypes.get_default_dtype(), device=device)
    if values.ndim and count > 1:
        values = values.reshape((-1, 1)).repeat(1, count)
    return Parameter(values if values.ndim else values.repeat(count))


def on_channels(p: Any, count: int, ndim: int) -> Any:
    """A parameter so that its last axis meets axis 1 of an input with `ndim` axes; one for all broadcasts anyway."""
    if count == 1:
        return p if ndim or p.array.size > 1 else p.reshape(())
    return p.reshape((*p.shape, *[1] * (ndim - 2))) if ndim > 2 else p


class PAU(Module):
    """Padé activation unit: a learned quotient of polynomials of orders 5 and 4 (Molina, Schramowski, Kersting 2020).

    Args:
        init: what it resembles at first: "leaky_relu", "relu", "gelu" or "tanh".
        num_parameters: 1, or the number of channels (axis 1 of the input), each with coefficients of its own.

    >>> ta.nn.PAU(init="tanh")(ta.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.7616,  0.0000,  0.7616], grad_fn=<pauBackward>)
    """

    record = catalogue["pau"]

    def __init__(self, init: str = "leaky_relu", num_parameters: int = 1, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if init not in STARTS:
            raise ArgumentError("nn.PAU", f"init={init!r}", f"choose from {sorted(STARTS)}")
        self.init, self.num_parameters = init, num_parameters
        self.numerator, self.denominator = (initial(start, num_parameters, device, dtype) for start in STARTS[init])

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self.record.op(input, *(on_channels(p, self.num_parameters, input.ndim)
                                                 for p in (self.numerator, self.denominator)))
        return result

    def extra_repr(self) -> str:
        return f"init={self.init!r}, num_parameters={self.num_parameters}"


class MetaACON(Module):
    """ACON-C whose beta comes from the channels' means: σ(W₂ (W₁ x̄ + b₁) + b₂) (Ma et al. 2021).

    Args:
        channels: of the input (N, C) or (N, C, ...).
        reduction: the hidden layer has channels / reduction units, 4 at least.
        batch_norm: normalise what each of the two layers gives over the batch, as the authors' code does; later use of it
            does without, and so can train on batches of one.

    The authors' p1 and p2 start random; these start as Swish, p1 = 1 and p2 = 0.
    """

    record = catalogue["meta_acon"]

    def __init__(self, channels: int, reduction: int = 16, batch_norm: bool = False, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.channels, self.reduction = channels, reduction
        like = {"device": device, "dtype": dtype}
        self.p1, self.p2 = Parameter(ops.ones(channels, **like)), Parameter(ops.zeros(channels, **like))
        self.w1, self.b1 = Parameter(ops.empty((hidden, channels), **like)), Parameter(ops.empty(hidden, **like))
        self.w2, self.b2 = Parameter(ops.empty((channels, hidden), **like)), Parameter(ops.empty(channels, **like))
        self.bn1, self.bn2 = (BatchNorm1d(n, device=device, dtype=dtype) if batch_norm else None for n in (hidden, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the two layers anew, as nn.Linear does."""
        for weight, bias in ((self.w1, self.b1), (self.w2, self.b2)):
            initialise.kaiming_uniform_(weight, a=math.sqrt(5))
            initialise.uniform_(bias, -1 / math.sqrt(weight.shape[1]), 1 / math.sqrt(weight.shape[1]))

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 2 or input.shape[1] != self.channels:
            raise ArgumentError("nn.MetaACON", f"an input of shape {input.shape}", f"axis 1 must have {self.channels} channels")
        if self.bn1 is None or self.bn2 is None:
            result: Tensor = self.record.op(input, self.p1, self.p2, self.w1, self.b1, self.w2, self.b2)
            return result
        means = input.mean(tuple(range(2, input.ndim))) if input.ndim > 2 else input
        beta = ops.sigmoid(self.bn2(linear(self.bn1(linear(means, self.w1, self.b1)), self.w2, self.b2)))
        p1, p2, beta = (v.reshape((-1, self.channels, *[1] * (input.ndim - 2))) for v in (self.p1, self.p2, beta))
        return catalogue["acon_c"].op(input, p1, p2, beta)

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}"


class DynamicMixture(Module):
    """Σ softmax(w)ᵢ fᵢ(x) over activations of the catalogue, by name, with learned w (Manessi and Rozza 2018).

    >>> ta.nn.DynamicMixture(["linear", "relu"])(ta.tensor([-1.0, 1.0]))
    tensor([-0.5000,  1.0000], grad_fn=<dynamic_mixtureBackward>)
    """

    record = catalogue["dynamic_mixture"]

    def __init__(self, members: Any = ("linear", "relu", "tanh"), num_parameters: int = 1, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.members, self.num_parameters = tuple(members), num_parameters
        if not self.members:
            raise ArgumentError("nn.DynamicMixture", "no members", "a mixture has one at least")
        self.weight = initial((0.0,) * len(self.members), num_parameters, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        weight = on_channels(self.weight, self.num_parameters, input.ndim)
        result: Tensor = self.record.op(input, weight, members=self.members)
        return result

    def extra_repr(self) -> str:
        return f"{', '.join(self.members)}, num_parameters={self.num_parameters}"
