"""Other backward rules for an op, chosen by name: exact ones, stand-ins that train what has no slope, and mistakes to find.

The op of a choice is a copy of its own with another rule, and says so in `variant`. `using` makes it for one call;
`study.rules` puts it in the op's place for a block.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import ArgumentError
from ..op import Op

Rule = TypeVar("Rule", bound=Callable[..., Any])
choices: dict[str, dict[str, tuple[str, Callable[..., Any]]]] = {}       # op -> rule's name -> (an input, or "joint", and the rule)
_made: dict[tuple[Op, Any], Op] = {}


def choice(op: str, *names: str, of: str) -> Callable[[Rule], Rule]:
    """Enter a backward rule for input `of` of the op, under one or several names."""
    def enter(rule: Rule) -> Rule:
        for name in names:
            choices.setdefault(op, {})[name] = of, rule
        return rule
    return enter


def changed(op: Op, key: str, rule: Callable[..., Any], variant: str) -> Op:
    """A copy of the op with another rule for the input `key`, or another joint one."""
    other = copy.copy(op)
    other.gradient, other.plans, other.variant = None, {}, variant
    other.settle()                                          # first: it looks at the plans that set_rules clears
    if key == "joint":
        other.set_rules((), rule)
        return other
    rules: list[Any] = [r and r.function for r in op.rules] or [None] * op.arity
    rules[op.inputs.index(key)] = rule
    other.set_rules(rules)
    return other


def available(op: Op) -> list[str]:
    """The names of the rules that `using` takes for this op."""
    return sorted(dict.fromkeys([*choices.get(op.name, ()), *(MISTAKES if op.differentiable else ())]))


def using(op: Op, rule: str | Callable[..., Any]) -> Op:
    """The op with the rule of that name, or with a rule of your own for its first input.

    Raises:
        ArgumentError: the op has no rule of that name.
    """
    if (op, rule) not in _made:
        if callable(rule):
            made = changed(op, "joint" if op.joint else op.inputs[0], rule, getattr(rule, "__name__", "another"))
        elif rule in choices.get(op.name, ()):
            made = changed(op, *choices[op.name][rule], rule)
        elif rule in MISTAKES and op.differentiable:
            made = mistaken(op, rule)
        else:
            raise ArgumentError(op.name, f"rule {rule!r}", f"it has {', '.join(available(op)) or 'one rule only'}")
        _made[op, rule] = made
    return _made[op, rule]


# ---------------------------------------------------------------------------------------- mistakes, for any op
def wrong_sign(F: Any, g: Any, gradient: Any) -> Any:
    """The gradient with its sign turned round."""
    return -gradient(g)


def missing_factor(F: Any, g: Any, gradient: Any) -> Any:
    """The local derivative alone: the chain rule's other factor, the incoming gradient, is forgotten."""
    return gradient(F.ones_like(g))


MISTAKES: Mapping[str, Callable[..., Any]] = {"missing_factor": missing_factor, "wrong_sign": wrong_sign}


def mistaken(op: Op, name: str) -> Op:
    """The op with its first rule spoiled; where one rule serves all inputs, all of it."""
    mistake = MISTAKES[name]
    key = "joint" if op.joint else next(n for n, rule in zip(op.inputs, op.rules, strict=False) if rule)
    right = op.joint or op.rules[op.inputs.index(key)]
    assert right is not None
    rule = right.function

    @functools.wraps(rule)                                  # so that it reads what the right one reads
    def wrong(F: Any, g: Any, *read: Any, **settings: Any) -> Any:
        if key != "joint":
            return mistake(F, g, lambda g: rule(F, g, *read, **settings))
        if name == "wrong_sign":
            return [None if part is None else -part for part in rule(F, g, *read, **settings)]
        parts = isinstance(g, (list, tuple))
        return rule(F, [p if p is None else F.ones_like(p) for p in g] if parts else F.ones_like(g), *read, **settings)
    return changed(op, key, wrong, name)
