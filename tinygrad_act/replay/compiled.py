"""compile: a step that is recorded once and then replayed; Compiled, which decides which of the two it is to be."""

from __future__ import annotations

import functools
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

from .. import backend, dtypes, graph
from ..amp.autocast_mode import Caster
from ..autograd.anomaly import Detector
from ..errors import ArgumentError, GraphError
from ..grad_mode import mode
from ..nn.module import Module
from ..nn.parallel import DistributedDataParallel
from ..tensor import Tensor
from . import arguments
from .arguments import form, pattern
from .program import Changed
from .recording import Recording, alone, under_way
from .surroundings import HOOKS, Surroundings
from .variant import Variant

log = logging.getLogger("tinygrad_act.replay")
FORMS = 64                               # of arguments that are told apart
ITSELF = "call the function itself, which is .function"
ATTEMPTS = 3                             # recordings that did not agree, until it is given up
VALUES = 16                              # new ones in a row of an argument that is no Tensor, until they run eagerly


class Way:
    """All that is known of calls with arguments of one form: variants, or why they run eagerly."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.variants: list[Variant] = []
        self.waiting: list[Variant] = []         # recordings that wait for a second one like them
        self.attempts = 0                        # how often there was none
        self.reasons: list[str] = []             # why it was recorded, each time
        self.failed = ""                         # why the last recording is not replayed
        self.eager = ""                          # why it is not replayed

    def why(self, tensors: list[Tensor]) -> str:
        """Why it is to be recorded (again), in words."""
        if self.variants:
            return self.variants[0].why(tensors)
        if self.waiting:
            return self.waiting[-1].surroundings.change() or ("again, as the last two differ" if self.failed else "again, to compare")
        return "again, as what was recorded cannot be replayed" if self.failed else "the first call"

    def compare(self, variant: Variant) -> str:
        """Take in a recording: ready if an earlier one is the same. Returns in what it differs from one under the same conditions."""
        for other in self.waiting:
            if other.same_conditions(variant):
                self.waiting.remove(other)
                if difference := other.difference(variant):
                    variant.wait()
                    self.waiting.append(variant)
                    return difference
                variant.prepare()
                self.variants.insert(0, variant)
                return ""
        variant.wait()
        self.waiting.append(variant)
        return ""


class Kin:
    """Calls that differ by numbers, arrays' data or objects alone, each recorded for itself while that is worth it."""

    def __init__(self) -> None:
        self.waiting: dict[Any, Way] = {}        # those that were recorded once, by key, the oldest first
        self.misses = 0                          # how many in a row were new, and none that waits was called again
        self.tired = False                       # too many: only what is called twice in a row is recorded from then on
        self.last: Any = None                    # the last new key
        self.before: dict[str, Any] = {}         # the numbers, arrays and objects of the last that was recorded

    def worth(self, key: Any) -> bool:
        """Is a call that is new to be recorded? A key that another call may have by chance, as with objects, is None."""
        for known, way in [*self.waiting.items()]:
            if len(way.reasons) > 1 or way.eager:
                del self.waiting[known]
                self.misses = 0
        again, self.last = key is not None and key == self.last, key
        if self.misses < VALUES and (again or not self.tired):
            self.misses += 1
            return True
        if not self.tired:
            self.tired, self.misses = True, 0
        return False

    def leave(self, ways: dict[Any, Way], most: int) -> None:
        """Forget the oldest that wait, and with them the arguments they hold."""
        for key in [*self.waiting][:max(len(self.waiting) - most, 0)]:
            del self.waiting[key], ways[key]


