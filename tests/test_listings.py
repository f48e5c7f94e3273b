"""Listings as books and courses print them for PyTorch run here: only the names after `import` are others.

Each file of listings/ runs with PyTorch as it stands, and here; both must print the same, numbers that depend on chance aside.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ShapeError

FOLDER = Path(__file__).parent / "listings"
# What of the output does not depend on random numbers, or how what does is made comparable.
CHANCE = {"images": re.compile(r"(loss: |images: )[\d.]+")}
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "flatten")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def imported_here(source: str) -> str:
    """The listing with the imports of PyTorch changed to ours, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_act as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch\.", r"\1 tinygrad_act.", source, flags=re.M)


def run(name: str, ours: bool) -> tuple[str, dict[str, Any]]:
    """What a listing prints, and the names it leaves."""
    source = (FOLDER / f"{name}.py").read_text()
    space: dict[str, Any] = {"__name__": "listing"}
    out = io.StringIO()
    library: Any = ta if ours else importlib.import_module("torch")
    if not ours:                             # PyTorch's own samples, in another file of tests, forbid its switches
        library.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
    # They move nothing to a device of their own, and after them switches are as they were.
    with contextlib.redirect_stdout(out), ta.backend.use("numpy"), library.backends.cudnn.flags():
        exec(compile(imported_here(source) if ours else source, f"{name}.py", "exec"), space)
    return out.getvalue(), space


def comparable(name: str, text: str) -> list[str]:
    text = text.replace("torch.Size([", "(").replace("])", ")").replace("tinygrad_act.", "torch.").replace("torch.", "").replace("return_types.", "")
    text = re.sub(r"\((\d+),\)", r"(\1)", text)
    text = re.sub(r"grad_fn=<\w+>", "grad_fn", text)             # an op's own name: leaky_reluBackward, LeakyReluBackward0
    return [CHANCE[name].sub(r"\1#", line) if name in CHANCE else line for line in text.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_listing_runs_as_it_is(name: str) -> None:
    text, _ = run(name, ours=True)
    assert text


@pytest.mark.parametrize("name", NAMES)
def test_listing_prints_what_it_prints_with_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    assert comparable(name, run(name, True)[0]) == comparable(name, run(name, False)[0])


@pytest.mark.parametrize(("network", "says"), [
    ("CNN", r"\(3, 64, 6, 6\).*(6912|4096)"), ("Flattened", r"2304.*4096"), ("Unpadded", r"50176.*4096")])
def test_a_flatten_of_the_wrong_size_says_which_sizes_met(network: str, says: str) -> None:
    _, space = run("flatten", ours=True)
    with ta.backend.use("numpy"), pytest.raises(ShapeError, match=says):
        space[network]()(space["images"])
