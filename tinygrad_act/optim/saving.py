"""The state of an optimizer as a dict of numbers and tensors, in PyTorch's layout, and back."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from .. import backend
from ..errors import ArgumentError
from ..tensor import Tensor, wrap
from .runs import number


def pack(state: Mapping[Any, dict[str, Any]], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Parameters stand as their numbers, counted through all groups; what belongs to none keeps its key."""
    numbers: dict[int, int] = {}
    for i, p in enumerate(p for group in groups for p in group["params"]):
        numbers.setdefault(id(p), i)
    packed: dict[Any, Any] = {}
    for key, remembered in state.items():
        if not isinstance(key, Tensor):
            packed[key] = remembered
        elif id(key) in numbers:
            packed[numbers[id(key)]] = dict(remembered)
    return {"state": packed, "param_groups": [{**{k: v for k, v in group.items() if k != "params"},
                                               "params": [numbers[id(p)] for p in group["params"]]} for group in groups]}


def unpack(name: str, packed: Any, groups: list[dict[str, Any]], defaults: Mapping[str, Any],
           numbers: frozenset[str]) -> tuple[dict[Any, dict[str, Any]], list[dict[str, Any]]]:
    """The state and the groups that `packed` describes, for the parameters of these groups; copies all of it."""
    if not isinstance(packed, Mapping) or not {"state", "param_groups"} <= packed.keys():
        given = f"a dict of {list(packed)[:8]}" if isinstance(packed, Mapping) else type(packed).__name__
        raise ArgumentError(f"{name}.load_state_dict", given, 'a state_dict has "state" and "param_groups"',
                            "pass what an optimizer's state_dict() returned")
    saved = packed["param_groups"]
    sizes, ours = ([len(g["params"]) for g in gs] for gs in (saved, groups))
    if sizes != ours:
        raise ArgumentError(f"{name}.load_state_dict", f"groups of {sizes} parameters",
                            f"this optimizer has groups of {ours}", "make it with the same parameters first")
    params = {i: p for group, mine in zip(saved, groups, strict=True)
              for i, p in zip(group["params"], mine["params"], strict=True)}
    state: dict[Any, dict[str, Any]] = defaultdict(dict)
    for key, remembered in packed["state"].items():
        if key in params:
            state[params[key]] = {k: number(v) if k in numbers else _like(v, params[key]) for k, v in remembered.items()}
        else:
            state[key] = remembered
    return state, [_group(group, mine, defaults) for group, mine in zip(saved, groups, strict=True)]


def _group(saved: Mapping[str, Any], mine: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they were saved; those that are not in it (it is of an older version), and names, as they are."""
    kept = {k: v for k, v in mine.items() if k in defaults or k == "param_names"}
    return {**kept, **{k: copy.deepcopy(v) for k, v in saved.items() if k != "params"}, "params": mine["params"]}


def _like(value: Any, p: Tensor) -> Any:
    """A copy of what is remembered, tensors on p's device and, if they are floating, in p's dtype."""
    if isinstance(value, Tensor):
        array = backend.asarray(value.array, p.dtype if value.array.dtype.kind not in "biu" else None, p.device)
        return wrap(backend.namespace(array).copy(array))
    if isinstance(value, dict):
        return {k: _like(v, p) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_like(v, p) for v in value)           # type: ignore[call-arg]
    return value
