"""Modules some of whose parameters are computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...errors import ArgumentError, nearest
from ...tensor import Tensor
from ..module import Module


class Computed(dict[str, Any]):
    """A module's parameters where some are computed. `Linear.forward` and others, short of time, look there by name for what is an
    attribute now. Among its items are only those that are not computed.
    """

    owner: Module
    undo: dict[str, str]                    # how each that is computed becomes a parameter again

    @staticmethod
    def own(module: Module) -> Computed:
        """The module's parameters as a Computed of its own: copy.copy leaves a copy with that of the original, where it would look."""
        held = module._parameters
        if isinstance(held, Computed) and held.owner is module:
            return held
        made = module.__dict__["_parameters"] = Computed(held)
        made.owner, made.undo = module, dict(held.undo) if isinstance(held, Computed) else {}
        return made

    @staticmethod
    def of(module: Module, name: str, undo: str) -> None:
        """Note that this parameter of a module is computed from now on."""
        Computed.own(module).undo[name] = undo

    @staticmethod
    def no_more(module: Module, name: str) -> None:
        """Note that it is a parameter again. After the last one the module has a plain dict, as it came with."""
        own = Computed.own(module)
        own.undo.pop(name, None)
        if not own.undo:
            module.__dict__["_parameters"] = dict(own)

    @staticmethod
    def among(module: Module, names: Iterable[str]) -> dict[str, str]:
        """Those of the names that are computed, and how that is undone."""
        own = module._parameters
        return {name: own.undo[name] for name in names if name in own.undo and name not in own} if isinstance(own, Computed) else {}

    def __missing__(self, name: str) -> Any:
        return getattr(self.owner, name)


def the_tensor(op: str, module: Module, name: str) -> Tensor:
    """A parameter or buffer of `module`."""
    if not isinstance(module, Module):
        raise ArgumentError(op, type(module).__name__, "it takes a Module, and the name of a parameter or buffer of it")
    tensors = {k: t for k, t in {**module._parameters, **module._buffers}.items() if t is not None}
    if name not in tensors:
        raise ArgumentError(op, repr(name), f"{type(module).__name__} has no parameter or buffer of that name",
                            nearest(str(name), tensors, f"it has: {', '.join(tensors) or 'none'}"))
    return tensors[name]
