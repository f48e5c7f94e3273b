"""The short way through an op: what `Op.general` does, for the calls that training makes, with its questions answered
beforehand. Whatever is out of the ordinary (a number first, mixed dtypes, a mistake) takes the long way after all.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .backend import namespaces
from .changes import note_view
from .errors import TinygradActError
from .grad_mode import mode
from .graph import new_node, watchers
from .rule import CAREFUL, LARGE
from .tensor import Tensor

COMPLAINTS = (ValueError, TypeError, IndexError, ArithmeticError)       # of the library; the long way explains them
new = Tensor.__new__


def short(op: Any) -> Callable[..., Any]:
    """The quickest function that does what `op.general` does."""
    plain = not (op.aux or op.outputs > 1 or op.free)
    if op.arity == 1 and plain:
        return one_input(op)
    if op.arity == 2 and plain and not op.defaults and (op.elementwise or op.same_dtype):
        return two_inputs(op)
    return several_inputs(op) if op.arity and not (op.elementwise or op.view or op.free & 1) else long_way(op)


def long_way(op: Any) -> Callable[..., Any]:
    general = op.general

    def call(*inputs: Any, **settings: Any) -> Any:
        return general(*inputs, **settings)

    return dressed(call, op)


def one_input(op: Any) -> Callable[..., Any]:
    """For an op of one input: any op but an elementwise one runs on every dtype, that one on the floats."""
    general, forward, defaults, elementwise, is_view = op.general, op.forward, op.defaults, op.elementwise, op.view
    floats = not elementwise or "f" in op.kinds
    plans, single = op.plans, op.executed.single

    def call(input: Any, *more: Any, **settings: Any) -> Any:
        if more or watchers or not isinstance(input, Tensor):
            return general(input, *more, **settings)
        a = input.array
        kind = type(a)
        F = namespaces[kind]
        if elementwise and (a.dtype.char not in F.floats or not floats):
            return general(input, **settings)
        try:
            large = elementwise and a.size >= F.large
            y = F.run(forward, (a,), settings) if large and (a.size >= F.shared or not single(F)) else forward(F, a, **settings)
        except TinygradActError:
            raise
        except COMPLAINTS:
            return general(input, **settings)
        if type(y) is not kind:
            y = F.asarray(y)
        out = new(Tensor)
        out.array = y
        if mode.grad:
            settings = {**defaults, **settings} if settings else defaults
            if input._requires_grad and op.differentiable:
                plan = plans.get(1) or op.plan(1)
                if large and (a.size >= F.shared or not plan.single(F)):
                    plan = plans.get(1 | LARGE) or op.plan(1 | LARGE)
                out._requires_grad = True
                out.node = new_node(op, (input.node or input,), plan.keep((a, y)), plan, settings)
            if is_view:
                note_view(input, out, op, settings)
        else:
            if mode.inference:
                out.inference = True
            if is_view:
                out.view_of = (weakref.ref(input), None)     # its root will not learn of changes: see inplace.refuse
        return out

    return dressed(call, op)


def two_inputs(op: Any, foreign: Callable[[Any], bool] | None = None) -> Callable[..., Any]:
    """For an elementwise op, or a product, of two inputs: Tensors of one float dtype, or a Tensor and a number; of ints where it takes
    all kinds, with small numbers.

    As an operator it gives way (NotImplemented) to an operand that `foreign` says is none of ours.
    """
    forward, plans, elementwise = op.forward, op.plans, op.elementwise
    fits = None if elementwise else op.fits
    floats = fits is not None or "f" in op.kinds
    ints = elementwise and op.kinds == "bif" and op.result != "float"
    single = op.executed.single

    def general(input: Any, other: Any) -> Any:
        return NotImplemented if foreign is not None and foreign(other) else op.general(input, other)

    def call(input: Any, other: Any) -> Any:
        if watchers or not isinstance(input, Tensor):
            return general(input, other)
        a = input.array
        kind, dtype = type(a), a.dtype
        F = namespaces[kind]
        needs_other = False
        if isinstance(other, Tensor):
            b = other.array
            needs_other = other._requires_grad
            if b.dtype is not dtype or type(b) is not kind:
                return general(input, other)
        elif elementwise and (type(other) is float or type(other) is int):
            b = other
        else:
            return general(input, other)
        if dtype.char not in F.floats or not floats:
            if not (ints and F.plain) or dtype.kind not in "iu" or (b is other and not (type(b) is int and 0 <= b < 128)):      # what each dtype has
                return general(input, other)
        elif fits is not None and not fits(a, b):
            return general(input, other)
        try:
            large = elementwise and a.size >= F.large
            y = F.run(forward, (a, b), {}) if large and (a.size >= F.shared or not single(F)) else forward(F, a, b)
        except TinygradActError:
            raise
        except COMPLAINTS:
            return general(input, other)
        if type(y) is not kind:
            y = F.asarray(y)
        out = new(Tensor)
        out.array = y
        needs_input = input._requires_grad
        if (needs_input or needs_other) and mode.grad and op.differentiable:
            mask = needs_input + 2 * needs_other
            shapes = None
            if elementwise and b is not other and a.shape != b.shape:
                shapes = a.shape, b.shape
                mask |= CAREFUL
            plan = plans.get(mask) or op.plan(mask)
            if large and shapes is None and (a.size >= F.shared or not plan.single(F)):
                plan = plans.get(mask | LARGE) or op.plan(mask | LARGE)
            node = new_node(op, ((input.node or input) if needs_input else None, (other.node or other) if needs_other else None),
                            plan.keep((a, b, y)), plan, op.defaults, shapes)
            if b is not other and not (needs_input and needs_other) and (input.inference or other.inference):
                op.refuse_inference(plan, (input, other))
            out._requires_grad = True
            out.node = node
        elif mode.inference:
            out.inference = True
        return out

    return dressed(call, op)


def several_inputs(op: Any) -> Callable[..., Any]:
    """For an op of several inputs, or results, that is not elementwise: Tensors of the first one's dtype, but for those that are free."""
    general, forward, defaults, plans, arity = op.general, op.forward, op.defaults, op.plans, op.arity
    free, aux, variadic = op.free, op.aux, op.variadic

    def call(*inputs: Any, **settings: Any) -> Any:
        if watchers or not inputs or not (variadic or len(inputs) == arity) or not isinstance(inputs[0], Tensor):
            return general(*inputs, **settings)
        a = inputs[0].array
        kind, dtype = type(a), a.dtype
        F = namespaces[kind]
        if dtype.char not in F.floats:
            return general(*inputs, **settings)
        arrays: list[Any] = []
        edges: list[Any] = []
        mask, bit = 0, 1
        for x in inputs:
            if not isinstance(x, Tensor):
                return general(*inputs, **settings)
            a = x.array
            if type(a) is not kind or (a.dtype is not dtype and not free & bit):
                return general(*inputs, **settings)
            arrays.append(a)
            if x._requires_grad:
                mask |= bit
                edges.append(x.node or x)
            else:
                edges.append(None)
            bit <<= 1
        try:
            y = forward(F, *arrays, **settings)
        except TinygradActError:
            raise
        except COMPLAINTS:
            return general(*inputs, **settings)
        extra = ()
        if aux:
            y, *extra = y
        if op.outputs > 1:
            return op.record_many(inputs, arrays, y, extra, {**defaults, **settings}, mask, F)
        out = new(Tensor)
        out.array = y if type(y) is kind else F.asarray(y)
        if mask and mode.grad and op.differentiable:
            plan = plans.get(mask) or op.plan(mask)
            if mask + 1 != bit:
                op.refuse_inference(plan, inputs)
            out._requires_grad = True
            kept = plan.keep((tuple(arrays), out.array, *extra) if variadic else (*arrays, out.array, *extra))
            out.node = new_node(op, tuple(edges), kept, plan, {**defaults, **settings} if settings else defaults)
        elif mode.inference:
            out.inference = True
        return out

    return dressed(call, op)


def dressed(call: Any, op: Any) -> Callable[..., Any]:
    """The function with its op's name and documentation; `.op` leads back to the record."""
    call.__name__ = call.__qualname__ = op.name
    call.__doc__ = op.__doc__
    call.op = op
    return call  # type: ignore[no-any-return]
