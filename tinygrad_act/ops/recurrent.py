"""What recurrent layers share: the order of the steps, sequences of several lengths, gradients of gradients.

A layer in one direction is one node (`lstm.py`, `gru.py`, `rnn.py`). Its input is a matrix with a row for each step of
each sequence: the steps one behind the other, in a step the sequences, longest first. A step of n rows is that of the
first n sequences, so that none is padded and a full batch is only the case in which all steps are equally long.

What a layer computes is in numerics/recurrent.py; this is what its rule makes of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from ..dtypes import float32, is_half
from ..graph import grad, recording
from ..numerics.recurrent import Step, given


# ---------------------------------------------------------------------------------------------------------- steps
def steps(x: Any, sizes: Sequence[int] | None, reverse: bool) -> list[Step]:
    """The steps in the order they are taken; `sizes` says how many sequences each has, None that x is (T, B, I)."""
    ends = list(accumulate(sizes)) if sizes is not None else [x.shape[1] * (t + 1) for t in range(x.shape[0])]
    order = list(zip([0, *ends[:-1]], ends, strict=True))
    return order[::-1] if reverse else order


def rows(F: Any, x: Any) -> Any:
    """(T, B, I) as (T·B, I); a packed x is that already."""
    return x if x.ndim == 2 else F.reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))


# -------------------------------------------------------------------------------------------------------- numbers
def wide(F: Any, *xs: Any) -> list[Any]:
    """The halves in float32, in which their sequences are computed; what is not given (a number) as it is."""
    return [F.cast(x, float32) if hasattr(x, "dtype") and is_half(x.dtype) else x for x in xs]


def narrowed(F: Any, grads: Sequence[Any], dtype: Any) -> list[Any]:
    """Gradients in the dtype of what they are for."""
    return [g if g is None else F.cast(g, dtype) for g in grads]


def weight_gradients(F: Any, dz: Any, x: Any, needs: Sequence[bool]) -> tuple[Any, Any]:
    """For a weight and a bias that make gates out of x, from the gates' gradient: over all steps in one product."""
    return (F.matmul(F.permute(dz, (1, 0)), x) if needs[0] else None), (F.sum_to(dz, dz.shape[1:]) if needs[1] else None)


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
