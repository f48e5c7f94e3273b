"""Shared by the tests of pretrained networks: where the weights are, how near is near, what outputs were."""

from __future__ import annotations

import json
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


def near(ours: Any, theirs: Any, most: float = 1e-4) -> None:
    """The largest difference is at most so much of the largest number."""
    a, b = [ta.tensor(x.detach().cpu().numpy(), dtype=ta.float64) for x in (ours, theirs)]
    assert a.shape == b.shape
    worst = ((a - b).abs().max() / b.abs().max()).item()
    assert worst <= most, f"they differ by {worst:.1e} of the largest number"


def matches_stored(name: str, output: Any, most: float = 1e-4) -> None:
    """What PyTorch gave for the same weights and input: numbers kept beside the tests."""
    kept = json.loads(STORED.read_text())[name]
    flat = output.reshape(-1)
    near(flat[::kept["step"]], ta.tensor(kept["values"], dtype=ta.float64), most)
