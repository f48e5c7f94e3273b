"""Which backward rule runs, and what is done at kinks: for one call (`using`), or for a block (`rules`); kinks counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ... import backend
from ...activations import Activation, catalogue
from ...backend import namespaces
from ...errors import ArgumentError, user_line
from ...graph import Watcher, walk, watchers
from ...op import Op
from ...ops import choice
from ...ops.registry import table
from ...tensor import Tensor
from ...utils.checkpoint import Run
from ..facts import in_brackets, line_text
from ..present import Page, Shown, Table
from .kinkpolicy import POLICIES, at_kinks, places

FAMILIES = {"round": ("round", "round_decimals")}       # one function, several ops


def in_backward() -> bool:
    """Is a backward rule, or the sweep itself, calling the op? What a checkpoint runs again is forward. The stack knows."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not Run.again.__code__:
        if frame.f_code is walk.__code__:
            return True
        frame = frame.f_back
    return False


def op_of(what: Any) -> Op:
    """The op that a name, a function, a record or an op means."""
    if isinstance(what, Op):
        return what
    if isinstance(what, Activation):
        return what.op
    name = what if isinstance(what, str) else getattr(what, "__name__", "")
    op = table.get(name)
    if op is None:
        raise ArgumentError("study.rules", repr(name or what), "there is no op of that name",
                            f"choose from {', '.join(sorted(n for n in {*choice.choices, *catalogue} if n in table))}")
    return op


def op_text(op: Any) -> str:
    """The op's name, and the rule that stands in for its own: `relu [surrogate]`."""
    return f"{op.name}{in_brackets(op)}"


def rules_of(op: Any) -> list[str]:
    """The names of the backward rules that may stand in for an op's own; those of `wrong_sign`'s kind are mistakes.

    >>> ta.study.rules_of("sign")
    ['arctan', 'clipped_straight_through', 'missing_factor', 'sigmoid', 'straight_through', 'surrogate', 'triangle', 'wrong_sign']
    """
    return choice.available(op_of(op))


def using(op: Any, rule: str | Callable[..., Any] | None = None, *, kinks: str = "record") -> Op:
    """The op (a name, a function, a record) with another backward rule, for the calls that you make of it.

    Args:
        rule: one of `rules_of(op)`, or a function `rule(F, g, x)` of your own; None for the op's.
        kinks: the derivative where the op has a corner: the "record"'s, that on the "left" or "right", "zero", the "mean" of both.

    Raises:
        ArgumentError: there is no such op, rule or policy.

    >>> x = ta.tensor([-0.1, 2.0], requires_grad=True)
    >>> ta.study.using(ta.sign, "triangle")(x).sum().backward(); x.grad
    tensor([1.8000, 0.0000])
    >>> x = ta.zeros(1, requires_grad=True)
    >>> ta.study.using("relu", kinks="mean")(x).backward(); x.grad
    tensor([0.5000])
    """
    if kinks not in POLICIES:
        raise ArgumentError("study.using", f"kinks={kinks!r}", "there is no such policy", f"choose from {', '.join(POLICIES)}")
    of = op_of(op)
    return at_kinks(of if rule is None else choice.using(of, rule), kinks, strict=True)


class rules(Watcher):
    """While the block runs, ops are recorded with these backward rules: `rules(relu="surrogate", kinks="left")`.

    Each keyword is an op's name; its value one of `rules_of(op)`, or a function `rule(F, g, x)`. `kinks` holds for all
    activations (and abs) recorded in the block. The graph keeps the choice, so backward may run after it; what backward
    rules themselves call is left as it is. A choice made by `using` comes first, then the innermost block. Like the
    backend, it holds for the whole process.

    Raises:
        ArgumentError: there is no such op, rule or policy.

    >>> x = ta.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    >>> with ta.study.rules(relu="straight_through"):
    ...     y = ta.relu(x)
    >>> y.sum().backward(); x.grad, y.grad_fn.op.variant
    (tensor([1., 1., 1.]), 'straight_through')
    """

    def __init__(self, *, kinks: str = "record", **chosen: str | Callable[..., Any]) -> None:
        if kinks not in POLICIES:
            raise ArgumentError("study.rules", f"kinks={kinks!r}", "there is no such policy", f"choose from {', '.join(POLICIES)}")
        self.kinks = kinks
        self.chosen = {member: rule for name, rule in chosen.items() for member in FAMILIES.get(name, (name,))}
        self.table: dict[Op, Op] = {}
        for name, rule in self.chosen.items():
            choice.using(op_of(name), rule)                  # a mistake is told here

    def __enter__(self) -> rules:
        watchers.insert(0, self)                             # before those that look at the nodes
        return self

    def __exit__(self, *exc: object) -> None:
        watchers.remove(self)

    def instead(self, op: Any) -> Any:
        """The op with the rule chosen for it."""
        other = self.table.get(op)
        if other is None:
            if op.variant or (op.name not in self.chosen and self.kinks == "record"):
                return op
            other = choice.using(op, self.chosen[op.name]) if op.name in self.chosen else op      # a name may be several ops'
            other = self.table[op] = at_kinks(other, self.kinks)
        return op if other is op or in_backward() else other


class kinks(Watcher, Shown):
    """Counts the numbers that fell exactly on a kink of an activation (or of abs) while the block ran, by op and line.

    There the derivative is a convention, not a limit. `counts` has {(op, kink, line): hits}; shown, it is a table.

    >>> with ta.study.kinks() as hits:
    ...     y = ta.relu(ta.tensor([0.0, -1.0, 0.0])) + ta.nn.functional.relu6(ta.tensor(6.0))
    >>> [(op, kink, n) for (op, kink, line), n in hits.counts.items()]
    [('relu', 0.0, 2), ('relu6', 6.0, 1)]
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        if given or named:
            words = ", ".join([*map(repr, given), *[f"{k}={v!r}" for k, v in named.items()]])
            raise ArgumentError("study.kinks", words, "it counts hits and takes no argument",
                                'choose what is taken at kinks by `with study.rules(kinks="left"):`')
        self.counts: dict[tuple[str, float, str], int] = {}
        self.seen: dict[tuple[str, float, str], int] = {}

    @property
    def total(self) -> int:
        """All hits."""
        return sum(self.counts.values())

    def __enter__(self) -> kinks:
        watchers.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        watchers.remove(self)

    def forward(self, op: Any, inputs: Any, output: Any, params: dict[str, Any]) -> None:
        """Compare the op's input with its kinks."""
        found = places(op, inputs, params)
        if not found or in_backward() or not isinstance(inputs[0], Tensor):
            return
        x, line = inputs[0].array, line_text(user_line())
        for point in found:
            hits = int(backend.to_host(namespaces[type(x)].sum(x == point)))
            if hits:
                key = op.name, point, line
                self.counts[key] = self.counts.get(key, 0) + hits
                self.seen[key] = self.seen.get(key, 0) + x.size

    def page(self) -> Page:
        """A table, most hits first."""
        rows: list[Sequence[Any]] = [
            [op, f"{point:g}", f"{n:,}", f"{n / self.seen[op, point, line]:.2%}", line]
            for (op, point, line), n in sorted(self.counts.items(), key=lambda pair: -pair[1])]
        return Page(f"{self.total:,} numbers on a kink", [Table(["op", "kink", "hits", "of its inputs", "line"], rows, right=(1, 2, 3))]
                    if rows else [])
