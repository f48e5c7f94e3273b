"""On a GPU the pieces of a program are captured as CUDA graphs: shown on the double of CuPy, which notes calls and makes them again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path.insert(0, ".")
from tests.backend import fake_cupy
fake_cupy.install()
import tinygrad_act as ta
ta.backend.use("cupy")
from tests.replay.test_bit_for_bit import NETWORKS, STEPS, alike, batches, plain
make, shape = NETWORKS[{name!r}]
ta.manual_seed(0)
step = alike(make(), batches(shape, [4] * STEPS, {name!r} == "transformer"), plain(lambda p: ta.optim.Adam(p, lr=0.01)), least=STEPS - 3)
run = next(iter(step.ways.values())).variants[0].program.run
assert run.launches and not run.failed, run.failed
assert len(fake_cupy.launches) == len(run.launches) and max(fake_cupy.launches) > 20
"""


@pytest.mark.parametrize("name", ["mlp", "transformer"])
def test_graphs_give_what_eager_mode_gives(name: str, request: pytest.FixtureRequest) -> None:
    if shutil.which("g++") is None or request.config.getoption("--backend") != "numpy":
        pytest.skip("it needs g++, and is the same on all backends")
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(name=name)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
