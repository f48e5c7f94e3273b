"""The record of an activation: its rules, written by hand, and the facts that are tested against them.

    @activation(formula=r"\\max(0, x)", derivative=r"[x > 0]", kinks={0: 0}, range=(0, inf), monotonic=True,
                smooth="C0", zero_centred=False, saturates={"left": 0}, lipschitz=1, paper="...")
    def relu(F, x):
        return F.maximum(x, 0)

    @relu.backward
    def relu_backward(F, g, y):
        return F.where(y > 0, g, 0)

Everything else is derived from it: the function, the `nn` module, the kernel, the tests, the page in the docs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..op import Op, elementwise_op
from ..ops.registry import enter

catalogue: dict[str, Activation] = {}
SMOOTHNESS = ("discontinuous", "C0", "C1", "C2", "analytic")


class Activation:
    """One activation. Call it as a function; `op` is what the graph shows; the rest are its facts.

    formula, derivative   LaTeX
    paper                 where it comes from: a DOI, arXiv number or address
    kinks                 {point: derivative taken there}, where the derivative jumps (or a function of the settings
                          that returns it); PyTorch's values unless `note` says why not
    range                 (infimum, supremum) of the values, at the default settings; so bounded or not follows
    monotonic             never decreases
    smooth                "discontinuous", "C0", "C1", "C2" or "analytic"
    zero_centred          f(0) = 0 and both signs occur
    saturates             {"left": limit, "right": limit} for the sides on which f' tends to 0, with the limit of f
    lipschitz             the supremum of |f'|, inf if there is none
    learnable             names of the inputs that are parameters, with their initial values
    axis                  True if it works across an axis, so that the facts above about one number do not apply
    module                the name of its nn module; torch: PyTorch's name in nn.functional, None if it has none
    """

    def __init__(self, op: Op, forward: Callable[..., Any], *, formula: str, derivative: str, paper: str = "",
                 kinks: Mapping[float, float] | Callable[..., Mapping[float, float]] | None = None,
                 range: tuple[float, float] | None = None, monotonic: bool | None = None, smooth: str = "",
                 zero_centred: bool | None = None, saturates: Mapping[str, float] | None = None,
                 lipschitz: float | None = None, learnable: Mapping[str, float] | None = None, axis: bool = False,
                 module: str = "", torch: str | None = None, note: str = "") -> None:
        self.name, self.op, self.forward = op.name, op, forward
        self.formula, self.derivative, self.paper, self.note = formula, derivative, paper, note
        self._kinks = kinks or {}
        self.range, self.monotonic, self.smooth, self.zero_centred = range, monotonic, smooth, zero_centred
        self.saturates, self.lipschitz = dict(saturates or {}), lipschitz
        self.learnable, self.axis = dict(learnable or {}), axis
        self.module = module or "".join(word.capitalize() for word in op.name.split("_"))
        self.torch = torch
        self.rules: dict[str, Callable[..., Any]] = {}              # input name -> its backward rule
        self.alternatives: dict[str, Callable[..., Any]] = {}       # name -> another backward rule for the first input
        self.second_rule: Callable[..., Any] | None = None
        self.__doc__ = op.__doc__ = inspect.getdoc(forward)

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        return self.op(*inputs, **settings)

    def __repr__(self) -> str:
        return f"<activation {self.name}{tuple(self.settings)}>"

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword parameters of the forward rule, with their defaults."""
        return dict(self.op.defaults)

    def kinks(self, **settings: Any) -> dict[float, float]:
        """{point: derivative taken there} for these settings."""
        return dict(self._kinks(**{**self.settings, **settings}) if callable(self._kinks) else self._kinks)

    # -------------------------------------------------------------------------------- adding rules, as decorators
    def backward(self, rule: Any) -> Any:
        """The backward rule of the first input, or `@record.backward("weight")` of another one."""
        if isinstance(rule, str):
            return lambda function: self._add(rule, function)
        return self._add(self.op.inputs[0], rule)

    def joint(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """One backward rule for all inputs, returning a gradient for each."""
        self.op.set_rules((), rule)
        self.rules["joint"] = rule
        return rule

    def second(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """A hand-written second derivative, `rule(F, g, x)` = g * f''(x), for where composing the first loses accuracy."""
        self.second_rule = rule
        self.op.set_second(rule)
        return rule

    def alternative(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Another backward rule, chosen by name: `record.using(name)`."""
        def add(rule: Callable[..., Any]) -> Callable[..., Any]:
            self.alternatives[name] = rule
            return rule
        return add

    def using(self, name: str) -> Op:
        """The op with the alternative backward rule of that name."""
        if name not in self.alternatives:
            from ..errors import ArgumentError
            raise ArgumentError(self.name, f"rule {name!r}", f"it has {sorted(self.alternatives)}")
        return elementwise_op(self.name, self.forward, self.alternatives[name])

    def _add(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        self.rules[name] = function
        self.op.set_rules([self.rules.get(i) for i in self.op.inputs])
        return function


def activation(**facts: Any) -> Callable[[Callable[..., Any]], Activation]:
    """Make a record of the forward rule below; `axis=True` for one that works across an axis."""
    def make(forward: Callable[..., Any]) -> Activation:
        name = forward.__name__
        op = Op(name, forward) if facts.get("axis") else elementwise_op(name, forward, result="float")
        record = Activation(op, forward, **facts)
        catalogue[name] = record
        enter(op)
        return record
    return make


def names(group: Sequence[Activation] | None = None) -> list[str]:
    """The names in the catalogue, in order."""
    return [r.name for r in group] if group is not None else sorted(catalogue)
