"""Rates that fall (or follow a function) from one epoch to the next."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import ArgumentError
from ..optimizer import Optimizer
from .base import LRScheduler, an_optimizer, held, need, rates

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """The first rate times lr_lambda(epoch): one function, or one for each group.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    _not_saved = ("optimizer", "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1) -> None:
        name, count = type(self).__name__, len(an_optimizer(optimizer, type(self).__name__).param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ArgumentError(name, f"{len(self.lr_lambdas)} functions", f"the optimizer has {count} groups, and each needs one")
        for f in self.lr_lambdas:
            need(callable(f), name, "lr_lambda", f, "it is a function of the epoch")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lr_lambdas": [held(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for f, inside in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            vars(f).update(inside or {})

    def get_lr(self) -> list[Any]:
        self._asked()
        return [lr * f(self.last_epoch) for lr, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(LambdaLR):
    """The rate times lr_lambda(epoch) at each step: the factors add up to their product.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> optimizer.step(); scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.125]
    """

    def get_lr(self) -> list[Any]:
        self._asked()
        now = rates(self.optimizer)
        return now if self._is_initial else [lr * f(self.last_epoch) for lr, f in zip(now, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """The rate times gamma every step_size epochs.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.StepLR(optimizer, step_size=2)
    >>> optimizer.step(); scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.05]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        need(isinstance(step_size, (int, float)) and step_size > 0, "StepLR", "step_size", step_size, "it is a number of epochs")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now = rates(self.optimizer)
        return now if self.last_epoch == 0 or self.last_epoch % self.step_size else [lr * self.gamma for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """The rate times gamma at each of the milestones (epochs; one that is in the list twice counts twice).

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.MultiStepLR(optimizer, [1, 5])
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.05]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now, times = rates(self.optimizer), self.milestones[self.last_epoch]
        return [lr * self.gamma ** times for lr in now] if times else now

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma ** passed for lr in self.base_lrs]


class ConstantLR(LRScheduler):
    """factor times the rate for the first total_iters epochs.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> ta.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5).get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        need(0 <= factor <= 1, "ConstantLR", "factor", factor, "it is from 0 to 1")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now = rates(self.optimizer)
        if self.last_epoch == 0:
            return [lr * self.factor for lr in now]
        return now if self.last_epoch != self.total_iters else [lr * (1 / self.factor) for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)) for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """The factor of the rate goes from start_factor to end_factor in a line over total_iters epochs: the usual warm-up.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.375]
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        need(0 < start_factor <= 1, "LinearLR", "start_factor", start_factor, "it is above 0 and at most 1")
        need(0 <= end_factor <= 1, "LinearLR", "end_factor", end_factor, "it is from 0 to 1")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now, climb = rates(self.optimizer), self.end_factor - self.start_factor
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in now]
        if self._is_initial or self.last_epoch > self.total_iters:
            return now
        return [lr * (1 + climb / (self.total_iters * self.start_factor + (self.last_epoch - 1) * climb)) for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * (self.start_factor + (self.end_factor - self.start_factor) * done) for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """The rate times gamma at each epoch.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now = rates(self.optimizer)
        return now if self._is_initial else [lr * self.gamma for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma ** self.last_epoch for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    """The rate times (1 - epoch / total_iters) ** power, down to 0 at total_iters.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        need(isinstance(total_iters, (int, float)) and total_iters > 0, "PolynomialLR", "total_iters", total_iters,
             "it is a number of epochs")
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now, n = rates(self.optimizer), self.total_iters
        if self._is_initial or self.last_epoch > n:
            return now
        factor = ((1 - self.last_epoch / n) / (1 - (self.last_epoch - 1) / n)) ** self.power
        return [lr * factor for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        left = 1 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * left ** self.power for lr in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the rate down to eta_min in T_max epochs, and up again after (arXiv:1608.03983).

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        need(isinstance(T_max, (int, float)) and T_max > 0, "CosineAnnealingLR", "T_max", T_max, "it is a number of epochs")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._asked()
        now, at, least = rates(self.optimizer), math.pi / self.T_max, self.eta_min
        if self._is_initial:
            return now
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:               # at the lowest point the ratio is 0 / 0
            return [lr + (base - least) * (1 - math.cos(at)) / 2 for lr, base in zip(now, self.base_lrs, strict=True)]
        ratio = (1 + math.cos(at * self.last_epoch)) / (1 + math.cos(at * (self.last_epoch - 1)))
        return [ratio * (lr - least) + least for lr in now]

    def _get_closed_form_lr(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (lr - self.eta_min) * height for lr in self.base_lrs]
