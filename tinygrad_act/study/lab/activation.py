"""Activations given as names, functions, modules or classes of modules."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ... import _functions as ops
from ... import dtypes, nn
from ...activations import Activation, catalogue
from ...activations.names import named, of_module
from ...errors import ArgumentError
from ...tensor import Tensor
from .theory import Unit


class Choice(NamedTuple):
    """One activation of an experiment: what it is called, how to make a module of it, its record if it has one."""

    name: str
    make: Callable[[], Any]
    record: Activation | None = None


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.function(x)
        return y


def numbers() -> tuple[str, ...]:
    """The names of the catalogue's activations of one number, but the identity.

    >>> "relu" in numbers(), "softmax" in numbers()
    (True, False)
    """
    return tuple(name for name, record in catalogue.items() if not record.axis and name != "linear")


def choice(given: Any, name: str = "") -> Choice:
    """What was meant: a name of the catalogue or of PyTorch, a record, a module or its class, any function of a Tensor.

    >>> choice("ReLU").name, choice(ta.nn.PReLU).name, choice(ta.sin).name
    ('relu', 'PReLU', 'sin')
    """
    if isinstance(given, Activation):
        given = given.name
    if isinstance(given, str):
        record = named(given, "lab")
        return Choice(name or record.name, getattr(nn, record.module), record)
    if isinstance(given, nn.Module):
        return Choice(name or repr(given), lambda: copy.deepcopy(given), of_module(type(given).__name__))
    if inspect.isclass(given) and issubclass(given, nn.Module):
        return Choice(name or given.__name__, given, of_module(given.__name__))
    if callable(given):
        label = name or getattr(given, "__name__", type(given).__name__)
        return Choice(label, lambda: Apply(given), catalogue.get(getattr(given, "name", "")))
    raise ArgumentError("lab", f"the activation {given!r}", "it is a name, a function of a tensor, or a module")


def choices(given: Any) -> list[Choice]:
    """Several: a list, or {name: activation}. A single one is a list of one."""
    if isinstance(given, Mapping):
        return [choice(value, str(name)) for name, value in given.items()]
    if isinstance(given, (str, nn.Module, Activation)) or not isinstance(given, Iterable):
        given = [given]
    found = [choice(g) for g in given]
    names = [c.name for c in found]
    return [c._replace(name=f"{c.name} ({names[:i].count(c.name) + 1})") if names.count(c.name) > 1 else c for i, c in enumerate(found)]


def unit(given: Any) -> Unit:
    """An activation of one number with its settings and initial parameters, as a function alone."""
    chosen = choice(given)
    record = chosen.record
    if not isinstance(given, (str, Activation)):               # with settings and parameters of its own
        return Unit(chosen.name, chosen.make() if inspect.isclass(given) else given)
    assert record is not None
    if record.axis:
        raise ArgumentError("lab", f"the activation {record.name!r}", "it works across an axis: the theory is of functions of one number",
                            f"choose from {', '.join(numbers())}")
    initial = [ops.tensor(v, dtype=dtypes.float64, device="cpu") for v in record.initial.values()]

    def function(x: Tensor) -> Tensor:
        y: Tensor = record.op(x, *(v.to(x.dtype).to(x.device) for v in initial))
        return y
    return Unit(record.name, function, tuple(record.kinks()))
