"""Every activation of the catalogue as a module, made from its record.

The settings are those of its function in `nn.functional`, in its order; what the record calls learnable becomes
Parameters, one for the whole input or one per channel (axis 1). The classes have PyTorch's names where it has them.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..activations import Activation as Record
from ..activations import catalogue, shares
from ..activations.names import named
from ..errors import ArgumentError
from ..op import Op
from ..tensor import Tensor
from . import adaptive, functional, layers
from .adaptive import initial, on_channels
from .module import Module

HIDDEN = {"dtype", "_stacklevel", "generator", "training"}              # of a function, not of its module
WITHOUT_EFFECT = {"gumbel_softmax": {"eps"}}                            # accepted by a function for PyTorch's sake
BARE = {"Hardshrink", "Softshrink"}                                     # PyTorch prints their setting without its name


class ActivationModule(Module):
    """What the modules of the catalogue have in common. `record` is the activation's record."""

    record: Record
    function: Any                        # of nn.functional
    settings: dict[str, Any]
    __signature__: inspect.Signature
    _own: tuple[str, ...] = ()           # the settings that the function takes
    _trains: bool = False                # does the function want to know whether it is training?

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        try:
            given = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"nn.{type(self).__name__}", "", str(error), f"it takes {self.__signature__}") from None
        given.apply_defaults()
        self.settings = dict(given.arguments)
        for name in self._own:
            setattr(self, name, self.settings[name])

    def forward(self, input: Tensor) -> Tensor:
        if not self._own and not self._trains:
            return type(self).function(input)  # type: ignore[no-any-return]
        settings = {name: getattr(self, name) for name in self._own}
        if self._trains:
            settings["training"] = self.training
        result: Tensor = type(self).function(input, **settings)
        return result

    def extra_repr(self) -> str:
        shown = {k: getattr(self, k, v) for k, v in self.settings.items() if k not in ("device", "dtype")}
        if type(self).__name__ in BARE:
            return ", ".join(map(str, shown.values()))
        return ", ".join(f"{k}={v!r}" for k, v in shown.items() if k not in ("inplace", *self._parameters) or v is True)


class LearnableActivation(ActivationModule):
    """An activation with parameters: `num_parameters` is 1, or the number of channels (axis 1 of the input)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        count = self.settings["num_parameters"]
        for name in self.record.learnable:
            start = self.settings.get(name, self.settings.get("init"))
            self.settings.pop(name, None)
            self.register_parameter(name, initial(start, count, self.settings["device"], self.settings["dtype"]))
        self.settings.pop("init", None)
        self.num_parameters = count

    def forward(self, input: Tensor) -> Tensor:
        settings = {name: getattr(self, name) for name in self._own}
        own = self._parameters                               # by name: whatever their order, and also those that are computed
        parameters = [on_channels(own[name], self.num_parameters, input.ndim) for name in self.record.learnable]
        result: Tensor = self.record.op(input, *parameters, **settings)
        return result


def _settings(record: Record) -> tuple[Any, list[inspect.Parameter]]:
    """The function of a record, and the settings it has."""
    function = getattr(functional, record.torch or record.name, record.op)
    if isinstance(function, Op):
        return function, [inspect.Parameter(k, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=v)
                          for k, v in function.defaults.items()]
    inputs = len(record.learnable) + 1
    return function, list(inspect.signature(function).parameters.values())[inputs:]


def _learnable_signature(record: Record, settings: list[inspect.Parameter]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    starts = dict(record.learnable)
    if len(starts) == 1:                                     # PyTorch's PReLU(num_parameters=1, init=0.25)
        starts = {"init": next(iter(starts.values()))}
    return [inspect.Parameter("num_parameters", kind, default=1),
            *(inspect.Parameter(k, kind, default=v) for k, v in starts.items()), *settings,
            *(inspect.Parameter(k, kind, default=None) for k in ("device", "dtype"))]


def make(record: Record) -> type[ActivationModule]:
    """The module class of a record."""
    function, parameters = _settings(record)
    hidden = HIDDEN | WITHOUT_EFFECT.get(record.name, set())
    shown = [p for p in parameters if p.name not in hidden]
    base = LearnableActivation if record.learnable else ActivationModule
    signature = inspect.Signature(_learnable_signature(record, shown) if record.learnable else shown)
    return type(record.module, (base,), {
        "__doc__": record.__doc__, "__module__": __name__, "__qualname__": record.module, "record": record,
        "function": staticmethod(function), "__signature__": signature, "_own": tuple(p.name for p in shown),
        "_trains": any(p.name == "training" for p in parameters)})


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ArgumentError("Softmax2d", f"an input of shape {input.shape}", "it takes (N, C, H, W) or (C, H, W)")
        return shares.softmax(input, -3)


# name of the record -> its module class
modules: dict[str, Any] = {"linear": layers.Identity, "pau": adaptive.PAU, "meta_acon": adaptive.MetaACON,
                           "dynamic_mixture": adaptive.DynamicMixture}
for _record in catalogue.values():
    if _record.name not in modules:
        modules[_record.name] = make(_record)
        globals()[_record.module] = modules[_record.name]


def Activation(name: str, *args: Any, **params: Any) -> Module:
    """The module of any activation in the catalogue, by its name there, its class's or PyTorch's function's: `Activation("gelu")`.

    >>> ta.nn.Activation("leaky_relu", negative_slope=0.2)
    LeakyReLU(negative_slope=0.2)
    """
    module: Module = modules[named(name, "nn.Activation").name](*args, **params)
    return module
