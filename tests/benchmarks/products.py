"""Products of two matrices of float32, the three of a linear layer's step, beside PyTorch's and NumPy's own.

    python tests/benchmarks/products.py            # print
    python tests/benchmarks/products.py --write    # and write the table into docs/executor.md

Each library runs in a process of its own, as the threads of one would hold the cores while another works; they take turns, and the
median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import measured_with, put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

SIZES = [(64, 784, 128), (16, 120, 480), (64, 64, 64), (256, 256, 256), (1600, 40, 480), (512, 384, 384), (512, 384, 1536), (512, 1536, 384)]
KINDS = {"x @ w.T": lambda x, w, g: (x, w.T), "g @ w": lambda x, w, g: (g, w), "g.T @ x": lambda x, w, g: (g.T, x)}
LIBRARIES = ("torch", "numpy", "tinygrad_act")
BLOCK, PAUSE = 5e-3, 0.01                     # seconds: of as many products as fit; until the threads of the one before have gone to sleep


def product(library: str, a: Any, b: Any, threads: int) -> Callable[[], Any]:
    if library == "numpy":
        return lambda: a @ b
    if library == "torch":
        import torch

        torch.set_num_threads(threads)
        s, t = torch.from_numpy(a), torch.from_numpy(b)
        return lambda: s @ t
    import tinygrad_act as ta

    matmul = ta.backend.namespace(a).matmul
    return lambda: matmul(a, b)


def serve(library: str, threads: int) -> None:
    """Answer each line [size, kind] with the seconds that a product takes."""
    import numpy as np

    numbers, known = np.random.default_rng(0).standard_normal, {}
    for line in sys.stdin:
        (m, k, n), kind = json.loads(line)
        if (m, k, n, kind) not in known:
            x, w, g = numbers((m, k), "f"), numbers((n, k), "f"), numbers((m, n), "f")
            known[m, k, n, kind] = product(library, *KINDS[kind](x, w, g), threads)
        call = known[m, k, n, kind]
        time.sleep(PAUSE)
        repeated(call)
        print(repeated(call), flush=True)


def repeated(call: Callable[[], Any]) -> float:
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + BLOCK:
        call()
        count += 1
    return (time.perf_counter() - start) / count


def measure(threads: int, rounds: int) -> dict[tuple[Any, ...], float]:
    """(size, kind, library, threads) -> its time over PyTorch's."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    workers = [subprocess.Popen([sys.executable, __file__, "--serve", library, "--threads", str(threads)], env=environment, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for library in LIBRARIES]

    def seconds(worker: Any, size: Any, kind: str) -> float:
        worker.stdin.write(json.dumps([size, kind]) + "\n")
        worker.stdin.flush()
        return float(worker.stdout.readline())
    found = {}
    for size in SIZES:
        for kind in KINDS:
            times = [[seconds(w, size, kind) for w in workers] for _ in range(rounds)]
            for i, library in enumerate(LIBRARIES):
                found[size, kind, library, threads] = statistics.median(t[i] / t[0] for t in times)
    for w in workers:
        w.communicate()
    return found


def table(found: dict[tuple[Any, ...], float]) -> str:
    columns = [(threads, library) for threads in sorted({key[3] for key in found}) for library in LIBRARIES[:0:-1]]
    lines = [f"{measured_with()}. Time over PyTorch's, below 1.00 is faster; of x @ w.T / g @ w / g.T @ x, where x is m × k and w n × k.", "",
             "| m, k, n | " + " | ".join(f"{'here' if lib == 'tinygrad_act' else 'NumPy'}, {t} thread{'s' * (t > 1)}" for t, lib in columns) + " |",
             "|---|" + "--:|" * len(columns)]
    for size in SIZES:
        cells = [" / ".join(f"{found[size, kind, lib, t]:.2f}" for kind in KINDS) for t, lib in columns]
        lines.append(f"| {', '.join(map(str, size))} | " + " | ".join(cells) + " |")
    means = [f"{statistics.geometric_mean(v for k, v in found.items() if k[2:] == (lib, t)):.2f}" for t, lib in columns]
    return "\n".join([*lines, "| *geometric mean* | " + " | ".join(means) + " |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[1])        # with two, PyTorch's wait for each other for milliseconds at times
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write the table into docs/executor.md")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.threads[0])
        return
    text = table({k: v for threads in given.threads for k, v in measure(threads, given.rounds).items()})
    print(text)
    if given.write:
        put("executor.md", "products", text)


if __name__ == "__main__":
    main()
