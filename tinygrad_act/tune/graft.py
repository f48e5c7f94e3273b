"""Grafts: a module that goes on being itself, with its names, hooks and parameters, and does something more.

The module's class is replaced by one that derives from it and from the graft. Whoever holds the module, shares it or has
hooks on it notices nothing; its state_dict keeps its names; `isinstance` still holds; and taking the graft off leaves
the module as it was.
"""

from __future__ import annotations

from typing import Any

from ..nn import Module


class Graft(Module):
    """The base of what is grafted on. `label` is put before the class's name."""

    label = ""


class Stock:
    """What a grafted class knows of itself: the class without grafts, and the grafts, the first one innermost."""

    _origin: type[Module]
    _grafts: tuple[type[Graft], ...]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Made from what it is made of: a class that is made while a program runs cannot be looked up by its name."""
        made: Any = super().__reduce_ex__(protocol)
        return (_blank, (self._origin, self._grafts), *made[2:])


def _blank(origin: type[Module], grafts: tuple[type[Graft], ...]) -> Any:
    kind: Any = _class(origin, grafts)
    return kind.__new__(kind)


classes: dict[tuple[Any, ...], type[Module]] = {}       # (origin, *grafts) -> the class of both


def _class(origin: type[Module], grafts: tuple[type[Graft], ...]) -> type[Module]:
    if not grafts:
        return origin
    if (origin, *grafts) not in classes:
        base = _class(origin, grafts[:-1])
        classes[origin, *grafts] = type(
            grafts[-1].label + base.__name__, (grafts[-1], base) if len(grafts) > 1 else (Stock, grafts[-1], base),
            {"_origin": origin, "_grafts": grafts, "__module__": __name__, "__doc__": origin.__doc__})
    return classes[origin, *grafts]


def grafts_of(module: Module) -> tuple[type[Graft], ...]:
    """What is grafted on it, the first one innermost."""
    return getattr(type(module), "_grafts", ())


def origin_of(module: Module) -> type[Module]:
    """Its class without grafts."""
    return getattr(type(module), "_origin", type(module))


def grafted(module: Module, kind: type[Graft]) -> bool:
    """Has it this graft?"""
    return kind in grafts_of(module)


def graft(module: Module, kind: type[Graft]) -> Any:
    """Graft it on, outside of what is there; a second time does nothing."""
    if not grafted(module, kind):
        module.__class__ = _class(origin_of(module), (*grafts_of(module), kind))
    return module


def ungraft(module: Module, kind: type[Graft]) -> None:
    """Take it off again."""
    module.__class__ = _class(origin_of(module), tuple(g for g in grafts_of(module) if g is not kind))
