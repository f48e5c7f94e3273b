"""Every activation forward and backward on large float32 arrays, beside PyTorch's eager mode.

    python tests/benchmarks/elementwise.py                       # print
    python tests/benchmarks/elementwise.py gelu tanh             # these only
    python tests/benchmarks/elementwise.py --threads 1           # with one thread only
    python tests/benchmarks/elementwise.py --write               # and write the table into docs/executor.md

Each library runs in a process of its own, which gets its work line by line; the two take turns, a round each, and the median
of the rounds' ratios counts. With one thread the time is that of the processor, which other programs on the machine do not
add to; with more it is the clock's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from page import measured_with, put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

SIZES = (10**4, 10**6, 10**7)
LIBRARIES = ("tinygrad_act", "torch")
# outside torch.nn.functional: PyTorch's own under another name, and what its users write where it has none
ELSEWHERE = {"arctan", "exponential", "sinc", "normal_cdf", "gelu_tanh"}
COMPOSED: dict[str, Callable[[Any, Any], Any]] = {
    "arctan": lambda t, x: t.atan(x), "exponential": lambda t, x: t.exp(x), "sinc": lambda t, x: t.sinc(x),
    "normal_cdf": lambda t, x: t.special.ndtr(x), "gaussian": lambda t, x: t.exp(-x * x), "squared_relu": lambda t, x: t.relu(x) ** 2,
    "quick_gelu": lambda t, x: x * t.sigmoid(1.702 * x), "gelu_tanh": lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
    "hard_sigmoid_onnx": lambda t, x: t.clamp(0.2 * x + 0.5, 0, 1), "telu": lambda t, x: x * t.tanh(t.exp(x)),
    "logish": lambda t, x: x * t.log1p(t.sigmoid(x)), "serf": lambda t, x: x * t.erf(t.nn.functional.softplus(x)),
    "phish": lambda t, x: x * t.tanh(t.nn.functional.gelu(x)), "smish": lambda t, x: x * t.tanh(t.log1p(t.sigmoid(x))),
    "squareplus": lambda t, x: 0.5 * (x + t.sqrt(x * x + 4)), "isru": lambda t, x: x / t.sqrt(1 + x * x),
    "isrlu": lambda t, x: t.where(x >= 0, x, x / t.sqrt(1 + x * x)), "clipped_relu": lambda t, x: t.clamp(x, 0, 6),
    "thresholded_relu": lambda t, x: t.where(x > 1, x, 0.0), "sparse_sigmoid": lambda t, x: t.clamp(0.5 * (x + 1), 0, 1),
    "laplace": lambda t, x: 0.5 * (1 + t.erf((x - 0.5**0.5) / (0.28209479 * 2**0.5))), "hard_mish": lambda t, x: 0.5 * x * t.clamp(x + 2, 0, 2),
    "sparse_plus": lambda t, x: t.where(x >= 1, x, 0.25 * t.relu(x + 1) ** 2),
    "shrink": lambda t, x: t.where(x < -0.5, x, t.where(x <= 0.5, 0.0, x)),
}


def functions(t: Any, ours: bool) -> dict[str, Callable[[Any], Any]]:
    """name -> the activation of x alone, of those that both libraries can compute."""
    import tinygrad_act as ta

    found: dict[str, Callable[[Any], Any]] = {}
    for name, record in ta.activations.catalogue.items():
        if record.axis or record.initial or not (record.torch or name in COMPOSED):
            continue
        public = getattr(t.nn.functional, record.torch) if record.torch else None
        if ours:
            found[name] = public or record.op
        else:
            found[name] = public or (lambda x, f=COMPOSED[name]: f(t, x))
        if name == "threshold":                                  # it has no defaults
            found[name] = lambda x, f=public: f(x, 0.1, 20.0)
    return found


# -------------------------------------------------------------------------------------------------- a process
def serve(library: str, threads: int) -> None:
    """Answer each line [activation, size, repeats] with the seconds that one forward and backward pass took."""
    import numpy as np

    if library == "torch":
        import torch as t

        t.set_num_threads(threads)
    else:
        import tinygrad_act as t
    known, tensors = functions(t, library != "torch"), {}
    clock = time.process_time if threads == 1 else time.perf_counter
    for line in sys.stdin:
        name, size, repeats = json.loads(line)
        if size not in tensors:
            tensors.clear()
            data = np.random.default_rng(0).standard_normal((2, size), np.float32) * 2
            tensors[size] = (t.from_numpy(data[0].copy()).requires_grad_(True), t.from_numpy(data[1].copy()))
        x, g = tensors[size]
        f = known[name]
        start = clock()
        for _ in range(repeats):
            f(x).backward(g)
            x.grad = None
        sys.stdout.write(f"{(clock() - start) / repeats}\n")
        sys.stdout.flush()


class Worker:
    """One library in a process of its own."""

    def __init__(self, library: str, threads: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        if library != "tinygrad_act":                            # it reads our catalogue, but its memory stays its own
            environment["TINYGRAD_ACT_MEMORY"] = "system"
        self.process = subprocess.Popen([sys.executable, __file__, "--serve", library, "--threads", str(threads)], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, name: str, size: int, repeats: int) -> float:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, size, repeats]) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


# ---------------------------------------------------------------------------------------------------- measuring
Row = tuple[str, int, int, float, float, float]                  # activation, size, threads, ours and theirs in seconds, ratio


def measure(names: Sequence[str], sizes: Sequence[int], threads: int, rounds: int) -> list[Row]:
    """The medians, and the median of the rounds' ratios."""
    workers = [Worker(library, threads) for library in LIBRARIES]
    rows = []
    for size in sizes:
        for name in names:
            for w in workers:                                    # the first time compiles, or looks for what is compiled
                w.seconds(name, size, 1)
            time.sleep(0.0 if size > sizes[0] else 0.3)          # what compiles in the background
            once = max(min(w.seconds(name, size, 2) for _ in range(2)) for w in workers)
            repeats = max(1, min(200, int(0.01 / once)))
            times = [[w.seconds(name, size, repeats) for w in workers] for _ in range(rounds)]
            ours, theirs = (statistics.median(t) for t in zip(*times, strict=True))
            ratio = statistics.median(a / b for a, b in times)
            rows.append((name, size, threads, ours, theirs, ratio))
            print(f"{threads} {size:>9,} {name:18} {ours * 1e6:10.1f} {theirs * 1e6:10.1f} µs  {ratio:5.2f}", flush=True)
    for w in workers:
        assert w.process.stdin is not None
        w.process.stdin.close()
        w.process.wait()
    return rows


