"""Rates that rise and fall: cycles, one cycle, a cosine that starts again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ArgumentError
from ..optimizer import Optimizer
from .base import LRScheduler, an_optimizer, for_each_group, held, need, put


def _momentum_option(optimizer: Optimizer, of: str) -> bool:
    """True if the momentum is the first of "betas", False if it is "momentum"."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ArgumentError(of, type(optimizer).__name__, "it has no momentum and no betas to cycle", "pass cycle_momentum=False")
    return "betas" in optimizer.defaults


def _set_momentum(group: dict[str, Any], value: float, betas: bool) -> None:
    group["betas" if betas else "momentum"] = (value, *group["betas"][1:]) if betas else value


class CyclicLR(LRScheduler):
    """Up from base_lr to max_lr in step_size_up steps, down in step_size_down, and again (arXiv:1506.01186).

    `mode` "triangular2" halves the height each cycle, "exp_range" shrinks it by gamma each step; scale_fn, of the number of the cycle or,
    with scale_mode="iterations", of the step, says it freely. The momentum (or betas[0]) goes the other way round, from max_momentum
    to base_momentum.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5, momentum=0.9)
    >>> scheduler = ta.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.25, max_lr=0.75, step_size_up=2)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, base_lr: float | list[float], max_lr: float | list[float], step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle", cycle_momentum: bool = True,
                 base_momentum: float | list[float] = 0.8, max_momentum: float | list[float] = 0.9, last_epoch: int = -1) -> None:
        base_lrs = for_each_group("base_lr", optimizer, base_lr, "CyclicLR")
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                put(group, "lr", lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr, "CyclicLR")
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        need(mode in ("triangular", "triangular2", "exp_range") or scale_fn is not None, "CyclicLR", "mode", mode,
             'it is "triangular", "triangular2" or "exp_range", or scale_fn says it')
        self.mode, self.gamma, self._scale_fn_custom, self.scale_mode = mode, gamma, scale_fn, scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = _momentum_option(optimizer, "CyclicLR")
            self.base_momentums = for_each_group("base_momentum", optimizer, base_momentum, "CyclicLR")
            self.max_momentums = for_each_group("max_momentum", optimizer, max_momentum, "CyclicLR")
            if last_epoch == -1:
                for most, least, group in zip(self.max_momentums, self.base_momentums, optimizer.param_groups, strict=True):
                    _set_momentum(group, most, self.use_beta1)
                    group |= {"max_momentum": most, "base_momentum": least}
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """How high the cycle x (or the step x) goes, as a share of max_lr - base_lr."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma ** x)
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1)

    def get_lr(self) -> list[Any]:
        self._asked()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for low, high, group in zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True):
                _set_momentum(group, high - (high - low) * share * scale, self.use_beta1)
        return [low + (high - low) * share * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_scale_fn_custom": held(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_scale_fn_custom"})
        if self._scale_fn_custom is not None:
            vars(self._scale_fn_custom).update(state_dict["_scale_fn_custom"] or {})


class OneCycleLR(LRScheduler):
    """One cycle: from max_lr / div_factor up to max_lr in the share pct_start of the steps, and down to the first rate / final_div_factor
    (arXiv:1708.07120). For each batch, not each epoch.

    The number of steps is total_steps, or epochs times steps_per_epoch. anneal_strategy is "cos" or "linear"; three_phase goes down as
    it went up before it goes to the end. The momentum (or betas[0]) goes from max_momentum to base_momentum and back.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> scheduler = ta.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> optimizer.step(); scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float | list[float] = 0.85,
                 max_momentum: float | list[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        an_optimizer(optimizer, "OneCycleLR")
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        need(isinstance(pct_start, float) and 0 <= pct_start <= 1, "OneCycleLR", "pct_start", pct_start, "it is a float from 0 to 1")
        need(anneal_strategy in ("cos", "linear"), "OneCycleLR", "anneal_strategy", anneal_strategy, 'it is "cos" or "linear"')
        turn, end = float(pct_start * self.total_steps) - 1, self.total_steps - 1
        up = (turn, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        rest = [(float(2 * pct_start * self.total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (end, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]] = [dict(zip(names, phase, strict=True)) for phase in (
            [up, *rest] if three_phase else [up, (end, "max_lr", "min_lr", "base_momentum", "max_momentum")])]
        self._anneal_func_type, self.cycle_momentum = anneal_strategy, cycle_momentum
        if cycle_momentum:
            self.use_beta1 = _momentum_option(optimizer, "OneCycleLR")
        if last_epoch == -1:
            lrs, highs, lows = (for_each_group(name, optimizer, value, "OneCycleLR") for name, value in (
                ("max_lr", max_lr), ("max_momentum", max_momentum), ("base_momentum", base_momentum)))
            for group, lr, high, low in zip(optimizer.param_groups, lrs, highs, lows, strict=True):
                group |= {"initial_lr": lr / div_factor, "max_lr": lr, "min_lr": lr / div_factor / final_div_factor}
                if cycle_momentum:
                    _set_momentum(group, high, self.use_beta1)
                    group |= {"max_momentum": high, "base_momentum": low}
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[Any]:
        self._asked()
        if self.last_epoch > self.total_steps:
            raise ArgumentError("OneCycleLR", f"step {self.last_epoch}", f"the cycle has {self.total_steps} steps",
                                "make it with as many as there are batches in all epochs")
        start = 0.0
        for phase in self._schedule_phases:
            end: float = phase["end_step"]
            if self.last_epoch <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        share, lrs = (self.last_epoch - start) / (end - start) if end > start else 1.0, []   # a phase of no steps is over
        for group in self.optimizer.param_groups:
            lrs.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                _set_momentum(group, self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], share), self.use_beta1)
        return lrs


def _count_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ArgumentError("OneCycleLR", "neither total_steps nor epochs and steps_per_epoch", "it must know how many steps there are")
    given = {"total_steps": total_steps} if total_steps is not None else {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        need(isinstance(value, int) and value > 0, "OneCycleLR", name, value, "it is a positive int")
    return math.prod(v for v in given.values() if v is not None)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to eta_min in T_0 epochs, then from the top again, each time T_mult times as long (arXiv:1608.03983).

    `step(epoch)` takes fractions too: step(epoch + batch / batches).

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        name = "CosineAnnealingWarmRestarts"
        need(isinstance(T_0, int) and T_0 > 0, name, "T_0", T_0, "it is a positive int")
        need(isinstance(T_mult, int) and T_mult >= 1, name, "T_mult", T_mult, "it is an int of at least 1")
        need(isinstance(eta_min, (int, float)), name, "eta_min", eta_min, "it is a number")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        height = math.pi * self.T_cur / self.T_i
        return [self.eta_min + (lr - self.eta_min) * (1 + math.cos(height)) / 2 for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the rates for the next epoch, or for this one."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            need(epoch >= 0, "CosineAnnealingWarmRestarts.step", "epoch", epoch, "it is at least 0")
            n = 0
            if epoch >= self.T_0 and self.T_mult > 1:
                n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            before = self.T_0 * (self.T_mult ** n - 1) / (self.T_mult - 1) if n else 0
            self.T_i = self.T_0 * self.T_mult ** n
            self.T_cur = epoch - before if self.T_mult > 1 else epoch % self.T_0
        self.last_epoch = math.floor(epoch)
        self._set(self._rates())
