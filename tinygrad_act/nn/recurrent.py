"""Recurrent layers over whole sequences: RNN, LSTM, GRU; several layers, both directions, several lengths."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import casts
from ..ops.gru import gru_layer
from ..ops.lstm import lstm_layer
from ..ops.rnn import rnn_relu_layer, rnn_tanh_layer
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

# mode -> (the layer's op, how many gates, how many states)
MODES: dict[str, tuple[Any, int, int]] = {
    "RNN_TANH": (rnn_tanh_layer, 1, 1), "RNN_RELU": (rnn_relu_layer, 1, 1), "LSTM": (lstm_layer, 4, 2), "GRU": (gru_layer, 3, 1)}


class RNNBase(Module):
    """What RNN, LSTM and GRU share; their docstrings say what the arguments are.

    >>> ta.nn.RNNBase("GRU", 3, 4).weight_hh_l0.shape
    (12, 4)
    """

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if mode not in MODES:
            raise ArgumentError("RNNBase", f"mode={mode!r}", f"choose from {sorted(MODES)}")
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, dropout
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._check_settings()
        self.dropout = float(dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn("dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                          f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}", stacklevel=3)
        for layer in range(num_layers):
            for names, shapes in zip(self._names(layer), self._shapes(layer), strict=True):
                for name, shape in zip(names, shapes, strict=True):
                    setattr(self, name, Parameter(ops.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _check_settings(self) -> None:
        name = type(self).__name__
        for what in ("input_size", "hidden_size", "num_layers"):
            if (type(value := getattr(self, what)) is not int) or value <= 0:
                raise ArgumentError(name, f"{what}={value!r}", "it is an int greater than zero")
        for what in ("bias", "batch_first"):
            if not isinstance(value := getattr(self, what), bool):
                raise ArgumentError(name, f"{what}={value!r}", "it is True or False")
        if isinstance(self.dropout, bool) or not isinstance(self.dropout, (int, float)) or not 0 <= self.dropout <= 1:
            raise ArgumentError(name, f"dropout={self.dropout!r}", "it is a probability: 0 to 1")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ArgumentError(name, f"proj_size={self.proj_size}", f"it is 0 (no projection) to hidden_size - 1, {self.hidden_size - 1}")

    # ---------------------------------------------------------------------------------------- parameters
    @property
    def _state_size(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _names(self, layer: int) -> list[list[str]]:
        """For each direction of a layer, the names of its parameters."""
        kinds = ["weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.bias else ()), *(("weight_hr",) if self.proj_size else ())]
        return [[f"{kind}_l{layer}{suffix}" for kind in kinds] for suffix in ("", "_reverse")[:self._directions]]

    def _shapes(self, layer: int) -> list[list[tuple[int, ...]]]:
        rows = MODES[self.mode][1] * self.hidden_size
        shapes: list[tuple[int, ...]] = [(rows, self.input_size if layer == 0 else self._state_size * self._directions),
                                         (rows, self._state_size)]
        shapes += [(rows,), (rows,)] if self.bias else []
        shapes += [(self.proj_size, self.hidden_size)] if self.proj_size else []
        return [shapes] * self._directions

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for each direction of each layer."""
        return [[getattr(self, name) for name in names] for layer in range(self.num_layers) for names in self._names(layer)]

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: here for code that calls it (PyTorch lays the parameters out for cuDNN)."""

    def extra_repr(self) -> str:
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        set_ = [f"{name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *set_])

    # ---------------------------------------------------------------------------------------- the call
    def _run(self, input: Any, states: Sequence[Tensor] | None) -> tuple[Any, list[Tensor]]:
        """The output as the input came (packed, unbatched, batch first), and the last states."""
        x, sizes = self._sequence(input)
        batch = x.shape[1] if sizes is None else sizes[0]
        unbatched = sizes is None and input.ndim == 2
        if states is not None:
            states = self._given_states(states, batch, unbatched)
            if sizes is not None and input.sorted_indices is not None:
                states = [ops.index_select(s, 1, input.sorted_indices) for s in states]
        y, last = self._layers(x, states, batch, sizes)
        if sizes is not None:
            if input.unsorted_indices is not None:
                last = [ops.index_select(s, 1, input.unsorted_indices) for s in last]
            return PackedSequence(y, *input[1:]), last
        if unbatched:
            return y.squeeze(1), [s.squeeze(1) for s in last]
        return y.transpose(0, 1) if self.batch_first else y, last

    def _layers(self, x: Tensor, states: Sequence[Tensor] | None, batch: int, sizes: Any) -> tuple[Tensor, list[Tensor]]:
        op, _, count = MODES[self.mode]
        zeros = {n: ops.zeros((batch, n), dtype=x.dtype, device=x.device) for n in self._state_sizes()}
        first = [[zeros[n]] * (self.num_layers * self._directions) for n in self._state_sizes()] if states is None else [
            s.unbind(0) for s in states]
        last: list[list[Tensor]] = [[] for _ in range(count)]
        for layer in range(self.num_layers):
            outputs = []
            for direction, names in enumerate(self._names(layer)):
                weights: list[Any] = [getattr(self, name) for name in names]
                weights[2:2] = [] if self.bias else [0.0, 0.0]
                weights += [0.0] if self.mode == "LSTM" and not self.proj_size else []
                k = layer * self._directions + direction
                y, *end = op(x, *[s[k] for s in first], *weights, sizes=sizes, reverse=direction == 1)
                outputs.append(y)
                for done, state in zip(last, end, strict=True):
                    done.append(state)
            x = outputs[0] if len(outputs) == 1 else ops.cat(outputs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        return x, [ops.stack(states) for states in last]

    def _state_sizes(self) -> tuple[int, ...]:
        return (self._state_size, self.hidden_size)[:MODES[self.mode][2]]

    # ---------------------------------------------------------------------------------------- what it is given
    def _sequence(self, input: Any) -> tuple[Tensor, tuple[int, ...] | None]:
        """The input as the layers take it, (T, B, I) or packed with the sizes of its steps."""
        name = type(self).__name__
        packed = isinstance(input, PackedSequence)
        x = input.data if packed else input
        if not isinstance(x, Tensor):
            raise ArgumentError(name, type(input).__name__, "the input must be a Tensor or a PackedSequence")
        if x.ndim != 2 and (packed or x.ndim != 3):
            raise ShapeError(name, f"an input of shape {x.shape}", "packed data are (rows, features)" if packed else
                             f"it must be {self._axes(3)}, or {self._axes(2)} without a batch")
        if x.dtype != self.weight_ih_l0.dtype and not casts("lstm_layer"):
            raise DTypeError(name, f"an input of {x.dtype} for weights of {self.weight_ih_l0.dtype}", "the dtypes differ",
                             f"convert the input with .to(ta.{self.weight_ih_l0.dtype}), or the module")
        if x.shape[-1] != self.input_size:
            read = "(rows, features)" if packed else self._axes(x.ndim)
            raise ShapeError(name, f"an input of shape {x.shape}, read as {read}",
                             f"the last axis has {x.shape[-1]} features, input_size is {self.input_size}",
                             "" if packed or self.input_size not in x.shape else
                             f"axis {x.shape.index(self.input_size)} has that size: permute the input")
        if packed:
            return x, input._sizes()
        if x.ndim == 2:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise ShapeError(name, f"an input of shape {input.shape}, read as {self._axes(input.ndim)}", "a sequence has at least one step")
        return x, None

    def _axes(self, ndim: int) -> str:
        return "(steps, features)" if ndim == 2 else "(batch, steps, features)" if self.batch_first else "(steps, batch, features)"

    def _given_states(self, states: Sequence[Tensor], batch: int, unbatched: bool) -> list[Tensor]:
        """The first states, (layers and directions, B, size)."""
        found = []
        for what, s, size in zip(("h_0", "c_0"), states, self._state_sizes(), strict=False):
            if not isinstance(s, Tensor):
                raise ArgumentError(type(self).__name__, f"{what}: {type(s).__name__}", "the first state must be a Tensor")
            lead = self.num_layers * self._directions
            wanted = (lead, size) if unbatched else (lead, batch, size)
            if s.shape != wanted:
                axes = "(layers · directions, size)" if unbatched else "(layers · directions, batch, size)"
                raise ShapeError(type(self).__name__, f"{what} of shape {s.shape}",
                                 f"for this input it must be {wanted}: {axes}, {'without' if unbatched else 'with'} a batch")
            found.append(s.unsqueeze(1) if unbatched else s)
        return found


class RNN(RNNBase):
    """Elman's network, h' = tanh(W x + b + U h + b'), over a sequence.

    Args:
        input_size, hidden_size: features of the input and of the state.
        num_layers: each further layer takes the output of the one before.
        nonlinearity: "tanh" or "relu".
        bias: False leaves out both biases.
        batch_first: the input is (B, T, input_size), not (T, B, input_size).
        dropout: between the layers, in training.
        bidirectional: a second network reads backwards; the outputs stand side by side.

    Call: `output, h_n = rnn(input, h_0)`; the input may be a PackedSequence or without a batch, (T, input_size), and
    h_0, (num_layers · directions, B, hidden_size), is zero by default. Each layer and direction is one node.

    Raises:
        ShapeError: the last axis is not input_size, or h_0 does not fit.

    >>> output, h_n = ta.nn.RNN(3, 4, num_layers=2)(ta.ones(5, 1, 3))
    >>> output.shape, h_n.shape
    ((5, 1, 4), (2, 1, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
                 dtype: Any = None, **more: Any) -> None:
        _only_lstm_projects("RNN", more)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError("RNN", f"nonlinearity={nonlinearity!r}", 'choose "tanh" or "relu"')
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last


class LSTM(RNNBase):
    """Long short-term memory over a sequence (Hochreiter and Schmidhuber 1997).

    Arguments as for `RNN`, without nonlinearity; proj_size > 0 projects the output (and h) to that size.

    Call: `output, (h_n, c_n) = lstm(input, (h_0, c_0))`; c_0 is (num_layers · directions, B, hidden_size), h_0 the same
    or of proj_size. Gates are in PyTorch's order: i, f, g, o.

    Raises:
        ShapeError: the last axis is not input_size, or h_0 or c_0 do not fit.

    >>> output, (h_n, c_n) = ta.nn.LSTM(3, 4, bidirectional=True)(ta.ones(5, 1, 3))
    >>> output.shape, h_n.shape
    ((5, 1, 8), (2, 1, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
                         device, dtype)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise ArgumentError("LSTM", f"a first state of type {type(hx).__name__}", "it is a pair: (h_0, c_0)")
        output, (h, c) = self._run(input, hx)
        return output, (h, c)


class GRU(RNNBase):
    """Gated recurrent units over a sequence (Cho et al. 2014, arXiv:1406.1078).

    Arguments, call and errors as for `RNN`, without nonlinearity. Gates are in PyTorch's order: r, z, n.

    >>> output, h_n = ta.nn.GRU(3, 4, batch_first=True)(ta.ones(1, 5, 3))
    >>> output.shape, h_n.shape
    ((1, 5, 4), (1, 1, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None, **more: Any) -> None:
        _only_lstm_projects("GRU", more)
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last


def _only_lstm_projects(name: str, more: dict[str, Any]) -> None:
    for argument in more:
        raise ArgumentError(name, f"the argument {argument!r}", "only an LSTM projects its output" if argument == "proj_size"
                            else "it takes no such argument")
