"""Activation surgery: other activations in a trained network, at once or little by little, and how far that moves it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..activations import catalogue
from ..errors import ArgumentError
from ..nn import Module
from ..tensor import Tensor
from ..train.callback import Callback
from .drift import Drift, measure
from .graft import Graft, graft, grafted, ungraft
from .heads import HOOKS
from .sites import Site, find, make, name_of

if TYPE_CHECKING:
    from ..train.loop import Run

DONE = "_swaps"                    # where a model's root keeps its swaps, for restore


class Swap:
    """What `swap` did: `names` of the places, `drift` on the sample (None without one), `note` on how it starts.

    `restore()` puts back what stood there.
    """

    def __init__(self, old: str, new: str, sites: list[Site], note: str) -> None:
        self.old, self.new, self.sites, self.note = old, new, sites, note
        self.drift: Drift | None = None

    @property
    def names(self) -> list[str]:
        """The places, by name."""
        return [s.name for s in self.sites]

    def put(self) -> None:
        """Have the new activations stand there."""
        for site in self.sites:
            site.put(site.new)

    def restore(self) -> None:
        """Have the old ones stand there again."""
        for site in self.sites:
            site.put(site.old)

    def __str__(self) -> str:
        head = f"{self.old} -> {self.new} in {len(self.sites)} places: {', '.join(self.names)}"
        return "\n".join([head, *([self.note] if self.note else []), *([str(self.drift)] if self.drift else [])])

    __repr__ = __str__


def swap(model: Module, old: Any, new: Any, *, sample: Any = None, where: Any = None, **settings: Any) -> Swap:
    """Replace every activation `old` of `model` by `new`, and report how far that moves the outputs.

    Found are modules of the activation, and attributes that hold its function, such as `activation` of a
    TransformerEncoderLayer. A call written out in a forward, and what a fused layer computes inside (nn.RNN's tanh), is not;
    with a sample, the report says where such calls are left.

    Args:
        old: an activation by name ("relu"), class, module or function.
        new: likewise; or a module, which is copied, or a function that makes one.
        sample: a batch: a tensor, a tuple of arguments or a dict of named ones. The model is run on it in evaluation mode before
            and after.
        where: patterns of the places' names, globs or compiled regular expressions; by default all.
        settings: of the new activation. Without any, one that can starts as the same function: ReLU as PReLU of slope 0,
            LeakyReLU as PReLU, SiLU as Swish; where that is not to be had (ReLU as Swish), `note` says how near it starts.

    A module in several places stays one. Hooks are kept. What a new activation learns has the model's dtype and device; an
    optimizer must be made, or told of it, afterwards.

    Raises:
        ArgumentError: there is no such activation here; the message lists those there are.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.ReLU(), ta.nn.Linear(8, 2))
    >>> print(ta.tune.swap(model, "relu", "prelu", sample=ta.ones(1, 4)))
    relu -> prelu in 1 places: 1
    it starts as the same function
            max |difference|  relative    cosine  of its own
    output                 0         0  1.000000
    1                      0         0  1.000000           0
    >>> ta.tune.restore(model); model[1]
    ReLU()
    """
    done = _prepared(model, old, new, where, settings)
    if sample is None:
        done.put()
    else:
        done.drift = measure(model, sample, done.sites, done.put, catalogue[done.old].op.name)
    model.__dict__.setdefault(DONE, []).append(done)
    return done


def _prepared(model: Module, old: Any, new: Any, where: Any, settings: dict[str, Any]) -> Swap:
    """The places, each with its new module made."""
    sites = find(model, old, where)
    name = name_of(old)
    assert name is not None
    note = ""
    for site in sites:
        owner = site.owners[0][0]
        like = next(owner.parameters(), None)
        like = next(model.parameters(), None) if like is None else like
        site.new, note = make(new, name, site.old, like, settings)
        site.new.train(site.old.training if isinstance(site.old, Module) else model.training)
        if isinstance(site.old, Module):
            site.new.__dict__.update({k: site.old.__dict__[k] for k in HOOKS})
    return Swap(name, name_of(new) or type(sites[0].new).__name__, sites, note)


def restore(model: Module) -> None:
    """Undo the last swap of `model`; called again, the one before.

    Raises: ArgumentError if there is none.
    """
    if not model.__dict__.get(DONE):
        raise ArgumentError("restore", f"a {type(model).__name__}", "nothing was swapped in it")
    model.__dict__[DONE].pop().restore()


# -------------------------------------------------------------------------------------------------------- annealing
class Annealed(Graft):
    """An activation on its way in: (1 - t) · the former one + t · this one. At t = 0 and 1 only one of them is computed."""

    label = "Annealed"

    def forward(self, input: Tensor) -> Tensor:
        """The mixture."""
        t: float = self.__dict__["annealed_t"]
        former = self._modules["former"] if "former" in self._modules else self.__dict__["annealed_from"]
        if isinstance(former, Module):
            former.training = self.training
        if t <= 0:
            return former(input)  # type: ignore[no-any-return, misc]
        new: Tensor = super().forward(input)
        return new if t >= 1 else (1 - t) * former(input) + t * new  # type: ignore[misc]

    def extra_repr(self) -> str:
        more = f"t={self.__dict__['annealed_t']:g}"
        return f"{super().extra_repr()}, {more}".removeprefix(", ")


SHAPES: dict[str, Callable[[float], float]] = {"linear": lambda x: x, "cosine": lambda x: (1 - math.cos(math.pi * x)) / 2}


class Annealing(Callback):
    """One activation turning into another: given to `fit` as a callback, or stepped by hand. See `anneal`.

    `t` is where it stands, from 0 to 1; `set` moves it there; `finish` leaves the new activation alone.
    """

    def __init__(self, swapped: Swap, steps: int, schedule: str | Callable[[float], float]) -> None:
        if steps < 1:
            raise ArgumentError("anneal", f"steps={steps}", "it is a number of steps, from 1 up")
        if isinstance(schedule, str) and schedule not in SHAPES:
            raise ArgumentError("anneal", f"schedule={schedule!r}", f"it is {' or '.join(map(repr, SHAPES))}, or a function from [0, 1] to [0, 1]")
        self.swap, self.steps = swapped, steps
        self.shape = SHAPES[schedule] if isinstance(schedule, str) else schedule
        self.done, self.t = 0, 0.0

    def set(self, t: float) -> None:
        """Go to t: 0 is the former activation, 1 the new one."""
        self.t = min(1.0, max(0.0, float(t)))
        for site in self.swap.sites:
            if grafted(site.new, Annealed):
                site.new.__dict__["annealed_t"] = self.t

    def step(self) -> float:
        """One step further; after the last one the new activation stands alone. Returns t."""
        self.done += 1
        self.set(self.shape(min(1.0, self.done / self.steps)))
        if self.done >= self.steps:
            self.finish()
        return self.t

    def finish(self) -> None:
        """Leave the new activation alone."""
        self.set(1.0)
        for site in self.swap.sites:
            if grafted(site.new, Annealed):
                ungraft(site.new, Annealed)
                site.new._modules.pop("former", None)
                site.new.__dict__.pop("annealed_from", None)
                site.new.__dict__.pop("annealed_t", None)

    def on_step(self, run: Run) -> None:
        """One step further."""
        if self.done < self.steps:
            self.step()

    def state_dict(self) -> dict[str, Any]:
        """How many steps are done."""
        return {"done": self.done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.done = state["done"]
        self.set(self.shape(min(1.0, self.done / self.steps)))
        if self.done >= self.steps:
            self.finish()


def anneal(model: Module, old: Any, new: Any, steps: int, *, schedule: str | Callable[[float], float] = "linear", sample: Any = None,
           where: Any = None, **settings: Any) -> Annealing:
    """Turn the activation `old` into `new` over that many training steps: (1 - t) · old + t · new, with t from 0 to 1.

    At first the network gives what it gave; at the end the new activation stands alone. Whatever the two are, that starts
    as the same function: also ReLU to Swish. Arguments as for `swap`; `schedule` is "linear", "cosine" or a function. Of a
    sample, `.swap.drift` is how far the network would move at once. `ta.tune.restore(model)` undoes it at any time.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.ReLU(), ta.nn.Linear(8, 2))
    >>> annealing = ta.tune.anneal(model, "relu", "silu", steps=2)           # fit(..., callbacks=[annealing])
    >>> annealing.step(), model[1]
    (0.5, AnnealedSiLU(t=0.5))
    >>> annealing.step(), model[1]
    (1.0, SiLU())
    """
    done = swap(model, old, new, sample=sample, where=where, **settings)
    for site in done.sites:
        former = site.old
        module = graft(site.new, Annealed)
        module.__dict__["annealed_t"] = 0.0
        if isinstance(former, Module) and next(former.parameters(), None) is not None:
            module._modules["former"] = former
        else:
            module.__dict__["annealed_from"] = former
    return Annealing(done, steps, schedule)
