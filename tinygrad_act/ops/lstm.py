"""A layer of LSTM in one direction, as one node.

Hochreiter and Schmidhuber 1997; the forget gate is that of Gers, Schmidhuber and Cummins 2000, the projection of the
output that of Sak, Senior and Beaufays 2014 (arXiv:1402.1128).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..numerics.recurrent import before, given
from ..op import Op
from .recurrent import narrowed, recorded, rows, sigmoid, steps, weight_gradients, wide
from .registry import enter


def step(F: Any, i: Any, f: Any, g: Any, o: Any, c: Any) -> tuple[Any, ...]:
    """From the gates' z, and c: the gates; the new c's tanh, h, and the new c."""
    i, f, g, o = sigmoid(F, i), sigmoid(F, f), F.tanh(g), sigmoid(F, o)
    c = f * c + i * g
    t = F.tanh(c)
    return i, f, g, o, t, o * t, c


def cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any], w_hr: Any) -> tuple[Any, Any]:
    """One step, as the books have it: (h, c)."""
    i, f, g, o = F.split_sizes(from_x + from_h, sizes=(states[1].shape[1],) * 4, dim=1)
    *_, h, c = step(F, i, f, g, o, states[1])
    return (F.matmul(h, F.permute(w_hr, (1, 0))) if given(w_hr) else h), c


def _lstm(F: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, *,
          sizes: Any = None, reverse: bool = False) -> Any:
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, *others = wide(F, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    hidden, z, cells, hn, cn = F.lstm(rows(F, x), *others, order)
    y = F.reshape(hidden, (*shape[:-1], hidden.shape[1]))
    return [F.cast(v, dtype) for v in (y, hn, cn)], hidden, z, cells


def _lstm_backward(F: Any, g: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any,
                   hidden: Any, z: Any, cells: Any, *, sizes: Any, reverse: bool, needs: Any) -> Any:
    if z is None:
        return recorded(cell, g, x, (h0, c0), (w_ih, w_hh, b_ih, b_hh, w_hr), needs, sizes, reverse)
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, c0, w_ih, w_hh, w_hr, gy, gh, gc = wide(F, x, h0, c0, w_ih, w_hh, w_hr, *g)
    dz, dh0, dc0, dhs, outputs = F.lstm_back(rows(F, gy), gh, gc, h0, c0, w_hh, w_hr, z, cells, order)
    dx = F.reshape(F.matmul(dz, w_ih), shape) if needs[0] else None
    d_ih, db = weight_gradients(F, dz, rows(F, x), (needs[3], needs[5] or needs[6]))
    d_hh, _ = weight_gradients(F, dz, before(F, h0, hidden, order), (needs[4], False)) if needs[4] else (None, None)
    d_hr = F.matmul(F.permute(dhs, (1, 0)), outputs) if needs[7] else None
    return narrowed(F, (dx, dh0, dc0, d_ih, d_hh, db, db, d_hr), dtype)


# x is (T, B, I), or packed with its `sizes`; h0 (B, P) and c0 (B, H); weights as in PyTorch, 0.0 for one that is not there.
lstm_layer = enter(Op("lstm_layer", _lstm, joint=_lstm_backward, aux=("hidden", "z", "cells"), outputs=3, same_dtype=True))
