"""Shared by the tests of pretrained networks: where the weights are, how near is near, what outputs were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import FetchError
from tinygrad_act.pretrained.sources import fetched

STORED = Path(__file__).parent / "stored" / "outputs.json"


def weights(name: str) -> Path:
    """The file of weights, if it has been fetched; else the test is skipped. CI fetches the small ones beforehand."""
    try:
        return fetched(name, download=False)
    except FetchError as error:
        pytest.skip(f"the weights are not in the cache, which ta.pretrained fills: {error}")


def token_ids(rows: int = 3, length: int = 7, vocabulary: int = 30) -> tuple[ta.Tensor, ta.Tensor]:
    """Tokens, and a mask with padding in every row but the first."""
    ta.manual_seed(1)
    mask = ta.ones(rows, length, dtype=ta.int64)
    for i in range(1, rows):
        mask[i, length - i:] = 0
    return ta.randint(1, vocabulary, (rows, length)) * mask, mask


def waves(*shape: int) -> ta.Tensor:
    """Numbers from -1 to 1 that are the same everywhere."""
    n = 1
    for size in shape:
        n *= size
    at = ta.arange(n, dtype=ta.float64)
    return (0.6 * ta.sin(at * 0.37) + 0.4 * ta.sin(at * at * 1e-4)).float().reshape(shape)


def near(ours: Any, theirs: Any, most: float = 1e-4) -> None:
    """The largest difference is at most so much of the largest number."""
    a, b = [ta.tensor(x.detach().cpu().numpy(), dtype=ta.float64) for x in (ours, theirs)]
    assert a.shape == b.shape
    worst = ((a - b).abs().max() / b.abs().max()).item()
    assert worst <= most, f"they differ by {worst:.1e} of the largest number"


def matches_stored(name: str, output: Any, most: float = 1e-4) -> None:
    """What PyTorch gave for the same weights and input: numbers kept beside the tests."""
    kept = json.loads(STORED.read_text())[name]
    near(output.detach().reshape(-1)[::kept["step"]], ta.tensor(kept["values"], dtype=ta.float64), most)


# ------------------------------------------------------------------------------------------------------ PyTorch's
def torch_models() -> Any:
    """The module of PyTorch's networks."""
    return pytest.importorskip("tests.pretrained.torch_models", exc_type=ImportError)


def as_torch(*tensors: Any) -> list[Any]:
    torch = pytest.importorskip("torch")
    return [torch.tensor(t.detach().cpu().numpy()) for t in tensors]


def twin(model: Any, make: Callable[[Any], Any]) -> Any:
    """The same network in PyTorch, with the same weights, in evaluation mode."""
    torch = pytest.importorskip("torch")
    theirs = make(torch).to(getattr(torch, str(next(model.parameters()).dtype)))
    state = model.state_dict()
    theirs.load_state_dict(dict(zip(state, as_torch(*state.values()), strict=True)))
    return theirs.eval()


def gradients(model: Any, theirs: Any, most: float) -> None:
    """All gradients are the same: to so much of the largest number of each, or to rounding of the largest of all."""
    found = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    largest = max(g.abs().max().item() for g in found.values())
    for name, wanted in found.items():
        ours = model.get_parameter(name).grad
        if wanted.abs().max().item() < 1e-6 * largest:   # what should be 0: before a softmax or a norm that does not see it
            assert ours.abs().max().item() < 1e-5 * largest, name
        else:
            near(ours, wanted, most)
