"""A layer of Elman's recurrent network (1990) in one direction, as one node: h' = tanh(W x + b + U h + b'), or relu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..op import Op
from .recurrent import (
    Cell,
    add_biases,
    before,
    groups,
    narrowed,
    recorded,
    resized,
    rows,
    steps,
    turned,
    weight_gradients,
    wide,
)
from .registry import enter


def tanh_cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any]:
    """One step, as the books have it."""
    return (F.tanh(from_x + from_h),)


def relu_cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any]:
    """One step with relu for tanh, whose slope at 0 is 0."""
    z = from_x + from_h
    return (F.where(z <= 0, 0.0, z),)


def _layer(name: str, cell: Cell, activate: Callable[..., Any], slope: Callable[..., Any]) -> Op:
    """The op for one activation: its cell, what activates an array in place, and the derivative from the result."""
    def forward(F: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, sizes: Any = None,
                reverse: bool = False) -> Any:
        dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
        x, h0, w_ih, w_hh, b_ih, b_hh = wide(F, x, h0, w_ih, w_hh, b_ih, b_hh)
        hidden, w = F.matmul(rows(F, x), F.permute(w_ih, (1, 0))), turned(F, w_hh)
        add_biases(hidden, b_ih, b_hh)
        n = order[0][1] - order[0][0]
        h, last = h0[:n], F.copy(h0)
        for low, high in order:
            if high - low != n:
                n = high - low
                h = resized(F, h, n, h0, last)
            t = hidden[low:high]
            t += F.matmul(h, w)
            h = activate(F, t)
        last[:n] = h
        y = F.reshape(hidden, (*shape[:-1], h0.shape[1]))
        return [F.cast(y, dtype), F.cast(last, dtype)], hidden

    def backward(F: Any, g: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hidden: Any, *,
                 sizes: Any, reverse: bool, needs: Any) -> Any:
        if hidden is None:
            return recorded(cell, g, x, (h0,), (w_ih, w_hh, b_ih, b_hh), needs, sizes, reverse)
        dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
        x, h0, w_ih, w_hh, gy, gh = wide(F, x, h0, w_ih, w_hh, *g)
        dz, dh0 = _back(F, rows(F, gy), gh, w_hh, hidden, slope, order)
        dx = F.reshape(F.matmul(dz, w_ih), shape) if needs[0] else None
        d_ih, db = weight_gradients(F, dz, rows(F, x), (needs[2], needs[4] or needs[5]))
        d_hh = F.matmul(F.permute(dz, (1, 0)), before(F, h0, hidden, order)) if needs[3] else None
        return narrowed(F, (dx, dh0, d_ih, d_hh, db, db), dtype)

    return enter(Op(name, forward, joint=backward, aux=("hidden",), outputs=2, same_dtype=True))


def _back(F: Any, gy: Any, gh: Any, w_hh: Any, hidden: Any, slope: Callable[..., Any], order: Any) -> tuple[Any, Any]:
    """Back through time: the gradient of all steps' z, and of h0."""
    dz, dh0 = F.new(hidden.shape, hidden.dtype), F.new(gh.shape, gh.dtype)
    n = order[-1][1] - order[-1][0]
    dh = F.copy(gh[:n])
    for first, end, group in groups(order, hidden.shape[1]):
        dz[first:end] = slope(hidden[first:end])
        for low, high in group:
            if high - low != n:
                n = high - low
                dh = resized(F, dh, n, gh, dh0)
            dh += gy[low:high]
            d = dz[low:high]
            d *= dh
            dh = F.matmul(d, w_hh)
    dh0[:n] = dh
    return dz, dh0


# As lstm_layer: x is (T, B, I), or packed with its `sizes`; 0.0 for biases that are not there.
rnn_tanh_layer = _layer("rnn_tanh_layer", tanh_cell, lambda F, z: F.tanh(z, out=z), lambda y: 1 - y * y)
rnn_relu_layer = _layer("rnn_relu_layer", relu_cell, lambda F, z: F.maximum(z, 0.0, out=z), lambda y: y > 0)
