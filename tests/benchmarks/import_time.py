"""What `import tinygrad_act` costs beyond NumPy, in processor time: the least over fresh interpreters, side by side.

    python tests/benchmarks/import_time.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def milliseconds(module: str) -> float:
    code = f"import time; a = time.process_time(); import {module}; print(1000 * (time.process_time() - a))"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}       # compiled once, as installed
    environment["OPENBLAS_NUM_THREADS"] = "1"                # its threads, waiting busily, would be counted too
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(repeats: int = 15) -> None:
    times: dict[str, list[float]] = {"numpy": [], "tinygrad_act": []}
    for _ in range(repeats):
        for module, found in times.items():              # alternating, so that both see the same machine
            found.append(milliseconds(module))
    numpy, ours = (min(found) for found in times.values())
    print(f"import numpy {numpy:.1f} ms, import tinygrad_act {ours:.1f} ms: {ours - numpy:.1f} ms more")


if __name__ == "__main__":
    main()
