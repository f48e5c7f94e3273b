"""Function: a user's own op written as a class, as in PyTorch. (An `Op` record is shorter and faster.)"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..backend.namespace import broadcast_shape
from ..changes import changes
from ..errors import ArgumentError, GraphError, ShapeError
from ..grad_mode import mode, no_grad
from ..graph import Node, new_node, recording, watchers
from ..op import _handle, pick
from ..ops.inplace import become, refuse
from ..tensor import Tensor, wrap


class FunctionCtx:
    """What `forward` tells `backward`: saved tensors, and whatever is set on it as an attribute."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _constants: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _saved: Any = ()                     # Tensors; between forward and backward their arrays are in the node

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `saved_tensors`. What is kept here is freed after backward and guarded against changes."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise ArgumentError("save_for_backward", type(t).__name__, "only Tensors (and None) are saved so",
                                    "set anything else as an attribute of ctx")
        self._saved = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted for PyTorch's sake: there is no forward mode to save for."""

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given, in its place in the graph."""
        if self._saved is None:
            raise GraphError("saved_tensors", "", "they are there only while forward or backward runs",
                             "save_for_backward in forward, read saved_tensors in backward")
        return tuple(self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs `forward` changed in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs have no gradient."""
        self._constants = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """False: `backward` is given None, not zeros, for an output that no gradient reached."""
        self.materialize_grads = value


class FunctionOp:
    """What stands in a Node for a Function: its name and how its `backward` is called."""

    elementwise = False

    def __init__(self, function: type[Function], outputs: int) -> None:
        self.function, self.outputs, self.name = function, outputs, function.__name__

    def vjp(self, node: Node, g: Any, create_graph: bool, live: set[Any] | None) -> Sequence[Any]:
        ctx, saved_edges = node.params["ctx"], node.params["saved_edges"]
        given = g if self.outputs > 1 else [g]
        gradients = [self._gradient(part, shape, ctx) for part, shape in zip(given, node.shapes or (), strict=True)]
        ctx._saved = [_handle(a, self.behind(node, edge, a) if isinstance(edge, int) else edge)
                      for a, edge in zip(node.saved, saved_edges, strict=True)]
        try:
            returned = self.function.backward(ctx, *gradients)
        finally:
            ctx._saved = None
        results = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        count = len(node.edges)
        if len(results) < count or any(r is not None for r in results[count:]):
            raise GraphError(self.name, f"{len(results)} gradients from backward", f"forward has {count} inputs",
                             "return one for each of them, None where there is none")
        return [None if edge is None or r is None else self._checked(i, r, node, create_graph)
                for i, (edge, r) in enumerate(zip(node.edges, results[:count], strict=True))]

    def behind(self, node: Node, index: int, array: Any) -> Node | None:
        """What stands behind the output of that number."""
        return node if self.outputs == 1 else pick(node, index, array)

    @staticmethod
    def _gradient(part: Any, like: Any, ctx: FunctionCtx) -> Tensor | None:
        if part is not None:
            return part if isinstance(part, Tensor) else wrap(backend.namespace(part).asarray(part))
        return like() if ctx.materialize_grads and like is not None else None

    def _checked(self, i: int, g: Any, node: Node, create_graph: bool) -> Any:
        """A gradient of the shape and dtype of its input."""
        shape, dtype = node.params["inputs"][i]
        if not isinstance(g, Tensor):
            raise ArgumentError(self.name, f"a {type(g).__name__} from backward for input {i}", "a gradient is a Tensor or None")
        if g.shape != shape:
            if broadcast_shape(g.shape, shape) != g.shape:
                raise ShapeError(self.name, f"a gradient of shape {g.shape} for input {i} of shape {shape}",
                                 "a gradient has the shape of its input", "look at backward's return statement")
            g = recording.sum_to(g, shape=shape)
        if g.dtype != dtype:
            g = recording.cast(g, dtype=dtype)
        if create_graph:
            return g
        return namespaces[type(g.array)].copy(g.array) if any(g.array is s for s in node.saved) else g.array


