"""Averages of weights: AveragedModel, its functions, SWALR and update_bn are PyTorch's."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, InplaceError
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


class Several(ta.nn.Module):
    """Parameters of two dtypes and many shapes, one of them shared, and buffers."""

    def __init__(self) -> None:
        super().__init__()
        for i, shape in enumerate([(40, 50), (7,), (), (0, 3), (300,)]):
            setattr(self, f"p{i}", ta.nn.Parameter(ta.zeros(shape)))
        self.again, self.wide, self.half = self.p0, ta.nn.Parameter(ta.zeros(90, dtype=ta.float64)), ta.nn.Parameter(ta.zeros(5, dtype=ta.float16))
        self.register_buffer("b", ta.zeros(200))
        self.register_buffer("count", ta.zeros(3, dtype=ta.int64))

    def refill(self, seed: int) -> None:
        """Other numbers; some parameters in place, of some the array is another one, and does not lie in one piece."""
        rng = np.random.default_rng(seed)
        for t in (*self.parameters(), *self.buffers()):
            new = ta.tensor(np.asarray(rng.normal(0, 9, t.shape))).to(t.dtype)
            if t.ndim == 2 and seed % 2:
                t.data = new.T.clone().T
            else:
                with ta.no_grad():
                    t.copy_(new)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("make", [swa_utils.get_swa_multi_avg_fn, *[lambda d=d: swa_utils.get_ema_multi_avg_fn(d) for d in (0.0, 0.3, 0.5, 0.999, 1.0)]])
def test_averages_by_one_rule_are_those_of_each_tensor(make: Any, use_buffers: bool) -> None:
    average = make()
    model, exact = Several(), make is not swa_utils.get_swa_multi_avg_fn
    averages = [swa_utils.AveragedModel(model, multi_avg_fn=f, use_buffers=use_buffers) for f in (average, lambda *given: average(*given))]
    if not exact:
        averages.append(swa_utils.AveragedModel(model, use_buffers=use_buffers))
    for step in range(5):
        model.refill(step)
        for averaged in averages:
            averaged.update_parameters(model)
        if step == 2:
            averages = [copy.deepcopy(averaged) for averaged in averages]
        first, other, *default = [[t.detach().cpu() for t in (*a.parameters(), *a.buffers())] for a in averages]
        for i, (x, y) in enumerate(zip(first, other, strict=True)):
            assert x.dtype == y.dtype
            assert not default or default[0][i].tolist() == x.tolist()
            bound = 0 if exact or x.dtype.kind == "i" else 4 * float(ta.finfo(x.dtype).eps)
            np.testing.assert_allclose(x.tolist(), y.tolist(), rtol=0, atol=9 * bound)


def test_an_average_that_a_graph_needs_is_not_changed_unnoticed() -> None:
    model = ta.nn.Linear(20, 20)
    averaged = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
    for _ in range(3):
        x = ta.ones(1, 20, requires_grad=True)
        y, before = averaged(x).sum(), averaged.module.weight._version
        averaged.update_parameters(model)
        assert averaged.module.weight._version == before + 1
        with pytest.raises(InplaceError):
            y.backward()


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
@pytest.mark.parametrize("make", [swa_utils.AveragedModel, lambda m: swa_utils.AveragedModel(m, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))])
def test_an_average_may_be_part_of_a_recorded_step(make: Any) -> None:
    found = []
    for compiled in (False, True):
        ta.manual_seed(0)
        model = ta.nn.Linear(20, 20)
        averaged, optimizer = make(model), ta.optim.SGD(model.parameters(), lr=0.1)

        def step(x: ta.Tensor, model: Any = model, averaged: Any = averaged, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            model(x).square().sum().backward()
            ta.nn.utils.clip_grad_value_(model.parameters(), 0.1)
            optimizer.step()
            averaged.update_parameters(model)
        function = ta.compile(step) if compiled else step
        for i in range(5):
            function(ta.ones(2, 20) * i)
        found.append([averaged.module.weight.tolist(), averaged.n_averaged.item()])
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    assert found[0][1] == found[1][1] == 5


def test_the_count_may_be_set() -> None:
    model = ta.nn.Linear(1, 1, bias=False)
    averaged = swa_utils.AveragedModel(model)
    for value, count, wanted in ((2.0, None, 2.0), (4.0, None, 3.0), (8.0, 4, 4.0), (5.0, 0, 5.0)):
        ta.nn.init.constant_(model.weight, value)
        if count is not None:
            averaged.n_averaged.fill_(count)
        averaged.update_parameters(model)
        assert averaged.module.weight.item() == pytest.approx(wanted)
    assert averaged.n_averaged.item() == 1


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
    lambda: swa_utils.AveragedModel(ta.nn.Linear(2, 2)).update_parameters(ta.nn.Linear(2, 2, bias=False)),
    lambda: swa_utils.AveragedModel(ta.nn.Linear(2, 2)).update_parameters(ta.nn.Linear(2, 3)),
    lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), 0.1, anneal_strategy="x"),
    lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), 0.1, anneal_epochs=-1), lambda: swa_utils.SWALR(ta.optim.SGD([ta.zeros(1)]), [0.1, 0.2])])
def test_misuse_is_told(make: Any) -> None:
    with pytest.raises(ArgumentError):
        make()
