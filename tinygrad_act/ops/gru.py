"""A layer of GRU in one direction, as one node: Cho et al. 2014 (arXiv:1406.1078), in the form that cuDNN and PyTorch use,
where the reset gate r scales the product with the state: n = tanh(W x + b + r (U h + b')), h' = n + z (h - n).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..op import Op
from .recurrent import (
    add_biases,
    before,
    given,
    groups,
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


def cell(F: Any, from_x: Any, from_h: Any, states: Sequence[Any]) -> tuple[Any]:
    """One step, as the books have it."""
    (h,) = states
    sizes = (h.shape[1],) * 3
    (xr, xz, xn), (hr, hz, hn) = F.split_sizes(from_x, sizes=sizes, dim=1), F.split_sizes(from_h, sizes=sizes, dim=1)
    n = F.tanh(xn + sigmoid(F, xr + hr) * hn)
    return (n + sigmoid(F, xz + hz) * (h - n),)


def _gru(F: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, sizes: Any = None,
         reverse: bool = False) -> Any:
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, w_ih, w_hh, b_ih, b_hh = wide(F, x, h0, w_ih, w_hh, b_ih, b_hh)
    size, half = h0.shape[1], number(F, 0.5, x)
    scale = F.full((3 * size, 1), 0.5, x)                        # σ(v) = ½ + ½ tanh(½v), for r and z
    scale[2 * size:] = 1
    z, w = F.matmul(rows(F, x), F.permute(w_ih * scale, (1, 0))), turned(F, w_hh * scale)
    add_biases(z, b_ih * scale[:, 0] if given(b_ih) else b_ih)
    bias = b_hh * scale[:, 0] if given(b_hh) else None
    hidden, products = F.new((z.shape[0], size), z.dtype), F.new((z.shape[0], size), z.dtype)
    rows_now = order[0][1] - order[0][0]
    h, last = h0[:rows_now], F.copy(h0)
    for low, high in order:
        if high - low != rows_now:
            rows_now = high - low
            h = resized(F, h, rows_now, h0, last)
        p = F.matmul(h, w)
        if bias is not None:
            p += bias
        gates, n, q = z[low:high, :2 * size], z[low:high, 2 * size:], p[:, 2 * size:]
        gates += p[:, :2 * size]
        F.tanh(gates, out=gates)
        gates *= half
        gates += half
        products[low:high] = q
        n += gates[:, :size] * q
        F.tanh(n, out=n)
        h = h - n
        h *= gates[:, size:]
        h += n
        hidden[low:high] = h
    last[:rows_now] = h
    y = F.reshape(hidden, (*shape[:-1], size))
    return [F.cast(y, dtype), F.cast(last, dtype)], hidden, z, products


def _slopes(F: Any, z: Any, q: Any, found: Any, dz: Any) -> Any:
    """For a group of steps, into dz: how h moves with the z of n, r and z and with the product q; and the gates z."""
    size = q.shape[1]
    r, u, n = (z[:, k * size:(k + 1) * size] for k in range(3))
    to_n, to_r, to_u, to_q = (dz[:, k * size:(k + 1) * size] for k in range(4))
    to_n[...] = (1 - u) * (1 - n * n)
    to_q[...] = to_n * r
    to_r[...] = to_q * q * (1 - r)
    to_u[...] = (found - n) * (u - u * u)
    return u


def _back(F: Any, gy: Any, gh: Any, w_hh: Any, z: Any, products: Any, found: Any, order: Any) -> tuple[Any, Any]:
    """Back through time: the gradients of all z of (n, r, z) and of the products q, side by side; and of h0."""
    size = gh.shape[1]
    dz, dh0 = F.new((z.shape[0], 4 * size), z.dtype), F.new(gh.shape, gh.dtype)
    gates = F.reshape(dz, (z.shape[0], 4, size))
    n = order[-1][1] - order[-1][0]
    dh = F.copy(gh[:n])
    for first, end, group in groups(order, 4 * size):
        keep = _slopes(F, z[first:end], products[first:end], found[first:end], dz[first:end])
        for low, high in group:
            if high - low != n:
                n = high - low
                dh = resized(F, dh, n, gh, dh0)
            dh += gy[low:high]
            here = gates[low:high]
            here *= dh[:, None]
            kept = dh * keep[low - first:high - first]
            dh = F.matmul(dz[low:high, size:], w_hh)
            dh += kept
    dh0[:n] = dh
    return dz, dh0


def _gru_backward(F: Any, g: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hidden: Any, z: Any,
                  products: Any, *, sizes: Any, reverse: bool, needs: Any) -> Any:
    if z is None:
        return recorded(cell, g, x, (h0,), (w_ih, w_hh, b_ih, b_hh), needs, sizes, reverse)
    dtype, shape, order = x.dtype, x.shape, steps(x, sizes, reverse)
    x, h0, w_ih, w_hh, gy, gh = wide(F, x, h0, w_ih, w_hh, *g)
    size, found = h0.shape[1], before(F, h0, hidden, order)
    dz, dh0 = _back(F, rows(F, gy), gh, w_hh, z, products, found, order)
    for_x, for_h = dz[:, :3 * size], dz[:, size:]                # of (n, r, z), and of (r, z, q)
    turned_w = F.cat((w_ih[2 * size:], w_ih[:2 * size]))
    dx = F.reshape(F.matmul(for_x, turned_w), shape) if needs[0] else None
    d_ih, db_ih = weight_gradients(F, for_x, rows(F, x), (needs[2], needs[4]))
    d_ih, db_ih = (d if d is None else F.cat((d[size:], d[:size])) for d in (d_ih, db_ih))
    d_hh, db_hh = weight_gradients(F, for_h, found, (needs[3], needs[5]))
    return narrowed(F, (dx, dh0, d_ih, d_hh, db_ih, db_hh), dtype)


# As lstm_layer: x is (T, B, I), or packed with its `sizes`; 0.0 for biases that are not there.
gru_layer = enter(Op("gru_layer", _gru, joint=_gru_backward, aux=("hidden", "z", "products"), outputs=2, same_dtype=True))
