"""Other names for the tensors of a state_dict: rules of a pattern and what takes its place."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor

Transform = Callable[[Tensor], Tensor]
Plan = dict[str, tuple[str, list[Transform]]]            # new name -> (old name, what is done to the tensor)


def rename(state: Mapping[str, Any], map: Any) -> OrderedDict[str, Any]:
    """A state_dict with other names, and other layouts where a rule says so.

    A rule is a regular expression, searched for in the name as `re.sub` does, and what takes its place; None there drops
    the entry. A third part is a function that makes the new tensor of the old one. Rules apply in their order, each to
    what those before it made of a name; a name that no rule matches stays.

    Args:
        state: the state_dict; it is not changed.
        map: {pattern: replacement}, {pattern: (replacement, transform)}, or a list of (pattern, replacement[, transform]).

    Raises:
        ArgumentError: a rule is none, or two entries would have the same name.

    >>> state = {"module.fc.gamma": ta.ones(2), "module.fc.kernel": ta.zeros(3, 2), "step": ta.tensor(7)}
    >>> new = rename(state, {r"^module\\.": "", "gamma$": "weight", "kernel$": ("weight_of_fc", ta.Tensor.t), "^step$": None})
    >>> {name: t.shape for name, t in new.items()}
    {'fc.weight': (2,), 'fc.weight_of_fc': (2, 3)}
    """
    return OrderedDict((new, transformed(state[old], steps, old)) for new, (old, steps) in plan(state, map).items())


def plan(names: Iterable[str], map: Any) -> Plan:
    """What `rename` would do, without looking at the tensors."""
    rules = _rules(map)
    planned: Plan = {}
    for old in names:
        if not isinstance(old, str):
            raise ArgumentError("rename", f"the key {old!r}", "a state_dict's keys are names", "pass the part of it that model.state_dict() gave")
        new: str | None = old
        steps: list[Transform] = []
        for pattern, replacement, transform in rules:
            if new is None or not pattern.search(new):
                continue
            new = None if replacement is None else _replaced(pattern, replacement, new)
            steps += [transform] if transform else []
        if new in planned:
            raise ArgumentError("rename", f"{planned[new][0]!r} and {old!r}", f"both would be named {new!r}", "make the patterns tell them apart, or map one to None")
        if new is not None:
            planned[new] = old, steps
    return planned


def transformed(value: Any, steps: Sequence[Transform], name: str) -> Any:
    """The tensor after these steps."""
    for step in steps:
        value = step(value)
        if not isinstance(value, Tensor):
            raise ArgumentError("rename", f"{name}: {type(value).__name__}", "the function of a rule is to return a tensor")
    return value


def _replaced(pattern: re.Pattern[str], replacement: str, name: str) -> str:
    try:
        return pattern.sub(replacement, name)
    except (re.error, IndexError) as error:
        raise ArgumentError("rename", f"{pattern.pattern!r}: {replacement!r}", f"the replacement does not fit the pattern ({error})",
                            r"\1 stands for what the first brackets matched") from None


def _rules(map: Any) -> list[tuple[re.Pattern[str], str | None, Transform | None]]:
    if isinstance(map, Mapping):
        map = [(pattern, *(to if isinstance(to, tuple) else (to,))) for pattern, to in map.items()]
    if not isinstance(map, Iterable) and map is not None:
        map = (map,)                                      # which is no rule either
    rules = []
    for rule in map or ():
        pattern, to, step = (*rule, None)[:3] if isinstance(rule, (tuple, list)) and len(rule) in (2, 3) else (None, None, None)
        if not isinstance(pattern, (str, re.Pattern)) or not (to is None or isinstance(to, str)) or not (step is None or callable(step)):
            raise ArgumentError("rename", f"the rule {rule!r}", "a rule is a pattern and a replacement (or None), and may be a function of the tensor",
                                'write {r"^module\\.": ""} or [(r"kernel$", "weight", ta.Tensor.t)]')
        try:
            rules.append((re.compile(pattern), to, step))
        except re.error as error:
            raise ArgumentError("rename", f"the pattern {pattern!r}", f"it is no regular expression ({error})", "write a dot as \\.") from None
    return rules
