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
from typing import Any, TypeVar, overload

from ..backend.namespace import ELEMENTWISE
from ..elementwise import Elementwise
from ..errors import ArgumentError
from ..op import Op, Single
from ..ops.choice import choice, using
from ..ops.registry import enter, table
from ..tensor import Tensor

Rule = TypeVar("Rule", bound=Callable[..., Any])

catalogue: dict[str, Activation] = {}
SMOOTHNESS = ("discontinuous", "C0", "C1", "C2", "analytic")


class Activation:
    """One activation. Call it as a function; `op` is what the graph shows; the rest are its facts.

    formula, derivative   LaTeX
    paper                 where it comes from: a DOI, arXiv number or address
    kinks                 {point: derivative taken there}: the seams, where f, f' or f'' jumps (or a function of the
                          settings and initial values that returns it); PyTorch's values unless `note` says why not
    range                 (infimum, supremum) of the values, at the default settings; so bounded or not follows
    monotonic             never decreases
    smooth                "discontinuous", "C0", "C1", "C2" or "analytic"
    zero_centred          f(0) = 0 and both signs occur
    saturates             {"left": limit, "right": limit} for the sides on which f' tends to 0, with the limit of f
    lipschitz             the supremum of |f'|, inf if there is none (or f jumps)
    learnable             names of the inputs that are parameters, with their initial values (a tuple for a vector)
    fixed                 likewise, for further inputs that are no parameters (rrelu's drawn slopes)
    axis                  True if it works across an axis, so that the facts above about one number do not apply
    module                the name of its nn module; torch: PyTorch's name in nn.functional, None if it has none
    """

    def __init__(self, op: Single, forward: Callable[..., Any], *, formula: str, derivative: str, paper: str = "",
                 kinks: Mapping[float, float] | Callable[..., Mapping[float, float]] | None = None,
                 range: tuple[float, float] | None = None, monotonic: bool | None = None, smooth: str = "",
                 zero_centred: bool | None = None, saturates: Mapping[str, float] | None = None,
                 lipschitz: float | None = None, learnable: Mapping[str, Any] | None = None,
                 fixed: Mapping[str, Any] | None = None, axis: bool = False, module: str = "",
                 torch: str | None = None, note: str = "") -> None:
        self.name, self.op, self.forward = op.name, op, forward
        self.formula, self.derivative, self.paper, self.note = formula, derivative, paper, note
        self._kinks = kinks or {}
        self.range, self.monotonic, self.smooth, self.zero_centred = range, monotonic, smooth, zero_centred
        self.saturates, self.lipschitz = dict(saturates or {}), lipschitz
        self.learnable, self.fixed, self.axis = dict(learnable or {}), dict(fixed or {}), axis
        self.module = module or "".join(word.capitalize() for word in op.name.split("_"))
        self.torch = torch
        self.rules: dict[str, Callable[..., Any]] = {}              # input name, or "joint" -> its backward rule
        self.alternatives: dict[str, tuple[str, Callable[..., Any]]] = {}     # name -> (the key in rules, another rule)
        self.second_rule: Callable[..., Any] | None = None
        self.__doc__ = op.__doc__ = forward.__doc__

    def __call__(self, *inputs: Any, **settings: Any) -> Tensor:
        out: Tensor = self.op(*inputs, **settings)
        return out

    def __repr__(self) -> str:
        return f"<activation {self.name}{tuple(self.settings)}>"

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword parameters of the forward rule, with their defaults."""
        return dict(self.op.defaults)

    @property
    def initial(self) -> dict[str, Any]:
        """The inputs after the first, with their initial values."""
        values = {**self.fixed, **self.learnable}
        return {name: values[name] for name in self.op.inputs[1:] if name in values}

    def kinks(self, **settings: Any) -> dict[float, float]:
        """{point: derivative taken there} for these settings and parameters."""
        if not callable(self._kinks):
            return dict(self._kinks)
        given = {**self.settings, **self.initial, **settings}
        named = inspect.signature(self._kinks).parameters
        return dict(self._kinks(**{k: v for k, v in given.items() if k in named}))

    # -------------------------------------------------------------------------------- adding rules, as decorators
    @overload
    def backward(self, rule: str) -> Callable[[Rule], Rule]: ...

    @overload
    def backward(self, rule: Rule) -> Rule: ...

    def backward(self, rule: Any) -> Any:
        """The backward rule of the first input, or `@record.backward("weight")` of another one."""
        if isinstance(rule, str):
            return lambda function: self._add(rule, function)
        return self._add(self.op.inputs[0], rule)

    def joint(self, rule: Rule) -> Rule:
        """One backward rule for all inputs, returning a gradient for each."""
        self.rules = {"joint": rule}
        self.op.set_rules((), rule)
        return rule

    def second(self, rule: Rule) -> Rule:
        """A hand-written second derivative, `rule(F, g, x)` = g * f''(x), for where composing the first loses accuracy."""
        if not isinstance(self.op, Elementwise):
            raise ArgumentError(self.name, "second", "only an elementwise record has one")
        self.second_rule = rule
        self.op.set_second(rule)
        return rule

    def alternative(self, name: str, of: str = "") -> Callable[[Rule], Rule]:
        """Another backward rule, as right as the first, chosen by name with `record.using(name)`: for the input `of`, by
        default the first (of all inputs, where the record has a joint rule).
        """
        def add(rule: Rule) -> Rule:
            self.alternatives[name] = (of or ("joint" if "joint" in self.rules else self.op.inputs[0]), rule)
            return choice(self.name, name, of=self.alternatives[name][0])(rule)
        return add

    def stand_in(self, *names: str) -> Callable[[Rule], Rule]:
        """A backward rule of the first input that is not the derivative, chosen likewise: a surrogate, or a mistake to find."""
        return choice(self.name, *names, of=self.op.inputs[0])

    def using(self, name: str | Callable[..., Any]) -> Op:
        """The op with the backward rule of that name, or with one of your own; settings and other inputs are as before.

        >>> x = ta.tensor([20.5], requires_grad=True)
        >>> ta.activations.catalogue["sigmoid"].using("output")(x).backward(); x.grad
        tensor([0.])
        """
        return using(self.op, name)

    def _add(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if name not in self.op.inputs:
            raise ArgumentError(self.name, f"a backward rule of {name!r}", f"its inputs are {', '.join(self.op.inputs)}")
        self.rules[name] = function
        self.op.set_rules(*_ordered(self.rules, self.op))
        return self.op.slope(function) if isinstance(self.op, Elementwise) and name == self.op.inputs[0] else function


def _ordered(rules: Mapping[str, Callable[..., Any]], op: Op) -> tuple[Any, Any]:
    """The rules as Op wants them: one per input, or a joint one."""
    return ((), rules["joint"]) if "joint" in rules else ([rules.get(i) for i in op.inputs], None)


def flat(F: Any, g: Any, x: Any) -> Any:
    """The second derivative of what is made of straight pieces, for `record.second`: 0, and connected, as in PyTorch."""
    return F.zeros_like(g)


def activation(*, result: str = "float", kinds: str = "bif", elementwise: bool = True, aux: Sequence[str] = (),
               **facts: Any) -> Callable[[Callable[..., Any]], Activation]:
    """Make a record of the forward rule below, and enter it in the catalogue.

    `axis=True` is for one that works across an axis; `elementwise=False` for one that works number by number, but
    with parameters of another shape. `result`, `kinds` and `aux` are the op's.
    """
    def make(forward: Callable[..., Any]) -> Activation:
        name = forward.__name__
        if elementwise and not facts.get("axis"):
            op: Single = Elementwise(name, forward, result=result, kinds=kinds, aux=aux)
        else:
            op = Single(name, forward, aux=aux)
        record = Activation(op, forward, **facts)
        catalogue[name] = record
        if name in ELEMENTWISE:                    # a name of F too, such as tanh: then rules on Tensors run this op
            enter(op)
        else:
            table.setdefault(name, op)
        return record
    return make
