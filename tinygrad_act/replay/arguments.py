"""Arguments: of a call, what must be the same for a replay; and, where that is another thing at each call, which argument it is."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterator
from typing import Any

from .. import backend
from ..tensor import Tensor
from .surroundings import LONGEST, Surroundings

PLAIN = (int, float, complex, str, bytes, type(None))
EXACT = ("decimal", "fractions")         # modules whose numbers cannot change, and are what their repr says
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
        return type(x), repr(x) if not x or x != x or isinstance(x, complex) else x      # 0.0 and -0.0 are two, NaN is one
    if backend.is_array(x):
        return UNSEEN if unseen(x) else (type(x), x.shape, x.dtype, x.tobytes())
    return type(x), repr(x) if by_value(x) else id(x)


def kind(x: Any) -> Any:
    """The form without numbers, arrays' data and objects: calls of one kind differ in these at most."""
    if isinstance(x, (tuple, list)):
        return type(x), *map(kind, x)
    if isinstance(x, dict):
        return dict, *[(k, kind(v)) for k, v in x.items()]
    if isinstance(x, (Tensor, bool, *PLAIN)) and not _number(x):
        return form(x, [])
    return (type(x), x.shape, x.dtype) if backend.is_array(x) else type(x)


def by_value(x: Any) -> bool:
    """Is it no plain number, and yet what its repr says, whichever object it is: NumPy's scalars, slices, ranges?"""
    if isinstance(x, slice):
        return all(p is None or _number(p) for p in (x.start, x.stop, x.step))
    return isinstance(x, range) or backend.is_scalar(x) or (isinstance(x, numbers.Number) and type(x).__module__ in EXACT)


def unseen(x: Any) -> bool:
    """Is it an array whose numbers are not looked at: a long one, one on a GPU, one of objects?"""
    return backend.is_array(x) and not (backend.is_host(x) and x.size <= LONGEST and not x.dtype.hasobject)


def objects(x: Any) -> list[Any]:
    """What among the arguments is neither a Tensor nor plain: looked at as if the step had found it by itself."""
    if isinstance(x, (tuple, list, dict)):
        return [o for part in (x.values() if isinstance(x, dict) else x) for o in objects(part)]
    return [] if isinstance(x, (Tensor, *PLAIN)) or by_value(x) else [x]


def pattern(tensors: list[Tensor]) -> Any:
    """Which of the arguments are one and the same array."""
    ids = [id(t.array) for t in tensors]
    return None if len(set(ids)) == len(ids) else tuple(map(ids.index, ids))


def said(tensors: list[Tensor]) -> str:
    """The Tensors, in words."""
    return ", ".join(f"{t.array.dtype}{list(t.array.shape)}" for t in tensors[:4]) + ", ..." * (len(tensors) > 4) or "no tensors"


def loose(function: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    """The numbers, arrays and objects among the arguments of a call, by name."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    names += [f"{rest}[{i - len(names)}]" if rest else f"args[{i}]" for i in range(len(names), len(args))]
    return {k: v for name, x in [*zip(names, args, strict=False), *kwargs.items()] for k, v in _loose(x, name)}


def _loose(x: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(x, (tuple, list, dict)):
        for k, v in x.items() if isinstance(x, dict) else enumerate(x):
            yield from _loose(v, f"{name}[{k!r}]")
    elif _number(x) or not isinstance(x, (Tensor, *PLAIN)):
        yield name, x


def _number(x: Any) -> bool:
    return (isinstance(x, (int, float, complex)) and not isinstance(x, bool)) or (isinstance(x, numbers.Number) and by_value(x))


def remedy(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Which argument is another one than in a call before, whose forms are given, and what to pass instead."""
    name = next((name for name in now if form(now[name], []) != before[name]), [*now][-1])
    x = now[name]
    if backend.is_array(x):
        return f"the argument {name} is an array that is another at each call, each of which is recorded: pass it as ta.tensor({name})"
    if not isinstance(x, (*PLAIN, slice)) and not by_value(x):
        instead = "pass its tensors in a tuple, a list or a dict" if Surroundings(None, [x]).tensors else "pass the same one each time"
        return f"the argument {name} is another {type(x).__name__} at each call, each of which is recorded: {instead}"
    if _number(x):
        parts = isinstance(x, numbers.Complex) and not isinstance(x, numbers.Real)         # no Tensor holds complex numbers
        tensor = f"its parts as ta.tensor({name}.real) and ta.tensor({name}.imag)" if parts else f"it as ta.tensor({name})"
        what, instead = "number", f"pass {tensor}" + ", or only a few different ones if it is a size" * isinstance(x, numbers.Integral)
    else:
        what, instead = type(x).__name__, "slice before the call, and pass the Tensor" if isinstance(x, slice) else "pass only a few different ones"
    return f"the argument {name} is another {what} at each call ({before[name][1]}, {form(x, [])[1]}), each of which is recorded: {instead}"