class Function:
    """Derive from it, write `forward` and `backward` as static methods, and call `apply`.

    `forward(ctx, *args)` computes on Tensors, unrecorded; or `forward(*args)` with `setup_context(ctx, inputs, output)`.
    `backward(ctx, *gradients)` gets one gradient per output and returns one per argument of forward. It runs on
    Tensors, so with create_graph it is itself recorded.

    >>> class Cube(ta.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward(); x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The result, from `ctx` (unless there is a setup_context) and the inputs."""
        raise ArgumentError("Function", "", "forward is not written", "define it as a static method")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Instead of ctx in `forward`: what to save, given its inputs and its output."""

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """A gradient for each input of forward, from `ctx` and the gradients of its results."""
        raise ArgumentError("Function", "", "backward is not written", "define it as a static method")

    vjp = None                           # PyTorch's other name for backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` and record the use of this Function."""
        separate = cls.setup_context is not Function.setup_context
        if kwargs:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs) if separate else \
                inspect.signature(cls.forward).bind(None, *args, **kwargs)
            bound.apply_defaults()
            args = bound.args if separate else bound.args[1:]
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        with no_grad():
            if separate:
                returned = cls.forward(*args)
                cls.setup_context(ctx, args, returned)
            else:
                returned = cls.forward(ctx, *args)
        outputs = returned if isinstance(returned, tuple) else (returned,)
        results = _record(cls, ctx, args, outputs)
        return results if isinstance(returned, tuple) else results[0]


def _record(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The outputs with their node behind them, which takes over what was saved."""
    saved, ctx._saved = ctx._saved, None
    recorded = mode.grad and any(ctx.needs_input_grad)
    for t in ctx._dirty:
        refuse(t, cls.__name__)
        changes.mark(t.array, cls.__name__)
        if not any(t is y for y in outputs):
            raise ArgumentError(cls.__name__, "mark_dirty", "an input that was changed in place is not among the outputs",
                                "return it from forward")
    ctx_dirty, constants = ctx._dirty, ctx._constants
    ctx._dirty = ctx._constants = ()     # a ctx that held its own output would be a cycle
    op = FunctionOp(cls, len(outputs))
    node = None
    if recorded:
        edges = tuple((x.node or x) if needed else None for x, needed in zip(args, ctx.needs_input_grad, strict=True))
        params = {"ctx": ctx, "inputs": [(x.shape, x.dtype) if isinstance(x, Tensor) else None for x in args],
                  "saved_edges": [_edge_of(t, args, outputs) for t in saved]}
        shapes = tuple(functools.partial(_zeros, y.shape, y.dtype, type(y.array), backend.device_of(y.array).index) if isinstance(y, Tensor) else None for y in outputs)
        node = new_node(op, edges, tuple(t.array if t is not None else None for t in saved), None, params, shapes)
    results = []
    for i, y in enumerate(outputs):
        if not isinstance(y, Tensor):
            results.append(y)
            continue
        dirty = any(y is t for t in ctx_dirty)
        if not dirty and (y.node is not None or any(y is x for x in args)):
            y = wrap(y.array)            # an input returned as it is: another handle on its memory
        if node is not None and dtypes.is_floating(y.dtype) and not any(outputs[i] is t for t in constants):
            mine: Any = op.behind(node, i, y.array)
            if dirty:
                become(y, mine)
            else:
                y.node, y._requires_grad = mine, True
        results.append(y)
    for watcher in watchers:
        watcher.forward(op, args, tuple(results) if op.outputs > 1 else results[0], {})
    return tuple(results)


def _edge_of(t: Any, args: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """Where a saved tensor is in the graph: the number of an output, or what is behind an input, or nothing."""
    if t is None:
        return None
    for i, y in enumerate(outputs):
        if t is y and not any(t is x for x in args):
            return i
    return (t.node or t) if t._requires_grad else None


def _zeros(shape: tuple[int, ...], dtype: Any, kind: type, index: int | None) -> Tensor:
    return wrap(namespaces[kind].new(shape, dtype, 0, index))


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Say of a Function's `backward` that it cannot be recorded: a gradient of its gradient is then an error."""
    @functools.wraps(backward)
    def once(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            returned = backward(ctx, *gradients)
        inputs = [g for g in (*gradients, *ctx.saved_tensors) if isinstance(g, Tensor) and g.requires_grad]
        if not mode.grad or not inputs:
            return returned
        results = returned if isinstance(returned, tuple) else (returned,)
        out = []
        for r in results:
            if isinstance(r, Tensor):
                r = wrap(r.array)
                r.node, r._requires_grad = new_node(Once(), tuple(g.node or g for g in inputs), ()), True
            out.append(r)
        return tuple(out) if isinstance(returned, tuple) else out[0]
    return once


class Once:
    """The pseudo-op behind a gradient that cannot be differentiated."""

    name, elementwise, outputs = "once_differentiable", False, 1

    def vjp(self, node: Node, g: Any, create_graph: bool, live: set[Any] | None) -> Sequence[Any]:
        raise GraphError(self.name, "a gradient of its gradient", "this Function's backward can be differentiated only once",
                         "write backward with recorded ops and take the decorator away")
