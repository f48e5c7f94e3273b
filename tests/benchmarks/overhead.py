"""What one op costs besides its arithmetic: forward and backward on 8 numbers, beside PyTorch's eager mode.

    python tests/benchmarks/overhead.py            # print
    python tests/benchmarks/overhead.py --write    # and write the table into docs/overhead.md

Each figure is the cost of one more op in a chain of 50 (and of the 50-fold backward pass), on float32, one thread. The
two libraries take turns within a run, so a change of the machine's speed meets both; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import measured_with, put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

CHAIN, ROUNDS, REPEATS = 50, 41, 4

# name -> one op of a chain, in a library `t` with constants: every one keeps the numbers near where they were
OPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "x + b": lambda t, x, c: x + c["b"],
    "x * b": lambda t, x, c: x * c["b"],
    "x * 0.999": lambda t, x, c: x * 0.999,
    "x / b": lambda t, x, c: x / c["b"],
    "-x": lambda t, x, c: -x,
    "x ** 2": lambda t, x, c: x**2,
    "tanh": lambda t, x, c: t.tanh(x),
    "sigmoid": lambda t, x, c: t.sigmoid(x),
    "relu": lambda t, x, c: t.relu(x),
    "gelu": lambda t, x, c: t.nn.functional.gelu(x),
    "leaky_relu": lambda t, x, c: t.nn.functional.leaky_relu(x),
    "where": lambda t, x, c: t.where(c["mask"], x, c["b"]),
    "clamp": lambda t, x, c: t.clamp(x, -3.0, 3.0),
    "x[i]": lambda t, x, c: x[0:8],
    "reshape": lambda t, x, c: x.reshape(2, 4).reshape(8),
    "sum": lambda t, x, c: x.sum(0, keepdim=True).expand(8),
    "mean": lambda t, x, c: x.mean(0, keepdim=True).expand(8),
    "softmax": lambda t, x, c: t.softmax(x, 0),
    "matmul": lambda t, x, c: c["w"] @ x,
    "linear": lambda t, x, c: t.nn.functional.linear(x, c["w"], c["b"]),
    "layer: linear, relu": lambda t, x, c: t.relu(t.nn.functional.linear(x, c["w"], c["b"])),
}


def ours() -> Any:
    import tinygrad_act

    return tinygrad_act


def theirs() -> Any:
    import torch

    torch.set_num_threads(1)
    return torch


def workload(t: Any, op: Callable[[Any, Any, Any], Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """(forward, forward and backward) of a chain of that op in library t."""
    x = t.tensor([0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, -0.8], requires_grad=True)
    c = {"b": t.tensor([1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.0], requires_grad=True),
         "mask": t.tensor([True, False] * 4), "w": t.eye(8).requires_grad_(True)}
    seed = t.ones(8)

    def forward() -> Any:
        y = x
        for _ in range(CHAIN):
            y = op(t, y, c)
        return y

    def both() -> None:
        forward().backward(seed)
        x.grad = None
        for leaf in (c["b"], c["w"]):
            leaf.grad = None

    return forward, both


def microseconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    for _ in range(REPEATS):
        function()
    return (time.process_time() - start) / REPEATS / CHAIN * 1e6


def measure(rounds: int) -> list[tuple[str, float, float, float, float]]:
    """(op, our forward, theirs, our forward and backward, theirs), medians in microseconds."""
    ta, torch = ours(), theirs()
    rows = []
    for name, op in OPS.items():
        runs = [*workload(ta, op), *workload(torch, op)]
        for run in runs:
            run()
        times: list[list[float]] = [[] for _ in runs]
        gc.collect()
        for _ in range(rounds):
            for run, kept in zip(runs, times, strict=True):
                kept.append(microseconds(run))
        a_forward, a_both, b_forward, b_both = (statistics.median(kept) for kept in times)
        rows.append((name, a_forward, b_forward, a_both, b_both))
        print(f"{name:22} {a_forward:7.2f} {b_forward:7.2f}  {a_forward / b_forward:5.2f}   "
              f"{a_both:7.2f} {b_both:7.2f}  {a_both / b_both:5.2f}", flush=True)
    return rows


def geometric_mean(values: list[float]) -> float:
    return statistics.geometric_mean(values)


def table(rows: list[tuple[str, float, float, float, float]]) -> str:
    lines = [f"{measured_with()}, one thread: microseconds an op, medians; below 1.00 is faster than PyTorch.", "",
             "| op | forward: ours | PyTorch | ratio | forward + backward: ours | PyTorch | ratio |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, a, b, c, d in rows:
        lines.append(f"| `{name}` | {a:.2f} | {b:.2f} | {a / b:.2f} | {c:.2f} | {d:.2f} | {c / d:.2f} |")
    lines.append(f"| geometric mean | | | {geometric_mean([r[1] / r[2] for r in rows]):.2f} | | | "
                 f"{geometric_mean([r[3] / r[4] for r in rows]):.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/overhead.md")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    settings = parser.parse_args()
    print(f"{'':22} {'forward':^24} {'forward + backward':^24}\n{'':22}    ours   torch  ratio      ours   torch  ratio")
    text = table(measure(settings.rounds))
    print(text.splitlines()[-1])
    if settings.write:
        put("overhead.md", "overhead", text)


if __name__ == "__main__":
    main()
