"""gradcheck passes right rules and says in words what is wrong with wrong ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, GradcheckError


def leaf(*shape: int, shift: float = 0.0) -> Any:
    count = math.prod(shape)
    values = ta.arange(count).double() * 0.37 + 0.6 + shift
    return values.reshape(shape).requires_grad_()


def wrong(forward: Callable[..., Any], *rules: Callable[..., Any] | None, **more: Any) -> Any:
    return ta.Op("wrong", forward, *rules, **more)


def test_rules_may_be_anything_that_can_be_called() -> None:
    class Scale:
        def __init__(self, by: float) -> None:
            self.by = by

        def forward(self, F: Any, x: Any) -> Any:
            return x * self.by

        def __call__(self, F: Any, g: Any) -> Any:
            return g * self.by

    x = ta.tensor([3.0], requires_grad=True)
    ta.Op("scale", Scale(2.0).forward, Scale(2.0))(x).backward()
    ta.Op("scale", functools.partial(lambda by, F, x: x * by, 2.0), lambda F, g: g * 2.0)(x).backward()
    assert x.grad.tolist() == [4.0]


def mul_rules(for_a: Callable[..., Any], for_b: Callable[..., Any]) -> Any:
    return wrong(lambda F, a, b: a * b, for_a, for_b)


ROW_PLUS = lambda F, a, b: a + b         # (4,) and (3, 4)

# op or function, its inputs, what the message must say
WRONG: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "sign": (wrong(lambda F, x: x * x, lambda F, g, x: -2 * g * x), (leaf(3),), "input 0, output 0: the sign is flipped.*negate"),
    "factor": (wrong(lambda F, x: x * x, lambda F, g, x: g * x), (leaf(3),), "constant factor of 0.5.*divide"),
    "factor of a single number": (wrong(lambda F, x: x * x, lambda F, g, x: 6 * g * x), (leaf(),), "constant factor of 3"),
    "mean for sum": (wrong(lambda F, x: F.sum(x), lambda F, g, x_shape: F.expand(g / 6, x_shape)), (leaf(6),),
                     r"constant factor of 0.167 \(1/6: a mean"),
    "sum for mean": (wrong(lambda F, x: F.mean(x), lambda F, g, x_shape: F.expand(g, x_shape)), (leaf(6),),
                     "number of elements, 6: a sum where there should be a mean"),
    "missing sum": (wrong(ROW_PLUS, lambda F, g: g, lambda F, g: g), (leaf(4), leaf(3, 4)),
                    r"input 0, output 0: a sum is missing over the broadcast axis 0: .*\(3, 4\), the input's \(4,\); F.sum_to"),
    "missing sum of a kept axis": (wrong(ROW_PLUS, lambda F, g: g, lambda F, g: g), (leaf(3, 4), leaf(3, 1)),
                                   "input 1, output 0: a sum is missing over the broadcast axis 1"),
    "one row for the sum": (wrong(ROW_PLUS, lambda F, g: F.getitem(g, (0,)), lambda F, g: g), (leaf(4), leaf(3, 4)),
                            "input 0, output 0: a sum is missing over the broadcast axis 0 of the output"),
    "transposed": (wrong(lambda F, x: x * x * x, lambda F, g, x: F.permute(3 * g * x * x, (1, 0))), (leaf(3, 3),),
                   r"it is transposed: axes 0 and 1.*transpose\(0, 1\)"),
    "transposed, not square": (wrong(lambda F, x: x * 2, lambda F, g: F.permute(2 * g, (1, 0))), (leaf(2, 3),),
                               r"transposed: its shape is \(3, 2\), the input's \(2, 3\)"),
    "elements of the transpose": (wrong(lambda F, x: x * x, lambda F, g, x: F.reshape(F.permute(2 * g * x, (1, 0)), (2, 3))),
                                  (leaf(2, 3),), "it is transposed: axes 0 and 1"),
    "not reshaped": (wrong(lambda F, x: F.reshape(x, (6,)), lambda F, g: g), (leaf(2, 3),), "was not reshaped.*F.reshape"),
    "swapped": (mul_rules(lambda F, g, a: g * a, lambda F, g, b: g * b), (leaf(3), leaf(3, shift=1.3)),
                "it is the gradient of input 1: the inputs are swapped"),
    "missing": (wrong(lambda F, a, b: a * b, lambda F, g, b: g * b, lambda F, g, a: 0 * g), (leaf(3), leaf(3)),
                "input 1, output 0: the gradient is missing"),
    "no rule": (wrong(lambda F, a, b: a * b, lambda F, g, b: g * b, None), (leaf(3), leaf(3)), "input 1.*missing.*None"),
    "one element": (wrong(lambda F, x: x * x, lambda F, g, x: F.put(2 * g * x, 5.0, ((ta.ops.index.getitem_op, {"index": (1, 2)}),))),
                    (leaf(2, 3),), r"the gradient is wrong; it differs in 6 of 36 elements, most at index \(1, 2\) of the input"),
    "dtype": (wrong(lambda F, x: x * 2, lambda F, g: F.cast(2 * g, ta.float32)), (leaf(3),), "wrong dtype: float32.*float64"),
    "a kink": (wrong(lambda F, x: F.maximum(x, 0.0), lambda F, g, x: F.where(x > 0, g, 0.0)), (ta.tensor([1.0, 0.0], dtype=ta.float64, requires_grad=True),),
               r"a kink was hit at index \(1,\), value 0: the derivative is 0 from the left and 1 from the right, the rule says 0"),
    "detached": (lambda x, w: x.detach() * x * w, (leaf(3), leaf(3, shift=2.0)), "input 0.*constant factor of 0.5"),
    "the second output": (lambda x: (x * 2, wrong(lambda F, x: x * x, lambda F, g, x: -2 * g * x)(x)), (leaf(3),),
                          "input 0, output 1: the sign is flipped"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_rule_is_diagnosed(case: str) -> None:
    function, inputs, message = WRONG[case]
    with pytest.raises(GradcheckError, match=message):
        gradcheck(function, inputs)
    assert gradcheck(function, inputs, raise_exception=False) is False


def test_the_place_and_the_values_are_given() -> None:
    x = ta.tensor([1.0, 2.0, 3.0], dtype=ta.float64, requires_grad=True)
    off = wrong(lambda F, x: x * x, lambda F, g, x: g * (2 * x + F.where(x == 2, 1.0, 0.0)))
    with pytest.raises(GradcheckError, match=r"1 of 9 elements, most at index \(1,\) of the input \(value 2\) for index "
                                             r"\(1,\) of the output: the rule gives 5, differences give 4, it differs by 1"):
        gradcheck(off, x)


def test_a_rule_that_is_not_deterministic() -> None:
    state = [0.0]

    def rule(F: Any, g: Any) -> Any:
        state[0] += 1e-4
        return g * (2 + state[0])
    with pytest.raises(GradcheckError, match="two backward passes differ.*not deterministic.*nondet_tol"):
        gradcheck(wrong(lambda F, x: x * 2, rule), leaf(2))


def test_a_result_cut_off_the_graph() -> None:
    with pytest.raises(GradcheckError, match="does not require a gradient, but it changes with the inputs"):
        gradcheck(lambda x: (x * 2).detach(), leaf(2))
    assert gradcheck(lambda x: x.detach() * 0, leaf(2))


@pytest.mark.parametrize("function", [
    lambda x: x * x, lambda x: x.exp().sum(), lambda x: (x.sum(0), x.prod(1)), lambda x: x @ x.t(), lambda x: x[1:, [0, 0]],
    lambda x: x.reshape(3, 2).softmax(0) if hasattr(x, "softmax") else x.exp(), lambda x: x.t(), lambda x: x.sort(1, True)[0],
], ids=range(8))
def test_right_rules_pass_to_the_second_order(function: Callable[..., Any]) -> None:
    x = leaf(2, 3)
    before = x.tolist()
    assert gradcheck(function, x) and gradgradcheck(function, x)
    assert x.tolist() == before and x._version == 0 and x.grad is None


def test_inputs_that_need_no_gradient_and_empty_and_0d_ones() -> None:
    assert gradcheck(lambda x, n, c: x * n + c, (leaf(2), 3, ta.ones(2, dtype=ta.float64)))
    assert gradcheck(lambda x: x * 2, leaf(0, 3)) and gradcheck(lambda x: x * x, leaf())
    assert gradcheck(lambda x: x * x, leaf(3, 2).detach().t().requires_grad_())


def test_gradgradcheck_finds_a_rule_that_is_wrong_only_when_recorded() -> None:
    frozen = wrong(lambda F, x: x * x * x, lambda F, g, x: g * (3 * _constant(x) * _constant(x)))
    assert gradcheck(frozen, leaf(2))
    with pytest.raises(GradcheckError, match="gradgradcheck: input 0, output 0"):
        gradgradcheck(frozen, leaf(2))


def _constant(x: Any) -> Any:
    return x.detach() if isinstance(x, ta.Tensor) else x


def test_arguments() -> None:
    with pytest.raises(ArgumentError, match="none of them requires a gradient.*float64"):
        gradcheck(lambda x: x, ta.ones(2))
    with pytest.raises(ArgumentError, match="expanded"):
        gradcheck(lambda x: x, ta.ones(1, dtype=ta.float64).expand(3).requires_grad_())
    with pytest.warns(UserWarning, match="input 0 is float32"):
        gradcheck(lambda x: x * 2, ta.ones(2, requires_grad=True), atol=1, rtol=1)
    assert gradcheck(lambda x: x * x, leaf(2), eps=1e-4, atol=1e-3, rtol=1e-2, fast_mode=True, check_batched_grad=False,
                     check_undefined_grad=True, check_grad_dtypes=True)
    assert gradgradcheck(lambda x: x * x, (leaf(2),), (leaf(2),))
