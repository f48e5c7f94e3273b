"""The examples' recipes, run here and with PyTorch: what each reaches, and in how many seconds.

    python tests/benchmarks/recipes.py                     # all of them, printed
    python tests/benchmarks/recipes.py spoken_digits imdb  # these
    python tests/benchmarks/recipes.py --write             # and put their rows into the table of docs/examples.md

The recipes are those of recipe_table.py. Every run is a process of its own, the libraries take turns, and each seed draws the weights of its
library and the order of the batches; the table has the median over the seeds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import page
from recipe_table import RECIPES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

LIBRARIES = ("tinygrad_act", "torch")


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
    kept = {line.split("`")[1]: line for line in page.read("examples.md", "recipes").splitlines() if line.startswith("| `")} | rows
    said = (f"{page.measured_with()}, {threads} thread{'' if threads == 1 else 's'}; seconds of training and testing, below 1.00 is faster than PyTorch.")
    columns = "| example | figure | wanted | ours | PyTorch | ours, s | PyTorch, s | ratio |\n|---|---|---|--:|--:|--:|--:|--:|"
    body = "\n".join(kept[name] for name in RECIPES if name in kept)
    page.put("examples.md", "recipes", f"{said}\n\n{columns}\n{body}")


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
