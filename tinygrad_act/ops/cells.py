"""One step of a recurrent network as one node: the ops behind RNNCell, LSTMCell and GRUCell.

The layers of `lstm.py`, `gru.py` and `rnn.py` take whole sequences; these are for loops of one's own. A step is the products
with the input and the state, and one pass over what they give, by an elementwise rule. The values of the gates are kept; where
the backward rule is itself recorded, they are computed again, by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import recording
from ..numerics.recurrent import given
from ..op import Op, Single
from . import gru, lstm
from .recurrent import narrowed, weight_gradients, wide
from .registry import enter


# --------------------------------------------------------------------------------------------------- what they share
def _product(F: Any, x: Any, w: Any, bias: Any) -> Any:
    z = F.matmul(x, F.permute(w, (1, 0)))
    return z + bias if given(bias) else z


def _products_back(F: Any, by_x: Any, by_h: Any, x: Any, h: Any, w_ih: Any, w_hh: Any, needs: Sequence[bool]) -> list[Any]:
    """The gradients for x, h, the weights and the biases, from those of what x and h give, which may be one and the same."""
    for_x, for_h, for_ih, for_hh, for_b, for_bh = needs
    one = by_x is by_h
    d_ih, db = weight_gradients(F, by_x, x, (for_ih, for_b or (one and for_bh)))
    d_hh, dbh = weight_gradients(F, by_h, h, (for_hh, for_bh and not one))
    return [F.matmul(by_x, w_ih) if for_x else None, F.matmul(by_h, w_hh) if for_h else None, d_ih, d_hh, db, db if one else dbh]


def _gates(z: Any, size: int) -> list[Any]:
    """The gates, which lie side by side, one by one."""
    return [z[:, k:k + size] for k in range(0, z.shape[1], size)]


# -------------------------------------------------------------------------------------------------------------- LSTM
def _lstm_slopes(F: Any, i: Any, f: Any, g: Any, o: Any, t: Any, c: Any, gh: Any, gc: Any) -> tuple[Any, ...]:
    """The gradients of the gates' z, and of the c that the step found."""
    gc = gc + gh * o * (1 - t * t)
    return gc * g * (i - i * i), gc * c * (f - f * f), gc * i * (1 - g * g), gh * t * (o - o * o), gc * f


