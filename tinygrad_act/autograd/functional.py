"""Derivatives of functions, not of tensors: vjp, jvp, jacobian, hessian, hvp, vhp, with PyTorch's signatures.

A function takes one Tensor or a tuple of them and returns the same; what is computed keeps that structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError, GraphError, ShapeError
from ..grad_mode import enable_grad, mode
from ..graph import grad
from ..tensor import Tensor, wrap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]


# ------------------------------------------------------------------------------------------------------ helpers
def _tuple(x: Any, op: str, what: str) -> Tensors:
    xs = tuple(x) if isinstance(x, (tuple, list)) else (x,)
    for t in xs:
        if not isinstance(t, Tensor):
            raise ArgumentError(op, f"{what} with a {type(t).__name__}", "they must be a Tensor or a tuple of Tensors")
    return xs


def _like(structure: Any, results: Sequence[Any]) -> Any:
    return tuple(results) if isinstance(structure, (tuple, list)) else results[0]


def _enter(inputs: Any, create_graph: bool, op: str) -> Tensors:
    """The inputs as tensors of their own: with create_graph in the caller's graph, else cut off from it."""
    out = []
    for x in _tuple(inputs, op, "inputs"):
        if create_graph and x.requires_grad:
            out.append(x.view_as(x))
        else:
            out.append(x.detach().requires_grad_())
    return tuple(out)


def _leave(tensors: Sequence[Tensor], create_graph: bool) -> Tensors:
    return tuple(t if create_graph else t.detach() for t in tensors)


def _call(func: Callable[..., Any], inputs: Tensors, op: str, strict: bool) -> tuple[Any, Tensors]:
    returned = func(*inputs)
    outputs = _tuple(returned, op, "outputs")
    for i, y in enumerate(outputs):
        if strict and not y.requires_grad:
            raise GraphError(op, f"output {i} of the function", "it does not depend on the inputs",
                             "with strict=False its derivative is taken to be zero")
    return returned, outputs


def _vectors(v: Any, like: Tensors, structure: Any, op: str, what: str) -> Tensors:
    """v, or 1 for a single number, checked against the shapes it goes with."""
    if v is None:
        if len(like) == 1 and math.prod(like[0].shape) == 1:
            return (_ones(like[0]),)
        raise ArgumentError(op, "v=None", f"the vector can be left out only for {what} of one element", "pass v")
    vs = _tuple(v, op, "v")
    if len(vs) != len(like):
        raise ArgumentError(op, f"{len(vs)} vectors in v", f"there are {len(like)} {what}", "give one for each")
    for a, b in zip(vs, like, strict=True):
        if a.shape != b.shape:
            raise ShapeError(op, f"a vector of shape {a.shape} for one of the {what} of shape {b.shape}", "they must be equal")
    return vs


def _ones(x: Tensor) -> Tensor:
    from ..backend import namespaces
    return wrap(namespaces[type(x.array)].ones_like(x.array))


def _gradients(outputs: Sequence[Tensor], inputs: Tensors, seeds: Sequence[Any], create_graph: bool, op: str,
               strict: bool = False, keep: bool = False) -> Tensors:
    """grad, with zeros where nothing leads (or, if strict, an error)."""
    pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = (None,) * len(inputs)
    if pairs:
        found = grad([y for y, _ in pairs], inputs, [s for _, s in pairs], retain_graph=create_graph or keep,
                     create_graph=create_graph, allow_unused=True)
    if strict and (missing := [i for i, g in enumerate(found) if g is None]):
        raise GraphError(op, f"input {missing[0]}", "the outputs do not depend on it",
                         "with strict=False the derivative is taken to be zero")
    return tuple((x * 0).detach() if g is None else g for g, x in zip(found, inputs, strict=True))


