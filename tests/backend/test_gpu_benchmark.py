"""The GPU benchmark's command works, as far as that can be seen without a GPU; and a step is few launches."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = {"MLP 2-16": 32, "MLP 784": 24, "CNN": 170, "LSTM": 530, "transformer": 430}


def test_the_dry_run(request: pytest.FixtureRequest) -> None:
    if shutil.which("g++") is None or request.config.getoption("--backend") != "numpy":
        pytest.skip("it needs g++, and is the same on all backends")
    done = subprocess.run([sys.executable, "tests/benchmarks/gpu.py", "--dry"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "| gelu, forward and backward |" in done.stdout
    rows = re.findall(r"^\| (\S.*?) \| (\d+) \| (\d+) \| (\d+) \|$", done.stdout, re.MULTILINE)
    assert len(rows) == len(MOST)
    for what, *counts in rows:
        calls, generated, ours = map(int, counts)
        most = next(n for start, n in MOST.items() if what.startswith(start))
        assert ours <= most, f"{what}: {ours} launches a step"
        assert ours < generated <= calls
