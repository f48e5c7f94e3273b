"""Variant: one way that a step went, ready to be replayed, with all that must be as it was for that."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .. import backend, graph
from ..ops.random import default_generator
from ..tensor import Tensor, wrap
from ..trees import mapped
from .alike import same
from .changing import changeable
from .log import Call, Value, plain
from .program import Changed, Program, hoisted
from .recording import AsItIs, Draw, Recording, set_gradient
from .surroundings import Surroundings

_array = operator.attrgetter("array")
_wanted, _hooks = operator.attrgetter("_requires_grad"), operator.attrgetter("hooks")
PLAIN = (int, float, str, bool, type(None))


class Variant:
    """A recording of a step. `problems` says why it cannot be replayed; otherwise `prepare` makes it ready."""

    def __init__(self, recording: Recording, surroundings: Surroundings, result: Any) -> None:
        self.log, self.arguments, self.result = recording.log, recording.arguments, result
        self.surroundings = surroundings
        self.problems = [*self.log.problems, *surroundings.problems]
        self.kept = list(recording.kept.values())
        self.gradients = list(recording.gradients.values())
        self.flags = list(recording.flags.values())
        self.replays = 0
        self.look(recording)

    # ------------------------------------------------------------------------------------------- can it be replayed?
    def look(self, recording: Recording) -> None:
        """Find what could not be seen while recording."""
        problem = self.problems.append
        known = self.surroundings.tensors
        for made in recording.stepped:
            if any(map(self.surroundings.looked_at, changeable(made.owner, made.step))):
                problem(f"it looks at what {made.__name__} may change (a rate, a state): look at it, or call that, outside of what is compiled")
        if change := self.surroundings.change():
            problem(f"the step changes something that is no Tensor: {change}")
        if source := self.surroundings.drawn():
            problem(f"it draws random numbers of Python's or NumPy's ({source}): draw them with tinygrad_act's functions, or outside")
        for t, _ in self.kept:
            if id(t) not in known:
                problem(f"it is not seen where the step finds a tensor of shape {t.shape}: pass it as an argument")
        if any(id(t) in known for t in self.arguments):
            problem("an argument is a tensor that the step finds by itself, too")
        if any(c.writes is not None and c.writes.root in self.log.shared for c in self.log.calls):
            problem("a tensor is changed in place that shares its memory with another one")
        for part in _parts(self.result):
            if not isinstance(part, (Tensor, *PLAIN)):
                problem(f"it returns a {type(part).__name__}")
            elif isinstance(part, Tensor) and _alive(part):
                problem("it returns a tensor whose graph is still there: call backward within the step, without retain_graph=True, or return "
                        "loss.detach()")
            elif isinstance(part, Tensor) and recording.made_here(part) and part._grad is not None:
                problem("it returns a tensor that it has made and whose .grad it has set: return the gradient")
        for call in self.log.calls:
            if call.function is set_gradient and call.args[1] is not None and call.args[1]._requires_grad:
                problem("a gradient has a graph of its own (create_graph=True)")
        calls = hoisted(self.log.calls)
        steps = [i for i, c in enumerate(calls) if isinstance(c.function, AsItIs)]
        if late := [c for c in calls[steps[0]:] if c.read] if steps else []:
            problem(late[0].too_late(calls[steps[0]].name))

    def wait(self) -> None:
        """Let go of the arrays that the step has made; what is left can be compared."""
        self.result = mapped(self.result, Tensor, lambda t: None)
        for call in self.log.calls:
            if call.function is set_gradient:
                call.args = call.args[0], None, call.args[2]

    def same_conditions(self, other: Variant) -> bool:
        """Could a replay of one be taken for the other's? If they are of the same step, they are then the same."""
        if [layout for _, layout in self.gradients] != [layout for _, layout in other.gradients]:
            return False
        reads = [[c.out for c in v.log.calls if c.read] for v in (self, other)]
        return len(reads[0]) != len(reads[1]) or (same(*reads) and self.surroundings.same(other.surroundings))

    def never_again(self, other: Variant) -> bool:
        """Is it another way for what hardly ever comes again: a float that was read, a Tensor that the step found?"""
        reads = zip(*([c for c in v.log.calls if c.read] for v in (self, other)), strict=False)
        if any(a.where == b.where and not same(a.out, b.out) and isinstance(plain(a.out), float) for a, b in reads):
            return True
        mine, theirs = self.surroundings.tensors, other.surroundings.tensors
        return len(mine) == len(theirs) and mine.keys() != theirs.keys()

    def difference(self, other: Variant) -> str:
        """In what another recording of the step differs; empty if in nothing."""
        for a, b in zip(self.log.calls, other.log.calls, strict=False):
            if a.function is set_gradient and b.function is set_gradient:
                alike = a.args[0] is b.args[0] or _argument(self, a.args[0]) == _argument(other, b.args[0]) is not None
                alike = alike and _alike(a.args[2], b.args[2])
            else:
                alike = a.function == b.function and _alike((a.args, a.kwargs, a.out), (b.args, b.kwargs, b.out))
            if not alike:
                return a.differs(b)
        if len(self.log.calls) != len(other.log.calls):
            return f"the step makes {len(self.log.calls)} calls, the next time {len(other.log.calls)}"
        return "" if _alike(self.result, mapped(other.result, Tensor, lambda t: None)) else "it returns something else the next time"

    # ------------------------------------------------------------------------------------------- ready
    def prepare(self) -> None:
        """Make the program, and forget what only the recording needed."""
        old = {id(t): t for t in (*[t for t, _, _ in self.flags], *[t for t, _ in self.gradients])}
        places = {id(t): i for i, t in enumerate(self.arguments)}
        outputs: list[Value] = []

        def output(t: Tensor) -> Any:
            if id(t) in places:
                return _Output(argument=places[id(t)])
            if id(t) in old:
                return _Output(tensor=t)
            outputs.append(self.value_of(t))
            return _Output(place=len(outputs) - 1, node=t.node, wanted=t._requires_grad)
        self.form = mapped(self.result, Tensor, output)
        self.plain = isinstance(self.form, _Output) or self.form is None
        self.program = Program(self.log, self.arguments, outputs)
        self.undo = Undo(self.program.early, self.gradients, self.arguments)
        mine = set(map(id, self.arguments))
        self.tensors = [t for t, _, _ in self.flags if id(t) not in mine]
        self.wanted = [wanted for t, _, wanted in self.flags if id(t) not in mine]
        self.owners = [t for t, _ in self.kept]
        self.arrays = [a for _, a in self.kept]
        self.found = [(t, layout, places.get(id(t))) for t, layout in self.gradients if layout != "not read"]
        self.calls = len(self.log.calls)
        self.arguments, self.result = [], None
        del self.log, self.program.log, self.program.calls, self.program.early, self.program.ready, self.program.last

    def value_of(self, t: Tensor) -> Value:
        """The value that a returned Tensor had."""
        return self.log.results[id(t)]

    def holds(self, tensors: Sequence[Tensor]) -> bool:
        """Is all as it was when this was recorded?"""
        if not all(map(operator.is_, map(_array, self.owners), self.arrays)):
            return False
        if [*map(_wanted, self.tensors)] != self.wanted or any(map(_hooks, self.tensors)):
            return False
        for t, layout, place in self.found:
            g: Any = (t if place is None else tensors[place])._grad
            if (g is None) is not (layout is None) or (g is not None and (g.array.shape, g.array.dtype, g.array.strides) != layout):
                return False
        return self.surroundings.hold()

    def why(self, tensors: Sequence[Tensor]) -> str:
        """What is not as it was, in words."""
        for t, array in self.kept:
            if t.array is not array:
                return f"a tensor of shape {t.shape} has another array"
        for t, wanted in zip(self.tensors, self.wanted, strict=True):
            if t._requires_grad is not wanted or t.hooks:
                return f"a tensor of shape {t.shape} has a hook, or requires_grad is {t._requires_grad} and was {wanted}"
        return self.surroundings.change() or "gradients are there that were not, or the other way round"

    def left(self, change: Changed) -> str:
        """Why a replay was left, in words."""
        return f"{self.program.checks[change.args[0]]} comes out otherwise"

    def replay(self, tensors: Sequence[Tensor]) -> Any:
        """Do the step again; Changed if it would go another way, with all as it was before."""
        if self.undo.needed:
            before = self.undo.save(tensors)
            try:
                arrays = self.program.run(tensors)
            except Changed:
                self.undo.restore(before)
                raise
        else:
            arrays = self.program.run(tensors)
        self.replays += 1
        if self.plain:
            return None if self.form is None else self.form.made(arrays, tensors)
        return mapped(self.form, _Output, lambda o: o.made(arrays, tensors))


