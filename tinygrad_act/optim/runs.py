"""Runs: how the parameters of a group are walked through, so that a step costs what its arithmetic costs.

`Optimizer.update` is written for one parameter. Where it works number by number (`Optimizer.elementwise`), parameters that
have made as many steps need not come one by one. Where F has a way to change many arrays at once (`F.columns`), update is
asked once what it does, and all of them move by that. Elsewhere small ones are laid end to end and move as one, their state
kept that way, each parameter's own a view. Every number meets the same operations in the same order, so the results are the
same to the last bit; `foreach=False` switches it off.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..changes import changes
from ..tensor import Tensor, wrap
from .asked import Place, asked

array_of, gradient_of = attrgetter("array"), attrgetter("_grad.array")


def scalar_dtype() -> Any:
    """The dtype in which numbers such as the count of steps are kept: as in PyTorch, float32 or the default one if wider."""
    return dtypes.float64 if dtypes.get_default_dtype() == dtypes.float64 else dtypes.float32


def number(value: Any) -> Tensor:
    """A number of the state as a 0-d tensor on the CPU, where it is read at each step."""
    if isinstance(value, Tensor):
        array = backend.asarray(value.array, None, "cpu")
        return wrap(backend.namespace(array).copy(array))
    return wrap(backend.asarray(float(value), scalar_dtype(), "cpu"))


def rounded(value: float) -> float:
    """What becomes of a number when it is kept."""
    return value if scalar_dtype() == dtypes.float64 else float(struct.unpack("f", struct.pack("f", value))[0])


def same(found: Sequence[Any], known: Sequence[Any]) -> bool:
    """Are they the very same objects?"""
    return len(found) == len(known) and all(map(is_, found, known))


class Run:
    """Parameters that move as one: by `columns`, several small ones end to end, or a single one.

    `arrays` has what is remembered of them all, flat if they are end to end, and by columns only a Place for each; `numbers`
    has one vector for each number of the state, with a place for each parameter. They share their memory with the Tensors in
    the optimizer's `state`.
    """

    def __init__(self, optimizer: Any, params: Sequence[Tensor], columns: Any = None) -> None:
        self.optimizer, self.params, self.columns = optimizer, list(params), columns
        self.F = namespaces[type(params[0].array)]
        self.flat = len(params) > 1 and columns is None
        self.places, end = [], 0
        for p in params:
            start, end = end, end + p.array.size
            self.places.append(slice(start, end))
        self.seen = [p.array for p in params]
        self.states: list[dict[str, Any]] = [optimizer.state.get(p, {}) for p in params]
        self.arrays: dict[str, Any] = {}
        self.numbers: dict[str, Any] = {}
        self.other: dict[str, Any] = {}
        for name in self.states[0]:
            self.adopt(name)
        self.answer: Any = None              # what update said when it was last asked, and with which options
        self.said: list[Any] = []
        self.entries = [changes.entry(a) for a in self.seen]
        self.note()

    # ------------------------------------------------------------------------------------------- its state
    def adopt(self, name: str) -> None:
        """Take over what the optimizer's state has under that name."""
        tensors = [s[name] for s in self.states]
        if not isinstance(tensors[0], Tensor):
            if tensors[0] is not None:
                self.other[name] = tensors[0]
        elif self.columns is not None and name not in self.optimizer.numbers:
            self.arrays[name] = Place(len(self.arrays) + 2)
        elif len(tensors) > 1:
            self.share(name, namespaces[type(tensors[0].array)].cat([t.array.reshape(-1) for t in tensors]), tensors)
        elif name in self.optimizer.numbers:
            self.numbers[name] = tensors[0].array.reshape(-1)
        else:
            self.arrays[name] = tensors[0].array

    def share(self, name: str, whole: Any, tensors: Sequence[Tensor]) -> None:
        """Let the tensors be views of their places in `whole`."""
        if name in self.optimizer.numbers:
            self.numbers[name] = whole
            for i, t in enumerate(tensors):
                t.array = whole[i:i + 1].reshape(())
        else:
            self.arrays[name] = whole
            for p, place, t in zip(self.params, self.places, tensors, strict=True):
                t.array = whole[place].reshape(p.shape) if self.flat else whole

    def note(self) -> None:
        """Remember what is where."""
        self.remembers = any(p in self.optimizer.state for p in self.params)
        self.tensors = [v for s in self.states for v in s.values() if isinstance(v, Tensor)]
        self.known = self.look()

    def look(self) -> list[Any]:
        """All that users may replace: a parameter's array, what is remembered of it, the array in that."""
        found = [*map(array_of, self.params), *map(self.optimizer.state.get, self.params)]
        return [*found, *chain.from_iterable(map(dict.values, self.states)), *map(array_of, self.tensors)] if self.remembers else found

    def current(self) -> bool:
        """Is everything still where it was?"""
        return same(self.look(), self.known) and (self.columns is None or not self.optimizer._refuses)

    def read(self) -> dict[str, float] | None:
        """The numbers of the state; None if the parameters do not agree in them any more."""
        out = {}
        for name, vector in self.numbers.items():
            values = vector.tolist()
            if len(values) > 1 and values.count(values[0]) != len(values):
                return None
            out[name] = values[0]
        return out

    # -------------------------------------------------------------------------------------------- the move
    def move(self, numbers: dict[str, float], options: dict[str, Any], gradients: Sequence[Any] | None = None) -> None:
        """Update the parameters by the arrays of their gradients."""
        F, gradients = self.F, tuple(map(gradient_of, self.params)) if gradients is None else gradients
        if self.columns is not None:
            said = list(options.values())
            if numbers or self.answer is None or not same(said, self.said):
                self.answer, self.said = asked(self.optimizer.update, self.arrays, numbers, options), said
            if self.answer is None:
                self.move_alone(options)
                return
            change, state = self.answer
            self.columns.change(gradients, change)
            for name, vector in self.numbers.items():
                vector[...] = state[name]
            return
        x, g = (F.joined(self.seen), F.joined(gradients)) if self.flat else (self.seen[0], gradients[0])
        made = self.update(x, g, self.arrays, numbers, options)
        if self.flat:
            F.divide_into(x, self.seen)
        if made:
            self.keep(made)

    def move_again(self, gradients: Sequence[Any]) -> None:
        """Update them as the last time, with the same options and without numbers, by columns."""
        self.columns.change(gradients, self.answer[0])

    def move_alone(self, options: dict[str, Any]) -> None:
        """Update one after the other. Has that not made the first of the state, update cannot be asked: see asked.py."""
        state, first = self.optimizer.state, self.params[0]
        begun = bool(state.get(first))
        with backend.flushing():
            for p in self.params:
                alone = Run(self.optimizer, [p])
                numbers = alone.read()
                alone.move(numbers, options)       # type: ignore[arg-type]
        self.optimizer._refuses = begun or not state.get(first)

    def update(self, x: Any, g: Any, arrays: dict[str, Any], numbers: dict[str, float],
               options: dict[str, Any]) -> dict[str, Any]:
        """Update x; returns what is new in the state."""
        if dtypes.is_half(x.dtype):
            return self.update_half(x, g, arrays, numbers, options)
        state: dict[str, Any] = {**self.other, **numbers, **arrays}
        given = state.copy()
        self.optimizer.update(self.F, x, g, state, **options)
        return {k: v for k, v in state.items() if v is not given.get(k)}

    def update_half(self, x: Any, g: Any, arrays: dict[str, Any], numbers: dict[str, float],
                    options: dict[str, Any]) -> dict[str, Any]:
        """Update halves: computed in float32, and rounded once."""
        cast = self.F.cast
        wide, state = cast(x, dtypes.float32), {k: cast(a, dtypes.float32) for k, a in arrays.items()}
        made = self.update(wide, cast(g, dtypes.float32), state, numbers, options)
        x[...] = wide
        for name, array in arrays.items():
            array[...] = made.pop(name, state[name])
        return {k: cast(v, x.dtype) if backend.is_array(v) else v for k, v in made.items()}

    def keep(self, made: dict[str, Any]) -> None:
        """Enter new values into the optimizer's state, as Tensors where they are arrays or its numbers."""
        self.optimizer.state.update(zip(self.params, self.states, strict=True))
        for name in made.keys() & self.numbers:
            self.numbers[name][...] = made.pop(name)
        for name, value in made.items():
            if name in self.optimizer.numbers:
                for s in self.states:
                    s[name] = number(value)
                self.adopt(name)
            elif not backend.is_array(value):
                self.other[name] = value
                for s in self.states:
                    s[name] = value
            else:
                for s in self.states:
                    if not isinstance(s.get(name), Tensor):
                        s[name] = wrap(value)
                self.share(name, value, [s[name] for s in self.states])
        if made:
            self.note()


