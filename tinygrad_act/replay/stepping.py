"""Stepping: an optimizer's step in a replay, with one look in the place of the questions that a step asks each time."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

from ..changes import changes
from ..optim.optimizer import Optimizer
from ..optim.options import NO_EFFECT, PLAIN
from ..optim.runs import same
from ..tensor import Tensor
from .recording import AsItIs

_grad = attrgetter("_grad")


class Stepping:
    """`optimizer.step()`, called with the arrays of the gradients that the replay has just given to `params`, its other parameters having none.

    A step finds out which parameters move and whether their arrays and state are where they were. If all that it would look at are the
    very objects of the step before, it comes to the same `moves`, and they are made at once. Otherwise it is called as it is.
    """

    def __init__(self, step: AsItIs, params: Sequence[Tensor], others: Sequence[Tensor]) -> None:
        self.step, self.optimizer, self.params, self.others = step, step.owner, list(params), list(others)
        self.__name__ = step.__name__
        self.names = [k for k in self.optimizer.defaults if k not in NO_EFFECT]
        self.known: list[Any] = []               # what there was to look at after the last step; empty: that does not say all
        self.said: list[Any] = []                # of the options likewise,
        self.heard: list[Any] = []               # and of those that are being moved by
        self.options: list[dict[str, Any]] = []  # of each group
        self.again = False                       # are they as they were?
        self.moves: list[Any] = []               # (run, its group's number, what takes its gradients from all, None if they are all)

    def __call__(self, *gradients: Any) -> None:
        numbers = [run.read() for run, _, _ in self.moves] if self.current() else [None]
        if None in numbers:
            self.step()
            self.note()
            return
        self.optimizer._opt_called = True
        for (run, group, own), read in zip(self.moves, numbers, strict=True):
            mine = gradients if own is None else own(gradients)
            if self.again and not read and run.answer is not None:
                run.move_again(mine)
            else:
                run.move(read, self.options[group], mine)
            changes.mark_entries(run.entries, type(self.optimizer).__name__)
        self.said = self.heard

    def current(self) -> bool:
        """Is all of it the same, but for the options, which are read again if they are not?"""
        try:
            found, options = self.look()
            if not self.known or not same(found, self.known):
                return False
            self.again = same(options, self.said)
            if not self.again:
                self.read(options)
            return True
        except Exception:                        # somebody has put there what is none of it: the step will say so
            return False

    def look(self) -> tuple[list[Any], list[Any]]:
        """The objects that a step looks at, and the options."""
        optimizer, names = self.optimizer, self.names
        options: list[Any] = []
        found = [optimizer.state, optimizer._refuses, *optimizer._step_pre, *optimizer._step_post, *map(_grad, self.others), *optimizer._runs.values()]
        for group in optimizer.param_groups:
            found += (group, group.get("foreach"), *group["params"])
            options += map(group.__getitem__, names)
        for run, _, _ in self.moves:
            found += run.look()
        return found, options

    def read(self, options: list[Any]) -> None:
        """Take over the options. One that can change and remain the same object is read each time."""
        self.said = []                           # until all have moved by them
        self.options = [*map(self.optimizer.options, self.optimizer.param_groups)]
        self.heard = options if all(map(_fixed, options)) else []

    def note(self) -> None:
        """Remember what the step has come to, if that follows from what `look` sees."""
        optimizer, places = self.optimizer, {id(p): i for i, p in enumerate(self.params)}
        self.known, self.moves = [], []
        if optimizer._step_pre or optimizer._step_post or any(p._grad is not None for p in self.others):
            return
        for i in range(len(optimizer.param_groups)):
            for run in optimizer._runs[i][2]:
                order = [places.get(id(p)) for p in run.params]
                if run.columns is None or None in order or not run.current():
                    return
                self.moves.append((run, i, None if order == [*range(len(places))] else _taking(order)))
        self.known, options = self.look()
        self.read(options)
        self.said = self.heard


def _fixed(value: Any) -> bool:
    return type(value) in PLAIN or (type(value) is tuple and all(map(_fixed, value)))


def _taking(places: Sequence[Any]) -> Any:
    return itemgetter(*places) if len(places) > 1 else lambda gradients: (gradients[places[0]],)


def possible(function: Any) -> bool:
    """Is it the step that every optimizer has, unless its class has another?"""
    cls = type(function.owner)
    return isinstance(function.owner, Optimizer) and function.step is Optimizer.__dict__["step"] and all(
        getattr(cls, name) is getattr(Optimizer, name) for name in ("_move", "options"))