def mean(rows: Sequence[Row]) -> float:
    return statistics.geometric_mean(row[5] for row in rows)


def table(rows: Sequence[Row]) -> str:
    """Our time as a part of PyTorch's."""
    columns = sorted({(threads, size) for _, size, threads, *_ in rows})
    found = {(name, threads, size): ratio for name, size, threads, _, _, ratio in rows}
    lines = [f"{measured_with()}, load {os.getloadavg()[0]:.1f}. Our time over PyTorch's: below 1.00 is faster. An activation with * is composed in PyTorch.", "",
             "| activation | " + " | ".join(f"{size:.0e}, {threads} thread{'s' * (threads > 1)}".replace("e+0", "e") for threads, size in columns) + " |",
             "|---|" + "--:|" * len(columns)]
    for name in dict.fromkeys(row[0] for row in rows):
        cells = [f"{found[name, *c]:.2f}" if found[name, *c] <= 1 else f"**{found[name, *c]:.2f}**" for c in columns]
        lines.append(f"| {name}{'*' * (name in COMPOSED and name not in ELSEWHERE)} | " + " | ".join(cells) + " |")
    means = [f"{mean([r for r in rows if (r[2], r[1]) == c]):.2f}" for c in columns]
    lines.append("| *geometric mean* | " + " | ".join(means) + " |")
    alone = [r for r in rows if r[0] not in COMPOSED or r[0] in ELSEWHERE]
    if alone:
        lines.append("| *of PyTorch's own* | " + " | ".join(f"{mean([r for r in alone if (r[2], r[1]) == c]):.2f}" for c in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="activations; all that both libraries have if none is named")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="write the table into docs/executor.md")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.threads[0])
        return
    import torch

    names = given.names or list(functions(torch, False))
    rows = [row for threads in given.threads for row in measure(names, given.sizes, threads, given.rounds)]
    text = table(rows)
    print("\n".join(text.splitlines()[-2:]))
    if given.write:
        put("executor.md", "elementwise", text)


if __name__ == "__main__":
    main()
