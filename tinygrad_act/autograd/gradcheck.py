"""gradcheck: backward rules against central differences, with a diagnosis in words when they disagree."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, GradcheckError
from ..graph import grad
from ..tensor import Tensor, wrap
from .diagnose import Block, Tolerance, diagnose, shape_trouble

Matrix = list[list[float]]               # [input element][output element]


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
              check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
              check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False,
              masked: bool | None = None) -> bool:
    """True if the gradients of `func(*inputs)` agree with central differences of step `eps`; else an explanation.

    Inputs that require a gradient should be float64. An element passes if |analytic - numerical| <= atol + rtol *
    |numerical|. When one does not, GradcheckError says what kind of mistake it looks like (a flipped sign, a constant
    factor, a transposed gradient, one meant for another input, a missing sum, a kink) and where. `raise_exception=False`
    returns False instead. The check is always the full one; `fast_mode` and the checks of what is not here (batched
    gradients, forward mode) are accepted.

    >>> x = ta.tensor([1.0, -2.0], dtype=ta.float64, requires_grad=True)
    >>> ta.autograd.gradcheck(lambda x: x * x, x)
    True
    """
    try:
        _check(func, _inputs(inputs, "gradcheck"), Tolerance(atol, rtol), eps, nondet_tol, check_undefined_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5,
                  rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
                  nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
                  check_batched_grad: bool = False, check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
                  fast_mode: bool = False, masked: bool = False) -> bool:
    """gradcheck of the gradient: of the function (inputs, grad_outputs) -> gradients of `func` at inputs.

    `grad_outputs` are random where they are not given. In what it reports the inputs are numbered with the
    grad_outputs behind them, and outputs are the gradients.

    >>> x = ta.tensor([1.0, -2.0], dtype=ta.float64, requires_grad=True)
    >>> ta.autograd.gradgradcheck(lambda x: x * x * x, x)
    True
    """
    xs = _inputs(inputs, "gradgradcheck")
    if grad_outputs is None:
        from random import Random  # here, because importing it costs more than the rest of this module
        draw = Random(0)
        seeds = tuple(_random_like(y, draw) for y in _outputs(func(*xs)))
    else:
        seeds = tuple(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    wanted = [i for i, x in enumerate(xs) if _differentiable(x)]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        given, vs = args[:len(xs)], args[len(xs):]
        ys = _outputs(func(*given))
        found = grad(ys, [given[i] for i in wanted], vs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)

    try:
        _check(gradients, (*xs, *seeds), Tolerance(atol, rtol), eps, nondet_tol, check_undefined_grad, "gradgradcheck")
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


# ------------------------------------------------------------------------------------------- inputs and outputs
def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _inputs(inputs: Any, op: str) -> tuple[Any, ...]:
    xs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = [x for x in xs if _differentiable(x)]
    if not checked:
        raise ArgumentError(op, f"{len(xs)} inputs", "none of them requires a gradient, so there is nothing to check",
                            "make one with dtype=ta.float64, requires_grad=True")
    for i, x in enumerate(xs):
        if _differentiable(x) and x.dtype != dtypes.float64:
            warnings.warn(f"{op}: input {i} is {x.dtype}: differences of step 1e-6 are lost in its rounding; "
                          "use float64.", UserWarning, stacklevel=3)
        if _differentiable(x) and any(s == 0 and n > 1 for s, n in zip(x.array.strides, x.shape, strict=True)):
            raise ArgumentError(op, f"input {i}, an expanded tensor of shape {x.shape}",
                                "several of its elements are one place in memory", "pass a clone() of it")
    return xs


def _outputs(returned: Any) -> tuple[Tensor, ...]:
    ys = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    return tuple(y for y in ys if _differentiable(y))


def _random_like(y: Tensor, draw: Any) -> Tensor:
    values = [draw.uniform(0.5, 1.5) * draw.choice((-1, 1)) for _ in range(math.prod(y.shape))]
    array = backend.asarray(values, y.dtype, y.device)
    made = wrap(backend.namespace(array).reshape(array, y.shape))
    made.requires_grad = True
    return made


def _numbers(x: Any) -> list[float]:
    """Every element, as Python floats. (What gradcheck compares is small.)"""
    array = x.array if isinstance(x, Tensor) else x
    array = backend.to_host(array)
    return [float(v) for v in array.reshape(-1).tolist()]


# --------------------------------------------------------------------------------------------------- the check
def _check(func: Callable[..., Any], xs: tuple[Any, ...], tolerance: Tolerance, eps: float, nondet_tol: float,
           undefined: bool, op: str = "gradcheck") -> None:
    returned = func(*xs)
    ys = _outputs(returned)
    numbers = [i for i, x in enumerate(xs) if _differentiable(x)]
    blocks: list[Block] = []
    for o, y in enumerate(ys):
        analytic = [_jacobian(y, xs[i], i, o, op) for i in numbers]
        again = [_jacobian(y, xs[i], i, o, op) for i in numbers]
        for i, first, second in zip(numbers, analytic, again, strict=True):
            apart = max((abs(a - b) for p, q in zip(first, second, strict=True) for a, b in zip(p, q, strict=True)), default=0.0)
            if apart > nondet_tol:
                raise GradcheckError(op, f"input {i}, output {o}", f"two backward passes differ by {apart:.3g}: the rule is "
                                     "not deterministic", "pass nondet_tol if that is meant")
            blocks.append(Block(i, o, xs[i].shape, y.shape, first, []))
    numerical = {i: _numerical(func, xs, i, eps) for i in numbers}
    for block in blocks:
        block.numerical = numerical[block.input][block.output][0]
        block.sides = numerical[block.input][block.output][1:]
        block.values = _numbers(xs[block.input])
    if not ys and any(v for n in (_numerical(func, xs, i, eps, every=True) for i in numbers) for m in n for r in m[0] for v in r):
        raise GradcheckError(op, "the result", "it does not require a gradient, but it changes with the inputs",
                             "was it detached, or made from .array or .numpy()?")
    for block in blocks:
        if not block.agrees(tolerance):
            raise diagnose(block, blocks, tolerance, op)


def _jacobian(y: Tensor, x: Tensor, i: int, o: int, op: str) -> Matrix:
    """d y / d x by one backward pass per output element."""
    F = backend.namespace(y.array)
    size = math.prod(y.shape)
    columns = []
    for k in range(size):
        seed = F.full((size,), 0, y.array)
        F.write(seed, k, 1)
        seed = F.reshape(seed, y.shape)
        (g,) = grad(y, x, wrap(seed), retain_graph=True, allow_unused=True)
        if g is not None:
            if g.shape != x.shape:
                raise shape_trouble(op, i, o, g.shape, x.shape, y.shape)
            if g.dtype != x.dtype:
                raise GradcheckError(op, f"input {i}, output {o}", f"the gradient has the wrong dtype: {g.dtype} for an input of "
                                     f"{x.dtype}", "a constant of another dtype in the rule, or a missing cast")
        columns.append(_numbers(g) if g is not None else [0.0] * math.prod(x.shape))
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(math.prod(x.shape))]


def _numerical(func: Callable[..., Any], xs: tuple[Any, ...], i: int, eps: float, every: bool = False) -> list[list[Matrix]]:
    """Per output [central, left, right] differences by the elements of input i, which is changed in its own memory."""
    def evaluate() -> list[list[float]]:
        returned = func(*xs)
        ys = returned if isinstance(returned, (tuple, list)) else (returned,)
        return [_numbers(y) for y in ys if isinstance(y, Tensor) and (y.requires_grad or every)]

    array = xs[i].array
    F = backend.namespace(array)
    middle = evaluate()
    result: list[list[Matrix]] = [[[], [], []] for _ in middle]
    places = itertools.product(*map(range, xs[i].shape))
    for place, value in zip(places, _numbers(xs[i]), strict=True):
        try:
            F.write(array, place, value + eps)
            above = evaluate()
            F.write(array, place, value - eps)
            below = evaluate()
        finally:
            F.write(array, place, value)
        for matrices, lo, mid, hi in zip(result, below, middle, above, strict=True):
            matrices[0].append([(h - b) / (2 * eps) for h, b in zip(hi, lo, strict=True)])
            matrices[1].append([(m - b) / eps for m, b in zip(mid, lo, strict=True)])
            matrices[2].append([(h - m) / eps for h, m in zip(hi, mid, strict=True)])
    return result
