"""Changing: what the step of an optimizer or a scheduler, called at each replay as it is, may change of what the recorded step has looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..optim.lr_scheduler.base import LRScheduler
from ..optim.optimizer import Optimizer
from .surroundings import CONTAINERS, fixed

RATES = {"param_groups", "defaults"}


def narrow(owner: Any, step: Any) -> bool:
    """Is it an optimizer's own step, with nothing of the user's in it? That changes tensors and the optimizer's state, and no rates."""
    hooks = owner._step_pre or owner._step_post if isinstance(owner, Optimizer) else True  # type: ignore[attr-defined]
    return not hooks and fixed(step) and fixed(type(owner))


def may_change(changer: Any, step: Any, owner: Any, name: str) -> bool:
    """Could `changer.step()` change that attribute of an optimizer or a scheduler?"""
    return not narrow(changer, step) or (owner is changer and name not in RATES)


def changeable(changer: Any, step: Any) -> Iterator[Any]:
    """The containers that `changer.step()` may put something else in."""
    leave_out = RATES if narrow(changer, step) else set()
    seen: dict[int, Any] = {}
    stack: list[Any] = [vars(changer), *[v for k, v in vars(changer).items() if k not in leave_out]]
    while stack:
        x = stack.pop()
        if id(x) in seen:
            continue
        seen[id(x)] = x
        if isinstance(x, (Optimizer, LRScheduler)):
            stack += [vars(x), *vars(x).values()]
        elif isinstance(x, CONTAINERS):
            yield x
        if x is not vars(changer) and isinstance(x, (*CONTAINERS, tuple)):
            stack += x.values() if hasattr(x, "values") else x
