"""A layer of GRU in one direction, as one node: Cho et al. 2014 (arXiv:1406.1078), in the form that cuDNN and PyTorch use,
where the reset gate r scales the product with the state: n = tanh(W x + b + r (U h + b')), h' = n + z (h - n).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..numerics.recurrent import before
from ..op import Op
from .recurrent import narrowed, recorded, rows, sigmoid, steps, weight_gradients, wide
from .registry import enter


def step(F: Any, xr: Any, xz: Any, xn: Any, hr: Any, hz: Any, hn: Any, h: Any) -> tuple[Any, ...]:
    """From what x and h give for the gates, and h: the gates, and the new h."""
    r, z = sigmoid(F, xr + hr), sigmoid(F, xz + hz)
    n = F.tanh(xn + r * hn)
    return r, z, n, n + z * (h - n)


def cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any, ...]:
    """One step, as the books have it."""
    (h,) = states
    by_x, by_h = (F.split_sizes(z, sizes=(h.shape[1],) * 3, dim=1) for z in (from_x, from_h))
    return step(F, *by_x, *by_h, *states)[-1:]


def _gru(F: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, sizes: Any = None,
         reverse: bool = False) -> Any:
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, *others = wide(F, x, h0, w_ih, w_hh, b_ih, b_hh)
    hidden, z, products, last = F.gru(rows(F, x), *others, order)
    y = F.reshape(hidden, (*shape[:-1], hidden.shape[1]))
    return [F.cast(y, dtype), F.cast(last, dtype)], hidden, z, products


def _gru_backward(F: Any, g: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hidden: Any, z: Any,
                  products: Any, *, sizes: Any, reverse: bool, needs: Any) -> Any:
    if z is None:
        return recorded(cell, g, x, (h0,), (w_ih, w_hh, b_ih, b_hh), needs, sizes, reverse)
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, w_ih, w_hh, gy, gh = wide(F, x, h0, w_ih, w_hh, *g)
    size, found = h0.shape[1], before(F, h0, hidden, order)
    dz, dh0 = F.gru_back(rows(F, gy), gh, w_hh, z, products, found, order)
    for_x, for_h = dz[:, :3 * size], dz[:, size:]                # of (n, r, z), and of (r, z, q)
    turned_w = F.cat((w_ih[2 * size:], w_ih[:2 * size]))
    dx = F.reshape(F.matmul(for_x, turned_w), shape) if needs[0] else None
    d_ih, db_ih = weight_gradients(F, for_x, rows(F, x), (needs[2], needs[4]))
    d_ih, db_ih = (d if d is None else F.cat((d[size:], d[:size])) for d in (d_ih, db_ih))
    d_hh, db_hh = weight_gradients(F, for_h, found, (needs[3], needs[5]))
    return narrowed(F, (dx, dh0, d_ih, d_hh, db_ih, db_hh), dtype)


# As lstm_layer: x is (T, B, I), or packed with its `sizes`; 0.0 for biases that are not there.
gru_layer = enter(Op("gru_layer", _gru, joint=_gru_backward, aux=("hidden", "z", "products"), outputs=2, same_dtype=True))