class _Output:
    """A Tensor in what the step returns: an argument, one from before, or one that is new each time."""

    def __init__(self, argument: int | None = None, tensor: Tensor | None = None, place: int = 0, node: Any = None, wanted: bool = False) -> None:
        self.argument, self.tensor, self.place, self.node, self.wanted = argument, tensor, place, node, wanted

    def made(self, arrays: Sequence[Any], tensors: Sequence[Tensor]) -> Tensor:
        if self.argument is not None:
            return tensors[self.argument]
        if self.tensor is not None:
            return self.tensor
        t = wrap(arrays[self.place])
        if self.wanted:                      # a graph that was gone through already: it says so if one tries again
            t.node, t._requires_grad = self.node, True
        return t


class Undo:
    """What a replay has changed by the time a number turns out otherwise than when it was recorded, put back."""

    def __init__(self, early: Sequence[Call], gradients: Sequence[Any], arguments: Sequence[Tensor]) -> None:
        places = {id(t): i for i, t in enumerate(arguments)}
        self.generators = [c.function for c in early if isinstance(c.function, Draw)]
        roots = {c.writes.root for c in early if c.writes is not None} | {
            c.out.root for c in early if isinstance(c.out, Value) and c.out in c.inputs()}
        self.arrays = [(v, places.get(id(v.source))) for v in roots if v.origin in ("kept", "argument", "gradient")]
        self.gradients = [(t, places.get(id(t))) for t, layout in gradients if layout != "not read"] if any(
            c.function is set_gradient for c in early) else []     # one that was not read is set again before anyone looks
        self.needed = bool(self.generators or self.arrays or self.gradients)

    def save(self, tensors: Sequence[Tensor]) -> Any:
        arrays = []
        for v, place in self.arrays:
            t: Any = v.source if place is None else tensors[place]
            array = (t._grad if v.origin == "gradient" else t).array
            arrays.append((array, backend.namespaces[type(array)].copy(array)))
        grads = [(t if place is None else tensors[place]) for t, place in self.gradients]
        engines = [d.generator or default_generator(d.device) for d in self.generators]
        return arrays, [(t, t._grad) for t in grads], [(g, g._module.generator_state(g.engine)) for g in dict.fromkeys(engines)]

    def restore(self, saved: Any) -> None:
        arrays, grads, generators = saved
        for array, copy in arrays:
            array[...] = copy
        for t, g in grads:
            t._grad = g
        for generator, state in generators:
            generator._module.set_generator_state(generator.engine, state)


def _parts(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [p for part in x for p in _parts(part)]
    return [p for part in x.values() for p in _parts(part)] if isinstance(x, dict) else [x]


def _alive(t: Tensor) -> bool:
    """Is there a graph behind it that a backward pass could still go through?"""
    nodes = graph.reachable([t.node]) if t.node is not None else []
    return any(n.saved is not graph.FREED and n.saved and (n.plan is None or n.plan.arrays) for n in nodes)


def _argument(variant: Variant, t: Tensor) -> int | None:
    return next((i for i, a in enumerate(variant.arguments) if a is t), None)


def _alike(a: Any, b: Any) -> bool:
    """Are two recordings' arguments or results the same, whatever the arrays' numbers?"""
    if isinstance(a, Value) and isinstance(b, Value):
        if a.origin == b.origin == "constant":
            return same(backend.to_host(a.array), backend.to_host(b.array))
        return (a.index, a.origin, a.shape, a.dtype, a.strides) == (b.index, b.origin, b.shape, b.dtype, b.strides)
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_alike(a[k], b[k]) for k in a)
    if isinstance(a, slice):
        return _alike((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return same(a, b) if isinstance(a, (int, float, complex)) or backend.is_array(a) else a is b or bool(a == b)
