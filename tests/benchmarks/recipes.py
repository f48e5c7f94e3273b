"""The examples' recipes, run here and with PyTorch: what each reaches, and in how many seconds.

    python tests/benchmarks/recipes.py                     # all of them, printed
    python tests/benchmarks/recipes.py spoken_digits imdb  # these
    python tests/benchmarks/recipes.py --write             # and put their rows into the table of docs/examples.md

A recipe is written once, over `lib`, which is tinygrad_act or torch; it calls `ready()` when the data are there, which
starts the clock. Every run is a process of its own, the libraries take turns, and each seed draws the weights of its
library and the order of the batches; the table has the median over the seeds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

PAGE = ROOT / "docs" / "examples.md"
MARK = ("<!-- recipes:begin -->", "<!-- recipes:end -->")
LIBRARIES = ("tinygrad_act", "torch")


@dataclass(frozen=True)
class Recipe:
    """What `run(lib, ready, rng)` reaches: a figure, how it is written, and what was wanted."""

    run: Callable[[Any, Callable[[], None], np.random.Generator], float]
    what: str
    form: str
    target: str


RECIPES: dict[str, Recipe] = {}


def recipe(what: str, form: str, target: str) -> Callable[[Any], Any]:
    """Enter a recipe under the function's name, which is that of its example."""
    def enter(run: Any) -> Any:
        RECIPES[run.__name__] = Recipe(run, what, form, target)
        return run
    return enter


# ------------------------------------------------------------------------------------------ what recipes have in common
def numbers(tensor: Any) -> np.ndarray[Any, Any]:
    """The array of one of our tensors: what a recipe starts from."""
    array: np.ndarray[Any, Any] = tensor.numpy()
    return array


def batches(rng: np.random.Generator, n: int, size: int) -> Iterator[np.ndarray[Any, Any]]:
    """The numbers of n samples in batches, in a new order."""
    order = rng.permutation(n)
    return (order[i:i + size] for i in range(0, n, size))


def step(optimizer: Any, loss: Any) -> None:
    """One step of training."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def share_right(lib: Any, model: Any, x: Any, labels: Any, size: int = 1000) -> float:
    """The share of samples whose class is recognised."""
    model.eval()
    right = 0
    with lib.no_grad():
        for i in range(0, len(x), size):
            guess = model(lib.from_numpy(x[i:i + size])).argmax(dim=1)
            right += (guess == lib.from_numpy(labels[i:i + size])).sum().item()
    return float(right / len(x))


# ------------------------------------------------------------------------------------------------------- the recipes
@recipe("held-out recordings recognised", "{:.1%}", "≥ 97 %")
def spoken_digits(lib: Any, ready: Callable[[], None], rng: np.random.Generator) -> float:
    """LSTM on 13 MFCCs a frame; packed sequences."""
    import tinygrad_act as ta

    parts = [ta.datasets.SpokenDigits(train=train) for train in (True, False)]
    (train, y), (test, y_test) = (([numbers(x) for x in p.data], numbers(p.targets)) for p in parts)
    frames = np.concatenate(train)
    mean, std = frames.mean(0), frames.std(0)
    rnn, nn = lib.nn.utils.rnn, lib.nn
    ready()

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(13, 64, batch_first=True), nn.Linear(64, 10)

        def forward(self, recordings: list[Any]) -> Any:
            steps = [lib.from_numpy((r - mean) / std) for r in recordings]
            packed = rnn.pack_sequence(steps, enforce_sorted=False)
            return self.out(self.lstm(packed)[1][0][-1])

    model = Net()
    optimizer = lib.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(15):
        for i in batches(rng, len(train), 32):
            step(optimizer, nn.functional.cross_entropy(model([train[j] for j in i]), lib.from_numpy(y[i])))
    with lib.no_grad():
        return float((model(test).argmax(dim=1) == lib.from_numpy(y_test)).float().mean().item())


# -------------------------------------------------------------------------------------------------------- the runner
def run_here(name: str, library: str, seed: int, threads: int) -> dict[str, Any]:
    """One run, in this process: figure, seconds, the library's version."""
    lib = importlib.import_module(library)
    if library == "torch":
        lib.set_num_threads(threads)
    lib.manual_seed(seed)
    began: list[float] = []
    figure = RECIPES[name].run(lib, lambda: began.append(time.perf_counter()), np.random.default_rng(seed))
    return {"figure": figure, "seconds": time.perf_counter() - began[0], "version": getattr(lib, "__version__", "")}


def run_apart(name: str, library: str, seed: int, threads: int) -> dict[str, Any]:
    """One run, in a process of its own."""
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, __file__, name, "--library", library, "--seeds", str(seed), "--threads", str(threads)]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(name: str, seeds: int, threads: int) -> str:
    """The row of one recipe in the table."""
    r = RECIPES[name]
    runs: dict[str, list[dict[str, Any]]] = {library: [] for library in LIBRARIES}
    for seed in range(seeds):
        for library in LIBRARIES:
            runs[library].append(run_apart(name, library, seed, threads))
            last = runs[library][-1]
            print(f"{name:18} {library:12} seed {seed}  {r.form.format(last['figure']):>8}  {last['seconds']:7.1f} s", flush=True)
    figures, seconds = ([statistics.median(run[key] for run in runs[library]) for library in LIBRARIES]
                        for key in ("figure", "seconds"))
    ours, theirs = (r.form.format(figure) for figure in figures)
    return (f"| `{name}` | {r.what} | {r.target} | {ours} | {theirs} | {seconds[0]:.1f} | {seconds[1]:.1f} "
            f"| {seconds[0] / seconds[1]:.2f} |")


def write(rows: dict[str, str], threads: int) -> None:
    """Put rows into the page's table; those of recipes that were not run stay as they are."""
    head, rest = PAGE.read_text().split(MARK[0])
    old, tail = rest.split(MARK[1])
    kept = {line.split("`")[1]: line for line in old.splitlines() if line.startswith("| `")} | rows
    torch = importlib.import_module("torch")
    said = (f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__} (CPU, eager), "
            f"{threads} threads; seconds of training and testing, below 1.00 is faster than PyTorch.")
    columns = "| example | figure | wanted | ours | PyTorch | ours, s | PyTorch, s | ratio |\n|---|---|---|--:|--:|--:|--:|--:|"
    body = "\n".join(kept[name] for name in RECIPES if name in kept)
    PAGE.write_text(f"{head}{MARK[0]}\n{said}\n\n{columns}\n{body}\n{MARK[1]}{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*RECIPES, []], default=[])
    parser.add_argument("--seeds", type=int, default=1, help="how many runs of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--library", choices=LIBRARIES, help="run one recipe here with this library, with the seed --seeds")
    given = parser.parse_args()
    if given.library:
        print(json.dumps(run_here(given.names[0], given.library, given.seeds, given.threads)))
        return
    rows = {name: measure(name, given.seeds, given.threads) for name in given.names or RECIPES}
    if given.write:
        write(rows, given.threads)


if __name__ == "__main__":
    main()
