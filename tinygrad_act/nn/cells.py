"""One step of a recurrent network, for loops of one's own: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..ops.cells import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from ..tensor import Tensor
from . import init
from .module import Module
from .parameter import Parameter


class RNNCellBase(Module):
    """What the cells share: weights for `num_chunks` gates, from the input and from the state.

    >>> ta.nn.RNNCellBase(3, 4, True, 4).weight_ih.shape
    (16, 3)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        for what, n in (("input_size", input_size), ("hidden_size", hidden_size)):
            if type(n) is not int or n < 0:
                raise ArgumentError(type(self).__name__, f"{what}={n!r}", "it is an int, not negative")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(ops.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(ops.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(ops.empty((rows,), device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def extra_repr(self) -> str:
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return (f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")
                + ("" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}"))

    def _step(self, op: Any, input: Tensor, states: Sequence[Tensor] | None) -> Any:
        """What the op makes of the input and the states."""
        self._check(input, self.input_size, "the input", None)
        if states is None:
            shape = (*input.shape[:-1], self.hidden_size)
            states = [ops.zeros(shape, dtype=input.dtype, device=input.device)] * (2 if op is lstm_cell else 1)
        else:
            for what, s in zip("hc", states, strict=False):
                self._check(s, self.hidden_size, what, input.array.shape[:-1])
        if input.array.ndim == 1:
            made = self._step(op, input.unsqueeze(0), [s.unsqueeze(0) for s in states])
            return made.squeeze(0) if isinstance(made, Tensor) else tuple(s.squeeze(0) for s in made)
        own = self._parameters
        biases: Any = (0.0, 0.0) if own["bias_ih"] is None else (own["bias_ih"], own["bias_hh"])
        return op(input, *states, own["weight_ih"], own["weight_hh"], *biases)

    def _check(self, x: Tensor, size: int, what: str, lead: tuple[int, ...] | None) -> None:
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise ArgumentError(name, f"{what}: {type(x).__name__}", "it must be a Tensor")
        shape = x.array.shape
        if len(shape) not in (1, 2) or shape[-1] != size or (lead is not None and shape[:-1] != lead):
            wanted = f"(batch, {size}), or ({size},) without a batch" if lead is None else f"{(*lead, size)}, for this input"
            raise ShapeError(name, f"{what} of shape {x.shape}", f"it must be {wanted}")


class RNNCell(RNNCellBase):
    """One step of Elman's network: h' = tanh(W x + b + U h + b'), or relu.

    Call: `h = cell(input, h)`, with an input (B, input_size) and a state (B, hidden_size), zero by default; both may be
    without the batch. The weights are `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.

    Raises:
        ShapeError: sizes that do not fit.

    >>> ta.nn.RNNCell(3, 4)(ta.ones(2, 3)).shape
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise ArgumentError("RNNCell", f"nonlinearity={self.nonlinearity!r}", 'choose "tanh" or "relu"')
        out: Tensor = self._step(rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell, input, None if hx is None else (hx,))
        return out


class LSTMCell(RNNCellBase):
    """One step of an LSTM: `h, c = cell(input, (h, c))`; shapes and errors as for `RNNCell`, gates as for `LSTM`.

    >>> h, c = ta.nn.LSTMCell(3, 4)(ta.ones(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise ArgumentError("LSTMCell", f"a state of type {type(hx).__name__}", "it is a pair: (h, c)")
        out: tuple[Tensor, Tensor] = self._step(lstm_cell, input, hx)
        return out


class GRUCell(RNNCellBase):
    """One step of a GRU: `h = cell(input, h)`; shapes and errors as for `RNNCell`, gates as for `GRU`.

    >>> ta.nn.GRUCell(3, 4)(ta.ones(2, 3)).shape
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        out: Tensor = self._step(gru_cell, input, None if hx is None else (hx,))
        return out
