"""Arguments: of a call, what must be the same for a replay; and, where that is another thing at each call, which argument it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .. import backend
from ..tensor import Tensor
from .surroundings import LONGEST

PLAIN = (int, float, str, bytes, type(None))
UNSEEN = "an array whose numbers are not looked at"


def form(x: Any, tensors: list[Tensor]) -> Any:
    """What of arguments must be the same for a replay, to be looked up by; the Tensors among them go into `tensors`."""
    if isinstance(x, Tensor):
        tensors.append(x)
        a = x.array
        return type(x), type(a), a.shape, a.dtype.char, a.strides, x._requires_grad
    if isinstance(x, (tuple, list)):
        return type(x), *[form(p, tensors) for p in x]
    if isinstance(x, dict):
        return dict, *[(k, form(v, tensors)) for k, v in x.items()]
    if isinstance(x, PLAIN):
        return type(x), x or repr(x)         # 0.0 and -0.0 are two
    if backend.is_array(x):
        return UNSEEN if unseen(x) else (type(x), x.shape, x.dtype, x.tobytes())
    return type(x), id(x)


def kind(x: Any) -> Any:
    """The form without numbers, arrays' data and objects: calls of one kind differ in these at most."""
    if isinstance(x, (tuple, list)):
        return type(x), *map(kind, x)
    if isinstance(x, dict):
        return dict, *[(k, kind(v)) for k, v in x.items()]
    if isinstance(x, (Tensor, bool, *PLAIN)) and not _number(x):
        return form(x, [])
    return (type(x), x.shape, x.dtype) if backend.is_array(x) else type(x)


def unseen(x: Any) -> bool:
    """Is it an array whose numbers are not looked at: a long one, one on a GPU, one of objects?"""
    return backend.is_array(x) and not (backend.is_host(x) and x.size <= LONGEST and not x.dtype.hasobject)


def objects(x: Any) -> list[Any]:
    """What among the arguments is neither a Tensor nor plain: looked at as if the step had found it by itself."""
    if isinstance(x, (tuple, list, dict)):
        return [o for part in (x.values() if isinstance(x, dict) else x) for o in objects(part)]
    return [] if isinstance(x, (Tensor, *PLAIN)) else [x]


def pattern(tensors: list[Tensor]) -> Any:
    """Which of the arguments are one and the same array."""
    ids = [id(t.array) for t in tensors]
    return None if len(set(ids)) == len(ids) else tuple(map(ids.index, ids))


def said(tensors: list[Tensor]) -> str:
    """The Tensors, in words."""
    return ", ".join(f"{t.array.dtype}{list(t.array.shape)}" for t in tensors[:4]) + ", ..." * (len(tensors) > 4) or "no tensors"


def loose(function: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    """The numbers, arrays and objects among the arguments of a call: the name of each, and its form."""
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        names = []
    names += [f"args[{i}]" for i in range(len(names), len(args))]
    return {k: form(v, []) for name, x in [*zip(names, args, strict=False), *kwargs.items()] for k, v in _loose(x, name)}


def _loose(x: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(x, (tuple, list, dict)):
        for k, v in x.items() if isinstance(x, dict) else enumerate(x):
            yield from _loose(v, f"{name}[{k!r}]")
    elif _number(x) or not isinstance(x, (Tensor, *PLAIN)):
        yield name, x


def _number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def remedy(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Which argument is another one than in a call before, and what to pass instead."""
    name = next((name for name in now if now[name] != before[name]), [*now][-1])
    kind, value = now[name][:2]
    if len(now[name]) > 2:
        return f"the argument {name} is an array that is another at each call, each of which is recorded: pass it as ta.tensor({name})"
    if not issubclass(kind, (int, float)):
        return f"the argument {name} is another {kind.__name__} at each call, each of which is recorded: pass its tensors in a tuple, a list or a dict"
    size = ", or only a few different ones if it is a size" * issubclass(kind, int)
    return f"the argument {name} is another number at each call ({before[name][1]}, {value}), each of which is recorded: pass it as ta.tensor({name}){size}"
