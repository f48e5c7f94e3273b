"""Modules called with other parameters and buffers than their own: `func.functional_call`, and the place it had before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from ..module import Module

__all__ = ["functional_call"]

KINDS = ("_parameters", "_buffers")
Given = dict[str, Tensor]
Places = dict[str, tuple[Module, str, str]]                  # dotted name -> (the module that has it, of which kind, its name there)


def functional_call(module: Module, parameters_and_buffers: Any, args: Any = None, kwargs: Mapping[str, Any] | None = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """`ta.func.functional_call` at the place that it had in PyTorch first; it warns, as PyTorch's does."""
    warnings.warn("`nn.utils.stateless.functional_call` is deprecated. Please use `func.functional_call` instead, which is a drop-in "
                  "replacement.", FutureWarning, stacklevel=2)
    return call_with(module, parameters_and_buffers, args, kwargs, tie_weights, strict)


def call_with(module: Module, given: Any, args: Any, kwargs: Mapping[str, Any] | None, tie_weights: bool, strict: bool) -> Any:
    """The module's result with the tensors of a dict, or of several, in the place of its own."""
    if not isinstance(module, Module):
        raise ArgumentError("functional_call", type(module).__name__, "what is called is a Module")
    values = _one(given)
    places: Places = {name: (owner, kind, key) for path, owner in module.named_modules(remove_duplicate=False) for kind in KINDS
              for key in owner.__dict__[kind] for name in [f"{path}.{key}" if path else key]}
    tied = _tied(places, values) if tie_weights else values
    if strict:
        own = {name for name, (owner, kind, key) in places.items() if owner.__dict__[kind][key] is not None}
        missing, unexpected = sorted(own - tied.keys()), sorted(tied.keys() - own)
        if missing or unexpected:
            raise ArgumentError("functional_call", f"a {type(module).__name__}, with strict=True",
                                "; ".join(f"{what} {', '.join(names)}" for what, names in (("missing", missing), ("unexpected", unexpected)) if names),
                                "pass all of its parameters and buffers, or strict=False")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _in_place(module, places, tied) as after:
        result = module(*args, **(kwargs or {}))
    if values is given:
        given.update({name: after[name] for name in given if name in after})      # what forward has put there instead of changing it
    return result


def _one(given: Any) -> Given:
    """The dict, or what is in several together."""
    several = [given] if isinstance(given, dict) else list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    for d in several:
        if not isinstance(d, dict):
            raise ArgumentError("functional_call", type(d).__name__, "parameters and buffers are a dict of tensors by name, or a tuple of such",
                                "pass dict(model.named_parameters())")
        for name, value in d.items():
            if not isinstance(value, Tensor):
                raise ArgumentError("functional_call", f"{name}: {type(value).__name__}", "parameters and buffers are Tensors")
    if len(several) == 1 and isinstance(given, dict):
        return given
    names = [name for d in several for name in d]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ArgumentError("functional_call", ", ".join(twice), "it is in more than one of the dicts", "leave one of them out")
    return {name: value for d in several for name, value in d.items()}


def _tied(places: Places, values: Given) -> Given:
    """`values`, and for a tensor that the module has under several names each of them."""
    names: dict[int, list[str]] = {}
    for name, (owner, kind, key) in places.items():
        names.setdefault(id(owner.__dict__[kind][key]), []).append(name)
    out = dict(values)
    for name in values:
        place = places.get(name)
        own = None if place is None else place[0].__dict__[place[1]][place[2]]
        if own is None:
            continue
        together = names[id(own)]
        if len({id(values[other]) for other in together if other in values}) > 1:
            raise ArgumentError("functional_call", ", ".join(together), "they are one tensor in the module, and several were given",
                                "pass one of them, or tie_weights=False")
        out.update(dict.fromkeys(together, values[name]))
    return out


@contextmanager
def _in_place(module: Module, places: Places, values: Given) -> Iterator[Given]:
    """Within it the module has these tensors, after it its own again. Fills a dict with those that it had at the end.

    A name that is no parameter or buffer is that of a tensor kept as any attribute, or, as in PyTorch, of nothing.
    """
    swaps: list[tuple[str, dict[str, Any], str]] = []
    after: Given = {}
    for name in values:
        if name in places:
            owner, kind, key = places[name]
            held: dict[str, Any] = owner.__dict__[kind]
        else:
            path, _, key = name.rpartition(".")
            owner = module.get_submodule(path)
            held = owner.__dict__
            if isinstance(getattr(type(owner), key, None), property):
                raise ArgumentError("functional_call", repr(name), f"{type(owner).__name__} computes it", "give what it is computed from: of a "
                                    f"parametrization {name.removesuffix(key)}parametrizations.{key}.original")
            if not isinstance(held.get(key), Tensor):
                continue
        swaps.append((name, held, key))
    own = [held[key] for _, held, key in swaps]              # all of them first: a module may be there under two names
    try:
        for name, held, key in swaps:
            held[key] = values[name]
        yield after
    finally:
        after.update({name: held[key] for name, held, key in swaps})
        for (_, held, key), value in zip(swaps, own, strict=True):
            held[key] = value
