"""Mixed precision's first names, `cuda.amp`: they are `amp`'s for "cuda", say so, and where there is no GPU the listing runs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.cuda.amp import GradScaler, autocast, custom_bwd, custom_fwd


def test_a_listing_runs_with_and_without_a_gpu() -> None:
    code = """
import tinygrad_act as torch
from tinygrad_act.cuda.amp import autocast, GradScaler
device = "cuda" if torch.cuda.is_available() else "cpu"
model = torch.nn.Linear(4, 1).to(device)
optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.01), GradScaler()
before = model.weight.tolist()
for _ in range(2):
    optimizer.zero_grad()
    with torch.cuda.amp.autocast():
        loss = model(torch.ones(8, 4, device=device)).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
assert model.weight.tolist() != before and scaler.is_enabled() == torch.cuda.is_available()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "`cuda.amp.autocast(args...)` is deprecated. Please use `amp.autocast('cuda', args...)` instead." in done.stderr


@pytest.mark.parametrize("call", [lambda: autocast(enabled=False), lambda: GradScaler(enabled=False), lambda: custom_fwd(cast_inputs=ta.float32),
                                  lambda: custom_bwd(abs)])
def test_each_says_what_to_write_now(call: Any) -> None:
    with pytest.warns(FutureWarning, match=r"is deprecated\. Please use `amp\."):
        call()


def test_they_are_those_of_amp() -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.warns(FutureWarning))
        block, scaler = autocast(False), GradScaler(2.0, 3.0, 0.25, 7, False)
    assert isinstance(block, ta.autocast) and block.device == "cuda" and not block.enabled
    assert isinstance(scaler, ta.GradScaler) and ta.GradScaler is ta.amp.GradScaler
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (3.0, 0.25, 7)


@pytest.mark.skipif(ta.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_switched_off_with_a_warning() -> None:
    pytest.importorskip("ml_dtypes")
    with pytest.warns(UserWarning, match="CUDA is not available"), pytest.warns(FutureWarning), autocast():
        assert ta.nn.Linear(2, 2)(ta.ones(1, 2)).dtype == ta.float32
    with pytest.warns(UserWarning, match="CUDA is not available"), pytest.warns(FutureWarning):
        assert not GradScaler().is_enabled()
