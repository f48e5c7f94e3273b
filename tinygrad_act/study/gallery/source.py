"""The text of a record's rules: as they are written, with what they call; as one line; and as the kernels of a GPU."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ...activations import Activation
from ...dtypes import float32
from ...errors import TinygradActError
from ...rule import parameters as parameters_of
from ...symbols.cuda import kernel, parameters
from ...symbols.expression import BranchError
from ...symbols.text import formula
from ..explaining.statements import place_of

SHORT = 90                                       # of a rule as one line
OURS = __name__.partition(".")[0] + ".activations"


class Code(NamedTuple):
    """A piece of code: what it is, where it stands, and its text."""

    title: str
    place: str
    text: str


def rules(record: Activation) -> list[Code]:
    """The forward rule with the record's facts above it, the backward rules, and the second derivative if it is written by hand."""
    found = [code("Forward", record.forward)]
    for name, rule in record.rules.items():
        title = "Backward, of all inputs" if name == "joint" else f"Backward, of {name}" if len(record.op.inputs) > 1 else "Backward"
        found.append(code(title, rule))
    if record.second_rule is not None:
        found.append(code("Second derivative", record.second_rule))
    return found


def helpers(record: Activation) -> list[Code]:
    """The functions of the catalogue that the rules call, and theirs, each once; the numbers they name come first."""
    own = dict.fromkeys(map(inspect.unwrap, _all(record)))
    seen: dict[Any, Code] = {}
    numbers: dict[str, float] = {}
    todo = list(own)
    while todo:
        function = todo.pop(0)
        for name, value in _names(function):
            if isinstance(value, Activation):
                todo += [f for f in map(inspect.unwrap, _all(value)) if f not in own and f not in seen and name in _text(function)]
            elif isinstance(value, float):
                numbers[name] = value
            elif inspect.isfunction(value) and value.__module__.startswith(OURS):
                value = inspect.unwrap(value)
                if value not in own and value not in seen:
                    todo.append(value)
        if function not in own and function not in seen:
            seen[function] = code(function.__name__, function)
    constants = "\n".join(f"{name} = {value!r}" for name, value in sorted(numbers.items()))
    return ([Code("Numbers", "", constants)] if constants else []) + list(seen.values())


def _all(record: Activation) -> list[Callable[..., Any]]:
    return [record.forward, *record.rules.values(), *([record.second_rule] if record.second_rule else [])]


def _names(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function names that its module knows."""
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _text(function: Any) -> str:
    return inspect.getsource(function)


def code(title: str, function: Callable[..., Any]) -> Code:
    """The source of a function."""
    return Code(title, place_of(function), inspect.getsource(inspect.unwrap(function)).rstrip())


def brief(rule: Callable[..., Any]) -> str:
    """An elementwise rule in a line, "" for what is more than that."""
    try:
        text = formula(rule)
    except Exception:                            # it does with symbols what only arrays can
        return ""
    return text if len(text) <= SHORT else ""


def kernels(record: Activation) -> list[Code]:
    """The CUDA text of the forward rule and of the backward rules, in float32; none for what is no single kernel."""
    wanted = [("forward", record.forward), *[(f"backward_{name}" if name != record.op.inputs[0] else "backward", rule)
                                             for name, rule in record.rules.items()]]
    found = []
    for title, rule in wanted:
        names, _, keywords = parameters_of(rule)
        settings = {k: v for k, v in record.settings.items() if k in keywords}
        arguments = [float32] * (len(names) - 1)
        try:
            lifted, lifted_settings, _ = parameters(arguments, settings)
            try:
                made = kernel(rule, lifted, lifted_settings)
            except (BranchError, TypeError):     # it looks at a setting's value
                made = kernel(rule, arguments, settings)
        except (TinygradActError, AttributeError, TypeError, ValueError, IndexError):
            return []                            # it works on whole arrays: CuPy runs it op by op
        found.append(Code(title, "", made.source(f"{record.name}_{title}").rstrip()))
    return found
