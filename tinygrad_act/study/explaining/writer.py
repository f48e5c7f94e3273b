"""A rule on whole arrays as one expression: it is run on Tensors, and a watcher writes down each op that it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import backend, dtypes
from ...errors import TinygradActError
from ...grad_mode import no_grad
from ...graph import Watcher, recording, watchers
from ...symbols.expression import OPERATORS
from ...symbols.text import ATOM, INFIX
from ...tensor import Tensor, wrap
from ..values import host, number

MOST_OPS = 30                            # a rule that runs more is stated by where it is written
PRODUCTS = {"matmul", "mm", "mv", "bmm", "dot"}
SAME = {"cast", "clone", "detach"}       # what a reader need not see
Text = tuple[str, float]                 # an expression, and how tightly it binds


class TooMany(Exception):
    """The rule runs more operations than a reader wants to see."""


def recorded(rule: Callable[..., Any], g: Any, given: Sequence[tuple[str, Any]], params: dict[str, Any], place: int | None,
             aux: Sequence[bool]) -> str | None:
    """What the rule computes, as text; None if it is too long for one, or does not run on Tensors.

    `given` is what it reads, with names; `place` the wanted one of a joint rule's results. An aux float is None, as
    whenever a rule is recorded.
    """
    writer = Writer()
    incoming: Any = [writer.name(part, f"g[{k}]") for k, part in enumerate(g)] if isinstance(g, (list, tuple)) else writer.name(g, "g")
    arguments = [None if extra and backend.is_array(value) and dtypes.is_floating(value.dtype) else writer.name(value, name)
                 for (name, value), extra in zip(given, aux, strict=True)]
    before, watchers[:] = list(watchers), [writer]
    try:
        with no_grad():
            result = rule(recording, incoming, *arguments, **params)
    except (TooMany, TinygradActError, AttributeError, TypeError, ValueError, IndexError):
        return None
    finally:
        watchers[:] = before
    return writer.of(result if place is None else result[place])[0]


class Writer(Watcher):
    """`text[id(tensor)]`: each result as an expression of what was named."""

    def __init__(self) -> None:
        self.text: dict[int, Text] = {}
        self.alive: list[Any] = []       # so that no id is used twice
        self.count = 0

    def name(self, value: Any, text: str) -> Any:
        """The value as the rule is given it: an array as a Tensor of that name."""
        if isinstance(value, tuple) and any(map(backend.is_array, value)):
            return tuple(self.name(v, f"{text}[{k}]") for k, v in enumerate(value))
        if value is None or not (hasattr(value, "dtype") and hasattr(value, "shape")):
            return value
        t = value if isinstance(value, Tensor) else wrap(value if backend.is_array(value) else backend.asarray(value))
        t = wrap(t.array)
        self.text[id(t)] = text, ATOM
        self.alive.append(t)
        return t

    def of(self, x: Any) -> Text:
        """The expression that made x."""
        if isinstance(x, Tensor):
            if id(x) in self.text:
                return self.text[id(x)]
            return (number(float(host(x))) if x.array.size == 1 else f"constant({'×'.join(map(str, x.shape))})"), ATOM
        if isinstance(x, (tuple, list)) and any(isinstance(v, Tensor) for v in x):
            return f"({', '.join(self.of(v)[0] for v in x)})", ATOM
        text = number(x, 6) if isinstance(x, float) else str(x)
        return text, ATOM if not text.startswith("-") else INFIX["neg"][0]

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        self.count += 1
        if self.count > MOST_OPS:
            raise TooMany
        text = self.write(op.name, [self.of(x) for x in inputs], params)
        outs = output if isinstance(output, tuple) else (output,)
        for k, out in enumerate(outs):
            self.text[id(out)] = text if len(outs) == 1 else (f"{text[0]}[{k}]", ATOM)
        self.alive += [*outs, *inputs]

    def write(self, op: str, args: list[Text], params: dict[str, Any]) -> Text:
        """The text of one op."""
        if op in ("rsub", "rdiv"):
            op, args = op[1:], args[::-1]
        if op in SAME:
            return args[0]
        if op in PRODUCTS:
            return " @ ".join(_within(a, 12) for a in args), INFIX["mul"][0]
        if op == "permute" and tuple(params.get("dims", ())) == (1, 0):
            return f"{_within(args[0], 12)}.T", 12
        if op in INFIX and op in OPERATORS and len(args) == INFIX[op][1].count("{"):
            strength, form, _ = INFIX[op]
            bounds = [strength + (op in ("sub", "div") and k > 0) for k in range(len(args))]
            return form.format(*map(_within, args, bounds)), strength
        settings = [f"{k}={v}" for k, v in params.items() if v is not None and v is not False and not callable(v)]
        return f"{op}({', '.join([text for text, _ in args] + settings)})", ATOM


def _within(part: Text, strength: float) -> str:
    return part[0] if part[1] >= strength else f"({part[0]})"
