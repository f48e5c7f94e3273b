"""Elementwise: an op that works number by number. Its inputs broadcast and mix dtypes, and its rules print as kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import backend, dtypes
from .backend import namespaces
from .backend.namespace import broadcast_shape
from .errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from .graph import Node, recording
from .op import NUMBERS, Op, Single
from .rule import CAREFUL, Rule
from .tensor import Tensor, wrap


class Elementwise(Single):
    """An op that works number by number: its inputs broadcast and mix dtypes, its rules print as kernels.

    `result` says what dtypes do: "same" keeps the common one, "float" turns integers into the default float,
    "bool" is a comparison. `mixes` are the inputs that take part in promotion (all, unless given). `kinds` are the
    element types it takes: b(ool), i(nteger), f(loating).
    """

    elementwise = True
    slopes: tuple[Rule, Rule] | None = None                    # the first rule and the second: see set_second

    def __init__(self, name: str, forward: Callable[..., Any], *rules: Any, result: str = "same",
                 mixes: Sequence[int] | None = None, second: Callable[..., Any] | None = None, kinds: str = "bif",
                 **more: Any) -> None:
        self.result, self.kinds, self.given = result, kinds, mixes
        super().__init__(name, forward, *rules, **more)
        if second:
            self.set_second(second)

    def settle(self) -> None:
        self.mixes = tuple(range(self.arity)) if self.given is None else tuple(self.given)
        self.free = sum(1 << i for i in range(self.arity) if i not in self.mixes)
        super().settle()

    def set_second(self, second: Callable[..., Any]) -> None:
        """`second(F, g, x)` = g * f''(x): a one-input op's gradient becomes an op of its own when it is recorded.

        It differentiates the first rule by what that reads; so where the first reads the output, it is the derivative by that.

        Without it, create_graph composes the backward rule out of recorded ops: right, but many nodes, and where
        those cancel, inexact.
        """
        first = self.rules[0]
        if first is None or first.sources not in ([(0, "")], [(1, "")]):
            raise ArgumentError(f"Op {self.name}", "second=", "it needs a first rule that reads the input, or the output, alone")
        self.slopes = first, Rule(second, self.names, self.name)
        self.__dict__.pop("gradient", None)

    @functools.cached_property
    def gradient(self) -> Op | None:           # type: ignore[override]
        """The op that set_second speaks of; made when a gradient is first recorded, which most programs never do."""
        if self.slopes is None:
            return None
        once, second = self.slopes

        def forward(F: Any, g: Any, x: Any, **settings: Any) -> Any:
            return once.function(F, g, x, **{k: settings[k] for k in once.params})

        def for_g(F: Any, h: Any, x: Any, **settings: Any) -> Any:         # g enters linearly: the first rule again
            return gradient(h, x, **settings) if F is recording else forward(F, h, x, **settings)

        def for_x(F: Any, h: Any, g: Any, x: Any, **settings: Any) -> Any:
            return second.function(F, h * g, x, **{k: settings[k] for k in second.params})

        rules: tuple[Any, ...] = (forward, for_g, for_x)
        for rule in rules:
            rule.settings = self.defaults          # what `parameters` cannot read off **settings
        gradient = Elementwise(f"{self.name}_grad", forward, for_g, for_x)
        return gradient

    def slope(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """The first rule for other rules to call: where it is recorded, the one node of `gradient`."""
        @functools.wraps(rule)
        def run(F: Any, g: Any, *read: Any, **settings: Any) -> Any:
            return self.gradient(g, *read, **settings) if F is recording and self.gradient else rule(F, g, *read, **settings)
        return run

    def takes(self, dtype: Any, inputs: Sequence[Any]) -> bool:
        if dtype.char in "fd":
            return "f" in self.kinds
        return self.result != "float" and self.kinds == "bif" and not any(isinstance(x, NUMBERS) for x in inputs) and dtype.char != "?"

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        inputs = list(super().prepare([x.item() if backend.is_scalar(x) else x for x in inputs]))       # NumPy's numbers are numbers
        dtype = dtypes.result_type(*[inputs[i] for i in self.mixes])
        if dtypes.kind(dtype) not in self.kinds:
            raise DTypeError(self.name, str(dtype), "it does not take this element type",
                             f"it takes {', '.join(dtypes.KINDS[k] for k in self.kinds)}; convert with .to(dtype)")
        if self.result == "float" and not dtypes.is_floating(dtype):
            dtype = dtypes.get_default_dtype()
        for i in self.mixes:
            if isinstance(inputs[i], Tensor) and inputs[i].dtype != dtype:
                inputs[i] = recording.cast(inputs[i], dtype=dtype)
            elif type(inputs[i]) is int and dtypes.kind(dtype) == "i":
                if not -1 << 63 <= inputs[i] < 1 << 64:
                    raise ArgumentError(self.name, f"an int of {inputs[i].bit_length()} bits", "integer tensors have at most 64",
                                        "convert the tensor with .double()")
                inputs[i] = dtypes.wrapped(inputs[i], dtype)
        if not any(isinstance(inputs[i], Tensor) for i in self.mixes):      # where(mask, 1.0, 0.0)
            array = next(x.array for x in inputs if isinstance(x, Tensor))
            inputs[self.mixes[0]] = wrap(namespaces[type(array)].asarray(inputs[self.mixes[0]], dtype))
        return inputs

    def record(self, inputs: Sequence[Any], arrays: list[Any], results: tuple[Any, ...], params: dict[str, Any],
               mask: int) -> Node:
        """As Op's, with the shapes of inputs that were broadcast."""
        node = super().record(inputs, arrays, results, params, mask | CAREFUL)
        shape = results[0].shape
        for a in arrays:
            if type(a) not in NUMBERS and a.shape != shape:
                node.shapes = tuple([() if type(a) in NUMBERS else a.shape for a in arrays])
                break
        return node

    def explain(self, error: Exception, arrays: Sequence[Any]) -> TinygradActError:
        shapes = [a.shape for a in arrays if hasattr(a, "shape")]
        if broadcast_shape(*shapes) is None:
            return ShapeError(self.name, " and ".join(map(str, shapes)), "the shapes do not broadcast: aligned at the "
                              "right, sizes must be equal or 1", "reshape or unsqueeze one of them")
        return super().explain(error, arrays)
