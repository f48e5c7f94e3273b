"""Every elementwise rule can be written down, and what is written computes what the rule does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rules import FLOATS, Case, cases

from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.numerics import special
from tinygrad_act.symbols import cuda
from tinygrad_act.symbols.expression import BranchError, F, Symbol, evaluate, names, trace, unique

host = Namespace(np, special)                       # without the CPU's own check for division by 0, as on a GPU


def results(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


def directly(case: Case, arrays: list[Any]) -> tuple[Any, ...]:
    half = any(isinstance(a, np.ndarray) and a.dtype == np.float16 for a in arrays)
    y = host.run(case.rule, arrays, case.settings) if half else case.rule(host, *arrays, **case.settings)
    return results(y)


def refused(case: Case, arrays: list[Any]) -> bool:
    """Differences of bools, negative powers of integers and the like, which NumPy does not have."""
    try:
        directly(case, arrays)
    except (TypeError, ValueError, OverflowError):
        return True
    return False


@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "int8", "uint8", "bool"])
def test_every_rule_written_down_computes_what_it_does(dtype: str) -> None:
    count = 0
    for case in cases(dtype):
        arrays = case.arrays()
        if dtype not in FLOATS and refused(case, arrays):
            continue
        with np.errstate(all="ignore"):
            expected = directly(case, arrays)
            inputs = [Symbol.input(n, x) if isinstance(x, np.dtype) else x
                      for n, x in zip(names(case.rule, len(arrays)), case.arguments, strict=True)]
            roots = trace(case.rule, inputs, case.settings)
            values = {s.value: a for s, a in zip(inputs, arrays, strict=True) if isinstance(s, Symbol)}
            got = evaluate(roots, host, values)
        for a, b, root in zip(got, expected, roots, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"{case.name}: {root}", strict=True)
        count += 1
    assert count > (100 if dtype in FLOATS else 10)


def test_equal_parts_are_one() -> None:
    x = Symbol.input("x", "float32")
    y = F.exp(x + 1) * F.exp(x + 1.0) + F.exp(x + 1)
    order, _ = unique([y])
    assert [s.op for s in order].count("exp") == 2          # 1 and 1.0 are told apart, and so are 0.0 and -0.0
    assert len([s for s in unique([x * 0.0 + x * -0.0])[0] if s.op == "mul"]) == 2


def test_a_branch_on_a_value_is_an_error_that_says_what_to_do() -> None:
    def rule(F: Any, x: Any) -> Any:
        return x if x > 0 else -x
    with pytest.raises(BranchError, match=r"F\.where"):
        cuda.kernel(rule, [np.dtype("float32")], {})


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="neither a symbol nor a Python number"):
        Symbol.input("x", "float32") + np.ones(3)


def test_numbers_are_weak_and_what_python_makes_of_them_too() -> None:
    x, p = Symbol.input("x", "float32"), Symbol.parameter("p0", 0.3)
    assert (x * (1 / p + 2)).dtype == np.float32
    assert (1 / p + 2).weak
    assert F.where(p == 0, 1, F.log(p)).weak
