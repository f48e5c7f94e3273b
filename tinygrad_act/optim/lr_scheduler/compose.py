"""Schedulers of schedulers, and the one that looks at the loss."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ArgumentError
from ..optimizer import Optimizer
from .base import EPOCH_WARNING, LRScheduler, an_optimizer, need, put, rates


class ReduceLROnPlateau(LRScheduler):
    """The rate times factor, when `step(metric)` has seen no improvement for more than `patience` epochs.

    An improvement is less (mode "max": more) than the best by the share `threshold`, or with threshold_mode="abs" by that amount.
    After a cut, `cooldown` epochs do not count. No rate falls below min_lr, or by less than eps.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (1.0, 2.0, 3.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.05]
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
                 threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0, min_lr: float | list[float] = 0,
                 eps: float = 1e-8) -> None:
        name = "ReduceLROnPlateau"
        need(factor < 1, name, "factor", factor, "it is below 1")
        need(mode in ("min", "max"), name, "mode", mode, 'it is "min" or "max"')
        need(threshold_mode in ("rel", "abs"), name, "threshold_mode", threshold_mode, 'it is "rel" or "abs"')
        self.optimizer, count = an_optimizer(optimizer, name), len(optimizer.param_groups)
        several = isinstance(min_lr, (list, tuple))
        self.default_min_lr = None if several else min_lr
        self.min_lrs: list[Any] = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        need(len(self.min_lrs) == count, name, "min_lr", min_lr, f"it has one value for each of the {count} groups")
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch, self._last_lr = 0, rates(optimizer)
        self._reset()

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:           # type: ignore[override]
        """Count an epoch whose metric (a number, or a tensor of one) was this."""
        current = float(metrics)
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self.num_bad_epochs += 1
        if self._is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = rates(self.optimizer)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            need(self.default_min_lr is not None, "ReduceLROnPlateau", "min_lrs", self.min_lrs,
                 f"the optimizer has got {len(groups)} groups since: add their rates to min_lrs")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            before = float(group["lr"])
            after = max(before * self.factor, least)
            if before - after > self.eps:
                put(group, "lr", after)

    @property
    def in_cooldown(self) -> bool:
        """Do epochs not count just now?"""
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        edge = best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return a < edge if self.mode == "min" else a > edge


class _Composed(LRScheduler):
    """Several schedulers, which are saved with it."""

    _not_saved = ("optimizer", "_schedulers")
    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> Optimizer:
        name = type(self).__name__
        if not schedulers:
            raise ArgumentError(name, "no schedulers", "it composes at least one")
        for s in schedulers:
            if not isinstance(s, LRScheduler):
                raise ArgumentError(name, type(s).__name__, "it composes schedulers")
            if isinstance(s, ReduceLROnPlateau):
                raise ArgumentError(name, "ReduceLROnPlateau", "its step wants the loss, which none of the others does", "step it beside this one")
        first = schedulers[0].optimizer if optimizer is None else an_optimizer(optimizer, name)
        if any(s.optimizer is not first for s in schedulers):
            raise ArgumentError(name, "schedulers of several optimizers", "all must work on the same one")
        return first

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for s, saved in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            s.load_state_dict(saved)


class SequentialLR(_Composed):
    """One scheduler after another, each from its milestone on (an epoch), as if its own count began there.

    The usual warm-up and cosine:

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> warm = ta.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> cosine = ta.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler = ta.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[2])
    >>> for epoch in range(5):
    ...     print(epoch, scheduler.get_last_lr()); optimizer.step(); scheduler.step()
    0 [0.25]
    1 [0.375]
    2 [0.5]
    3 [0.25]
    4 [0.0]
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1) -> None:
        self.optimizer = self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError("SequentialLR", f"{len(schedulers)} schedulers and {len(milestones)} milestones",
                                "there is a milestone between each two schedulers")
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:                        # undo the first steps that the schedulers made
            put(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Take one step off the count of every scheduler in it."""
        of = self if sched is None else sched
        if isinstance(of, _Composed):
            for s in of._schedulers:
                self.recursive_undo(s)
        else:
            of.last_epoch -= 1

    def step(self) -> None:                                           # type: ignore[override]
        """Set the rates for the next epoch."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        now = self._schedulers[i]
        if i and self._milestones[i - 1] == self.last_epoch:
            now._update_lr(0)
        else:
            now.step()
        self._last_lr = now.get_last_lr()

    def _update_lr(self, epoch: int | None = None) -> None:
        """Within another SequentialLR: go to that epoch."""
        if epoch is None:
            self.step()
            return
        self.last_epoch = epoch
        i = bisect_right(self._milestones, epoch)
        self._schedulers[i]._update_lr(epoch - (self._milestones[i - 1] if i else 0))
        self._last_lr = self._schedulers[i].get_last_lr()


class ChainedScheduler(_Composed):
    """All of them at each step, one after the other, so that their factors multiply.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> parts = [ta.optim.lr_scheduler.ExponentialLR(optimizer, 0.5), ta.optim.lr_scheduler.StepLR(optimizer, 2)]
    >>> scheduler = ta.optim.lr_scheduler.ChainedScheduler(parts)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.optimizer = self._check(schedulers, optimizer)
        self._schedulers = schedulers
        self._last_lr = rates(self.optimizer)

    def step(self) -> None:                                           # type: ignore[override]
        """Set the rates for the next epoch."""
        for s in self._schedulers:
            s.step()
        self._last_lr = rates(self.optimizer)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Within a SequentialLR: go to that epoch."""
        for s in self._schedulers:
            s._update_lr(epoch)
        self._last_lr = rates(self.optimizer)
