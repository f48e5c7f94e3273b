"""What each backend spells its own way, on the backend that the suite runs on and, in a process of its own, on CuPy's double."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta

from .double import passes


def leaf(*values: float, dtype: Any = ta.float64) -> ta.Tensor:
    return ta.tensor(values, dtype=dtype, requires_grad=True)


def test_rules_with_numbers_settings_and_branches() -> None:
    x = leaf(0.5, 2.0, -3.0)
    (ta.where(x > 0, x * 0.3, x / 0.7) + ta.nn.functional.elu(x, alpha=0.6)).sum().backward()
    assert x.grad.tolist() == pytest.approx([1.3, 1.3, 1 / 0.7 + 0.6 * 2.718281828459045**-3])
    y = leaf(0.5, 2.0, 3.0)
    (y**2.7 + 2.5**y).sum().backward()
    assert y.grad.tolist() == pytest.approx([2.7 * v**1.7 + 2.5**v * 0.9162907318741551 for v in (0.5, 2.0, 3.0)])


def test_halves_are_computed_in_float32_and_rounded_once() -> None:
    x = leaf(300.0, 0.001, -2.0, dtype=ta.float16)
    y = (x * x).sqrt()                                       # each op is rounded: 300 * 300 is past float16
    assert y.dtype == ta.float16
    assert y.tolist()[0] == float("inf")
    assert ta.hypot(x, x).tolist()[0] == pytest.approx(424.3, rel=1e-3)       # inside a rule nothing is


def test_broadcasting_empty_and_0d() -> None:
    a, b = ta.ones(2, 1, 3, requires_grad=True), ta.tensor(2.0, requires_grad=True)
    (a * b * ta.ones(4, 1)).sum().backward()
    assert a.grad.tolist() == [[[8.0] * 3]] * 2
    assert b.grad.item() == 24.0
    empty = ta.zeros(0, 3, requires_grad=True)
    empty.exp().sum().backward()
    assert empty.grad.shape == (0, 3)


@pytest.mark.parametrize("dtype", [ta.float32, ta.float64, ta.float16, ta.int64, ta.int32, ta.int8, ta.uint8])
def test_repeated_indices_add_up(dtype: Any) -> None:
    x = ta.zeros(3, dtype=dtype)
    i = ta.tensor([0, 2, 0, 2, 2])
    assert x.scatter_add(0, i, ta.tensor([1, 2, 3, 4, 5], dtype=dtype)).tolist() == [4, 0, 11]
    assert x.index_add(0, i, ta.tensor([1, 2, 3, 4, 5], dtype=dtype)).tolist() == [4, 0, 11]


def test_the_gradient_of_indexing_adds_up() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x[ta.tensor([0, 0, 2])] * ta.tensor([1.0, 2.0, 4.0], dtype=ta.float64)).sum().backward()
    assert x.grad.tolist() == [3, 0, 4]


@pytest.mark.parametrize(("reduce", "expected"), [
    ("prod", [[2.0, 12.0, 1.0], [5.0, 1.0, 6.0]]), ("amax", [[2.0, 4.0, 1.0], [5.0, 1.0, 6.0]]), ("amin", [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])])
def test_scatter_reduce(reduce: str, expected: Any) -> None:
    x, i = ta.ones(2, 3), ta.tensor([[1, 0, 1], [2, 0, 2]])
    src = ta.tensor([[3.0, 2.0, 4.0], [1.0, 5.0, 6.0]])
    assert x.scatter_reduce(1, i, src, reduce).tolist() == expected


def test_scatter_reduce_with_one_place_hands_on_nan() -> None:
    src = ta.tensor([3.0, float("nan"), 4.0])
    y = ta.zeros(2).scatter_reduce(0, ta.tensor([1, 1, 1]), src, "amax")
    assert y[0].item() == 0.0
    assert y.isnan().tolist() == [False, True]


def test_repeats_sorting_windows_and_running_reductions() -> None:
    x = ta.tensor([3.0, 1.0, 2.0])
    assert x.repeat_interleave(ta.tensor([2, 0, 1])).tolist() == [3, 3, 2]
    assert x.argsort().tolist() == [1, 2, 0]
    assert x.unfold(0, 2, 1).tolist() == [[3, 1], [1, 2]]
    assert x.cummax(0).values.tolist() == [3, 3, 3]
    assert x.unique().tolist() == [1, 2, 3]


def test_a_network_learns() -> None:
    ta.manual_seed(1)
    model = ta.nn.Sequential(ta.nn.Linear(2, 8), ta.nn.Tanh(), ta.nn.Linear(8, 1))
    x = ta.randn(32, 2)
    target = (x[:, :1] * x[:, 1:]).detach()
    optimizer = ta.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = ta.nn.functional.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_what_ta_cuda_says() -> None:
    if not ta.cuda.is_available():
        pytest.skip("there is no GPU")
    cuda = ta.cuda
    assert 0 <= cuda.current_device() < cuda.device_count()
    assert cuda.get_device_name() == cuda.get_device_properties().name
    assert cuda.get_device_capability() == (cuda.get_device_properties().major, cuda.get_device_properties().minor)
    free, total = cuda.mem_get_info()
    assert 0 < free <= total
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() >= cuda.memory_allocated() >= 0 <= cuda.memory_reserved()
    side, start, end = cuda.Stream(), cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        start.record()
        x = ta.ones(1000, device="cuda") * 2
        end.record()
    end.synchronize()
    cuda.current_stream().wait_event(side.record_event())
    assert end.query() and start.elapsed_time(end) >= 0
    assert x.sum().item() == 2000
    with cuda.device(0):
        cuda.synchronize()
    cuda.empty_cache()
    cuda.manual_seed_all(3)


def test_all_this_on_the_double_of_cupy(request: pytest.FixtureRequest) -> None:
    """CuPy's interface over the CPU, its kernels compiled by g++: what this library asks of CuPy is right."""
    passes(request, Path(__file__))