# ---------------------------------------------------------------------------------------------------- functions
def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), v^T J): the product of a vector with the Jacobian, one backward pass.

    >>> ta.autograd.functional.vjp(lambda x: x * x, ta.tensor([1.0, 2.0]), ta.ones(2))[1]
    tensor([2., 4.])
    """
    with enable_grad():
        xs = _enter(inputs, create_graph, "vjp")
        returned, ys = _call(func, xs, "vjp", strict)
        vs = _vectors(v, ys, returned, "vjp", "outputs")
    with _recording(create_graph):
        gs = _gradients(ys, xs, vs, create_graph, "vjp", strict)
    return _like(returned, _leave(ys, create_graph)), _like(inputs, _leave(gs, create_graph))


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), J v): the derivative in the direction v, by differentiating the vjp, which is linear.

    >>> ta.autograd.functional.jvp(lambda x: x * x, ta.tensor([1.0, 2.0]), ta.tensor([1.0, 0.0]))[1]
    tensor([2., 0.])
    """
    with enable_grad():
        xs = _enter(inputs, create_graph, "jvp")
        vs = _vectors(v, xs, inputs, "jvp", "inputs")
        returned, ys = _call(func, xs, "jvp", strict)
        us = tuple((y.detach() * 0).requires_grad_() for y in ys)
        gs = _gradients(ys, xs, us, True, "jvp", strict)
        out = _gradients(gs, us, vs, create_graph, "jvp")
    return _like(returned, _leave(ys, create_graph)), _like(returned, _leave(out, create_graph))


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
             vectorize: bool = False, strategy: str = "reverse-mode") -> Any:
    """Every derivative of every output element by every input element: shape (*output, *input).

    A tuple of inputs makes it a tuple, a tuple of outputs a tuple of those. `vectorize` and `strategy` are accepted:
    the result does not depend on them.

    >>> ta.autograd.functional.jacobian(lambda x: x * x, ta.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError("jacobian", f"strategy={strategy!r}", "it is 'reverse-mode' or 'forward-mode'")
    with enable_grad():
        xs = _enter(inputs, create_graph, "jacobian")
        returned, ys = _call(func, xs, "jacobian", strict)
    with _recording(create_graph):
        blocks = [_block(y, xs, create_graph, strict) for y in ys]
    return _like(returned, [_like(inputs, row) for row in blocks])


def _block(y: Tensor, xs: Tensors, create_graph: bool, strict: bool) -> list[Tensor]:
    """The Jacobian of one output by each of the inputs."""
    flat: Any = y.reshape(-1)
    rows = [_gradients([flat[i]], xs, [None], create_graph, "jacobian", strict, keep=True) for i in range(flat.shape[0])]
    if not rows:
        return [x.new_zeros((*y.shape, *x.shape)) for x in xs]
    from ..graph import recording
    columns = [recording.stack(column, 0).reshape((*y.shape, *x.shape)) for column, x in zip(zip(*rows, strict=True), xs, strict=True)]
    return list(_leave(columns, create_graph))


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
            vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The second derivatives of a function with one number as its result: shape (*input, *input).

    >>> ta.autograd.functional.hessian(lambda x: (x * x * x).sum(), ta.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    def gradient(*xs: Tensor) -> Any:
        given = xs if isinstance(inputs, (tuple, list)) else xs[0]
        return jacobian(lambda *args: _scalar(func(*args), "hessian"), given, create_graph=True, strict=strict)
    return jacobian(gradient, inputs, create_graph=create_graph, strict=strict, strategy=outer_jacobian_strategy)


def _scalar(y: Any, op: str) -> Tensor:
    if not isinstance(y, Tensor) or math.prod(y.shape) != 1:
        got = f"a result of shape {y.shape}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
        raise ArgumentError(op, got, "the function must return a single number", "reduce it, for example with .sum()")
    return y.reshape(())


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), H v): the Hessian times a vector, without the Hessian.

    >>> ta.autograd.functional.hvp(lambda x: (x * x * x).sum(), ta.tensor([1.0, 2.0]), ta.ones(2))[1]
    tensor([ 6., 12.])
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), v^T H): as hvp, the Hessian being symmetric, and cheaper.

    >>> ta.autograd.functional.vhp(lambda x: (x * x * x).sum(), ta.tensor([1.0, 2.0]), ta.ones(2))[1]
    tensor([ 6., 12.])
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def _hessian_product(op: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool) -> Any:
    with enable_grad():
        xs = _enter(inputs, create_graph, op)
        vs = _vectors(v, xs, inputs, op, "inputs")
        y, gs = _first(func, xs, op, strict)
        if op == "hvp":                        # u^T H is linear in u, so its gradient for u, times v, is H v
            us = tuple((g.detach() * 0).requires_grad_() for g in gs)
            out = _gradients(_gradients(gs, xs, us, True, op, strict), us, vs, create_graph, op)
        else:
            out = _gradients(gs, xs, vs, create_graph, op, strict)
    return y if create_graph else y.detach(), _like(inputs, _leave(out, create_graph))


def _first(func: Callable[..., Any], xs: Tensors, op: str, strict: bool) -> tuple[Tensor, Tensors]:
    returned, _ = _call(func, xs, op, strict)
    y = _scalar(returned, op)
    return returned, _gradients([y], xs, [None], True, op, strict)


class _recording(enable_grad):
    """Recording if `on`, else as it was."""

    def __new__(cls, on: bool) -> Any:
        return object.__new__(cls)

    def __init__(self, on: bool) -> None:
        super().__init__()
        self.enabled = on or mode.grad
