"""PyTorch's own test samples (its `op_db`), in float64: value, gradient, gradient of the gradient; in place; misuse.

They are part of PyTorch, but importing them takes the package expecttest as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import tinygrad_act as ta

from .against_torch import check, refuses, torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    samples = pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError,
                                  reason="PyTorch's samples need the package expecttest")

# Why an op's samples are not compared.
SKIPPED = {
    **dict.fromkeys(["bernoulli", "multinomial", "normal", "rand_like", "randint", "randint_like", "randn", "randn_like", "nn.functional.dropout", "nn.functional.rrelu"], "random: the numbers are others"),
    **dict.fromkeys(("empty", "empty_like", "new_empty"), "the numbers are whatever the memory held"),
    **dict.fromkeys(("cholesky_inverse", "cholesky_solve"), "PyTorch's gradient is also for the triangle that is not read"),
    "linalg.norm": "PyTorch's second derivative at 0 is NaN, ours 0",
    "nn.functional.celu": "PyTorch rounds 1 / alpha to float32",
    "nn.functional.hardsigmoid": "PyTorch rounds 1 / 6 to float32",
    "zero_": "in place by itself",
}
# Not to be differentiated twice, which PyTorch's samples do not say.
ONCE = {"nn.functional.ctc_loss"}
# Signs of vectors can be any: compared is what PyTorch's samples say does not depend on them.
UP_TO_SIGNS = {"svd", "linalg.svd", "linalg.eigh"}
# How samples are called that are not the function's own arguments in order.
ADAPTED: dict[str, Callable[..., Any]] = {
    "nn.functional.scaled_dot_product_attention": ta.nn.functional.scaled_dot_product_attention,
    "einsum": lambda operands, equation: ta.einsum(equation, operands),
    "where": lambda input, condition, other: ta.where(condition, input, other),
    "linalg_lstsq_grad_oriented": lambda a, b, driver: ta.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg_pinv_singular": lambda a, b: ta.linalg.pinv(a @ b.mT),
    **{name: lambda x, name=name: getattr(x, name) for name in ("T", "H", "mT", "mH")}}


def ours(op: Any) -> Callable[..., Any] | None:
    """What is called here as `op` is in PyTorch: a method where PyTorch has only that, None if there is nothing."""
    if op.name in ADAPTED or op.formatted_name in ADAPTED:
        return ADAPTED.get(op.name) or ADAPTED[op.formatted_name]
    found: Any = ta
    for part in op.name.split("."):
        found = getattr(found, part, None)
    wrapped = op.op.__module__ == samples.__name__ if hasattr(op.op, "__module__") else False
    return getattr(ta.Tensor, op.name, None) if found is None or wrapped else found


OPS = [(op, f) for op in samples.op_db if op.name not in SKIPPED and (f := ours(op)) and torch.float64 in op.dtypes]
# What both say: of shapes that broadcast, and of kl_div's "mean".
pytestmark = pytest.mark.filterwarnings("ignore:Using", "ignore:reduction. 'mean' divides", "ignore:.nn.functional.upsample",
                                        "ignore:torch.(cholesky|qr) is deprecated")


def each_op(which: Callable[[Any], Any]) -> Any:
    chosen = [(op, f) for op, f in OPS if which(op)]
    return pytest.mark.parametrize(("op", "f"), chosen, ids=[op.formatted_name for op, _ in chosen])


def understood(drawn: Iterable[Any]) -> Iterator[Any]:
    """The samples that ask for something that is here (no layouts of memory, no complex numbers, no more axes than NumPy has)
    and that is the same twice (no dropout)."""
    for sample in drawn:
        given = [sample.input, *sample.args, *sample.kwargs.values()]
        if "out" not in sample.kwargs and not sample.kwargs.get("dropout_p") and not any(
                x.is_complex() or x.ndim > 64 if isinstance(x, torch.Tensor) else
                callable(x) or isinstance(x, (torch.layout, torch.memory_format)) for x in given):
            yield sample


def call(f: Callable[..., Any], then: Callable[[Any], Any] = lambda y: y) -> Callable[..., Any]:
    """`f` as it is called below: with the keywords in a dict, where `check` has no say in them."""
    return lambda input, args, keywords: then(f(input, *args, **keywords))


@each_op(lambda op: True)
def test_samples(op: Any, f: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    order = 0 if not op.supports_autograd else 2 if op.supports_gradgrad and op.name not in ONCE else 1
    for sample in understood(op.sample_inputs_func(op, "cpu", torch.float64, requires_grad=bool(order))):
        then = [sample.output_process_fn_grad] if op.name in UP_TO_SIGNS else []
        check(call(f, *then), call(op.op, *then), sample.input, tuple(sample.args), dict(sample.kwargs), order=order)


@each_op(lambda op: op.get_inplace() and hasattr(ta.Tensor, f"{op.name}_"))
def test_in_place(op: Any, f: Callable[..., Any]) -> None:
    mine, theirs = ([lambda x, *args, g=g, **keywords: g(x.clone(), *args, **keywords)
                     for g in (getattr(ta.Tensor, f"{op.name}_"), op.get_inplace())])
    torch.manual_seed(0)
    for sample in understood(op.sample_inputs_func(op, "cpu", torch.float64, requires_grad=op.supports_inplace_autograd)):
        if not sample.broadcasts_input:
            check(call(mine), call(theirs), sample.input, tuple(sample.args), dict(sample.kwargs), order=int(op.supports_inplace_autograd))


@each_op(lambda op: op.error_inputs_func)
def test_misuse(op: Any, f: Callable[..., Any]) -> None:
    wrong = [error.sample_input for error in op.error_inputs_func(op, "cpu") if error.error_type is not Exception]
    for sample in understood(wrong):             # an Exception is for a number in place of a Tensor, which is welcome here
        refuses(call(f), call(op.op), sample.input, tuple(sample.args), dict(sample.kwargs))
