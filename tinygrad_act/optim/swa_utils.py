"""Averages of weights: of all since some epoch (SWA, arXiv:1803.05407), or exponential ones (EMA)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..backend import namespaces
from ..backend.namespace import Namespace
from ..backend.several import Change, Columns
from ..changes import changes
from ..errors import ArgumentError
from ..grad_mode import no_grad
from ..graph import watchers
from ..nn.module import Module
from ..tensor import Tensor
from .lr_scheduler.base import LRScheduler, for_each_group, need
from .optimizer import Optimizer
from .runs import same

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
           "update_bn"]

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The exponential average for `AveragedModel`'s avg_fn: decay times the old one and 1 - decay times the new value.

    >>> ta.optim.swa_utils.get_ema_avg_fn(0.75)(ta.tensor(1.0), ta.tensor(5.0), 1)
    tensor(2.)
    """
    need(0 <= decay <= 1, "get_ema_avg_fn", "decay", decay, "it is from 0 to 1")
    return no_grad()(lambda averaged, current, count: decay * averaged + (1 - decay) * current)


def get_swa_avg_fn() -> Average:
    """The mean of all values so far, for `AveragedModel`'s avg_fn, which has it by default.

    >>> ta.optim.swa_utils.get_swa_avg_fn()(ta.tensor(1.0), ta.tensor(4.0), 2)
    tensor(2.)
    """
    return no_grad()(lambda averaged, current, count: averaged + (current - averaged) / (count + 1))


class _Averages:
    """For lists of tensors at a time: new values come in by `weight`, of the count. `alone` says it of one tensor."""

    def __init__(self, weight: Callable[[int], float], alone: Average) -> None:
        self.weight, self.alone = weight, alone

    @no_grad()
    def __call__(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Any) -> None:
        for a, b in zip(averaged, current, strict=True):
            a.copy_(self.alone(a, b, count))


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """As get_ema_avg_fn, in place and for a list of tensors at a time: `AveragedModel`'s multi_avg_fn.

    >>> averaged = [ta.tensor(1.0)]
    >>> ta.optim.swa_utils.get_ema_multi_avg_fn(0.75)(averaged, [ta.tensor(5.0)], 1); averaged
    [tensor(2.)]
    """
    need(0 <= decay <= 1, "get_ema_multi_avg_fn", "decay", decay, "it is from 0 to 1")
    return _Averages(lambda count: 1 - decay, lambda a, b, count: a.lerp(b, 1 - decay) if dtypes.is_floating(a.dtype) else a * decay + b * (1 - decay))


def get_swa_multi_avg_fn() -> Averages:
    """As get_swa_avg_fn, in place and for a list of tensors at a time: `AveragedModel`'s multi_avg_fn.

    >>> averaged = [ta.tensor(1.0)]
    >>> ta.optim.swa_utils.get_swa_multi_avg_fn()(averaged, [ta.tensor(4.0)], 2); averaged
    [tensor(2.)]
    """
    return _Averages(lambda count: 1 / (count + 1), get_swa_avg_fn())


def _towards(F: Any, averaged: Any, current: Any, *, weight: float) -> Any:
    return (averaged + weight * (current - averaged),)


def _short_of(F: Any, averaged: Any, current: Any, *, rest: float) -> Any:
    return (current - (current - averaged) * rest,)


def _change(weight: float) -> Change:
    """`lerp` as a change of many arrays by one rule: the new values are in column 0, the averages in 1."""
    rule, setting = (_towards, {"weight": weight}) if weight < 0.5 else (_short_of, {"rest": 1 - weight})
    return rule, (1,), (1, 0), setting


