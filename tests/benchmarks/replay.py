"""A step of training in eager mode, replayed, and in PyTorch's eager mode: milliseconds a step, peak memory.

    python tests/benchmarks/replay.py                       # print
    python tests/benchmarks/replay.py --write               # and write the table into docs/replay.md
    python tests/benchmarks/replay.py --only "mlp small" --threads 1 --rounds 1 --steps 3

Each candidate runs in a process of its own; the processes take turns, so a change of the machine's speed meets all of them.
A process says the median of its steps, the table the median of the processes; a ratio is taken within a round. Memory is what NumPy
has allocated at most during a step, besides what is there before it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import measured_with, put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
CANDIDATES = ("pytorch", "eager", "replayed")


def mlp_small(t: Any) -> Any:
    nn = t.nn
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    return model, model, nn.MSELoss(), t.optim.SGD(model.parameters(), lr=0.05), t.randn(32, 2), t.randn(32, 1)


def mlp_mnist(t: Any) -> Any:
    nn = t.nn
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, model, nn.CrossEntropyLoss(), t.optim.Adam(model.parameters(), lr=1e-4), t.randn(64, 784), t.randint(0, 10, (64,))


def cnn(t: Any) -> Any:
    nn = t.nn
    model = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(4096, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return model, model, nn.CrossEntropyLoss(), t.optim.Adam(model.parameters(), lr=1e-4), t.randn(64, 3, 32, 32), t.randint(0, 10, (64,))


def lstm(t: Any) -> Any:
    parts = t.nn.ModuleList([t.nn.LSTM(40, 120, 3), t.nn.Linear(120, 10)])
    return (parts, lambda x: parts[1](parts[0](x)[0][-1]), t.nn.CrossEntropyLoss(), t.optim.Adam(parts.parameters(), lr=1e-4),
            t.randn(100, 16, 40), t.randint(0, 10, (16,)))


def transformer(t: Any) -> Any:
    layer = t.nn.TransformerEncoderLayer(384, 6, 1536, batch_first=True)
    parts = t.nn.ModuleList([t.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), t.nn.Linear(384, 10)])
    return (parts, lambda x: parts[1](parts[0](x).mean(1)), t.nn.CrossEntropyLoss(), t.optim.Adam(parts.parameters(), lr=1e-4),
            t.randn(8, 64, 384), t.randint(0, 10, (8,)))


# name -> (what makes it, steps that are timed)
WORK: dict[str, tuple[Callable[[Any], Any], int]] = {
    "mlp small": (mlp_small, 1000), "mlp mnist": (mlp_mnist, 300), "cnn": (cnn, 20), "lstm": (lstm, 20), "transformer": (transformer, 5)}


def measure(candidate: str, name: str, threads: int, steps: int) -> dict[str, float]:
    """In this process: the median of the steps in milliseconds, and the peak of memory in MB (0 for PyTorch's)."""
    t: Any
    if candidate == "pytorch":
        import torch as t
        t.set_num_threads(threads)
    else:
        import tinygrad_act as t
    _, forward, loss, optimizer, x, y = WORK[name][0](t)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(forward(x), y)
        value.backward()
        optimizer.step()
        return value
    run = t.compile(step) if candidate == "replayed" else step
    times = []
    for i in range(steps + 5):
        start = time.perf_counter()
        run(x, y)
        times += [time.perf_counter() - start] if i >= 5 else []
    peak = 0
    if candidate != "pytorch":
        tracemalloc.start()
        run(x, y)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        run(x, y)
        peak = tracemalloc.get_traced_memory()[1] - before
    if candidate == "replayed" and steps > 2:
        assert run.counts["replayed"] >= steps, run.report()
    return {"ms": 1e3 * statistics.median(times), "MB": peak / 2**20}


def rounds(name: str, threads: int, count: int, steps: int | None) -> dict[str, list[dict[str, float]]]:
    """What the processes said, which take turns."""
    said: dict[str, list[dict[str, float]]] = {c: [] for c in CANDIDATES}
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    for _ in range(count):
        for candidate in CANDIDATES:
            command = [sys.executable, __file__, "--measure", candidate, "--only", name, "--threads", str(threads), "--steps", str(steps or WORK[name][1])]
            out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            said[candidate].append(json.loads(out.splitlines()[-1]))
    return said


def row(name: str, threads: int, said: dict[str, list[dict[str, float]]]) -> str:
    """A line of the table."""
    def ratio(a: str, b: str) -> float:
        return statistics.median(x["ms"] / y["ms"] for x, y in zip(said[a], said[b], strict=True))
    ms = {c: statistics.median(x["ms"] for x in said[c]) for c in CANDIDATES}
    extra = [statistics.median(x["MB"] for x in said[c]) for c in ("eager", "replayed")]
    return (f"| {name} | {threads} | {ms['pytorch']:.3g} | {ms['eager']:.3g} | {ms['replayed']:.3g} | {ratio('eager', 'pytorch'):.2f} | "
            f"{ratio('replayed', 'pytorch'):.2f} | {ratio('replayed', 'eager'):.2f} | {extra[0]:.1f} | {extra[1]:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=WORK)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--write", action="store_true", help="into docs/replay.md")
    parser.add_argument("--measure", choices=CANDIDATES, help="in this process: print JSON")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.only, given.threads, given.steps)))
        return
    lines = [f"{measured_with()}, float32; milliseconds a step, medians of {given.rounds} processes each; a ratio below 1.00 is faster. MB: NumPy's arrays at most during a step.", "",
             "| step | threads | PyTorch | eager | replayed | eager : PyTorch | replayed : PyTorch | replayed : eager | MB eager | MB replayed |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for name in [given.only] if given.only else WORK:
        for threads in [given.threads] if given.threads else (1, 2):
            lines.append(row(name, threads, rounds(name, threads, given.rounds, given.steps)))
            print(lines[-1], flush=True)
    if given.write:
        put("replay.md", "replay", "\n".join(lines))


if __name__ == "__main__":
    main()
