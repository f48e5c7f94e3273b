"""The examples run, in their short form: a few steps on few data, each in a process of its own.

One whose data or weights are neither made nor in the cache yet is skipped; running it once by hand fetches them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_act import datasets, pretrained
from tinygrad_act.errors import FetchError
from tinygrad_act.pretrained.samples import SAMPLES

SOURCES = {**datasets.SOURCES, **pretrained.WEIGHTS, **SAMPLES}
ROOT = Path(__file__).parents[1]
# example -> the sources of what it fetches: data, weights, samples
EXAMPLES: dict[str, tuple[str, ...]] = {
    "char_gpt": (),
    "cifar10": (),
    "digits": (),
    "fashion_mnist": ("fashion-mnist",),
    "imdb": ("imdb",),
    "masked_smiles": ("rxnmapper",),
    "mnist": ("mnist",),
    "mnist_to_fashion": ("fashion-mnist", "mnist-cnn"),
    "movielens": ("movielens-100k",),
    "name_pictures": ("efficientnet-lite0", "imagenet-classes", "pictures"),
    "regression": (),
    "semantic_search": ("minilm",),
    "snippets_lstm": ("film-snippets",),
    "speakers": ("resemblyzer", "speech", "conversation"),
    "spoken_digits": ("spoken-digits",),
    "toys": (),
    "tune_minilm": ("minilm", "film-snippets"),
    "tune_minilm_lora": ("minilm", "film-snippets"),
}
ARGUMENTS = {"digits": ("--epochs", "2")}                # the others have --short
PACKAGES = {"digits": "sklearn", "name_pictures": "PIL"}


def test_every_example_is_run() -> None:
    assert set(EXAMPLES) == {path.stem for path in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs_and_leaves_pictures(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for package in ("matplotlib", "rich", PACKAGES.get(name, "rich")):
        pytest.importorskip(package)
    try:
        for source in EXAMPLES[name]:
            for member in SOURCES[source].members:
                datasets.fetch(SOURCES[source], member, download=False)
    except FetchError as error:
        pytest.skip(str(error))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "MPLCONFIGDIR": str(tmp_path),
                   "TINYGRAD_ACT_BACKEND": request.config.getoption("--backend"), "COLUMNS": "120"}
    done = subprocess.run([sys.executable, ROOT / "examples" / f"{name}.py", *ARGUMENTS.get(name, ("--short",)), "--out", tmp_path / "out"],
                          env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any((tmp_path / "out").glob("*.png"))
