"""Checkpointing: forget what a part of the network computed on the way, and compute it again on the way back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from ..amp.autocast_mode import as_in, state
from ..changes import tick
from ..errors import ArgumentError, GraphError
from ..grad_mode import enable_grad, mode
from ..graph import Node, new_node, reachable, sweep
from ..op import _handle, pick
from ..ops.random import get_rng_state, set_rng_state
from ..tensor import Tensor, wrap

__all__ = ["checkpoint", "checkpoint_sequential"]


def _no_context() -> tuple[Any, Any]:
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
               context_fn: Callable[[], tuple[Any, Any]] = _no_context, determinism_check: str = "default",
               debug: bool = False, early_stop: bool = True, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)`, keeping its arguments only; backward runs it again for what its rules need.

    Memory for time: about one more forward pass. Tensors that the function uses without being given them (parameters)
    get their gradients too. `preserve_rng_state` makes dropout draw the same numbers again. `use_reentrant` is
    accepted: there is one way, which nests, and works with `autograd.grad` and create_graph. `context_fn` returns two
    contexts, for the first run and for the second. The others are accepted for PyTorch's sake.

    Raises:
        GraphError: at backward, if the second run returns something else than the first.

    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> ta.utils.checkpoint.checkpoint(lambda t: (t * t).exp(), x, use_reentrant=False).backward()
    >>> x.grad.item() == (4 * ta.tensor(4.0).exp()).item()
    True
    """
    first, second = context_fn()
    if not mode.grad:
        with first:
            return function(*args, **kwargs)
    states = get_rng_state() if preserve_rng_state else None
    slots: list[Tensor] = []
    run = Run(function, _take(args, slots), _take(kwargs, slots), states, second)
    since = tick()
    with first:
        returned = function(*args, **kwargs)
    outputs: list[Tensor] = []
    shape_of_it = _take(returned, outputs)
    inside = [y.node is not None and _older(y) > since for y in outputs]
    if not any(inside):
        return returned
    nodes = reachable([y.node for y, mine in zip(outputs, inside, strict=True) if mine], since=since)
    edges = dict.fromkeys(e for n in nodes for e in n.edges if e is not None and (type(e) is not Node or e.time <= since))
    run.outputs = [(y.shape, y.dtype) if mine else None for y, mine in zip(outputs, inside, strict=True)]
    run.edges = [(x.node or x) if x._requires_grad else None for x in slots]
    node = new_node(run, tuple(edges), tuple(x.array for x in slots), None, {}, tuple(run.outputs))
    for i, y in enumerate(outputs):
        if inside[i]:
            outputs[i] = wrap(y.array)
            outputs[i].node, outputs[i]._requires_grad = pick(node, i, y.array), True
    return _give(shape_of_it, outputs)


class Run:
    """The pseudo-op behind a checkpoint: its vjp runs the function again, then a sweep over what that recorded."""

    name, elementwise = "checkpoint", False

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, states: Any, context: Any) -> None:
        self.function, self.args, self.kwargs, self.states, self.context = function, args, kwargs, states, context
        self.autocast = state.dtypes
        self.outputs: Any = ()
        self.edges: list[Any] = []

    def vjp(self, node: Node, g: Sequence[Any], create_graph: bool, live: set[Any] | None) -> Sequence[Any]:
        since = tick()
        outputs = self.again([_handle(a, e) for a, e in zip(node.saved, self.edges, strict=True)])
        shapes = [y and (t.shape, t.dtype) for y, t in zip(self.outputs, outputs, strict=False)]
        if len(outputs) != len(self.outputs) or shapes != self.outputs:
            raise GraphError("checkpoint", f"{shapes} from the second run", f"the first run gave {self.outputs}",
                             "the function must do the same when it is called again")
        seeds: dict[Any, Any] = {}
        for y, part in zip(outputs, g, strict=True):
            if part is not None and y.node is not None:
                seeds[y.node] = seeds[y.node] + part if y.node in seeds else part
        wanted = {e for e in node.edges if live is None or e in live}
        pending = sweep(seeds, wanted, create_graph, create_graph, since)
        return [pending.get(e) for e in node.edges]

    def again(self, slots: list[Any]) -> list[Tensor]:
        """The function's results, of the same arguments and random numbers."""
        now = get_rng_state() if self.states is not None else None
        try:
            if self.states is not None:
                set_rng_state(self.states)
            with enable_grad(), self.context, as_in(self.autocast):
                returned = self.function(*_give(self.args, slots), **_give(self.kwargs, slots))
        finally:
            if now is not None:
                set_rng_state(now)
        outputs: list[Tensor] = []
        _take(returned, outputs)
        return outputs


def _older(y: Tensor) -> int:
    """When the op ran that made y."""
    node = y.node
    return node.edges[0].time if node.op.name == "pick" else node.time  # type: ignore[no-any-return]


class Slot(int):
    """The place of a Tensor in a structure that it was taken out of."""


def _take(x: Any, slots: list[Tensor]) -> Any:
    """x with Slots for its Tensors (also in tuples, lists and dicts), which are put into `slots`."""
    if isinstance(x, Tensor):
        slots.append(x)
        return Slot(len(slots) - 1)
    if isinstance(x, dict):
        return {k: _take(v, slots) for k, v in x.items()}
    if type(x) in (tuple, list):
        return type(x)(_take(v, slots) for v in x)
    return x


def _give(x: Any, slots: Sequence[Any]) -> Any:
    if type(x) is Slot:
        return slots[x]
    if isinstance(x, dict):
        return {k: _give(v, slots) for k, v in x.items()}
    if type(x) in (tuple, list):
        return type(x)(_give(v, slots) for v in x)
    return x


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None,
                          **kwargs: Any) -> Any:
    """Modules one after another, in `segments` pieces of which all but the last are checkpointed."""
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not 1 <= segments <= len(functions):
        raise ArgumentError("checkpoint_sequential", f"segments={segments} of {len(functions)} functions",
                            "there must be at least one function in a segment")

    def piece(start: int, end: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for f in functions[start:end]:
                x = f(x)
            return x
        return run

    size = len(functions) // segments
    starts = range(0, size * (segments - 1), size)
    for start in starts:
        input = checkpoint(piece(start, start + size), input, use_reentrant=use_reentrant, **kwargs)
    return piece(size * (segments - 1), len(functions))(input)
