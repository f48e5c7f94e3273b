"""A layer of LSTM in one direction, as one node.

Hochreiter and Schmidhuber 1997; the forget gate is that of Gers, Schmidhuber and Cummins 2000, the projection of the
output that of Sak, Senior and Beaufays 2014 (arXiv:1402.1128).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..op import Op
from .recurrent import (
    add_biases,
    before,
    given,
    narrowed,
    number,
    recorded,
    resized,
    rows,
    sigmoid,
    steps,
    turned,
    weight_gradients,
    wide,
)
from .registry import enter


def cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any], w_hr: Any) -> tuple[Any, Any]:
    """One step, as the books have it: (h, c)."""
    size = states[1].shape[1]
    i, f, g, o = F.split_sizes(from_x + from_h, sizes=(size,) * 4, dim=1)
    c = sigmoid(F, f) * states[1] + sigmoid(F, i) * F.tanh(g)
    h = sigmoid(F, o) * F.tanh(c)
    return (F.matmul(h, F.permute(w_hr, (1, 0))) if given(w_hr) else h), c


def _halved(F: Any, w_hh: Any) -> Any:
    """½ for the rows of the gates i, f and o, 1 for those of g: σ(z) = ½ + ½ tanh(½z), so one tanh serves all four."""
    size = w_hh.shape[0] // 4
    scale = F.full((4 * size, 1), 0.5, w_hh)
    scale[2 * size:3 * size] = 1
    return scale


def _lstm(F: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, *,
          sizes: Any = None, reverse: bool = False) -> Any:
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr = wide(F, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    size, scale, half = c0.shape[1], _halved(F, w_hh), number(F, 0.5, x)
    z = F.matmul(rows(F, x), F.permute(w_ih * scale, (1, 0)))
    add_biases(z, *[b * scale[:, 0] if given(b) else b for b in (b_ih, b_hh)])
    w, project = turned(F, w_hh * scale), turned(F, w_hr) if given(w_hr) else None
    hidden, cells = F.new((z.shape[0], h0.shape[1]), z.dtype), F.new((z.shape[0], size), z.dtype)
    n = order[0][1] - order[0][0]
    h, c, hn, cn = h0[:n], c0[:n], F.copy(h0), F.copy(c0)
    for low, high in order:
        if high - low != n:
            n = high - low
            h, c = resized(F, h, n, h0, hn), resized(F, c, n, c0, cn)
        t = z[low:high]
        t += F.matmul(h, w)
        F.tanh(t, out=t)
        s = t * half                                             # the gates σ; nothing reads what this makes of g
        s += half
        c = c * s[:, size:2 * size]
        c += s[:, :size] * t[:, 2 * size:3 * size]
        cells[low:high] = c
        h = hidden[low:high]
        if project is None:
            F.tanh(c, out=h)
            h *= s[:, 3 * size:]
        else:
            h[...] = F.matmul(F.tanh(c) * s[:, 3 * size:], project)
    hn[:n], cn[:n] = h, c
    y = F.reshape(hidden, (*shape[:-1], hidden.shape[1]))
    return [F.cast(v, dtype) for v in (y, hn, cn)], hidden, z, cells


def _step_back(F: Any, i: Any, f: Any, g: Any, o: Any, c: Any, found: Any, dh: Any, dc: Any) -> tuple[Any, ...]:
    """Back through a step, from its tanh (see _halved), the cells it left and found, and their gradients: the gradient of
    the cells it found, and of the four gates' z.
    """
    i, f, o, tanh = 0.5 + 0.5 * i, 0.5 + 0.5 * f, 0.5 + 0.5 * o, F.tanh(c)
    dc = dc + dh * o * (1 - tanh * tanh)
    return dc * f, dc * g * (i - i * i), dc * found * (f - f * f), dc * i * (1 - g * g), dh * tanh * (o - o * o)


def _output(F: Any, o: Any, c: Any) -> Any:
    """What a projection was given."""
    return (0.5 + 0.5 * o) * F.tanh(c)


def _back(F: Any, g: Any, h0: Any, c0: Any, w_hh: Any, w_hr: Any, z: Any, cells: Any, order: Any
          ) -> tuple[Any, Any, Any, Any, Any]:
    """Back through time: the gradients of all gates' z, of h0 and c0, and for w_hr those of h with what it projected."""
    gy, gh, gc = g
    size, project = c0.shape[1], given(w_hr)
    found, dz = before(F, c0, cells, order), F.new(z.shape, z.dtype)
    dh0, dc0 = F.new(h0.shape, h0.dtype), F.new(c0.shape, c0.dtype)
    dhs: Any = F.new(gy.shape, gy.dtype) if project else None
    outputs = F.run(_output, [z[:, 3 * size:], cells], {}) if project else None
    kept = (*F.split_sizes(z, sizes=(size,) * 4, dim=1), cells, found)
    slopes = F.split_sizes(dz, sizes=(size,) * 4, dim=1)
    n = order[-1][1] - order[-1][0]
    dh, dc = F.copy(gh[:n]), F.copy(gc[:n])
    for low, high in reversed(order):
        if high - low != n:
            n = high - low
            dh, dc = resized(F, dh, n, gh, dh0), resized(F, dc, n, gc, dc0)
        dh += gy[low:high]
        if project:
            dhs[low:high] = dh
            dh = F.matmul(dh, w_hr)
        F.change((dc, *[v[low:high] for v in slopes]), _step_back, (*[v[low:high] for v in kept], dh, dc), {})
        dh = F.matmul(dz[low:high], w_hh)
    dh0[:n], dc0[:n] = dh, dc
    return dz, dh0, dc0, dhs, outputs


def _lstm_backward(F: Any, g: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any,
                   hidden: Any, z: Any, cells: Any, *, sizes: Any, reverse: bool, needs: Any) -> Any:
    if z is None:
        return recorded(cell, g, x, (h0, c0), (w_ih, w_hh, b_ih, b_hh, w_hr), needs, sizes, reverse)
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, c0, w_ih, w_hh, w_hr, gy, gh, gc = wide(F, x, h0, c0, w_ih, w_hh, w_hr, *g)
    dz, dh0, dc0, dhs, outputs = _back(F, (rows(F, gy), gh, gc), h0, c0, w_hh, w_hr, z, cells, order)
    dx = F.reshape(F.matmul(dz, w_ih), shape) if needs[0] else None
    d_ih, db = weight_gradients(F, dz, rows(F, x), (needs[3], needs[5] or needs[6]))
    d_hh, _ = weight_gradients(F, dz, before(F, h0, hidden, order), (needs[4], False)) if needs[4] else (None, None)
    d_hr = F.matmul(F.permute(dhs, (1, 0)), outputs) if needs[7] else None
    return narrowed(F, (dx, dh0, dc0, d_ih, d_hh, db, db, d_hr), dtype)


# x is (T, B, I), or packed with its `sizes`; h0 (B, P) and c0 (B, H); weights as in PyTorch, 0.0 for one that is not there.
lstm_layer = enter(Op("lstm_layer", _lstm, joint=_lstm_backward, aux=("hidden", "z", "cells"), outputs=3, same_dtype=True))
