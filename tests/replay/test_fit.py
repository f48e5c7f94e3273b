"""`fit(compile=True)`: the same history and the same parameters, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn


def fitted(compiled: bool, **more: Any) -> tuple[Any, Any]:
    ta.manual_seed(1)
    x = ta.randn(26, 5)
    data = ta.utils.data.DataLoader(ta.utils.data.TensorDataset(x, (x.sum(1) > 0).long()), batch_size=4, shuffle=True)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = ta.optim.AdamW(model.parameters(), lr=0.02)
    scheduler = ta.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)
    history = ta.train.fit(model, data, nn.CrossEntropyLoss(), optimizer, epochs=4, validation=data, metrics=["accuracy"],
                           scheduler=scheduler, progress=False, compile=compiled, **more)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    return rows, {k: v.tolist() for k, v in model.state_dict().items()}


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}, {"clip_norm": 0.5}], ids=["plain", "accumulate", "clip"])
def test_the_same_history(more: dict[str, Any]) -> None:
    assert fitted(True, **more) == fitted(False, **more)


def test_half_precision_is_refused() -> None:
    with pytest.raises(ta.errors.ArgumentError, match="amp"):
        fitted(True, amp=ta.float16)