class _Together:
    """Tensors that are averaged by one rule, as an optimizer moves parameters (runs.py)."""

    def __init__(self) -> None:
        self.columns: dict[Any, tuple[list[Any], Columns, list[Any]]] = {}      # library and dtype -> averages, their columns and entries

    def __reduce__(self) -> Any:                             # a copy has arrays of its own
        return _Together, ()

    def move(self, pairs: Sequence[tuple[Tensor, Tensor]], weight: float) -> list[tuple[Tensor, Tensor]]:
        """Take new values into the averages; returns what is to be done in another way, where no rule of arrays holds."""
        kinds: dict[Any, tuple[list[Any], list[Any]]] = {}
        rest = []
        for a, b in pairs:
            x, new = a.array, b.array
            if watchers or a.inference or not (_fits(x, new) and isinstance(namespaces[type(x)], Namespace)):      # ta.compile has another
                rest.append((a, b))
                continue
            averaged, current = kinds.setdefault((type(x), x.dtype.char), ([], []))
            averaged.append(x)
            current.append(new)
        change = _change(weight)
        for kind, (averaged, current) in kinds.items():
            known = self.columns.get(kind)
            if known is None or not same(averaged, known[0]):
                F, rows = namespaces[kind[0]], [(x,) for x in averaged]
                known = self.columns[kind] = averaged, F.columns(rows) or Columns(F, rows), [changes.entry(x) for x in averaged]
            known[1].change(current, change)
            changes.mark_entries(known[2], "update_parameters")
        return rest


def _fits(x: Any, new: Any) -> bool:
    """May the array `new` come into x by plain arithmetic?"""
    flags, dtype = x.flags, x.dtype
    return (type(x) is type(new) and dtype == new.dtype and dtype.char in "fd" and x.shape == new.shape and flags.c_contiguous
            and getattr(flags, "writeable", True) and getattr(x, "device", None) == getattr(new, "device", None))


_MEAN = get_swa_multi_avg_fn()


def _pairs(kind: str, averaged: Module, model: Module) -> list[tuple[Tensor, Tensor]]:
    """The parameters, or buffers, of two models that are alike."""
    ours, theirs = (list(getattr(m, kind)()) for m in (averaged, model))
    if [t.shape for t in ours] != [t.shape for t in theirs]:
        raise ArgumentError("update_parameters", f"a model with {len(theirs)} {kind}, for an average of one with {len(ours)}",
                            "they are not those that are averaged: their numbers or shapes differ", "pass the model it was made of")
    return list(zip(ours, theirs, strict=True))