# ------------------------------------------------------------------------------------------------- who moves with whom
def arrange(optimizer: Any, params: Sequence[Tensor], together: bool) -> list[Run]:
    """Runs for these parameters, in their order but for those that are put together."""
    if not (together and optimizer.elementwise):
        return [Run(optimizer, [p]) for p in params]
    owners = Counter(id(namespaces[type(p.array)].owner(p.array)) for p in params)
    bunches: dict[Any, list[Tensor]] = {}
    for p in params:
        state = optimizer.state.get(p, {})
        alone = owners[id(namespaces[type(p.array)].owner(p.array))] > 1       # what shares memory moves one after the other
        if alone or not p.array.flags.c_contiguous or not _alike(optimizer, p, state):
            bunches[object()] = [p]
            continue
        key = (type(p.array), p.device, p.dtype, *[(k, v.item() if k in optimizer.numbers else 0) for k, v in state.items()])
        bunches.setdefault(key, []).append(p)
    return [run for bunch in bunches.values() for run in _runs(optimizer, bunch)]


def _runs(optimizer: Any, bunch: list[Tensor]) -> list[Run]:
    """Runs for parameters that may move together: all by columns, or the small ones end to end, as many as stay in the cache."""
    F, first = namespaces[type(bunch[0].array)], optimizer.state.get(bunch[0], {})
    names = [k for k, v in first.items() if k not in optimizer.numbers and isinstance(v, Tensor)]
    columns = None
    if not optimizer._refuses and _alike(optimizer, bunch[0], first):
        columns = F.columns([(p.array, *[optimizer.state[p][name].array for name in names]) for p in bunch])
    if columns is not None:
        return [Run(optimizer, bunch, columns)]
    plans: list[list[Tensor]] = []
    room = -1
    for p in bunch:
        if p.array.size > F.small:
            plans.append([p])
            continue
        if room < p.array.size:
            plans.append(end_to_end := [])
            room = F.tile
        end_to_end.append(p)
        room -= p.array.size
    return [Run(optimizer, members) for members in plans]


def _alike(optimizer: Any, p: Tensor, state: dict[str, Any]) -> bool:
    """Is all that is remembered of p a number, or laid out as p is?"""
    return all(isinstance(v, Tensor) and (k in optimizer.numbers or (v.shape == p.shape and v.dtype == p.dtype))
               for k, v in state.items())
