"""Dicts, lists and tuples of tensors as JSON and named tensors, and back: how `ta.save` writes what is no plain state_dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor

TENSOR, DICT, TUPLE = "$tensor", "$dict", "$tuple"
ALIKE = 16                                               # keys of a dict that may have the hash of another


def structure(obj: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """`obj` as JSON, its tensors put into `tensors` under the path that leads to them."""
    if isinstance(obj, Tensor):
        name = path or "tensor"
        while name in tensors:
            name += "'"
        tensors[name] = obj
        return {TENSOR: name}
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, Mapping):
        return {DICT: [[_key(k, path), structure(v, _join(path, k), tensors)] for k, v in obj.items()]}
    if type(obj) in (list, tuple):
        parts = [structure(v, _join(path, i), tensors) for i, v in enumerate(obj)]
        return parts if type(obj) is list else {TUPLE: parts}
    if hasattr(obj, "item") and getattr(obj, "ndim", 1) == 0:                    # a NumPy scalar
        return obj.item()
    raise ArgumentError("save", f"{path or 'the object'}: {type(obj).__name__}", "a file holds tensors, numbers, texts, None, "
                        "and dicts, lists and tuples of them", "save its state_dict(), or convert it with ta.tensor(...)")


def _key(key: Any, path: str) -> Any:
    if type(key) not in (str, int, float, bool):
        raise ArgumentError("save", f"{path or 'the object'}: the key {key!r}", "keys are texts and numbers")
    return key


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def rebuilt(part: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `structure` described.

    Raises ValueError, KeyError, TypeError, AttributeError or RecursionError for what it did not write.
    """
    if isinstance(part, list):
        return [rebuilt(v, tensors) for v in part]
    if not isinstance(part, dict):
        return part
    ((kind, value),) = part.items()
    if kind == TENSOR:
        return tensors[value]
    if kind == DICT:
        if len(value) - len({hash(k) for k, _ in value}) > ALIKE:    # they would take the square of their number
            raise ValueError("keys that are made to collide")
        return {k: rebuilt(v, tensors) for k, v in value}
    if kind == TUPLE:
        return tuple(rebuilt(v, tensors) for v in value)
    raise KeyError(kind)
