"""Schedulers: the rates of PyTorch's, epoch by epoch, also after saving and loading and when going on from an epoch."""

from __future__ import annotations

import copy
import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import optim
from tinygrad_act.errors import ArgumentError

Make = Callable[[Any, Any], Any]          # (torch.optim.lr_scheduler or ours, an optimizer) -> a scheduler


class Halving:
    """A function of the epoch that is an object with a state."""

    def __init__(self, base: float = 0.5) -> None:
        self.base = base

    def __call__(self, epoch: int) -> float:
        return self.base ** epoch


SCHEDULERS: dict[str, Make] = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda e: 0.95 ** e),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda e: 1 / (e + 1), Halving()]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 + 0.01 * e),
    "multiplicatives": lambda s, o: s.MultiplicativeLR(o, [lambda e: 0.9, lambda e: 0.8]),
    "step": lambda s, o: s.StepLR(o, 3), "step, gamma": lambda s, o: s.StepLR(o, step_size=4, gamma=0.7),
    "multistep": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o), "constant, 8": lambda s, o: s.ConstantLR(o, factor=0.2, total_iters=8),
    "linear": lambda s, o: s.LinearLR(o), "linear, down": lambda s, o: s.LinearLR(o, 1.0, 0.1, total_iters=7),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "polynomial": lambda s, o: s.PolynomialLR(o, 8, 2.0), "polynomial, 5": lambda s, o: s.PolynomialLR(o),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 5), "cosine, least": lambda s, o: s.CosineAnnealingLR(o, T_max=7, eta_min=0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4), "restarts, longer": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 2, 0.01),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.1, 0.5, step_size_up=3),
    "cyclic, lists": lambda s, o: s.CyclicLR(o, [0.1, 0.2], [0.4, 0.9], 4, 2, base_momentum=[0.7, 0.6], max_momentum=0.95),
    "cyclic, triangular2": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 2, 3, mode="triangular2"),
    "cyclic, exp_range": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 3, mode="exp_range", gamma=0.9),
    "cyclic, own": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 3, scale_fn=lambda x: 1 / (5 ** (x * 1e-2)), scale_mode="iterations"),
    "cyclic, own object": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 3, scale_fn=Halving(0.9), cycle_momentum=False),
    "one cycle": lambda s, o: s.OneCycleLR(o, 0.9, total_steps=25),
    "one cycle, linear": lambda s, o: s.OneCycleLR(o, [0.9, 0.4], epochs=5, steps_per_epoch=6, anneal_strategy="linear", pct_start=0.4),
    "one cycle, three phases": lambda s, o: s.OneCycleLR(o, 0.9, total_steps=25, three_phase=True, div_factor=10, final_div_factor=100),
    "one cycle, no momentum": lambda s, o: s.OneCycleLR(o, 0.9, total_steps=25, cycle_momentum=False),
    "sequence": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 10)], [4]),
    "sequence of three": lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)], [3, 8]),
    "sequence in sequence": lambda s, o: s.SequentialLR(
        o, [s.SequentialLR(o, [s.ConstantLR(o, 0.5, 2), s.ExponentialLR(o, 0.8)], [2]), s.ExponentialLR(o, 0.9)], [6]),
    "chain": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]),
    "chain, optimizer": lambda s, o: s.ChainedScheduler([s.StepLR(o, 3), s.MultiStepLR(o, [2, 4], 0.5)], optimizer=o),
}
RATE_TENSORS = [k for k in SCHEDULERS if k not in ("cyclic, lists", "one cycle, linear")]


def optimizers(lib: Any, kind: str = "SGD", tensor: bool = False) -> Any:
    """One with two groups of different rates."""
    rate = (lambda v: lib.tensor(v, dtype=lib.float64)) if tensor else (lambda v: v)
    groups = [{"params": [lib.zeros(1, requires_grad=True)], "lr": rate(0.5)}, {"params": [lib.zeros(2, requires_grad=True)]}]
    return getattr(lib.optim, kind)(groups, lr=rate(0.3), **{"momentum": 0.9} if kind == "SGD" else {})


