"""Functions of functions, as PyTorch's torch.func has them: derivatives, and modules called with other parameters.

What goes in and comes out may be a Tensor, or tuples, lists and dicts of Tensors, such as `dict(model.named_parameters())`.
There is no `vmap`: write the batch as an axis, or a loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import ArgumentError, ShapeError
from .grad_mode import enable_grad, mode
from .graph import grad as gradients
from .graph import reachable, recording
from .nn.module import Module
from .nn.utils.stateless import call_with
from .tensor import Tensor
from .trees import mapped

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]

Numbers = int | tuple[int, ...]
_active = threading.local()              # .depth: how many of the functions here are calling one of the user's, one inside another


def functional_call(module: Module, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: Mapping[str, Any] | None = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """What the module gives with these tensors in place of its own parameters and buffers, which it gets back whatever happens.

    Gradients flow to the tensors that are given; what the module changes in place (the running mean of a batch normalisation) is
    changed in them.

    Args:
        parameter_and_buffer_dicts: a dict of tensors by the names of `named_parameters()` and `named_buffers()`, or a tuple of
            such dicts. What is not in it is the module's own.
        args, kwargs: for the module; args that are no tuple are the one argument.
        tie_weights: a tensor that the module has under several names is replaced under each, if given for one.
        strict: names that are missing, or that the module does not have, are refused.

    >>> model = ta.nn.Linear(2, 1)
    >>> weights = {"weight": ta.tensor([[1.0, 2.0]], requires_grad=True), "bias": ta.zeros(1)}
    >>> y = ta.func.functional_call(model, weights, ta.tensor([3.0, 4.0])); y.backward(); y.item(), weights["weight"].grad
    (11.0, tensor([[3., 4.]]))
    """
    return call_with(module, parameter_and_buffer_dicts, args, kwargs, tie_weights, strict)


# ------------------------------------------------------------------------------------------------- trees of tensors
def _leaves(tree: Any, op: str, what: str) -> list[Tensor]:
    """The tensors in it, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    if not isinstance(tree, (tuple, list, dict)):
        raise ArgumentError(op, f"{what} with a {type(tree).__name__}", "there must be a Tensor, or tuples, lists and dicts of Tensors")
    return [t for part in (tree.values() if isinstance(tree, dict) else tree) for t in _leaves(part, op, what)]


def _like(tree: Any, leaves: Sequence[Any]) -> Any:
    """These leaves in a tree of the same build."""
    rest = iter(leaves)
    return mapped(tree, Tensor, lambda _: next(rest))


# --------------------------------------------------------------------------------------------- one call of a function
def _own(leaves: Sequence[Any]) -> int:
    """Mark leaves that functions here have made for themselves with how deep in one another these are, which is returned. To a call, leaves
    from further out are somebody else's, as the user's are.
    """
    depth: int = getattr(_active, "depth", 0)
    for x in leaves:
        x.depth = depth
    return depth


