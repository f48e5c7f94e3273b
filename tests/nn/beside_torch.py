"""Modules beside PyTorch's: the same tensors in both, and how near the results are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta


def torch() -> Any:
    return pytest.importorskip("torch")


def tensor(t: Any) -> ta.Tensor:
    return ta.tensor(t.detach().numpy(), device=ta.backend.current_device())


def near(ours: Any, theirs: Any, what: str = "") -> None:
    np.testing.assert_allclose(ta.backend.to_host(ours.array), theirs.detach().numpy(), 1e-10, 1e-12, err_msg=what)


def load(ours: Any, theirs: Any) -> None:
    ours.load_state_dict({k: tensor(v) for k, v in theirs.state_dict().items()})


def given(shape: tuple[int, ...], layer: str) -> Any:
    random = np.random.default_rng(0)
    return random.integers(0, 6, shape) if layer == "Embedding" else random.normal(size=shape)


def states_are_near(ours: Any, theirs: Any) -> None:
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        near(ours.state_dict()[name], value, name)


def refused(error: type[Exception], says: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    with pytest.raises(error, match=says):
        function(*args, **kwargs)