def numbers(optimizer: Any) -> list[Any]:
    return [(float(g["lr"]), g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]


def curve(lib: Any, make: Make, epochs: int = 20, kind: str = "SGD", tensor: bool = False, reload_at: int | None = None,
          epoch_of: Any = None) -> tuple[list[Any], Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = optimizers(lib, kind, tensor)
        scheduler = make(lib.optim.lr_scheduler, optimizer)
        found = [numbers(optimizer)]
        for epoch in range(epochs):
            optimizer.step()
            scheduler.step(*[] if epoch_of is None else [epoch_of(epoch)])
            found.append(numbers(optimizer))
            assert [float(lr) for lr in scheduler.get_last_lr()] == [float(g["lr"]) for g in optimizer.param_groups]
            if epoch == reload_at:
                saved, groups = copy.deepcopy(scheduler.state_dict()), copy.deepcopy(optimizer.state_dict())
                optimizer = optimizers(lib, kind, tensor)
                scheduler = make(lib.optim.lr_scheduler, optimizer)
                scheduler.load_state_dict(saved)
                optimizer.load_state_dict(groups)
        return found, scheduler


def flat(found: list[Any]) -> list[float]:
    return [float(v) for epoch in found for lr, momentum, betas in epoch for v in (lr, momentum or 0.0, *(betas or ()))]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_curve_and_the_state_are_pytorchs(name: str, kind: str) -> None:
    torch = pytest.importorskip("torch")
    ours, a = curve(ta, SCHEDULERS[name], kind=kind)
    other, b = curve(torch, SCHEDULERS[name], kind=kind)
    assert flat(ours) == pytest.approx(flat(other), rel=1e-14, abs=1e-16)
    if name != "sequence in sequence":
        assert set(a.state_dict()) == set(b.state_dict())


@pytest.mark.parametrize("name", RATE_TENSORS)
def test_rates_that_are_tensors_change_in_place(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, _ = curve(ta, SCHEDULERS[name], tensor=True)
    assert flat(ours) == pytest.approx(flat(curve(torch, SCHEDULERS[name], tensor=True)[0]), rel=1e-14, abs=1e-16)
    assert flat(ours) == pytest.approx(flat(curve(ta, SCHEDULERS[name])[0]), rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("at", [0, 4, 11])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_it_goes_on_from_what_was_saved(name: str, at: int) -> None:
    whole = curve(ta, SCHEDULERS[name])[0]
    assert curve(ta, SCHEDULERS[name], reload_at=at)[0] == whole


@pytest.mark.parametrize("name", ["step", "multistep", "constant", "linear", "exponential", "polynomial", "cosine", "restarts",
                                  "restarts, longer", "cyclic", "lambda"])
def test_an_epoch_given_by_hand(name: str) -> None:
    torch = pytest.importorskip("torch")
    epochs = (lambda e: e * 0.7) if name.startswith("restarts") else (lambda e: (e * 7) % 11)
    ours, other = (curve(lib, SCHEDULERS[name], epoch_of=epochs)[0] for lib in (ta, torch))
    assert flat(ours) == pytest.approx(flat(other), rel=1e-14, abs=1e-16)


@pytest.mark.parametrize("make", [
    lambda s, o, e: s.StepLR(o, 3, last_epoch=e), lambda s, o, e: s.CosineAnnealingLR(o, 10, last_epoch=e),
    lambda s, o, e: s.LambdaLR(o, lambda i: 0.9 ** i, last_epoch=e), lambda s, o, e: s.ExponentialLR(o, 0.9, last_epoch=e),
    lambda s, o, e: s.OneCycleLR(o, 0.9, 25, last_epoch=e), lambda s, o, e: s.LinearLR(o, last_epoch=e),
    lambda s, o, e: s.CosineAnnealingWarmRestarts(o, 4, last_epoch=e), lambda s, o, e: s.CyclicLR(o, 0.1, 0.5, 3, last_epoch=e)])
def test_going_on_from_an_epoch(make: Any) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for lib in (ta, torch):
        optimizer = optimizers(lib)
        first = make(lib.optim.lr_scheduler, optimizer, -1)
        for _ in range(6):
            optimizer.step()
            first.step()
        second = make(lib.optim.lr_scheduler, optimizer, first.last_epoch)
        found.append(numbers(optimizer))
        for _ in range(5):
            optimizer.step()
            second.step()
            found[-1] += numbers(optimizer)
    assert flat([found[0]]) == pytest.approx(flat([found[1]]), rel=1e-14, abs=1e-16)


@pytest.mark.parametrize("options", [
    {}, {"patience": 0}, {"patience": 1, "factor": 0.5, "cooldown": 2}, {"mode": "max", "patience": 2, "min_lr": 0.01},
    {"threshold": 0.1, "threshold_mode": "abs", "patience": 1}, {"mode": "max", "threshold": 0.2, "threshold_mode": "abs", "patience": 0},
    {"patience": 0, "min_lr": [0.2, 0.1], "factor": 0.3}, {"patience": 0, "eps": 0.1}], ids=str)
def test_the_plateau_is_pytorchs(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    losses = [1.0, 0.9, 0.95, 0.9, 0.90001, 0.5, 0.6, 0.6, 0.6, 0.6, math.nan, 0.4, -1.0, -1.05, -0.9, -0.9, -2.0] * 2
    found, states = [], []
    for lib in (ta, torch):
        optimizer = optimizers(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        found.append([])
        for i, loss in enumerate(losses):
            scheduler.step(lib.tensor(loss) if i % 2 else loss)
            found[-1].append((numbers(optimizer), scheduler.get_last_lr(), scheduler.in_cooldown))
            if i == 9:
                again = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
                again.load_state_dict(scheduler.state_dict())
                scheduler = again
        states.append({k: v for k, v in scheduler.state_dict().items() if not k.startswith("_is")})
    assert found[0] == found[1] and states[0] == states[1]


def test_a_group_that_comes_later_is_reduced_too() -> None:
    optimizer = optimizers(ta)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.2)
    optimizer.add_param_group({"params": [ta.zeros(1, requires_grad=True)], "lr": 1.0})
    scheduler.step(1.0)
    scheduler.step(2.0)
    assert scheduler.get_last_lr() == [0.2, 0.2, 0.2]
    strict = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.1, 0.1, 0.1])
    optimizer.add_param_group({"params": [ta.zeros(1, requires_grad=True)], "lr": 1.0})
    strict.step(1.0)
    with pytest.raises(ArgumentError, match="4 groups"):
        strict.step(2.0)


# ------------------------------------------------------------------------------------------------------ warnings, errors
def test_the_wrong_order_is_warned_about() -> None:
    optimizer = optimizers(ta)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"before optimizer.step"):
        scheduler.step()
    optimizer = optimizers(ta)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    optimizer.step()
    scheduler.step()                                         # warnings are errors here: there is none
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()
    with pytest.warns(UserWarning, match="deprecated"):
        scheduler.step(3)


s = optim.lr_scheduler


@pytest.mark.parametrize(("make", "says"), [
    (lambda o: s.StepLR("x", 1), "StepLR: str"), (lambda o: s.StepLR(o, 0), "step_size=0"), (lambda o: s.StepLR(o, "a"), "step_size='a'"),
    (lambda o: s.LambdaLR(o, [lambda e: 1.0]), "2 groups"), (lambda o: s.LambdaLR(o, 0.5), "lr_lambda=0.5"),
    (lambda o: s.ConstantLR(o, 2.0), "factor=2.0"), (lambda o: s.LinearLR(o, 0.0), "start_factor=0.0"), (lambda o: s.LinearLR(o, 0.5, 2.0), "end_factor"),
    (lambda o: s.CosineAnnealingLR(o, 0), "T_max=0"), (lambda o: s.PolynomialLR(o, 0), "total_iters=0"),
    (lambda o: s.CosineAnnealingWarmRestarts(o, 0), "T_0=0"), (lambda o: s.CosineAnnealingWarmRestarts(o, 1.5), "T_0=1.5"),
    (lambda o: s.CosineAnnealingWarmRestarts(o, 2, 0), "T_mult=0"), (lambda o: s.CosineAnnealingWarmRestarts(o, 2).step(-1), "epoch=-1"),
    (lambda o: s.CyclicLR(o, [0.1], 0.5), "base_lr of 1 values"), (lambda o: s.CyclicLR(o, 0.1, 0.5, mode="x"), "mode='x'"),
    (lambda o: s.CyclicLR(ta.optim.Adagrad([ta.zeros(1)]), 0.1, 0.5), "Adagrad: it has no momentum"),
    (lambda o: s.OneCycleLR(o, 0.1), "neither total_steps"), (lambda o: s.OneCycleLR(o, 0.1, 0), "total_steps=0"), (lambda o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=2), "epochs=0"),
    (lambda o: s.OneCycleLR(o, 0.1, 5, pct_start=2), "pct_start=2"), (lambda o: s.OneCycleLR(o, 0.1, 5, anneal_strategy="x"), "anneal_strategy='x'"),
    (lambda o: s.ReduceLROnPlateau(o, factor=1.0), "factor=1.0"), (lambda o: s.ReduceLROnPlateau(o, mode="x"), "mode='x'"),
    (lambda o: s.ReduceLROnPlateau(o, threshold_mode="x"), "threshold_mode"), (lambda o: s.ReduceLROnPlateau(o, min_lr=[0.1]), "min_lr"),
    (lambda o: s.SequentialLR(o, [s.StepLR(o, 1)], [2]), "1 schedulers and 1 milestones"), (lambda o: s.SequentialLR(o, [], []), "no schedulers"),
    (lambda o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]), "ReduceLROnPlateau"), (lambda o: s.ChainedScheduler([3]), "ChainedScheduler: int"),
    (lambda o: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(optimizers(ta), 1)]), "several optimizers"),
    (lambda o: s.StepLR(o, 1).load_state_dict(3), "StepLR.load_state_dict: int"),
])
def test_misuse_is_told(make: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        make(optimizers(ta))


@pytest.mark.parametrize("three_phase", [False, True])
def test_a_cycle_whose_first_phase_has_no_steps_begins_at_the_top(three_phase: bool) -> None:
    optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler = s.OneCycleLR(optimizer, 1.0, total_steps=4, pct_start=0.25, three_phase=three_phase)      # PyTorch divides by zero
    assert scheduler.get_last_lr() == [1.0]


def test_too_many_steps_of_one_cycle() -> None:
    optimizer = optimizers(ta)
    scheduler = s.OneCycleLR(optimizer, 0.1, 3)
    optimizer.step()
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="the cycle has 3 steps"):
        scheduler.step()


def test_going_on_without_a_first_rate() -> None:
    with pytest.raises(KeyError, match='no "initial_lr"'):
        s.StepLR(optimizers(ta), 1, last_epoch=3)


def test_functions_that_hold_something_are_saved() -> None:
    factor = functools.partial(lambda base, e: base ** e, 0.5)
    for make in (lambda: s.LambdaLR(optimizers(ta), Halving()), lambda: s.LambdaLR(optimizers(ta), factor)):
        scheduler = make()
        make().load_state_dict(scheduler.state_dict())
    scheduler = s.LambdaLR(optimizers(ta), Halving(0.25))
    other = s.LambdaLR(optimizers(ta), Halving(0.5))
    other.load_state_dict(scheduler.state_dict())
    assert other.lr_lambdas[0].base == 0.25