class _Call:
    """A function called with some arguments as tensors of their own, to be differentiated for those."""

    def __init__(self, op: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], argnums: Numbers, has_aux: bool) -> None:
        for i in argnums if isinstance(argnums, tuple) else (argnums,):
            if not isinstance(i, int) or not -len(args) <= i < len(args):
                raise ArgumentError(op, f"argnums={argnums!r}", f"the function was called with {len(args)} positional arguments",
                                    "they are counted from 0")
        self.op = op
        given = tuple(args[i] for i in argnums) if isinstance(argnums, tuple) else args[argnums]
        outside = mode.grad
        with enable_grad():
            # A tensor that is in somebody's graph is entered as a view of it, so that derivatives of derivatives reach it.
            self.inputs = [x.view_as(x) if outside and x.requires_grad else x.detach().requires_grad_() for x in _leaves(given, op, "an argument")]
            depth = _own([x for x in self.inputs if x.is_leaf])
            self.given = _like(given, self.inputs)
            entered = list(args)
            for i, value in zip(argnums, self.given, strict=True) if isinstance(argnums, tuple) else ((argnums, self.given),):
                entered[i] = value
            _active.depth = depth + 1
            try:
                result = func(*entered, **kwargs)
            finally:
                _active.depth = depth
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise ArgumentError(op, f"a result of type {type(result).__name__}, with has_aux=True", "the function returns (result, more)")
        self.result: Any
        self.aux: Any
        self.result, self.aux = result if has_aux else (result, None)
        self.outputs = _leaves(self.result, op, "a result")
        nodes = reachable([y.node for y in self.outputs if y.node is not None])
        self.tracked = outside and any(isinstance(e, Tensor) and getattr(e, "depth", -1) < depth for node in nodes for e in node.edges)

    def left(self, tree: Any) -> Any:
        """What was computed, as the caller gets it: in a graph only if it depends on tensors of the caller's that are."""
        return tree if self.tracked else mapped(tree, Tensor, Tensor.detach)

    def gradients(self, outputs: Sequence[Tensor], seeds: Sequence[Any] | None = None, keep: bool = False) -> list[Tensor]:
        """Of these outputs, for each input; zeros where nothing leads."""
        seeds = [None] * len(outputs) if seeds is None else seeds
        pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.requires_grad]
        if not pairs:
            return [x.detach() * 0 for x in self.inputs]
        create = self.tracked or (mode.grad and any(s is not None and s.requires_grad for _, s in pairs))
        found = gradients([y for y, _ in pairs], self.inputs, [s for _, s in pairs], retain_graph=keep or create, create_graph=create, allow_unused=True)
        return [x.detach() * 0 if g is None else g for g, x in zip(found, self.inputs, strict=True)]


def _with_aux(value: Any, call: _Call, has_aux: bool) -> Any:
    return (value, call.left(call.aux)) if has_aux else value


