"""What a step of an optimizer costs beside PyTorch's: small networks and many tensors; and clipping their gradients.

    python tests/benchmarks/optimizers.py            # print
    python tests/benchmarks/optimizers.py --write    # and write the table into docs/executor.md

Float32, one thread, gradients that are there already. The two libraries take turns, a block of steps each; each block's processor time
is kept and the least of all blocks counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import measured_with, put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

ROUNDS, BLOCK = 40, 0.02                      # blocks, of so many seconds
NETWORKS = {"MLP 2-16-16-1": [(16, 2), (16,), (16, 16), (16,), (1, 16), (1,)],
            "MLP 784-128-10": [(128, 784), (128,), (10, 128), (10,)],
            "a million numbers in 100 tensors": [(100, 100)] * 100}
STEPS: dict[str, Callable[[Any, list[Any]], Callable[[], Any]]] = {
    "SGD": lambda lib, ps: lib.optim.SGD(ps, lr=1e-3).step,
    "SGD, momentum": lambda lib, ps: lib.optim.SGD(ps, lr=1e-3, momentum=0.9).step,
    "Adam": lambda lib, ps: lib.optim.Adam(ps).step,
    "AdamW": lambda lib, ps: lib.optim.AdamW(ps).step,
    "RMSprop": lambda lib, ps: lib.optim.RMSprop(ps).step,
    "RAdam": lambda lib, ps: lib.optim.RAdam(ps).step,
    "Adagrad": lambda lib, ps: lib.optim.Adagrad(ps).step,
    "clip_grad_norm_": lambda lib, ps: lambda: lib.nn.utils.clip_grad_norm_(ps, 1e9),
}


def workload(lib: Any, what: str, network: str) -> Callable[[], Any]:
    parameters = [lib.nn.Parameter(lib.randn(*shape)) for shape in NETWORKS[network]]
    for p in parameters:
        p.grad = lib.randn(*p.shape)
    return STEPS[what](lib, parameters)


def seconds(step: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count


def measure(rounds: int) -> list[tuple[str, str, float, float]]:
    """(network, step, our microseconds, PyTorch's)."""
    import torch

    import tinygrad_act as ta
    torch.set_num_threads(1)
    ta.set_num_threads(1)
    rows = []
    for network in NETWORKS:
        for what in STEPS:
            pair = [workload(lib, what, network) for lib in (ta, torch)]
            for step in pair:
                seconds(step, 5)
            time.sleep(0.5)                   # kernels are compiled in the background
            count = max(int(BLOCK / seconds(pair[1], 5)), 1)
            times = [[seconds(step, count) for step in pair] for _ in range(rounds)]
            ours, theirs = (min(t) * 1e6 for t in zip(*times, strict=True))
            rows.append((network, what, ours, theirs))
            print(f"{network:34} {what:16} {ours:8.1f} {theirs:8.1f}  {ours / theirs:5.2f}", flush=True)
    return rows


def table(rows: list[tuple[str, str, float, float]]) -> str:
    lines = [f"{measured_with()}, one thread: microseconds a step, ours and PyTorch's, and the ratio of the two.", "",
             "| | " + " | ".join(NETWORKS) + " |", "|---|" + "--:|" * len(NETWORKS)]
    for what in STEPS:
        cells = [f"{a:.1f} : {b:.1f} = **{a / b:.2f}**" for name in NETWORKS for n, w, a, b in rows if (n, w) == (name, what)]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/executor.md")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    settings = parser.parse_args()
    text = table(measure(settings.rounds))
    if settings.write:
        put("executor.md", "optimizers", text)


if __name__ == "__main__":
    main()