class Compiled:
    """A function (or a Module) that is replayed where it can be. Made by `compile`.

    `report()` says what was recorded, when and why; attributes are the function's own.
    """

    def __init__(self, function: Callable[..., Any], fullgraph: bool = False, limit: int = 8) -> None:
        functools.update_wrapper(self, function, updated=())
        self.fullgraph, self.limit = fullgraph, limit
        self.ways: dict[Any, Way] = {}
        self.kindred: dict[Any, Kin] = {}
        self.counts = {"replayed": 0, "recorded": 0, "eager": 0}
        self._lock = threading.RLock()
        self.function = function                 # last: from then on a Module's attributes are set on the Module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if under_way:                            # inside another step that is being recorded, or beside one
            return self.function(*args, **kwargs)
        if graph.watchers:
            _refuse(graph.watchers[0])
        with self._lock:
            left = ""
            tensors: list[Tensor] = []
            key: Any = (form(args, tensors) if args else None, form(kwargs, tensors) if kwargs else None,
                        pattern(tensors) if len(tensors) > 1 else None, mode.grad, mode.inference, dtypes.get_default_dtype().char,
                        backend.current())                   # as in _modes
            way = self.ways.get(key)
            if way is not None and not way.eager:
                for variant in way.variants:
                    if variant.holds(tensors):
                        try:
                            result = variant.replay(tensors)
                        except Changed as change:
                            left = variant.left(change)
                            continue
                        if left:                 # the next step may well go as this one did
                            way.variants.remove(variant)
                            way.variants.insert(0, variant)
                        self.counts["replayed"] += 1
                        return result
            elif way is None:
                way = self.new_way(key, tensors, args, kwargs)
            if way.eager:
                if self.fullgraph:
                    raise self.refusal(way)
                self.counts["eager"] += 1
                return self.function(*args, **kwargs)
            if not alone.acquire(blocking=False):    # another thread records: what is swapped for that is swapped for all
                return self.function(*args, **kwargs)
            try:
                return self.record(way, left, tensors, args, kwargs)
            finally:
                alone.release()

    def new_way(self, key: Any, tensors: list[Tensor], args: Any, kwargs: Any) -> Way:
        """The Way of a call with arguments of a form that is new: eager if there are too many, or if it is a number that makes it new each time."""
        name = "kin", arguments.kind(args), arguments.kind(kwargs), *key[2:]
        loose = arguments.loose(self.function, args, kwargs)
        unseen = next((k for k, x in loose.items() if arguments.unseen(x)), "")
        kin = self.kindred.get(name) or Kin()            # kept only with a Way of its own: a name holds strings, of any length
        worth = not unseen and kin.worth(key if all(map(backend.is_array, arguments.objects((args, kwargs)))) else None)
        if worth:
            kin.leave(self.ways, (ATTEMPTS if kin.tired else VALUES) - 1)
            if len(self.ways) < FORMS:
                self.kindred[name] = kin
                kin.before = {k: form(x, []) for k, x in loose.items()}
                self.ways[key] = kin.waiting[key] = Way(arguments.said(tensors))
                return self.ways[key]
        elif name not in self.ways:
            kin.leave(self.ways, 0)
        if name in self.ways or (not worth and len(self.ways) < FORMS):
            way = self.ways.setdefault(name, Way(f"{arguments.said(tensors)} and more of another value each time"))
            reason = f"the argument {unseen} is an array, of which a replay would see no change: pass it as ta.tensor({unseen})" if unseen else ""
        else:
            way = self.ways.setdefault("other", Way("arguments of yet another form"))
            reason = f"it was called with arguments of {FORMS} forms"
        if not way.eager:
            self.give_up(way, reason or arguments.remedy(kin.before, loose))
        return way

    def record(self, way: Way, left: str, tensors: list[Tensor], args: Any, kwargs: Any) -> Any:
        """Run the step and write it down."""
        surroundings = Surroundings(self.function, arguments.objects((args, kwargs)))
        _without_hooks(surroundings)
        why = left or way.why(tensors)
        log.info("%s, called with %s, is recorded: %s", self.name, way.form, why)
        modes = _modes()
        try:
            with Recording(tensors, surroundings) as recording:
                result = self.function(*args, **kwargs)
                recording.note_results(result)
        finally:
            surroundings.open()
        self.counts["recorded"] += 1
        way.reasons.append(why)
        if _modes() != modes:
            recording.log.problem("it leaves another grad mode, default dtype or backend than it found: set that outside")
        variant = Variant(recording, surroundings, result)
        before = way.waiting[-1] if way.waiting else None
        reason = variant.problems[0] if variant.problems else way.compare(variant)
        way.failed = reason
        if reason:
            way.attempts += 1
            if way.attempts >= ATTEMPTS:
                self.give_up(way, reason)
        elif len(way.variants) + len(way.waiting) > self.limit or (variant in way.waiting and sum(map(variant.never_again, way.waiting)) >= ATTEMPTS):
            last = (before.difference(variant) if before and variant in way.waiting else "") or why
            self.give_up(way, f"it was recorded {len(way.reasons)} times; {last}")
        return result

    def give_up(self, way: Way, reason: str) -> None:
        """Run calls like this one eagerly from now on."""
        way.eager, way.variants, way.waiting = reason, [], []
        if self.fullgraph:
            raise self.refusal(way)
        warnings.warn(f"{self.name}, called with {way.form}, runs eagerly: {reason}", UserWarning, stacklevel=4)

    def refusal(self, way: Way) -> GraphError:
        """What `fullgraph=True` says of calls that run eagerly."""
        return GraphError("compile", f"{self.name}, called with {way.form}", f"it cannot be replayed: {way.eager}", "leave out fullgraph=True to run it eagerly")

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__qualname__", None) or type(self.function).__name__

    def report(self) -> str:
        """How often the step was recorded, replayed and run eagerly, and why."""
        counts = ", ".join(f"{n} {what}" for what, n in self.counts.items())
        lines = [f"{self.name}: {counts}"]
        for way in self.ways.values():
            lines.append(f"with {way.form}:")
            lines += [f"  recorded: {reason}" for reason in way.reasons]
            lines += [f"  replayed {v.replays} times: {v.calls} calls as {len(v.program.lines)} lines, in {v.program.memory.size:,} bytes"
                      for v in way.variants]
            if way.eager:
                lines.append(f"  runs eagerly: {way.eager}")
            elif way.failed:
                lines.append(f"  not replayed so far: {way.failed}")
        return "\n".join(lines)

    def source(self) -> str:
        """What is replayed, as Python: each variant a function of straight lines."""
        return "\n\n".join(v.program.source for way in self.ways.values() for v in way.variants)

    def __getattr__(self, name: str) -> Any:
        if name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Of a Module's attributes (`training`, a layer), the Module's."""
        function = self.__dict__.get("function")
        if isinstance(function, Module) and name not in self.__dict__:
            setattr(function, name, value)
        else:
            object.__setattr__(self, name, value)

    def __reduce__(self) -> Any:
        """A copy, also one that is pickled, has recorded nothing yet."""
        return Compiled, (self.function, self.fullgraph, self.limit)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: each object has a Compiled of its own."""
        if instance is None:
            return self
        bound = Compiled(self.function.__get__(instance, owner), self.fullgraph, self.limit)
        instance.__dict__[self.__name__] = bound
        return bound

    def __repr__(self) -> str:
        return f"<compiled {self.name}>"


