"""Recording: what is put in the place of what, while a step runs once to be written down.

The step runs as ever, on the same arrays and to the same results; only each array that a Tensor hands out is a Recorded one.
Everything that is swapped for it is swapped in `Recording.__enter__`, and comes back when the step is over.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from .. import backend, graph
from ..changes import changes
from ..distributed import group as processes
from ..ops import random
from ..optim.lr_scheduler.base import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from ..trees import mapped
from .changing import may_change
from .log import Log
from .recorded import Recorded, Vocabulary
from .surroundings import Surroundings

GENERATOR = "the state of a random generator is read or set"
under_way: list[Recording] = []
alone = threading.Lock()                # held while something is recorded: one at a time in the whole process
engine_of = random._engine              # as it is when nothing is recorded


class Draw:
    """A call of a random generator: drawn anew at each replay, from where the generator then stands."""

    def __init__(self, method: str, generator: Any, device: Any) -> None:
        self.__name__, self.generator, self.device = method, generator, device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        engine, _ = engine_of(self.generator, self.device, self.__name__)
        return getattr(engine, self.__name__)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Draw) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.__name__)


class AsItIs:
    """A method that is called at each replay as in eager mode: an optimizer's step, a scheduler's."""

    def __init__(self, owner: Any, step: Callable[..., Any]) -> None:
        self.owner, self.step = owner, step
        self.__name__ = f"{type(owner).__name__}.step"

    def __call__(self, *args: Any) -> None:
        self.step(self.owner, *args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsItIs) and other.owner is self.owner and other.step is self.step

    def __hash__(self) -> int:
        return hash(self.step)


class Recording:
    """A context in which this thread's step is written into `log`."""

    def __init__(self, arguments: list[Tensor], surroundings: Surroundings) -> None:
        self.log = Log()
        self.arguments, self.surroundings = arguments, surroundings
        self.stepped: list[AsItIs] = []                     # steps that optimizers and schedulers have made
        self.reading: set[tuple[int, str]] = set()          # what of optimizers and schedulers the step has read by itself
        self.clearing: Any = None                           # the optimizer whose zero_grad is under way
        self.kept: dict[int, tuple[Tensor, Any]] = {}       # id -> a Tensor from before that was read, and its array then
        self.flags: dict[int, tuple[Tensor, Any, bool]] = {}
        self.gradients: dict[int, tuple[Tensor, Any]] = {}  # id -> a Tensor and how its gradient lay when the step first asked for it
        self.made: dict[int, weakref.ref[Tensor]] = {}      # Tensors that the step has made
        self.moved: dict[int, Tensor] = {}                  # those from before that it has given an array
        self.graded: dict[int, Tensor] = {}                 # those from before whose gradient it has set
        self.held: dict[int, Recorded] = {}

    # ------------------------------------------------------------------------------------------- in and out
    def __enter__(self) -> Recording:
        self.restore = contextlib.ExitStack()
        under_way.append(self)
        for name, module in list(backend._loaded.items()):
            kind = type("Recorded", (Recorded,), {"__slots__": ()})
            F = Vocabulary(module.F, self.log)
            self.log.kinds[module.Array] = kind
            self.swap_item(backend.namespaces, kind, F)
            self.swap_item(backend._owners, kind, name)
            self.swap(module, "F", F)
            self.swap(module, "from_host", functools.partial(self.from_host, module.from_host))
            self.swap(module, "to_host", functools.partial(self.to_host, module.to_host))
        host = backend.is_host
        self.swap(backend, "is_host", lambda x: host(x.array if isinstance(x, Recorded) else x))
        self.swap(Tensor, "array", property(self.get_array, self.set_array))
        self.swap(Tensor, "_grad", property(self.get_grad, self.set_grad))
        self.swap(random, "_engine", self.engine)
        self.swap(random.Generator, "engine", property(self.get_engine, self.set_engine))
        self.swap(changes, "mark", functools.partial(self.mark, changes.mark))
        self.swap(Optimizer, "zero_grad", self.zero_grad(Optimizer.zero_grad))
        if processes._link is not None:
            self.swap(processes, "_link", _Link(processes._link, self.log))
        for base in (Optimizer, LRScheduler):
            self.swap(base, "__getattribute__", lambda owner, name: self.attribute(owner, name))
            for cls in (base, *_below(base)):
                if "step" in cls.__dict__:
                    self.swap(cls, "step", self.as_it_is(cls.__dict__["step"]))
        for t in self.arguments:
            self.hold(t.__dict__["array"], "argument", t)
            self.flags[id(t)] = (t, t.node, t._requires_grad)
        return self

    def __exit__(self, *exc: object) -> None:
        self.restore.close()
        under_way.remove(self)
        for t in (*[reference() for reference in self.made.values()], *self.moved.values()):
            if t is not None:
                self.open(t)
        for t, node, wanted in self.flags.values():
            if t.node is not node or t._requires_grad is not wanted:
                self.log.problem(f"a tensor of shape {t.shape} from before the step becomes part of a graph, or begins or ceases to require a gradient: "
                                 "say so before the step, or take x = x.detach().requires_grad_() in it")

    def note_results(self, result: Any) -> None:
        """Remember which values the Tensors are that the step returns."""
        def note(t: Tensor) -> Tensor:
            array = t.__dict__["array"]
            if isinstance(array, Recorded):
                self.log.results[id(t)] = array.value
            return t
        mapped(result, Tensor, note)

    def swap(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute until the recording is over."""
        own = vars(owner)
        if name in own:
            self.restore.callback(setattr, owner, name, own[name])
        else:
            self.restore.callback(delattr, owner, name)
        setattr(owner, name, value)

    def swap_item(self, owner: Any, key: Any, value: Any) -> None:
        """Set an item until the recording is over."""
        self.restore.callback(owner.pop, key, None)
        owner[key] = value

    def open(self, t: Tensor) -> None:
        """Put the arrays inside Recorded ones back, in a Tensor and in what is left of the graph behind it."""
        array = t.__dict__["array"]
        if isinstance(array, Recorded):
            t.array = array.array
        stack: list[Any] = [t.node]
        seen = set()
        while stack:
            node = stack.pop()
            if type(node) is graph.Node and node not in seen:
                seen.add(node)
                stack.extend(node.edges)
                if node.saved is not graph.FREED:
                    node.saved = Log.bare(node.saved)
                node.params = Log.bare(node.params)

    # ------------------------------------------------------------------------------------------- Tensors
    def get_array(self, t: Tensor) -> Any:
        array = t.__dict__["array"]
        if not self.log.here():
            return array.array if isinstance(array, Recorded) else array
        if isinstance(array, Recorded):
            return array
        if id(t) not in self.flags:
            self.flags[id(t)] = (t, t.node, t._requires_grad)
            if self.log.known(array) is None:
                self.kept[id(t)] = (t, array)
        return self.hold(array, "kept", t)

    def hold(self, array: Any, origin: str, t: Tensor) -> Recorded:
        """The Recorded of an array that is there before the step, the same one throughout."""
        recorded = self.log.enter(array, origin, t)
        self.held[id(recorded)] = recorded
        return recorded

    def set_array(self, t: Tensor, array: Any) -> None:
        before = t.__dict__.get("array")
        t.__dict__["array"] = array
        if self.log.here():
            if before is None:
                self.made[id(t)] = weakref.ref(t)
            elif not self.made_here(t):
                self.moved[id(t)] = t
                if Log.bare(before) is not Log.bare(array):
                    self.log.problem(f"a tensor of shape {t.shape} is given another array")
            elif Log.bare(before) is not Log.bare(array):
                for of in [of for of in self.graded.values() if of.__dict__["_grad"] is t]:      # p.grad.data = ...
                    self.log.note(set_gradient, of, t, array)
            if not isinstance(array, Recorded):
                self.log.problem(f"an array of shape {array.shape} comes from outside what is recorded: make a Tensor of it before, and pass that as an argument")

    def made_here(self, t: Tensor) -> bool:
        """Has the step made it?"""
        reference = self.made.get(id(t))
        return reference is not None and reference() is t

    def get_grad(self, t: Tensor) -> Any:
        g = t.__dict__.get("_grad")
        if self.log.here() and id(t) not in self.gradients and not self.made_here(t):
            a = None if g is None else g.__dict__["array"]
            self.gradients[id(t)] = (t, None if a is None else (a.shape, a.dtype, a.strides))
            if a is not None:
                self.hold(a, "gradient", t)
        return g

    def set_grad(self, t: Tensor, g: Any) -> None:
        t.__dict__["_grad"] = g
        if self.log.here() and not self.made_here(t):       # what the step has made is gone with its gradient
            self.gradients.setdefault(id(t), (t, "not read"))
            self.graded[id(t)] = t
            self.log.note(set_gradient, t, g, None if g is None else g.__dict__["array"])

    # ------------------------------------------------------------------------------------------- arrays in and out
    def from_host(self, function: Callable[..., Any], array: Any, index: Any = None) -> Any:
        array = function(array, index)
        return self.log.enter(array, "constant") if self.log.here() else array

    def to_host(self, function: Callable[..., Any], array: Any) -> Any:
        if not isinstance(array, Recorded):
            return function(array)
        return self.log.read(function, array)

    # ------------------------------------------------------------------------------------------- random numbers
    def engine(self, generator: Any, device: Any, op: str) -> Any:
        with self.log.pause():
            engine, F = engine_of(generator, device, op)
        return (_Engine(engine, generator, device, self.log), F) if self.log.here() else (engine, F)

    def get_engine(self, generator: Any) -> Any:
        if self.log.here():
            self.log.problem(GENERATOR)
        return generator.__dict__["engine"]

    def set_engine(self, generator: Any, engine: Any) -> None:
        if self.log.here():
            self.log.problem(GENERATOR)
        generator.__dict__["engine"] = engine

    # ------------------------------------------------------------------------------------------- the rest
    def mark(self, function: Callable[..., Any], array: Any, op: str) -> None:
        function(array, op)
        if self.log.here() and isinstance(array, Recorded) and array.value.root.origin != "made":
            self.log.note(function, array, op)

    def zero_grad(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Of all that is in the groups, the parameters count; and not the gradients that are there, where they are forgotten anyway."""
        def call(optimizer: Optimizer, set_to_none: bool = True) -> None:
            if not self.log.here():
                function(optimizer, set_to_none)
                return
            with self.log.pause():
                groups = optimizer.param_groups
                for container in (groups, *[group["params"] for group in groups]):
                    self.surroundings.watch(f"{type(optimizer).__name__}.param_groups", container)
            if set_to_none:
                for p in [p for group in groups for p in group["params"]]:
                    p._grad = None
                return
            self.clearing = optimizer                       # the parameters are all that it reads there
            function(optimizer, False)
            self.clearing = None
        return call

    def attribute(self, owner: Any, name: str) -> Any:
        """An attribute of an optimizer or a scheduler: what the step reads of it by itself is part of its surroundings."""
        if self.log.here() and not (owner is self.clearing and name == "param_groups"):
            with self.log.pause():
                if (id(owner), name) not in self.reading:
                    self.reading.add((id(owner), name))
                    self.surroundings.read_of(owner, name)
                for made in self.stepped if name in vars(owner) or name == "__dict__" else ():
                    if may_change(made.owner, made.step, owner, name):
                        self.log.problem(f"it reads {type(owner).__name__}.{name} after {made.__name__}: read it before, or outside of what is compiled")
        return object.__getattribute__(owner, name)

    def as_it_is(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.log.here():
                return step(owner, *args, **kwargs)
            if kwargs or any(a is not None for a in args):
                self.log.problem(f"{type(owner).__name__}.step is given arguments")
            with self.log.pause():
                result = step(owner, *args, **kwargs)
            if result is not None:
                self.log.problem(f"{type(owner).__name__}.step returns something")
            self.stepped.append(AsItIs(owner, step))
            self.log.note(self.stepped[-1])
            return result
        return call


class _Engine:
    """A random generator whose draws are logged."""

    def __init__(self, engine: Any, generator: Any, device: Any, log: Log) -> None:
        self._engine, self._generator, self._device, self._log = engine, generator, device, log

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self._log.call, Draw(name, self._generator, self._device))


class _Link:
    """The link to other processes. What is sent cannot be taken back if a replay is left, so such a step is not replayed."""

    def __init__(self, link: Any, log: Log) -> None:
        self._link, self._log = link, log

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._link, name)
        if not callable(own) or not self._log.here():
            return own
        self._log.problem("it sends messages to other processes")
        return functools.partial(self._log.call, own)


def set_gradient(t: Tensor, g: Tensor | None, array: Any) -> None:
    """`t.grad = g`, without a look at it; `array` is what g has."""
    t._grad = g


def _below(cls: Any) -> Iterator[Any]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _below(sub)
