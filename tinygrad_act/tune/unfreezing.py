"""Gradual unfreezing: the head learns first, then one block more at a time, from the last to the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..nn import Module
from ..train.callback import Callback
from . import select
from .freezing import Changed, freeze, unfreeze

if TYPE_CHECKING:
    from ..train.loop import Run


class GradualUnfreezing(Callback):
    """Freeze all but the last layer, then free one layer more each time, from the head down (Howard and Ruder 2018).

    As a callback of `fit` it does so every so many epochs or steps; a loop of your own calls `step()`. The optimizer must have
    all parameters from the start: `parameter_groups(model, lr, frozen=True)`; what has no gradient is not moved.

    Args:
        every, unit: free a layer each `every` "epoch"s or "step"s.
        start: how many layers learn at first, counted from the head.
        norms: as for `freeze`.

    >>> model = ta.nn.Sequential(ta.nn.Linear(2, 4), ta.nn.Tanh(), ta.nn.Linear(4, 4), ta.nn.Tanh(), ta.nn.Linear(4, 1))
    >>> gradual = ta.tune.GradualUnfreezing(model)
    >>> [name for name, p in model.named_parameters() if p.requires_grad]
    ['4.weight', '4.bias']
    >>> gradual.step()
    ['2.weight', '2.bias']
    """

    def __init__(self, model: Module, *, every: int = 1, unit: str = "epoch", start: int = 1, norms: str = "eval") -> None:
        if every < 1 or unit not in ("epoch", "step"):
            raise ArgumentError("GradualUnfreezing", f"every={every}, unit={unit!r}", 'it is a number of "epoch"s or "step"s, from 1 up')
        self.model, self.every, self.unit = model, every, unit
        self.names = [list(own) for _, own in select.layers(model)]
        if not 1 <= start <= len(self.names):
            raise ArgumentError("GradualUnfreezing", f"start={start}", f"{type(model).__name__} has {len(self.names)} layers")
        self.free, self.norms = start, norms
        self._arrange()

    def _arrange(self) -> None:
        """Free what is to be free, freeze the rest."""
        own = dict(self.model.named_parameters())
        free = [own[n] for names in self.names[len(self.names) - self.free:] for n in names]
        rest = [own[n] for names in self.names[:len(self.names) - self.free] for n in names]
        if free:
            unfreeze(self.model, *free)
        if rest:
            freeze(self.model, *rest, norms=self.norms)

    @property
    def done(self) -> bool:
        """Does everything learn?"""
        return self.free == len(self.names)

    def step(self) -> Changed:
        """Free one layer more; at the end this does nothing. Returns the names of what was freed."""
        if self.done:
            return Changed("unfrozen", {}, [])
        self.free += 1
        own = dict(self.model.named_parameters())
        return unfreeze(self.model, *[own[n] for n in self.names[len(self.names) - self.free]])

    def on_start(self, run: Run) -> None:
        """See that the optimizer has what is to be freed."""
        held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
        own = dict(self.model.named_parameters())
        missing = [n for names in self.names for n in names if id(own[n]) not in held]
        if missing:
            raise ArgumentError("GradualUnfreezing", f"{missing[0]} and {len(missing) - 1} more" if missing[1:] else missing[0],
                                "the optimizer does not have it, so it would never move",
                                "make the optimizer of all parameters: ta.tune.parameter_groups(model, lr, frozen=True)")

    def on_epoch(self, run: Run) -> None:
        """Free a layer, if it is time."""
        if self.unit == "epoch" and run.epoch % self.every == 0:
            self.step()

    def on_step(self, run: Run) -> None:
        """Free a layer, if it is time."""
        if self.unit == "step" and run.step % self.every == 0:
            self.step()

    def state_dict(self) -> dict[str, Any]:
        """How many layers learn."""
        return {"free": self.free}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.free = state["free"]
        self._arrange()
