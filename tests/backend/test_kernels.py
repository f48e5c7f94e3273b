"""The kernels written by hand, compiled for the CPU and run: each against the rule beside it, NumPy's.

In a process of its own on CuPy's double (see fake_cupy.py), whose blocks of threads take turns at each __syncthreads(). That the
texts are CUDA, NVRTC says, which needs no GPU.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.symbols.nvrtc import compiled
from tinygrad_act.backend import kernels
from tinygrad_act.backend.kernels.rows import list_source, shares

ROOT = Path(__file__).parents[2]
DTYPES = ("float16", "float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("file", kernels.FILES)
def test_nvrtc_compiles_the_texts(file: str, dtype: str) -> None:
    text = kernels.source(file, dtype)
    assert not compiled(text)
    assert all(f"void {name}(" in text for name in kernels.FILES[file])


def test_nvrtc_compiles_what_moves_lists() -> None:
    for count, size in [(1, 4), (32, 2), (5, 8), (2, 1)]:
        assert not compiled(list_source(count, size))


def test_blocks_are_within_what_a_gpu_takes() -> None:
    for n in (0, 1, 2, 31, 32, 33, 1000, 8193, 10**6):
        for rows in (1, 7, 10**6):
            for inner in (1, 3, 1000):
                (grid,), (width, tall) = shares(rows, n, inner)
                assert width * tall <= 512
                assert tall == 1 << (tall.bit_length() - 1)
                assert (grid - 1) * width < rows <= grid * width


def test_each_computes_what_its_rule_does(request: pytest.FixtureRequest) -> None:
    """On a GPU if the suite runs on one, else on CuPy's double."""
    real = request.config.getoption("--backend") == "cupy"
    if not real and shutil.which("g++") is None:
        pytest.skip("it needs g++, or a GPU")
    double = [] if real else ["-p", "tests.backend.fake_cupy"]
    done = subprocess.run([sys.executable, "-m", "pytest", *double, "--backend", "cupy", "-q", str(Path(__file__).with_name("kernels_beside_rules.py"))],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
