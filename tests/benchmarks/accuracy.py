"""How exact every activation is, in value and first and second derivative, beside PyTorch: against mpmath.

    python tests/benchmarks/accuracy.py                # print the table
    python tests/benchmarks/accuracy.py --write        # and write it into docs/accuracy.md, and the figures for the gallery
    python tests/benchmarks/accuracy.py gelu tanh      # these only

About 600 numbers for each: |x| <= 100, around 0 down to subnormals, around kinks and roots of f, f' and f'', +-1e4.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from page import put

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import tinygrad_act as ta  # noqa: E402
from tests.activations.units import (  # noqa: E402
    LIMITS,
    Case,
    cases,
    extremes,
    in_torch,
    points,
    rank,
    torch_derivatives,
    truth,
    worst,
)

FIGURES = ROOT / "tinygrad_act" / "study" / "gallery" / "accuracy.json"      # what the gallery's pages show
DTYPES = ("float32", "float64")
Scores = dict[tuple[str, str], list[tuple[float, float]]]       # (whose, dtype) -> for f, f', f'': (units, where)


def measure(case: Case, torch: Any, dense: int) -> Scores:
    scores: Scores = {}
    theirs = torch and in_torch(case, torch)
    for name in DTYPES:
        dtype = np.dtype(name)
        xs = points(case, dense) + ([x for x in extremes() if x not in case.kinks()] if name == "float64" else [])
        scores["ours", name] = worst(case, dtype, xs)
        if theirs:
            found = torch_derivatives(theirs, xs, getattr(torch, name), torch)
            scores["PyTorch", name] = rank(found, case, dtype, xs)
    truth.cache_clear()
    return scores


def figure(most: float, limit: int) -> str:
    text = "∞" if math.isinf(most) else f"{most:.1f}" if most < 100 else f"{most:.0e}".replace("e+0", "e").replace("e+", "e")
    return text if most <= limit else f"**{text}**"


def cell(row: list[tuple[float, float]]) -> str:
    """What a library does not implement (a second derivative) is a dash."""
    found = [figure(most, limit) for (most, _), limit in zip(row, LIMITS, strict=False)]
    return " · ".join(found + ["–"] * (len(LIMITS) - len(found)))


def table(results: dict[str, Scores], torch: Any) -> list[str]:
    columns = [(whose, dtype) for dtype in DTYPES for whose in ("ours", "PyTorch")]
    lines = ["| activation | " + " | ".join(f"{dtype}, {whose}" for whose, dtype in columns) + " |",
             "|---|" + "---|" * len(columns)]
    for name, scores in results.items():
        cells = [cell(scores[c]) if c in scores else "" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    held = []
    for column in columns:
        rows = [s[column] for s in results.values() if column in s]
        good = sum(all(most <= limit for (most, _), limit in zip(row, LIMITS, strict=False)) for row in rows)
        held.append(f"{good} of {len(rows)}" if rows else "")
    lines.append("| *all three within the limits* | " + " | ".join(held) + " |")
    return [*lines, "", f"Measured with {versions(torch)}."]


def versions(torch: Any) -> str:
    return f"NumPy {np.__version__}" + (f", PyTorch {torch.__version__}" if torch else ", without PyTorch")


def figures(results: dict[str, Scores], torch: Any) -> str:
    """The same as JSON, for the gallery: [units for f, f', f''] by name, whose and dtype; null stands for infinity."""
    rows = {name: {f"{dtype}, {whose}": [None if math.isinf(most) else float(f"{most:.2g}") for most, _ in row]
                   for (whose, dtype), row in scores.items()} for name, scores in results.items()}
    head = json.dumps({"measured with": versions(torch), "limits": LIMITS})
    return head[:-1] + ', "units": {\n' + ",\n".join(f"{json.dumps(n)}: {json.dumps(row)}" for n, row in rows.items()) + "\n}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="activations; all of the catalogue if none is named")
    parser.add_argument("--write", action="store_true", help="write the table into docs/accuracy.md")
    parser.add_argument("--dense", type=int, default=200, help="how many numbers: about three times this for each")
    parser.add_argument("--where", action="store_true", help="print at which number each figure was found")
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None  # type: ignore[assignment]
    ta.backend.use("numpy")
    results: dict[str, Scores] = {}
    for case in cases():
        if not case.default or (arguments.names and case.name not in arguments.names):
            continue
        start = time.perf_counter()
        results[case.name] = measure(case, torch, arguments.dense)
        print(f"{case.name:20} {time.perf_counter() - start:5.1f} s", file=sys.stderr)
        if arguments.where:
            for key, row in results[case.name].items():
                print(*key, *[f"{most:.2g} at {at!r}" for most, at in row], sep="   ")
    lines = table(results, torch)
    print("\n".join(lines))
    if arguments.write:
        put("accuracy.md", "accuracy", "\n".join(lines))
        FIGURES.write_text(figures(results, torch))


if __name__ == "__main__":
    main()
