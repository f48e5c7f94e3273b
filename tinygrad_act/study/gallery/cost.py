"""What an activation costs beside ReLU: measured side by side, when the page is made."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import NamedTuple

from ... import _functions as ops
from ...activations import Activation, catalogue
from ...autograd import grad
from ...backend import threads
from ...grad_mode import no_grad
from ...tensor import Tensor

ROWS, COLUMNS = 256, 256
ROUNDS, LEAST = 25, 0.0005                      # many short ones, of which some are undisturbed; in seconds


class Cost(NamedTuple):
    """Nanoseconds for each number, and how many times those of ReLU."""

    forward: float
    both: float
    forward_ratio: float
    both_ratio: float


def conditions() -> str:
    """Under what it is measured."""
    from importlib.metadata import version

    n = threads.available()
    return (f"float32, {ROWS} × {COLUMNS} numbers, NumPy {version('numpy')}, Python {platform.python_version()}, at most {n} thread{'s' * (n > 1)}; "
            f"the least of {ROUNDS} rounds, in turn with ReLU")


def cost(record: Activation) -> Cost:
    """What the record costs, forward alone, and forward and backward.

    >>> cost(ta.activations.catalogue["gelu"]).forward_ratio > 1
    True
    """
    ours, relu = _runs(record), _runs(catalogue["relu"])
    seconds = []
    for run, other in zip(ours, relu, strict=True):
        counts = [max(1, round(LEAST / min(_time(f, 1) for _ in range(3)))) for f in (run, other)]
        rounds = [(_time(run, counts[0]), _time(other, counts[1])) for _ in range(ROUNDS)]
        seconds.append((min(a for a, _ in rounds), min(b for _, b in rounds)))
    (forward, relu_forward), (both, relu_both) = seconds
    each = 1e9 / (ROWS * COLUMNS)
    return Cost(forward * each, both * each, forward / relu_forward, both / relu_both)


def _runs(record: Activation) -> tuple[Callable[[], object], Callable[[], object]]:
    with no_grad():
        flat = ops.linspace(-4.0, 4.0, ROWS * COLUMNS, device="cpu")
        x = flat.reshape(COLUMNS, ROWS).t().contiguous() if record.name != "meta_acon" else flat.reshape(-1, 4)
    more = [ops.tensor(v, device="cpu").requires_grad_(name in record.learnable) for name, v in record.initial.items()]
    with_gradient = x.detach().clone().requires_grad_()
    inputs = [with_gradient, *[p for p in more if p.requires_grad]]
    seed = ops.ones_like(record.op(x, *[p.detach() for p in more]))

    def forward() -> Tensor:
        with no_grad():
            out: Tensor = record.op(x, *more)
            return out

    def both() -> object:
        return grad(record.op(with_gradient, *more), inputs, seed, allow_unused=True)

    return forward, both


def _time(run: Callable[[], object], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - begin) / times
