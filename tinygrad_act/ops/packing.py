"""Sequences of several lengths: packed without padding, and padded to one length. PyTorch's names are in nn/utils/rnn.py."""

from __future__ import annotations

from typing import Any

from .registry import op

# x is (T, B, *), the longest sequence first; of step i the first sizes[i] sequences are taken.


def _packed(F: Any, x: Any, *, sizes: Any) -> Any:
    return F.cat([x[i, :n] for i, n in enumerate(sizes)])


def _unpacked(F: Any, x: Any, *, sizes: Any, shape: Any, value: float = 0) -> Any:
    """The rows of x where _packed takes them from, `value` elsewhere: for 0, its adjoint."""
    pieces, start = [], 0
    for n in (*sizes, *(0,) * (shape[0] - len(sizes))):
        pieces += [x[start:start + n], F.full((shape[1] - n, *x.shape[1:]), value, x)]
        start += n
    return F.reshape(F.cat(pieces), (*shape, *x.shape[1:]))


pack_op = op("pack", _packed, lambda F, g, x_shape, *, sizes: _unpacked(F, g, sizes=sizes, shape=x_shape[:2]))
unpack_op = op("unpack", _unpacked, lambda F, g, *, sizes: _packed(F, g, sizes=sizes))


def _place(i: int, n: int, length: int, left: bool) -> Any:
    return slice(length - n, length) if left else slice(0, n), i


def _padded(F: Any, *xs: Any, length: int, value: float, left: bool) -> Any:
    y = F.full((length, len(xs), *xs[0].shape[1:]), value, xs[0])
    for i, x in enumerate(xs):
        y[_place(i, x.shape[0], length, left)] = x
    return y


# Sequences (L, *) side by side, padded at one end: (length, how many, *).
pad_sequence_op = op("pad_sequence", _padded, joint=lambda F, g, xs_shape, *, length, left: [
    g[_place(i, shape[0], length, left)] for i, shape in enumerate(xs_shape)])
