"""What recurrent layers share: the order of the steps, sequences of several lengths, gradients of gradients.

A layer in one direction is one node (`lstm.py`, `gru.py`, `rnn.py`). Its input is a matrix with a row for each step of
each sequence: the steps one behind the other, in a step the sequences, longest first. A step of n rows is that of the
first n sequences, so that none is padded and a full batch is only the case in which all steps are equally long.

The products with the input are made for all steps at once, the gates' derivatives for groups of steps that stay in
cache, and the gradients of the weights from all steps at once: what is left to a step is one product with the state and
a handful of passes over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from ..dtypes import float32, is_half
from ..graph import grad, recording

Step = tuple[int, int]                       # the first row of a step and the one after its last
CACHED = 1 << 16                             # so many numbers, of a group of steps, stay in a core's cache


# ---------------------------------------------------------------------------------------------------------- steps
def steps(x: Any, sizes: Sequence[int] | None, reverse: bool) -> list[Step]:
    """The steps in the order they are taken; `sizes` says how many sequences each has, None that x is (T, B, I)."""
    ends = list(accumulate(sizes)) if sizes is not None else [x.shape[1] * (t + 1) for t in range(x.shape[0])]
    order = list(zip([0, *ends[:-1]], ends, strict=True))
    return order[::-1] if reverse else order


def rows(F: Any, x: Any) -> Any:
    """(T, B, I) as (T·B, I); a packed x is that already."""
    return x if x.ndim == 2 else F.reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))


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
def wide(F: Any, *xs: Any) -> list[Any]:
    """The halves in float32, in which their sequences are computed; what is not given (a number) as it is."""
    return [F.cast(x, float32) if hasattr(x, "dtype") and is_half(x.dtype) else x for x in xs]


def given(x: Any) -> bool:
    """Is there this bias or projection? A number stands for one that is not."""
    return not isinstance(x, float)


def turned(F: Any, w: Any) -> Any:
    """The transposed matrix, laid out for being multiplied by from the right at each step."""
    return F.copy(F.permute(w, (1, 0)))


def number(F: Any, value: float, like: Any) -> Any:
    """A constant as an array: by a Python number, a pass over a small array takes twice the time."""
    return F.full((), value, like)


def narrowed(F: Any, grads: Sequence[Any], dtype: Any) -> list[Any]:
    """Gradients in the dtype of what they are for."""
    return [g if g is None else F.cast(g, dtype) for g in grads]


def weight_gradients(F: Any, dz: Any, x: Any, needs: Sequence[bool]) -> tuple[Any, Any]:
    """For a weight and a bias that make gates out of x, from the gates' gradient: over all steps in one product."""
    return (F.matmul(F.permute(dz, (1, 0)), x) if needs[0] else None), (F.sum_to(dz, dz.shape[1:]) if needs[1] else None)


def add_biases(z: Any, *biases: Any) -> None:
    """z += each bias that is given, in place: z is the caller's."""
    total = [b for b in biases if given(b)]
    if total:
        z += total[0] + total[1] if len(total) == 2 else total[0]


# ---------------------------------------------------------------------------------- gradients of gradients
Cell = Callable[..., tuple[Any, ...]]        # (F, what the input gives, the states, their product with weight_hh, ...)


def sigmoid(F: Any, x: Any) -> Any:
    return 0.5 + 0.5 * F.tanh(0.5 * x)


def written_out(F: Any, cell: Cell, x: Any, states: Sequence[Any], w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
                *more: Any, sizes: Sequence[int] | None, reverse: bool) -> tuple[Any, ...]:
    """The layer without its rule, step by step in plain ops: (the output, each last state)."""
    def affine(v: Any, w: Any, b: Any) -> Any:
        z = F.matmul(v, F.permute(w, (1, 0)))
        return z + b if given(b) else z

    order = steps(x, sizes, reverse)
    inputs = affine(rows(F, x), w_ih, b_ih)
    start = order[0][1] - order[0][0]
    now, ended, outputs = [s[:start] for s in states], [[] for _ in states], []     # type: ignore[var-annotated]
    for low, high in order:
        n, m = high - low, now[0].shape[0]
        if n < m:
            for gone, s in zip(ended, now, strict=True):
                gone.insert(0, s[n:])
            now = [s[:n] for s in now]
        elif n > m:
            now = [F.cat((s, first[m:n])) for s, first in zip(now, states, strict=True)]
        now = list(cell(F, inputs[low:high], affine(now[0], w_hh, b_hh), now, *more))
        outputs.append(now[0])
    y = F.cat(outputs[::-1] if reverse else outputs)
    last = [F.cat((s, *gone)) if gone else s for s, gone in zip(now, ended, strict=True)]
    return F.reshape(y, (*x.shape[:-1], y.shape[-1])), *last


def recorded(cell: Cell, g: Sequence[Any], x: Any, states: Sequence[Any], weights: Sequence[Any], needs: Sequence[bool],
             sizes: Sequence[int] | None, reverse: bool) -> list[Any]:
    """The gradients as results of recorded ops: the layer is computed again, written out, and differentiated."""
    inputs = [x, *states, *weights]
    dtype = x.dtype
    # Each input under a handle of its own: one may be the result of another, which its gradient is not to pass on to.
    inputs = [t[...] if wanted else t for t, wanted in zip(inputs, needs, strict=True)]
    n = 1 + len(states)
    x, *rest = wide(recording, *inputs)
    results = written_out(recording, cell, x, rest[:n - 1], *rest[n - 1:], sizes=sizes, reverse=reverse)
    pairs = [(y if y.dtype == dtype else recording.cast(y, dtype=dtype), gy)
             for y, gy in zip(results, g, strict=True) if y.requires_grad]
    found = iter(grad([y for y, _ in pairs], [t for t, wanted in zip(inputs, needs, strict=True) if wanted],
                      [gy for _, gy in pairs], create_graph=True, materialize_grads=True))
    return [next(found) if wanted else None for wanted in needs]
