"""The steps of recurrent layers over whole sequences, forward and back: the part of the vocabulary behind LSTM, GRU and RNN.

A layer's input is a matrix with a row for each step of each sequence: the steps one behind the other, in a step the
sequences, longest first. A step of n rows is that of the first n sequences, so that none is padded and a full batch is only the
case in which all steps are equally long. `order` has the steps in the order they are taken.

The products with the input are made for all steps at once, and the gates' derivatives for groups of steps that stay in
cache: what is left to a step is one product with the state and a handful of passes over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Step = tuple[int, int]                       # the first row of a step and the one after its last
CACHED = 1 << 16                             # so many numbers, of a group of steps, stay in a core's cache


# ---------------------------------------------------------------------------------------------------------- steps
def groups(order: Sequence[Step], width: int) -> Iterator[tuple[int, int, list[Step]]]:
    """The steps from the last to the first, in groups of about CACHED numbers: (first row, row after the last, steps)."""
    group: list[Step] = []
    rows = 0
    for step in reversed(order):
        group.append(step)
        rows += step[1] - step[0]
        if rows * width >= CACHED:
            yield *_span(group), group
            group, rows = [], 0
    if group:
        yield *_span(group), group


def _span(group: Sequence[Step]) -> Step:
    """The first row of neighbouring steps and the one after their last, in whichever order they come."""
    ends = group[0], group[-1]
    return min(ends)[0], max(ends)[1]


def resized(F: Any, state: Any, n: int, joining: Any, leaving: Any) -> Any:
    """The state for a step of n sequences: the rows of those that begin here come from `joining`, and those of the ones
    that have ended go to `leaving`. Going forward these are the first state and the last; going back, their gradients.
    """
    m = state.shape[0]
    if n < m:
        leaving[n:m] = state[n:]
        return state[:n]
    return F.cat((state, joining[m:n]))


def before(F: Any, first: Any, states: Any, order: Sequence[Step]) -> Any:
    """The state in which each step found its sequences, rows as in `states`, which has the state it left."""
    n, forward = order[0][1] - order[0][0], order[0] <= order[-1]
    if n == order[-1][1] - order[-1][0]:                     # as many sequences in every step: the states, moved by one
        return F.cat((first, states[:len(states) - n]) if forward else (states[n:], first))
    pieces = []
    for (low, high), (start, end) in zip(order, [(0, 0), *order[:-1]], strict=True):
        kept = min(high - low, end - start)
        pieces.append((states[start:start + kept], first[kept:high - low]))      # those that went on, those that begin
    return F.cat([rows for pair in (pieces if forward else pieces[::-1]) for rows in pair])


# -------------------------------------------------------------------------------------------------------- numbers
def given(x: Any) -> bool:
    """Is there this bias or projection? A number stands for one that is not."""
    return not isinstance(x, float)


def turned(F: Any, w: Any) -> Any:
    """The transposed matrix, laid out for being multiplied by from the right at each step."""
    return F.copy(F.permute(w, (1, 0)))


def number(F: Any, value: float, like: Any) -> Any:
    """A constant as an array: by a Python number, a pass over a small array takes twice the time."""
    return F.full((), value, like)


def add_biases(z: Any, *biases: Any) -> None:
    """z += each bias that is given, in place: z is the caller's."""
    total = [b for b in biases if given(b)]
    if total:
        z += total[0] + total[1] if len(total) == 2 else total[0]


def _step_back(F: Any, i: Any, f: Any, g: Any, o: Any, c: Any, found: Any, dh: Any, dc: Any) -> tuple[Any, ...]:
    """Back through a step of an LSTM, from its tanh (see Recurrent.lstm), the cells it left and found, and their gradients:
    the gradient of the cells it found, and of the four gates' z.
    """
    i, f, o, tanh = 0.5 + 0.5 * i, 0.5 + 0.5 * f, 0.5 + 0.5 * o, F.tanh(c)
    dc = dc + dh * o * (1 - tanh * tanh)
    return dc * f, dc * g * (i - i * i), dc * found * (f - f * f), dc * i * (1 - g * g), dh * tanh * (o - o * o)


def _projected(F: Any, o: Any, c: Any) -> Any:
    """What a projection was given."""
    return (0.5 + 0.5 * o) * F.tanh(c)