def compile(model: Callable[..., Any] | None = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = None,
            mode: str | None = None, options: Any = None, limit: int = 8, disable: bool = False) -> Any:
    """A function that does what `model` does, quicker: recorded when first called, and then replayed.

    Meant for a whole step of training: forward, loss, `zero_grad`, `backward`, `optimizer.step`. See docs/replay.md for what is
    checked at each call, and for what cannot be replayed, and so runs eagerly.

    Args:
        model: a function or a Module; without it, `compile` is a decorator with settings.
        fullgraph: raise an error where it cannot be replayed, instead of running it eagerly with a warning.
        dynamic, backend, mode, options: accepted for PyTorch's sake; they change nothing.
        limit: how many variants are kept for arguments of one form.
        disable: return `model` as it is.

    What it returns, and the `.grad`s it leaves, are new Tensors at each call, whose graph has been gone through already.

    >>> x = ta.tensor([[1.0], [2.0]]); w = ta.nn.Parameter(ta.zeros(1, 1))
    >>> optimizer = ta.optim.SGD([w], lr=0.1)
    >>> @ta.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = ((x @ w - y) ** 2).mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [round(step(x, 3 * x).item(), 4) for _ in range(4)]
    [22.5, 5.625, 1.4062, 0.3516]
    >>> step.counts
    {'replayed': 2, 'recorded': 2, 'eager': 0}
    """
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, limit=limit, disable=disable)
    if not callable(model) or isinstance(model, type):
        raise ArgumentError("compile", f"{model!r:.60}", "it takes a function or a Module")
    if type(limit) is not int or limit < 1:
        raise ArgumentError("compile", f"limit={limit!r}", "it is a number of variants, 1 or more")
    return model if disable else Compiled(model, fullgraph, limit)


def _modes() -> tuple[Any, ...]:
    """What holds for all that is computed."""
    return mode.grad, mode.inference, dtypes.get_default_dtype().char, backend.current()


def _without_hooks(surroundings: Surroundings) -> None:
    """Raise for hooks, which a replay would not call."""
    for m in surroundings.modules:
        if any(getattr(m, hooks) for hooks in HOOKS):
            from ..nn.utils.hooked_norms import hooked

            if names := hooked(m):
                raise GraphError("compile", f"{type(m).__name__} with the hook of nn.utils.{names[0]}", "a step that is replayed calls no hooks",
                                 f"use {' and '.join(f'nn.utils.parametrizations.{name}' for name in names)}, which is replayed")
            raise GraphError("compile", f"{type(m).__name__} with hooks", "a step that is replayed calls no hooks", f"remove them, or {ITSELF}")
        if isinstance(m, DistributedDataParallel):
            raise GraphError("compile", "DistributedDataParallel", "its hooks send gradients to other processes, and a step that is replayed calls "
                             "no hooks", f"train it eagerly: {ITSELF}")
    for t in surroundings.tensors.values():
        if t.hooks or t.post_hooks:
            raise GraphError("compile", f"a tensor of shape {t.shape} with hooks", "a step that is replayed calls no hooks (DistributedDataParallel "
                             "has such, too)", f"remove them, or {ITSELF}")


def _refuse(watcher: graph.Watcher) -> None:
    """Raise for what looks at graphs, or changes ops, while the call is made."""
    if isinstance(watcher, Caster):
        raise GraphError("compile", "autocast around the call", "a step that is replayed computes as it was recorded", "put `with ta.autocast(...):` inside the step")
    name = "detect_anomaly" if isinstance(watcher, Detector) else type(watcher).__name__
    raise GraphError("compile", f"{name} is listening", "a step that is replayed makes no graph to look at", ITSELF)

