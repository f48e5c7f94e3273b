"""A layer of Elman's recurrent network (1990) in one direction, as one node: h' = tanh(W x + b + U h + b'), or relu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..numerics.recurrent import before
from ..op import Op
from .recurrent import Cell, narrowed, recorded, rows, steps, weight_gradients, wide
from .registry import enter


def tanh_cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any]:
    """One step, as the books have it."""
    return (F.tanh(from_x + from_h),)


def relu_cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any]:
    """One step with relu for tanh, whose slope at 0 is 0."""
    z = from_x + from_h
    return (F.where(z <= 0, 0.0, z),)


def _layer(name: str, cell: Cell, relu: bool) -> Op:
    """The op for one activation, with its cell."""
    def forward(F: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, sizes: Any = None,
                reverse: bool = False) -> Any:
        dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
        x, *others = wide(F, x, h0, w_ih, w_hh, b_ih, b_hh)
        hidden, last = F.rnn(rows(F, x), *others, relu, order)
        y = F.reshape(hidden, (*shape[:-1], hidden.shape[1]))
        return [F.cast(y, dtype), F.cast(last, dtype)], hidden

    def backward(F: Any, g: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hidden: Any, *,
                 sizes: Any, reverse: bool, needs: Any) -> Any:
        if hidden is None:
            return recorded(cell, g, x, (h0,), (w_ih, w_hh, b_ih, b_hh), needs, sizes, reverse)
        dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
        x, h0, w_ih, w_hh, gy, gh = wide(F, x, h0, w_ih, w_hh, *g)
        dz, dh0 = F.rnn_back(rows(F, gy), gh, w_hh, hidden, relu, order)
        dx = F.reshape(F.matmul(dz, w_ih), shape) if needs[0] else None
        d_ih, db = weight_gradients(F, dz, rows(F, x), (needs[2], needs[4] or needs[5]))
        d_hh = F.matmul(F.permute(dz, (1, 0)), before(F, h0, hidden, order)) if needs[3] else None
        return narrowed(F, (dx, dh0, d_ih, d_hh, db, db), dtype)

    return enter(Op(name, forward, joint=backward, aux=("hidden",), outputs=2, same_dtype=True))


# As lstm_layer: x is (T, B, I), or packed with its `sizes`; 0.0 for biases that are not there.
rnn_tanh_layer = _layer("rnn_tanh_layer", tanh_cell, False)
rnn_relu_layer = _layer("rnn_relu_layer", relu_cell, True)