class Recurrent:
    """Each function is given a layer's input and gradients as matrices, float32 or float64; 0.0 for weights that are not there."""

    # ------------------------------------------------------------------------------------------------------ LSTM
    def lstm(self: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, order: Sequence[Step]) -> Any:
        """The hidden states, the tanh of all gates (of half of z for i, f and o), the cells, the last h and c.

        σ(z) = ½ + ½ tanh(½z), so one tanh serves all four gates.
        """
        size, half = c0.shape[1], number(self, 0.5, x)
        scale = self.full((4 * size, 1), 0.5, w_hh)
        scale[2 * size:3 * size] = 1
        z = self.matmul(x, self.permute(w_ih * scale, (1, 0)))
        add_biases(z, *[b * scale[:, 0] if given(b) else b for b in (b_ih, b_hh)])
        w, project = turned(self, w_hh * scale), turned(self, w_hr) if given(w_hr) else None
        hidden, cells = self.new((z.shape[0], h0.shape[1]), z.dtype), self.new((z.shape[0], size), z.dtype)
        n = order[0][1] - order[0][0]
        h, c, hn, cn = h0[:n], c0[:n], self.copy(h0), self.copy(c0)
        for low, high in order:
            if high - low != n:
                n = high - low
                h, c = resized(self, h, n, h0, hn), resized(self, c, n, c0, cn)
            t = z[low:high]
            t += self.matmul(h, w)
            self.tanh(t, out=t)
            s = t * half                                         # the gates σ; nothing reads what this makes of g
            s += half
            c = c * s[:, size:2 * size]
            c += s[:, :size] * t[:, 2 * size:3 * size]
            cells[low:high] = c
            h = hidden[low:high]
            if project is None:
                self.tanh(c, out=h)
                h *= s[:, 3 * size:]
            else:
                h[...] = self.matmul(self.tanh(c) * s[:, 3 * size:], project)
        hn[:n], cn[:n] = h, c
        return hidden, z, cells, hn, cn

    def lstm_back(self: Any, gy: Any, gh: Any, gc: Any, h0: Any, c0: Any, w_hh: Any, w_hr: Any, z: Any, cells: Any, order: Sequence[Step]) -> Any:
        """Back through time: the gradients of all gates' z, of h0 and c0, and for w_hr those of h with what it projected."""
        size, project = c0.shape[1], given(w_hr)
        found, dz = before(self, c0, cells, order), self.new(z.shape, z.dtype)
        dh0, dc0 = self.new(h0.shape, h0.dtype), self.new(c0.shape, c0.dtype)
        dhs: Any = self.new(gy.shape, gy.dtype) if project else None
        outputs = self.run(_projected, [z[:, 3 * size:], cells], {}) if project else None
        kept = (*self.split_sizes(z, sizes=(size,) * 4, dim=1), cells, found)
        slopes = self.split_sizes(dz, sizes=(size,) * 4, dim=1)
        n = order[-1][1] - order[-1][0]
        dh, dc = self.copy(gh[:n]), self.copy(gc[:n])
        for low, high in reversed(order):
            if high - low != n:
                n = high - low
                dh, dc = resized(self, dh, n, gh, dh0), resized(self, dc, n, gc, dc0)
            dh += gy[low:high]
            if project:
                dhs[low:high] = dh
                dh = self.matmul(dh, w_hr)
            self.change((dc, *[v[low:high] for v in slopes]), _step_back, (*[v[low:high] for v in kept], dh, dc), {})
            dh = self.matmul(dz[low:high], w_hh)
        dh0[:n], dc0[:n] = dh, dc
        return dz, dh0, dc0, dhs, outputs

    # ------------------------------------------------------------------------------------------------------- GRU
    def gru(self: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, order: Sequence[Step]) -> Any:
        """The hidden states, the gates (r, z, n), what w_hh and its bias give for n, and the last h."""
        size, half = h0.shape[1], number(self, 0.5, x)
        scale = self.full((3 * size, 1), 0.5, x)                 # σ(v) = ½ + ½ tanh(½v), for r and z
        scale[2 * size:] = 1
        z, w = self.matmul(x, self.permute(w_ih * scale, (1, 0))), turned(self, w_hh * scale)
        add_biases(z, b_ih * scale[:, 0] if given(b_ih) else b_ih)
        bias = b_hh * scale[:, 0] if given(b_hh) else None
        hidden, products = self.new((z.shape[0], size), z.dtype), self.new((z.shape[0], size), z.dtype)
        rows_now = order[0][1] - order[0][0]
        h, last = h0[:rows_now], self.copy(h0)
        for low, high in order:
            if high - low != rows_now:
                rows_now = high - low
                h = resized(self, h, rows_now, h0, last)
            p = self.matmul(h, w)
            if bias is not None:
                p += bias
            gates, n, q = z[low:high, :2 * size], z[low:high, 2 * size:], p[:, 2 * size:]
            gates += p[:, :2 * size]
            self.tanh(gates, out=gates)
            gates *= half
            gates += half
            products[low:high] = q
            n += gates[:, :size] * q
            self.tanh(n, out=n)
            h = h - n
            h *= gates[:, size:]
            h += n
            hidden[low:high] = h
        last[:rows_now] = h
        return hidden, z, products, last

    def gru_back(self: Any, gy: Any, gh: Any, w_hh: Any, z: Any, products: Any, found: Any, order: Sequence[Step]) -> tuple[Any, Any]:
        """Back through time: the gradients of all z of (n, r, z) and of the products q, side by side; and of h0."""
        size = gh.shape[1]
        dz, dh0 = self.new((z.shape[0], 4 * size), z.dtype), self.new(gh.shape, gh.dtype)
        gates = self.reshape(dz, (z.shape[0], 4, size))
        n = order[-1][1] - order[-1][0]
        dh = self.copy(gh[:n])
        for first, end, group in groups(order, 4 * size):
            keep = _gru_slopes(z[first:end], products[first:end], found[first:end], dz[first:end])
            for low, high in group:
                if high - low != n:
                    n = high - low
                    dh = resized(self, dh, n, gh, dh0)
                dh += gy[low:high]
                here = gates[low:high]
                here *= dh[:, None]
                kept = dh * keep[low - first:high - first]
                dh = self.matmul(dz[low:high, size:], w_hh)
                dh += kept
        dh0[:n] = dh
        return dz, dh0

    # ------------------------------------------------------------------------------------------------------- RNN
    def rnn(self: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, relu: bool, order: Sequence[Step]) -> tuple[Any, Any]:
        """The hidden states, and the last."""
        hidden, w = self.matmul(x, self.permute(w_ih, (1, 0))), turned(self, w_hh)
        add_biases(hidden, b_ih, b_hh)
        n = order[0][1] - order[0][0]
        h, last = h0[:n], self.copy(h0)
        for low, high in order:
            if high - low != n:
                n = high - low
                h = resized(self, h, n, h0, last)
            t = hidden[low:high]
            t += self.matmul(h, w)
            h = self.maximum(t, 0.0, out=t) if relu else self.tanh(t, out=t)
        last[:n] = h
        return hidden, last

    def rnn_back(self: Any, gy: Any, gh: Any, w_hh: Any, hidden: Any, relu: bool, order: Sequence[Step]) -> tuple[Any, Any]:
        """Back through time: the gradient of all steps' z, and of h0. The slope of relu at 0 is 0."""
        slope: Callable[[Any], Any] = (lambda y: y > 0) if relu else (lambda y: 1 - y * y)
        dz, dh0 = self.new(hidden.shape, hidden.dtype), self.new(gh.shape, gh.dtype)
        n = order[-1][1] - order[-1][0]
        dh = self.copy(gh[:n])
        for first, end, group in groups(order, hidden.shape[1]):
            dz[first:end] = slope(hidden[first:end])
            for low, high in group:
                if high - low != n:
                    n = high - low
                    dh = resized(self, dh, n, gh, dh0)
                dh += gy[low:high]
                d = dz[low:high]
                d *= dh
                dh = self.matmul(d, w_hh)
        dh0[:n] = dh
        return dz, dh0


def _gru_slopes(z: Any, q: Any, found: Any, dz: Any) -> Any:
    """For a group of steps, into dz: how h moves with the z of n, r and z and with the product q; and the gates z."""
    size = q.shape[1]
    r, u, n = (z[:, k * size:(k + 1) * size] for k in range(3))
    to_n, to_r, to_u, to_q = (dz[:, k * size:(k + 1) * size] for k in range(4))
    to_n[...] = (1 - u) * (1 - n * n)
    to_q[...] = to_n * r
    to_r[...] = to_q * q * (1 - r)
    to_u[...] = (found - n) * (u - u * u)
    return u