def _lstm(F: Any, x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    dtype = x.dtype
    x, h, c, w_ih, w_hh, b_ih, b_hh = wide(F, x, h, c, w_ih, w_hh, b_ih, b_hh)
    z = _product(F, x, w_ih, b_ih) + _product(F, h, w_hh, b_hh)
    gates, t, h, new = _gates(z, c.shape[1]), F.new(c.shape, c.dtype), F.new(c.shape, c.dtype), F.new(c.shape, c.dtype)
    F.change((*gates, t, h, new), lstm.step, (*gates, c), {})
    return narrowed(F, (h, new), dtype), z, t


def _lstm_back(F: Any, g: Any, x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, gates: Any, t: Any, *, needs: Any) -> Any:
    dtype, size = x.dtype, c.shape[1]
    x, h, c, w_ih, w_hh, b_ih, b_hh, gh, gc = wide(F, x, h, c, w_ih, w_hh, b_ih, b_hh, *g)
    if gates is None:
        found = (*_gates(_product(F, x, w_ih, b_ih) + _product(F, h, w_hh, b_hh), size), c)
        values = (*lstm.step(F, *found)[:5], c, gh, gc)
        *slopes, dc = _lstm_slopes(F, *values)
        dz = F.cat(slopes, dim=1)
    else:
        dz, dc = F.new(gates.shape, gates.dtype), F.new(c.shape, c.dtype)
        F.change((*_gates(dz, size), dc), _lstm_slopes, (*_gates(gates, size), t, c, gh, gc), {})
    dx, dh, *others = _products_back(F, dz, dz, x, h, w_ih, w_hh, needs[:2] + needs[3:])
    return narrowed(F, (dx, dh, dc, *others), dtype)


# x is (B, I), states (B, H); weights as in PyTorch, 0.0 for biases that are not there.
lstm_cell = enter(Op("lstm_cell", _lstm, joint=_lstm_back, aux=("gates", "t"), outputs=2, same_dtype=True))


# --------------------------------------------------------------------------------------------------------------- GRU
def _gru_slopes(F: Any, r: Any, z: Any, n: Any, hn: Any, h: Any, g: Any) -> tuple[Any, ...]:
    """The gradients of what x and h give, and of h but for that."""
    dn = g * (1 - z) * (1 - n * n)
    dr, dz = dn * hn * (r - r * r), g * (h - n) * (z - z * z)
    return dr, dz, dn, dr, dz, dn * r, g * z


def _gru(F: Any, x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    dtype, size = x.dtype, h.shape[1]
    x, h, w_ih, w_hh, b_ih, b_hh = wide(F, x, h, w_ih, w_hh, b_ih, b_hh)
    z, products = _product(F, x, w_ih, b_ih), _gates(_product(F, h, w_hh, b_hh), size)
    gates, new = _gates(z, size), F.new(h.shape, h.dtype)
    F.change((*gates, new), gru.step, (*gates, *products, h), {})
    return F.cast(new, dtype), z, F.copy(products[2])


def _gru_back(F: Any, g: Any, x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, gates: Any, hn: Any, *, needs: Any) -> Any:
    dtype, size = x.dtype, h.shape[1]
    x, h, w_ih, w_hh, b_ih, b_hh, g = wide(F, x, h, w_ih, w_hh, b_ih, b_hh, g)
    if gates is None:
        products = _gates(_product(F, h, w_hh, b_hh), size)
        found = (*_gates(_product(F, x, w_ih, b_ih), size), *products, h)
        r, z, n, _ = gru.step(F, *found)
        *slopes, dh = _gru_slopes(F, r, z, n, products[2], h, g)
        by_x, by_h = F.cat(slopes[:3], dim=1), F.cat(slopes[3:], dim=1)
    else:
        by_x, by_h, dh = F.new(gates.shape, gates.dtype), F.new(gates.shape, gates.dtype), F.new(h.shape, h.dtype)
        F.change((*_gates(by_x, size), *_gates(by_h, size), dh), _gru_slopes, (*_gates(gates, size), hn, h, g), {})
    dx, through, *others = _products_back(F, by_x, by_h, x, h, w_ih, w_hh, needs)
    return narrowed(F, (dx, through if through is None else through + dh, *others), dtype)


gru_cell = enter(Op("gru_cell", _gru, joint=_gru_back, aux=("gates", "hn"), same_dtype=True))


# --------------------------------------------------------------------------------------------------------------- RNN
def _rnn_cell(name: str, step: Any, slope: Any) -> Op:
    """The op for one activation, with its derivative by the output."""
    def forward(F: Any, x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        dtype = x.dtype
        x, h, w_ih, w_hh, b_ih, b_hh = wide(F, x, h, w_ih, w_hh, b_ih, b_hh)
        return F.cast(F.run(step, (_product(F, x, w_ih, b_ih) + _product(F, h, w_hh, b_hh),), {}), dtype)

    def backward(F: Any, g: Any, x: Any, h: Any, w_ih: Any, w_hh: Any, y: Any, *, needs: Any) -> Any:
        dtype = x.dtype
        x, h, w_ih, w_hh, y, g = wide(F, x, h, w_ih, w_hh, y, g)
        dz = slope(F, g, y) if F is recording else F.run(slope, (g, y), {})
        return narrowed(F, _products_back(F, dz, dz, x, h, w_ih, w_hh, needs), dtype)

    return enter(Single(name, forward, joint=backward, same_dtype=True))


rnn_tanh_cell = _rnn_cell("rnn_tanh_cell", lambda F, z: F.tanh(z), lambda F, g, y: g * (1 - y * y))
rnn_relu_cell = _rnn_cell("rnn_relu_cell", lambda F, z: F.maximum(z, 0.0), lambda F, g, y: F.where(y > 0, g, 0))
