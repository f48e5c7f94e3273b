"""Every elementwise rule there is, with what it is given: forward, backward, second, and the alternatives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_act  # noqa: F401    (it enters the ops)
from tinygrad_act.activations.record import catalogue
from tinygrad_act.ops.choice import choices, using
from tinygrad_act.ops.registry import table

FLOATS = ("float32", "float64", "float16")
VALUES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -3.25, 6.0, -7.5, 19.0, -40.0, 90.0, -1e4, np.inf, -np.inf, np.nan]
WHOLE = [0, 1, -1, 2, 3, -5, 7, 12, -12, 100, -128, 127]


@dataclass
class Case:
    """A rule, the dtype of each of its arguments (or the number that stands there), and its settings."""

    name: str
    rule: Callable[..., Any]
    arguments: list[Any]
    settings: dict[str, Any]

    def arrays(self) -> list[Any]:
        """Arrays of these dtypes: edges and random numbers, in another order for each argument."""
        random = np.random.default_rng(len(self.name))
        out = []
        for x in self.arguments:
            if not isinstance(x, np.dtype):
                out.append(x)
                continue
            values = np.array(VALUES * 4) if x.kind == "f" else np.array(WHOLE * 4) if x.kind in "iu" else np.array([0, 1] * 34)
            more = random.normal(0, 3, 68) if x.kind == "f" else random.integers(-100, 100, 68)
            out.append(random.permutation(np.concatenate([values, more]))[:100].astype(x))
        return out


def cases(dtype: str) -> Iterator[Case]:
    """All rules that take this dtype."""
    seen = set()
    ops = {**{f"{name}": op for name, op in table.items()}, **{f"{name}": r.op for name, r in catalogue.items()}}
    for record in catalogue.values():
        ops |= {f"{record.name}_by_{name}": record.using(name) for name in record.alternatives}
    for name, rules in choices.items():
        ops |= {f"{name}_by_{rule}": using(table[name], rule) for rule in rules}
    for name, op in ops.items():
        while op is not None and op.elementwise:
            kind = np.dtype(dtype).kind
            if kind in op.kinds.replace("i", "iu") and (kind == "f" or (op.result != "float" and not name.endswith("_grad"))):
                for case in _of(name, op, np.dtype(dtype)):
                    key = (case.rule, tuple(map(str, case.arguments)))
                    if key not in seen:
                        seen.add(key)
                        yield case
            op, name = op.gradient, f"{name}_grad"


def _of(name: str, op: Any, dtype: Any) -> Iterator[Case]:
    inputs = [dtype if i in op.mixes or op.inputs[i] not in ("condition", "mask") else np.dtype(bool) for i in range(len(op.inputs))]
    defaults = {k: (0.75 if dtype.kind == "f" else 1) if v is inspect.Parameter.empty else v for k, v in op.defaults.items()}
    yield Case(name, op.forward, inputs, defaults)
    if dtype.kind != "f":
        return
    rules = [op.joint] if op.joint else [r for r in op.rules if r]
    for k, rule in enumerate(rules):
        y = np.dtype(bool) if op.result == "bool" else dtype
        sources = (*inputs, y, *[dtype] * len(op.aux))
        settings = {n: (True,) * len(op.inputs) if n == "needs" else defaults[n] for n in rule.params}
        yield Case(f"{name}_for_{k}", rule.function, [dtype, *[sources[i] for i, _ in rule.sources]], settings)
    if name == "pow":                                # numbers in the place of an input
        for b in (2, 3, -1, 0.5, 2.7, 40):
            yield Case(f"pow_{b}", op.forward, [dtype, b], {})
            yield Case(f"pow_{b}_for_base", op.rules[0].function, [dtype, dtype, b], {})
        yield Case("number_pow", op.forward, [2.5, dtype], {})
        yield Case("number_pow_for_exponent", op.rules[1].function, [dtype, 2.5, dtype, dtype], {})
