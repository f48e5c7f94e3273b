"""Averages of weights: AveragedModel, its functions, SWALR and update_bn are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError
from tinygrad_act.optim import swa_utils

VALUES = [np.random.default_rng(i).normal(size=(2, 3)) for i in range(6)]


def averages(lib: Any, make: Any) -> list[Any]:
    """The average and its buffer after each update."""
    model = lib.nn.Linear(3, 2).double() if hasattr(lib.nn.Linear, "double") else lib.nn.Linear(3, 2)
    model.register_buffer("seen", lib.tensor([0.0]))
    model.register_buffer("count", lib.tensor(0))
    averaged, found = make(lib.optim.swa_utils, model), []
    for i, v in enumerate(VALUES):
        model.weight.data = lib.tensor(v)
        model.bias.data = lib.tensor(v[:, 0].copy())
        model.seen.fill_(float(i))
        model.count.fill_(i)
        averaged.update_parameters(model)
        found.append([t.tolist() for t in (averaged.module.weight, averaged.module.bias, averaged.module.seen, averaged.n_averaged)])
    return [found, sorted(averaged.state_dict())]


@pytest.mark.parametrize("make", [
    lambda s, m: s.AveragedModel(m), lambda s, m: s.AveragedModel(m, avg_fn=s.get_ema_avg_fn(0.9)),
    lambda s, m: s.AveragedModel(m, multi_avg_fn=s.get_ema_multi_avg_fn(0.9)), lambda s, m: s.AveragedModel(m, avg_fn=s.get_swa_avg_fn()),
    lambda s, m: s.AveragedModel(m, multi_avg_fn=s.get_ema_multi_avg_fn(0.3)), lambda s, m: s.AveragedModel(m, device="cpu"),
    lambda s, m: s.AveragedModel(m, avg_fn=lambda a, b, n: a + 0.5 * (b - a), use_buffers=True),
    lambda s, m: s.AveragedModel(m, multi_avg_fn=s.get_ema_multi_avg_fn(0.5), use_buffers=True)])
def test_averages_are_pytorchs(make: Any) -> None:
    torch = pytest.importorskip("torch")
    if ta.backend.current() != "numpy":
        pytest.skip("compares with PyTorch on the CPU")
    (ours, keys), (other, theirs) = averages(ta, make), averages(torch, make)
    assert keys == theirs
    for a, b in zip(ours, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)


def test_an_average_is_of_a_copy_and_runs() -> None:
    model = ta.nn.Linear(1, 1, bias=False)
    averaged = swa_utils.AveragedModel(model)
    for v in (1.0, 2.0, 6.0):
        ta.nn.init.constant_(model.weight, v)
        averaged.update_parameters(model)
    assert averaged(ta.ones(1)).item() == pytest.approx(3.0) and model.weight.item() == 6.0 and averaged.n_averaged.item() == 3
    assert all(p.requires_grad and p.is_leaf for p in averaged.parameters())


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_the_rates_of_swalr_are_pytorchs(strategy: str, epochs: int) -> None:
    torch = pytest.importorskip("torch")
    found, keys = [], []
    for lib in (ta, torch):
        optimizer = lib.optim.SGD([{"params": [lib.zeros(1, requires_grad=True)], "lr": 0.5}, {"params": [lib.zeros(1, requires_grad=True)]}], lr=0.2)
        make = lambda lib=lib, optimizer=optimizer: lib.optim.swa_utils.SWALR(optimizer, [0.05, 0.3], epochs, strategy)
        scheduler = make()
        found.append(list(scheduler.get_last_lr()))
        for i in range(9):
            optimizer.step()
            scheduler.step()
            found[-1] += scheduler.get_last_lr()
            if i == 2:
                state = scheduler.state_dict()
                keys.append(set(state))
                scheduler.load_state_dict(dict(state))
    assert found[0] == pytest.approx(found[1], rel=1e-14) and keys[0] == keys[1]


def test_batch_normalisations_are_measured_anew() -> None:
    if not hasattr(ta.nn, "BatchNorm1d"):
        pytest.skip("there is no batch normalisation")
    net = ta.nn.Sequential(ta.nn.Linear(3, 3), ta.nn.BatchNorm1d(3))
    net.eval()
    batches = [(ta.tensor(VALUES[i], dtype=ta.float32), 0) for i in range(4)]
    swa_utils.update_bn(batches, net)
    hidden = ta.stack([net[0](x).mean(0) for x, _ in batches])
    np.testing.assert_allclose(net[1].running_mean.tolist(), hidden.mean(0).tolist(), rtol=1e-5)
    assert not net.training and net[1].momentum == 0.1


@pytest.mark.parametrize("make", [
    lambda: swa_utils.get_ema_avg_fn(1.5), lambda: swa_utils.get_ema_multi_avg_fn(-1),
    lambda: swa_utils.AveragedModel(ta.nn.Linear(1, 1), avg_fn=print, multi_avg_fn=print),
    lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), 0.1, anneal_strategy="x"),
    lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), 0.1, anneal_epochs=-1), lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), [0.1, 0.2])])
def test_misuse_is_told(make: Any) -> None:
    with pytest.raises(ArgumentError):
        make()
