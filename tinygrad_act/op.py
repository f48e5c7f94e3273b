"""Op: an operation as a record, a forward rule and its backward rules.

Both are pure functions over a vocabulary F. Called on Tensors, an Op runs the forward rule on their arrays and, if one
of them needs a gradient, leaves a Node in the graph with the arrays that the backward rules name, and no others. Those
rules run on arrays in an ordinary backward pass, and on Tensors (`graph.recording`) when `create_graph=True`.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import backend, dtypes
from .backend import namespaces
from .changes import note_view
from .errors import ArgumentError, DeviceError, DTypeError, GraphError, ShapeError, TinygradActError
from .grad_mode import mode
from .graph import PICK, Node, new_node, recording, watchers
from .rule import CAREFUL, Executed, Plan, Rule, parameters
from .short import short
from .tensor import Tensor, wrap

NUMBERS = (int, float, bool)
NO_PARAMS: dict[str, Any] = {}


class Op:
    """A forward rule and its backward rules. Called on Tensors it computes and, if needed, records.

    `forward(F, x, ..., *, parameter=default)`; positional parameters are the inputs, keyword ones the settings.
    `rules` has one backward rule per input, `rule(F, g, ...)`, None where there is no gradient; its parameter names
    say what the graph keeps: inputs by name, `y` the output, `x_shape` only a shape. `joint` is one rule for all
    inputs, returning a sequence of gradients (it may ask for `needs`, a tuple of bools). `aux` names what forward
    returns after y for the rules to read. `outputs` > 1: forward returns that many results, g is a list of gradients.
    `free` has the bits of the inputs whose dtype is their own.

    >>> import tinygrad_act as ta
    >>> cube = ta.Op("cube", lambda F, x: x * x * x, lambda F, g, x: g * (3 * (x * x)))
    >>> x = ta.tensor([2.0], requires_grad=True)
    >>> cube(x).backward(); x.grad
    tensor([12.])
    """

    elementwise = False
    gradient: Op | None = None           # see Elementwise.set_second
    variant = ""                         # the name of the backward rule that stands in for its own: see ops/choice.py
    rules: tuple[Rule | None, ...]

    def __init__(self, name: str, forward: Callable[..., Any], *rules: Callable[..., Any] | None,
                 joint: Callable[..., Any] | None = None, aux: Sequence[str] = (), outputs: int = 1,
                 view: bool = False, same_dtype: bool = False, free: int = 0) -> None:
        self.name, self.forward, self.free = name, forward, free
        self.aux, self.outputs, self.view, self.same_dtype = tuple(aux), outputs, view, same_dtype
        inputs, self.variadic, self.defaults = parameters(forward)
        self.inputs = tuple(inputs[1:])
        self.arity = -1 if self.variadic else len(self.inputs)
        self.required = {k for k, default in self.defaults.items() if default is inspect.Parameter.empty}
        self.names = {n: i for i, n in enumerate((*self.inputs, "y", *self.aux))}
        self.plans: dict[int, Plan] = {}
        self.executed = Executed(forward)
        self.set_rules(rules, joint)
        self.settle()

    def settle(self) -> None:
        """Choose the quickest way to run this op, now that it is known what it is."""
        self.call = short(self)

    def set_rules(self, rules: Sequence[Callable[..., Any] | None], joint: Callable[..., Any] | None = None) -> None:
        """Take other backward rules: one for each input, or a joint one."""
        self.rules = tuple(r and Rule(r, self.names, self.name) for r in rules)
        self.joint = joint and Rule(joint, self.names, self.name)
        self.differentiable = bool(joint) or any(rules)
        self.plans.clear()

    def plan(self, mask: int) -> Plan:
        """Work out what to keep and which rules to call, when the inputs in `mask` need a gradient."""
        self.plans[mask] = Plan(self, mask)
        return self.plans[mask]

    def __repr__(self) -> str:
        return f"<Op {self.name}({', '.join((*self.inputs, *self.defaults))})>"

    # ------------------------------------------------------------------------------------------ forward
    def __call__(self, *inputs: Any, **params: Any) -> Any:
        return self.call(*inputs, **params)

    def general(self, *inputs: Any, **params: Any) -> Any:
        """The long way, for all inputs: bind the settings, look at the inputs, run the rule, record a node."""
        for watcher in watchers:
            other = watcher.instead(self)
            if other is not self:
                return other.general(*inputs, **params)
        if params or self.defaults or len(inputs) != self.arity:
            inputs, params = self.settings(inputs, params)
        inputs, arrays, kind, dtype, mask = self.look(inputs)
        F = namespaces[kind]
        y = self.compute(F, dtype, arrays, params)
        extra = ()
        if self.aux:
            y, *extra = y
        if self.outputs > 1:
            return self.record_many(inputs, arrays, y, extra, params, mask, F)
        if type(y) is not kind:
            y = F.asarray(y)
        out = wrap(y)
        if mask and mode.grad and self.differentiable:
            out._requires_grad = True
            out.node = self.record(inputs, arrays, (y, *extra), params, mask)
        elif mode.inference:
            out.inference = True
        if self.view and mode.grad:
            note_view(inputs[0], out, self, params)
        elif self.view:
            out.view_of = (weakref.ref(inputs[0]), None)     # its root will not learn of changes: see inplace.refuse
        for watcher in watchers:
            watcher.forward(self, inputs, out, params)
        return out

    def settings(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The inputs, and all settings."""
        if len(inputs) != self.arity or not self.required <= params.keys() <= self.defaults.keys():
            return self.bind(inputs, params)
        return inputs, {**self.defaults, **params} if params else self.defaults

    def look(self, inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any], Any, Any, int]:
        """The inputs, converted if need be; their arrays, of what library and dtype these are, and which need a gradient, as a mask."""
        kind: Any = None
        dtype: Any = None
        plain, free = True, self.free
        mask, bit = 0, 1
        arrays = []
        for x in inputs:
            if isinstance(x, Tensor):
                a = x.array
                if kind is None:
                    kind = type(a)
                elif type(a) is not kind:
                    plain = False
                if free & bit:
                    pass
                elif dtype is None:
                    dtype = a.dtype
                elif a.dtype is not dtype:
                    plain = False
                if x._requires_grad:
                    mask |= bit
                arrays.append(a)
            else:
                plain = plain and type(x) in NUMBERS and self.elementwise
                arrays.append(x)
            bit <<= 1
        if not plain or dtype is None or not self.takes(dtype, inputs):
            inputs = tuple(self.prepare(inputs))
            arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
            lead = next(a for i, a in enumerate(arrays) if hasattr(a, "dtype") and not free >> i & 1)
            kind, dtype = type(lead), lead.dtype
        return inputs, arrays, kind, dtype, mask

    def compute(self, F: Any, dtype: Any, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """What the forward rule returns, or the library's complaint as ours."""
        try:
            if not self.elementwise or self.executed.plain(F, dtype, getattr(arrays[0], "size", 0)):
                return self.forward(F, *arrays, **params)
            return F.run(self.forward, arrays, params)
        except TinygradActError:
            raise
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            raise self.explain(error, arrays) from error

    def record(self, inputs: Sequence[Any], arrays: list[Any], results: tuple[Any, ...], params: dict[str, Any],
               mask: int) -> Node:
        """The node of one use: its edges, and what the plan keeps."""
        plan = self.plans.get(mask) or self.plan(mask)
        edges = tuple([(x.node or x) if isinstance(x, Tensor) and x._requires_grad else None for x in inputs])
        if mask & ~CAREFUL != (1 << len(edges)) - 1:
            self.refuse_inference(plan, inputs)
        values = (tuple(arrays), *results) if self.variadic else (*arrays, *results)
        return new_node(self, edges, plan.keep(values), plan, params)

    def refuse_inference(self, plan: Plan, inputs: Sequence[Any]) -> None:
        """Raise if a rule wants an input that was made under inference_mode."""
        if True not in [getattr(x, "inference", False) for x in inputs]:
            return
        for i, attribute in plan.sources:
            some = inputs if self.variadic else inputs[i:i + 1]
            if not attribute and i < len(self.inputs) and any(getattr(x, "inference", False) for x in some):
                raise GraphError(self.name, "a tensor made under inference_mode", "it cannot be saved for the backward rule",
                                 "use a clone() of it, or make it under ta.no_grad()")

    def record_many(self, inputs: Sequence[Any], arrays: list[Any], ys: Sequence[Any], extra: Sequence[Any],
                    params: dict[str, Any], mask: int, F: Any) -> tuple[Tensor, ...]:
        """Several results: one node for the op, and behind each result a `pick` that knows its place."""
        ys = tuple(F.asarray(y) for y in ys)
        outs = tuple(wrap(y) for y in ys)
        if mask and mode.grad and self.differentiable:
            node = self.record(inputs, arrays, (ys, *extra), params, mask)
            node.shapes = tuple((y.shape, y.dtype) for y in ys)
            for i, out in enumerate(outs):
                if edge := pick(node, i, out.array):
                    out.node, out._requires_grad = edge, True
        elif mode.inference:
            for out in outs:
                out.inference = True
        for watcher in watchers:
            watcher.forward(self, inputs, outs, params)
        return outs

    def bind(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Inputs given by keyword, settings given by position, and the defaults."""
        if not self.variadic:
            names = (*self.inputs, *self.defaults)
            if len(inputs) > len(names):
                raise ArgumentError(self.name, f"{len(inputs)} arguments", f"it takes {', '.join(names)}")
            given = dict(zip(names, inputs, strict=False)) | {self.synonym(k): v for k, v in params.items()}
            missing = [n for n in self.inputs if n not in given]
            if missing or len(given) < len(inputs) + len(params):
                raise ArgumentError(self.name, f"{len(inputs)} positional arguments and {sorted(params)}",
                                    f"missing {missing}" if missing else "an argument is given twice",
                                    f"it takes {', '.join(names)}")
            inputs = tuple(given.pop(n) for n in self.inputs)
            params = given
        if unknown := [k for k in params if k not in self.defaults]:
            raise ArgumentError(self.name, f"unknown argument {unknown[0]!r}",
                                f"it takes {', '.join((*self.inputs, *self.defaults)) or 'none'}")
        params = {**self.defaults, **params}
        if unset := [k for k, v in params.items() if v is inspect.Parameter.empty]:
            raise ArgumentError(self.name, "", f"the argument {unset[0]!r} is missing")
        return inputs, params

    def synonym(self, name: str) -> str:
        """PyTorch's name of an input (`input`, `other`) as the rule's own name."""
        position = {"input": 0, "other": 1}.get(name)
        return self.inputs[position] if position is not None and position < len(self.inputs) else name

    def fits(self, a: Any, b: Any) -> bool:
        """May two arrays of one dtype go the short way, as far as their shapes tell?"""
        return True

    def takes(self, dtype: Any, inputs: Sequence[Any]) -> bool:
        """Can the forward rule run on these inputs as they are? (They are of one library and dtype.)"""
        return True

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Tensors of one device; here, not in the fast path, misuse is told from what can be converted."""
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        if not tensors:
            got = ", ".join(type(x).__name__ for x in inputs)
            odd = next((x for x in inputs if isinstance(x, (tuple, list)) or callable(x)), 0)
            raise ArgumentError(self.name, got, "at least one input must be a Tensor", _remedy(odd))
        inputs = [x if isinstance(x, Tensor) or type(x) in NUMBERS else tensor_of(x, self.name) for x in inputs]
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        devices = list(dict.fromkeys(str(t.device) for t in tensors))
        if len(devices) > 1:
            raise DeviceError(self.name, " and ".join(devices), "the inputs are on different devices and no op moves data",
                              "move one with .to(device)")
        if self.same_dtype and len({t.dtype for t in tensors}) > 1:
            raise DTypeError(self.name, " and ".join(str(t.dtype) for t in tensors), "the dtypes differ",
                             "convert one, for example with .to(ta.float32)")
        return inputs

    def explain(self, error: Exception, arrays: Sequence[Any]) -> TinygradActError:
        """The library's complaint as ours."""
        got = ", ".join(str(a.shape) if hasattr(a, "shape") else repr(a)[:40] for a in arrays)
        kind = ShapeError if isinstance(error, ValueError) else ArgumentError
        return kind(self.name, got, str(error).rstrip("."))

    # ----------------------------------------------------------------------------------------- backward
    def vjp(self, node: Node, g: Any, create_graph: bool, live: set[Any] | None) -> Sequence[Any]:
        """The gradient for each edge (None for those nobody wants), by the node's rules."""
        saved = self.handles(node) if create_graph else node.saved
        if self.outputs == 1:
            F = recording if create_graph else namespaces[type(g)]
        else:
            F = recording if create_graph else next(namespaces[type(part)] for part in g if part is not None)
            g = [_zeros(F, g, shape, dtype) if part is None else part
                 for part, (shape, dtype) in zip(g, node.shapes, strict=True)]
        grads: list[Any] = [None] * len(node.edges)
        for (i, rule, pick, names), by in zip(node.plan.calls, node.plan.executed, strict=True):
            arguments = saved if pick is None else pick(saved)
            if i is None:
                needs = {"needs": tuple(e is not None and (live is None or e in live) for e in node.edges)}
                return rule(F, g, *arguments, **{k: (needs if k == "needs" else node.params)[k] for k in names})  # type: ignore[no-any-return]
            if live is not None and node.edges[i] not in live:
                continue
            params = {k: node.params[k] for k in names} if names else NO_PARAMS
            if not self.elementwise:
                grads[i] = rule(F, g, *arguments, **params)
                continue
            if create_graph and self.gradient is not None and i == 0:
                gx = self.gradient(g, *arguments, **node.params or NO_PARAMS)
            else:
                gx = (rule if create_graph else by)(F, g, *arguments, **params)
            grads[i] = gx if node.shapes is None else F.sum_to(gx, node.shapes[i])
        return grads

    def handles(self, node: Node) -> list[Any]:
        """The saved arrays as Tensors in their place in the graph, for rules that are themselves recorded."""
        out = []
        for value, (i, attribute) in zip(node.saved, node.plan.sources, strict=True):
            if attribute or value is None or isinstance(value, NUMBERS):
                out.append(value)
            elif i < len(self.inputs):
                out.append(tuple(map(_handle, value, node.edges)) if self.variadic else _handle(value, node.edges[i]))
            elif i == len(self.inputs):
                out.append(_handle(value, node) if self.outputs == 1 else
                           tuple(_handle(v, pick(node, j, v)) for j, v in enumerate(value)))
            else:                          # aux: a mask or an index is a constant, a float is recomputed by the rule
                out.append(None if dtypes.is_floating(value.dtype) else wrap(value))
        return out


class Single(Op):
    """An op of one result: the same, and a type checker knows that it gives a Tensor."""

    call: Callable[..., Tensor]
    if TYPE_CHECKING:
        def __call__(self, *inputs: Any, **params: Any) -> Tensor: ...


def tensor_of(x: Any, op: str) -> Tensor:
    """An array as a Tensor, or the error that says what to pass instead of `x`."""
    if backend.is_array(x) or hasattr(x, "__array__"):
        return wrap(backend.asarray(x))
    raise ArgumentError(op, f"a {type(x).__name__}", "an input is neither a Tensor nor a number", _remedy(x))


def _remedy(x: Any) -> str:
    """What to pass instead of `x`, which is no Tensor."""
    if isinstance(x, (tuple, list)):
        return "pass one of its parts (some layers, such as LSTM, return several results), or wrap numbers with ta.tensor(...)"
    return "call it, and pass what it returns" if callable(x) else "wrap it with ta.tensor(...)"


def pick(node: Node, index: int, array: Any) -> Node | None:
    """What stands behind one of several results; an integer one has no gradient."""
    return new_node(PICK, (node,), (), None, {"index": index}) if dtypes.is_floating(array.dtype) else None


def _handle(array: Any, edge: Any) -> Any:
    if not backend.is_array(array):
        return array
    if edge is None or isinstance(edge, Tensor):
        return wrap(array) if edge is None else edge
    t = wrap(array)
    t.node, t._requires_grad = edge, True
    return t


def _zeros(F: Any, g: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    like = next(part for part in g if part is not None)
    return F.cast(F.full(shape, 0, like), dtype) if dtypes.is_floating(dtype) else None
