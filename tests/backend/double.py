"""A file of tests, run on the double of CuPy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def passes(request: pytest.FixtureRequest, file: Path) -> None:
    """The file's tests pass where fake_cupy stands for CuPy."""
    if shutil.which("g++") is None or request.config.getoption("--backend") == "cupy":
        pytest.skip("it needs g++, and no GPU")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.backend.fake_cupy", "--backend", "cupy", "-q", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
