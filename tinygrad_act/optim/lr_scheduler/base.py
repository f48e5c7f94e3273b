"""LRScheduler: what sets the learning rate of each group as training goes on."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import ArgumentError, MissingKeyError
from ...tensor import Tensor
from ..optimizer import Optimizer

EPOCH_WARNING = ("the epoch of scheduler.step(epoch) is deprecated, as in PyTorch: call step() once for each. The closed form "
                 "is used instead, where there is one")


class LRScheduler:
    """The base of the schedulers: `step()` after the optimizer's, once for each epoch (or batch: what is counted is up to you).

    A subclass says in `get_lr` what the rates are now, from `last_epoch` (how often step was called), `base_lrs` (the rates at the
    start) and the groups. `last_epoch` other than -1 goes on from there: the groups must have "initial_lr", which is in the
    optimizer's state_dict. Rates that are Tensors are changed in place.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.8)
    >>> class Halved(ta.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / 2 ** self.last_epoch for lr in self.base_lrs]
    >>> scheduler = Halved(optimizer)
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.4]

    Raises:
        ArgumentError: what is no optimizer, a list that has not one value for each group, a setting out of its range.
    """

    _get_lr_called_within_step = False
    _is_initial = False
    _not_saved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = an_optimizer(optimizer, type(self).__name__)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise MissingKeyError(type(self).__name__, f"last_epoch={last_epoch}",
                                      f'group {i} has no "initial_lr", from which the schedule goes on',
                                      "load the optimizer's state_dict first, or start with last_epoch=-1")
        self.base_lrs: list[Any] = rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[Any]:
        """The rate of each group, as last set."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`: what a subclass defines and step asks for."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr(): define it")

    def step(self, epoch: int | None = None) -> None:
        """Set the rates for the next epoch."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            warnings.warn("lr_scheduler.step() was called before optimizer.step(), which skips the first rate of the schedule: "
                          "call optimizer.step() first", UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self._rates() if epoch is None else getattr(self, "_get_closed_form_lr", self._rates)())

    def _rates(self) -> list[Any]:
        """What get_lr says, asked from within step."""
        self._get_lr_called_within_step = True
        try:
            return self.get_lr()
        finally:
            self._get_lr_called_within_step = False

    def _set(self, values: Sequence[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            put(group, "lr", lr)
        self._last_lr = rates(self.optimizer)

    def _asked(self) -> None:
        """Warn who calls get_lr: between two steps it would say what the rate after the next one is."""
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() is for step(): the rates as last set are get_last_lr()", UserWarning, stacklevel=3)

    # -------------------------------------------------------------------------------------------- saving
    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer, and functions: of one that is an object, what it holds."""
        return {k: v for k, v in self.__dict__.items() if k not in self._not_saved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where state_dict was called."""
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(f"{type(self).__name__}.load_state_dict", type(state_dict).__name__,
                                "it takes what state_dict() returned")
        self.__dict__.update(state_dict)


def an_optimizer(optimizer: Any, name: str) -> Optimizer:
    """The optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(name, type(optimizer).__name__, "a scheduler works on an optimizer",
                            "pass the optimizer first: StepLR(optimizer, ...)")
    return optimizer


def copied(value: Any) -> Any:
    """The rate; a copy if it is a Tensor, which is changed in place."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def rates(optimizer: Optimizer, key: str = "lr") -> list[Any]:
    """That option of each group."""
    return [copied(group[key]) for group in optimizer.param_groups]


def put(group: dict[str, Any], key: str, value: Any) -> None:
    """Set an option; one that is a Tensor in place."""
    if isinstance(group[key], Tensor):
        group[key].fill_(float(value))
    else:
        group[key] = value


def for_each_group(name: str, optimizer: Optimizer, value: Any, of: str) -> list[Any]:
    """One value for each group: the list that was given, or the one value over and over."""
    count = len(an_optimizer(optimizer, of).param_groups)
    if not isinstance(value, (list, tuple)):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise ArgumentError(of, f"{name} of {len(value)} values", f"the optimizer has {count} groups, and each needs one")
    return list(map(copied, value))


def need(fits: bool, of: str, name: str, value: Any, says: str) -> None:
    """Raise ArgumentError unless a setting fits."""
    if not fits:
        raise ArgumentError(of, f"{name}={value!r}", says)


def held(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """What is saved of a function: nothing, or what an object that can be called holds."""
    return None if function is None or isinstance(function, types.FunctionType) else dict(getattr(function, "__dict__", {}))
