"""The examples run, in their short form: a few steps on few data, each in a process of its own.

One whose data are neither made nor in the cache yet is skipped; running it once by hand fetches them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_act import datasets
from tinygrad_act.errors import FetchError

ROOT = Path(__file__).parents[1]
# example -> (the source of its data, if they are fetched; its arguments)
EXAMPLES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "char_gpt": (None, ("--short",)),
    "cifar10": (None, ("--short",)),
    "digits": (None, ("--epochs", "2")),
    "fashion_mnist": ("fashion-mnist", ("--short",)),
    "imdb": ("imdb", ("--short",)),
    "mnist": ("mnist", ("--short",)),
    "movielens": ("movielens-100k", ("--short",)),
    "regression": (None, ("--short",)),
    "snippets_lstm": ("film-snippets", ("--short",)),
    "spoken_digits": ("spoken-digits", ("--short",)),
    "toys": (None, ("--short",)),
}


def test_every_example_is_run() -> None:
    assert set(EXAMPLES) == {path.stem for path in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs_and_leaves_pictures(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for package in ("matplotlib", "rich", *(("sklearn",) if name == "digits" else ())):
        pytest.importorskip(package)
    source, arguments = EXAMPLES[name]
    try:
        for member in datasets.SOURCES[source].members if source else ():
            datasets.fetch(source, member, download=False)
    except FetchError as error:
        pytest.skip(str(error))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "MPLCONFIGDIR": str(tmp_path),
                   "TINYGRAD_ACT_BACKEND": request.config.getoption("--backend"), "COLUMNS": "120"}
    done = subprocess.run([sys.executable, ROOT / "examples" / f"{name}.py", *arguments, "--out", tmp_path / "out"],
                          env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any((tmp_path / "out").glob("*.png"))
