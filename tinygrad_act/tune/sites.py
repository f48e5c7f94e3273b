"""Where a network has an activation: modules of it, and attributes that hold its function."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import _functions as functions
from ..activations import Activation as Record
from ..activations import catalogue
from ..activations.names import named
from ..errors import ArgumentError
from ..nn import Activation, Module, functional
from ..nn.activation import modules as module_classes
from ..tensor import Tensor
from . import select
from .graft import origin_of


@dataclass
class Site:
    """One activation in use: `old` stands under `attribute` of each owner (a shared module has several)."""

    name: str
    old: Any
    owners: list[tuple[Module, str]] = field(default_factory=list)
    new: Any = None

    def put(self, value: Any) -> None:
        """Have it stand there instead."""
        for owner, attribute in self.owners:
            if isinstance(value, Module):
                owner.__dict__.pop(attribute, None)
                owner._modules[attribute] = value
            else:
                owner._modules.pop(attribute, None)
                owner.__dict__[attribute] = value


def name_of(activation: Any) -> str | None:
    """The catalogue's name of an activation: of its name, class, module, record or function; None for anything else.

    Raises:
        ArgumentError: a name that the catalogue has not.
    """
    if isinstance(activation, str):
        return named(activation, "swap").name
    if isinstance(activation, Record):
        return activation.name
    kind = activation if isinstance(activation, type) else origin_of(activation) if isinstance(activation, Module) else None
    if kind is not None:
        name = next((n for n, m in module_classes.items() if m is kind), None)
        return "gelu_tanh" if name == "gelu" and getattr(activation, "approximate", "") == "tanh" else name
    if isinstance(activation, functools.partial) and activation.keywords == {"approximate": "tanh"} and name_of(activation.func) == "gelu":
        return "gelu_tanh"
    return next((name for name in catalogue if any(activation is f for f in _forms(name))), None) if callable(activation) else None


@functools.cache
def _forms(name: str) -> tuple[Any, ...]:
    """The functions that are this activation: of nn.functional, of the package, as a Tensor's method, as an op."""
    record = catalogue[name]
    names = {record.name, record.torch or record.name}
    found = [getattr(place, n, None) for place in (functional, functions, Tensor) for n in names]
    return tuple(f for f in (*found, record, record.op, record.op.call) if f is not None)


def find(model: Module, old: Any, where: Any = None) -> list[Site]:
    """The places in `model` where the activation `old` is in use, in order; `where` has patterns of their names.

    Raises:
        ArgumentError: there is none; the message says which activations there are.
    """
    name = name_of(old)
    if name is None:
        raise ArgumentError("swap", f"{old!r:.60}", "it is no activation of the catalogue", "ta.activations.catalogue has the names")
    sites: dict[int | str, Site] = {}
    known: dict[str, int] = {}
    for path, module in model.named_modules():
        for attribute, value in [*module._modules.items(), *module.__dict__.items()]:
            is_module = isinstance(value, Module)
            found = name_of(value) if is_module or (callable(value) and not attribute.startswith("_")) else None
            if found is None or (found == "linear" and name != "linear"):
                continue
            known[found] = known.get(found, 0) + 1
            if found == name:
                place = f"{path}.{attribute}" if path else attribute
                site = sites.setdefault(id(value) if is_module else place, Site(place, value))
                site.owners.append((module, attribute))
    chosen = _where(list(sites.values()), where)
    if sites and not chosen:
        raise ArgumentError("swap", f"where={where!r}", f"it matches no place of {name}", f"its places are {', '.join(s.name for s in sites.values())}")
    if not chosen:
        there = ", ".join(f"{n} ({count} times)" for n, count in known.items()) or "none"
        raise ArgumentError("swap", f"{name!r} in a {type(model).__name__}", f"no module or attribute of it is that; there are: {there}",
                            "a call written in a forward is out of reach: make it a module of the network first")
    return chosen


def _where(sites: list[Site], where: Any) -> list[Site]:
    if where is None:
        return sites
    patterns = where if isinstance(where, (list, tuple)) else [where]
    matching = {n for p in patterns for n in select.matching(p, [s.name for s in sites])}
    return [s for s in sites if s.name in matching]


# ------------------------------------------------------------------------------------------------- the same function
@dataclass(frozen=True)
class Start:
    """Settings with which one activation starts as another; `note` says how near that is, "" if it is the same."""

    settings: dict[str, Any]
    note: str = ""


def _slope(module: Any) -> float:
    return float(getattr(module, "negative_slope", 0.01))


SHARP = 10.0
NEAR = f"x·σ(βx) is max(0, x) only as β grows; it starts at β = {SHARP:g}, never further off than 0.2785 / β = {0.27846 / SHARP:.3f} (anneal starts at it exactly)"
ROUNDED = "it starts as the same function, up to rounding"
GELUS = "βx stands in for GELU's argument: it starts at β = 1.702, never further off than 0.021"

# (old, new) -> what is to be set, given the old module or function
STARTS: dict[tuple[str, str], Callable[[Any], Start]] = {
    ("relu", "leaky_relu"): lambda old: Start({"negative_slope": 0.0}),
    ("relu", "prelu"): lambda old: Start({"init": 0.0}),
    ("leaky_relu", "prelu"): lambda old: Start({"init": _slope(old)}),
    ("linear", "prelu"): lambda old: Start({"init": 1.0}),
    ("relu", "apl"): lambda old: Start({"weight": (0.0, 0.0)}),
    ("squared_relu", "star_relu"): lambda old: Start({"scale": 1.0, "bias": 0.0}),
    ("silu", "swish"): lambda old: Start({"init": 1.0}, ROUNDED),
    ("silu", "acon_c"): lambda old: Start({"p1": 1.0, "p2": 0.0, "beta": 1.0}, ROUNDED),
    ("quick_gelu", "swish"): lambda old: Start({"init": 1.702}, ROUNDED),
    ("relu", "swish"): lambda old: Start({"init": SHARP}, NEAR),
    ("relu", "acon_c"): lambda old: Start({"p1": 1.0, "p2": 0.0, "beta": SHARP}, NEAR),
    ("gelu", "swish"): lambda old: Start({"init": 1.702}, GELUS),
    ("gelu_tanh", "swish"): lambda old: Start({"init": 1.702}, GELUS),
}


def make(new: Any, old_name: str, old: Any, like: Any, settings: dict[str, Any]) -> tuple[Module, str]:
    """A module of the activation `new` to stand for `old`, starting as it where the table knows how; and a note on that."""
    if isinstance(new, Module):
        return copy.deepcopy(new), ""
    name = name_of(new)
    if name is None:
        made = new(**settings) if callable(new) else None
        if not isinstance(made, Module):
            raise ArgumentError("swap", f"{new!r:.60}", "it is no activation of the catalogue", "pass a name, a class, a module, or a function that makes one")
        return made, ""
    note = ""
    if not settings and (old_name, name) in STARTS:
        start = STARTS[old_name, name](old)
        settings, note = start.settings, start.note or "it starts as the same function"
    learned = bool(catalogue[name].learnable)
    more = {"dtype": like.dtype, "device": like.device} if learned and like is not None else {}
    return Activation(name, **settings, **more), note