# ------------------------------------------------------------------------------------------------------ derivatives
def grad_and_value(func: Callable[..., Any], argnums: Numbers = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `grad`, of which the results are (gradients, value), or (gradients, (value, more)) with has_aux.

    >>> ta.func.grad_and_value(lambda x: x * x)(ta.tensor(3.0))
    (tensor(6.), tensor(9.))
    """
    def derivative(*args: Any, **kwargs: Any) -> Any:
        call = _Call("func.grad", func, args, kwargs, argnums, has_aux)
        if not isinstance(call.result, Tensor) or call.result.shape:
            got = f"a result of shape {call.result.shape}" if isinstance(call.result, Tensor) else f"a {type(call.result).__name__}"
            raise ShapeError("func.grad", got, "the function must return a single number", "reduce it, for example with .sum(), or use jacrev")
        return _like(call.given, call.gradients([call.result])), _with_aux(call.left(call.result), call, has_aux)
    return derivative


def grad(func: Callable[..., Any], argnums: Numbers = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func` by its argument number `argnums`, or a tuple of them by several.

    `func` returns a number; with has_aux (number, more), and then the derivative returns (gradient, more). Gradients of gradients
    are `grad(grad(f))`.

    >>> cube = lambda x: x * x * x
    >>> ta.func.grad(cube)(ta.tensor(2.0)), ta.func.grad(ta.func.grad(cube))(ta.tensor(2.0))
    (tensor(12.), tensor(12.))
    """
    both = grad_and_value(func, argnums, has_aux)

    def derivative(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found
    return derivative


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(func(*primals), a function that multiplies a vector with the Jacobian), and with has_aux what else func returned.

    >>> y, product = ta.func.vjp(lambda x: x * x, ta.tensor([1.0, 2.0]))
    >>> y, product(ta.ones(2))
    (tensor([1., 4.]), (tensor([2., 4.]),))
    """
    call = _Call("func.vjp", func, primals, {}, tuple(range(len(primals))), has_aux)

    def product(cotangents: Any) -> Any:
        """The vector, built as the result of the function is, times the Jacobian: a tuple with one for each of the primals."""
        return _like(call.given, call.gradients(call.outputs, _vectors(cotangents, call.outputs, "func.vjp"), keep=True))
    value = call.left(call.result)
    return (value, product, call.left(call.aux)) if has_aux else (value, product)


def jvp(func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...], *, strict: bool = False, has_aux: bool = False) -> Any:
    """(func(*primals), its derivative in the direction `tangents`), and with has_aux what else func returned.

    It is the derivative of the vjp, which is linear in its vector. With `strict` a result that does not depend on the primals
    is refused.

    >>> ta.func.jvp(lambda x: x * x, (ta.tensor([1.0, 2.0]),), (ta.tensor([1.0, 0.0]),))
    (tensor([1., 4.]), tensor([2., 0.]))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise ArgumentError("func.jvp", f"a {type(primals).__name__} and a {type(tangents).__name__}", "primals and tangents are tuples",
                            "one argument is (x,)")
    call = _Call("func.jvp", func, primals, {}, tuple(range(len(primals))), has_aux)
    if strict and any(not y.requires_grad for y in call.outputs):
        raise ArgumentError("func.jvp", "a result of the function", "it does not depend on the primals", "with strict=False its derivative is 0")
    found = _forward(call, _vectors(tangents, call.inputs, "func.jvp"))
    value, out = call.left(call.result), _like(call.result, found)
    return (value, out, call.left(call.aux)) if has_aux else (value, out)


def _forward(call: _Call, tangents: list[Tensor]) -> list[Tensor]:
    """The derivative of each output in that direction."""
    pairs = [y for y in call.outputs if y.requires_grad]
    with enable_grad():
        seeds = [(y.detach() * 0).requires_grad_() for y in pairs]
        _own(seeds)
        linear = gradients(pairs, call.inputs, seeds, create_graph=True, allow_unused=True) if pairs else ()
    used = [(g, t) for g, t in zip(linear, tangents, strict=True) if g is not None and g.requires_grad] if pairs else []
    found: Sequence[Tensor | None] = [None] * len(pairs)
    if used:
        found = gradients([g for g, _ in used], seeds, [t for _, t in used], create_graph=call.tracked or any(t.requires_grad for _, t in used),
                          allow_unused=True)
    by_output = iter(found)
    out = [next(by_output) if y.requires_grad else None for y in call.outputs]
    return [y.detach() * 0 if g is None else g for g, y in zip(out, call.outputs, strict=True)]


def _vectors(tree: Any, like: Sequence[Tensor], op: str) -> list[Tensor]:
    """The tensors of a tree, as many and of the same shapes."""
    vectors = _leaves(tree, op, "a vector")
    if [v.shape for v in vectors] != [x.shape for x in like]:
        raise ShapeError(op, f"vectors of shapes {[v.shape for v in vectors]}", f"shapes {[x.shape for x in like]} are needed")
    return vectors


def jacrev(func: Callable[..., Any], argnums: Numbers = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives all derivatives of `func` by its argument number `argnums`: of shape (*result, *argument).

    Where the result or the argument is a tuple or a dict, a tree as the result is, with one as the argument is in each place.

    >>> ta.func.jacrev(lambda x: x * x)(ta.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    def derivative(*args: Any, **kwargs: Any) -> Any:
        call = _Call("func.jacrev", func, args, kwargs, argnums, has_aux)
        blocks = []
        for y in call.outputs:
            with enable_grad():
                numbers = list(recording.unbind(y.reshape(-1), 0)) if y.array.size else []
            rows = [call.gradients([number], keep=True) for number in numbers]
            columns = zip(*rows, strict=True) if rows else ([] for _ in call.inputs)
            blocks.append(_like(call.given, [recording.stack(column, 0).reshape((*y.shape, *x.shape)) if rows else x.new_zeros((*y.shape, *x.shape))
                                             for column, x in zip(columns, call.inputs, strict=True)]))
        return _with_aux(_like(call.result, blocks), call, has_aux)
    return derivative


def jacfwd(func: Callable[..., Any], argnums: Numbers = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable[..., Any]:
    """What `jacrev` gives, and computed as it is: a backward pass for each number of the result. `randomness` changes nothing.

    >>> ta.func.jacfwd(lambda x: x.sum())(ta.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: Numbers = 0) -> Callable[..., Any]:
    """The function that gives the second derivatives of `func`: of shape (*result, *argument, *argument).

    >>> ta.func.hessian(lambda x: (x * x * x).sum())(ta.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