class AveragedModel(Module):
    """A copy of a model with the average of its parameters: call update_parameters after each step or epoch.

    avg_fn(averaged, current, count) says how, or multi_avg_fn for lists of tensors at a time; by default the mean of all. Buffers are
    copied, or with use_buffers averaged as well. Afterwards `update_bn` measures the statistics of batch normalisations anew.

    >>> model = ta.nn.Linear(1, 1, bias=False)
    >>> ema = ta.optim.swa_utils.AveragedModel(model, multi_avg_fn=ta.optim.swa_utils.get_ema_multi_avg_fn(0.75))
    >>> for value in (1.0, 5.0):
    ...     _ = ta.nn.init.constant_(model.weight, value); ema.update_parameters(model)
    >>> ema.module.weight.item(), ema(ta.ones(1)).item()
    (2.0, 2.0)
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Any = None, avg_fn: Average | None = None, multi_avg_fn: Averages | None = None,
                 use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel", "avg_fn and multi_avg_fn", "they are two ways to say one thing", "pass one")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        where = next((p.device for p in self.module.parameters()), None)         # with them, for averages are made from it
        self.register_buffer("n_averaged", ops.tensor(0, dtype=dtypes.int64, device=where))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers
        self._last: tuple[Any, int, int] = (None, 0, 0)      # the count's array after the last update, its version, and the count
        self._together = _Together()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged module makes of its inputs."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model` into the average."""
        buffers = _pairs("buffers", self.module, model)
        pairs = [*_pairs("parameters", self.module, model), *(buffers if self.use_buffers else ())]
        count = self._count()
        if count > 0:
            self._average(pairs, count)
        for a, b in () if count > 0 else pairs:
            a.copy_(b.detach().to(a.device))
        for buffer, new in () if self.use_buffers else buffers:
            buffer.copy_(new.to(buffer.device))
        n = self.n_averaged
        array = n.array
        if watchers or n.inference:
            n += 1
        else:                                                # the same for a tenth of the time
            array += 1
            changes.mark(array, "update_parameters")
        self._last = (array, changes.version(array), count + 1)

    def _count(self) -> int:
        """Of how many the average is. The count is read, which on a GPU is a wait, only if somebody else may have changed it."""
        array, version, count = self._last
        mine = array is self.n_averaged.array and version == changes.version(array)
        return count if mine else int(self.n_averaged.item())

    def _average(self, pairs: Sequence[tuple[Tensor, Tensor]], count: int) -> None:
        averages = self.multi_avg_fn or (_MEAN if self.avg_fn is None else None)
        if isinstance(averages, _Averages):
            pairs = self._together.move(pairs, averages.weight(count))
        alike: dict[Any, list[tuple[Tensor, Tensor]]] = {}
        for a, b in [(a.detach(), b.detach().to(a.device)) for a, b in pairs]:
            if averages is None:
                a.copy_(self.avg_fn(a, b, self.n_averaged.to(a.device)))      # type: ignore[misc]
            else:
                alike.setdefault((a.device, a.dtype), []).append((a, b))
        for (device, _), those in alike.items():
            averages([a for a, _ in those], [b for _, b in those], self.n_averaged.to(device))        # type: ignore[misc]


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Measure the running statistics of all batch normalisations of `model` anew: their means over the batches of `loader`.

    A batch is an input, or a sequence with the input first. Without batch normalisation nothing happens.

    >>> ta.optim.swa_utils.update_bn([ta.ones(2, 3)], ta.nn.Linear(3, 3))
    """
    found: dict[Any, Any] = {m: m.momentum for m in model.modules() if any(c.__name__ == "_BatchNorm" for c in type(m).__mro__)}
    if not found:
        return
    before = model.training
    model.train()
    for m in found:
        m.reset_running_stats()
        m.momentum = None                                    # the mean over all batches
    try:
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    finally:
        for m, momentum in found.items():
            m.momentum = momentum
        model.train(before)


class SWALR(LRScheduler):
    """From each group's rate to swa_lr, in anneal_epochs epochs along a cosine or a line, and on at swa_lr.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ta.optim.swa_utils.SWALR(optimizer, swa_lr=0.25, anneal_epochs=2, anneal_strategy="linear")
    >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
    [0.375]
    """

    _not_saved = ("optimizer", "anneal_func")

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10, anneal_strategy: str = "cos",
                 last_epoch: int = -1) -> None:
        for lr, group in zip(for_each_group("swa_lr", optimizer, swa_lr, "SWALR"), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        need(anneal_strategy in ("cos", "linear"), "SWALR", "anneal_strategy", anneal_strategy, 'it is "cos" or "linear"')
        need(isinstance(anneal_epochs, int) and anneal_epochs >= 0, "SWALR", "anneal_epochs", anneal_epochs, "it is an int of at least 0")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """How far the rate has come, from 0 to 1, in the share t of the epochs."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        self._asked()
        step = max(1, self._step_count - 1) if self.anneal_epochs == 0 else self._step_count - 1
        before, now = (self.anneal_func(max(0, min(1, s / max(1, self.anneal_epochs)))) for s in (step - 1, step))
        lrs = []
        for group in self.optimizer.param_groups:
            swa = group["swa_lr"]
            start = swa if before == 1 else (group["lr"] - before * swa) / (1 - before)     # the rate it came from
            lrs.append(swa * now + start * (1 - now))
        return lrs

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({k: v for k, v in state_dict.items() if k not in self._not_saved})
