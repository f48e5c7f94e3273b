"""What the graph keeps for the way back: which rule keeps what, when it is let go, the peak, what a checkpoint would save."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...backend import namespaces
from ...errors import ArgumentError, GraphError
from ...graph import FREED, PICK, Node, reachable
from ...tensor import Tensor
from ..facts import bytes_text, in_brackets, line_text, time_text
from ..facts import kept as arrays_of
from ..labels import Labels
from ..present import Page, Shown, Table
from ..tape import Tape
from ..values import shape_text
from .checkpoints import Saving, savings, size_of

MOST = 30                                        # rows of a table; the others are added up


@dataclass
class Kept:
    """An array that a node keeps. `bytes` are those of the memory it holds on to: of a view, all that it is a view of."""

    name: str                                    # what the rule calls it
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    counted: str                                 # "here"; else "at" another node, or as a "parameter"


@dataclass
class Entry:
    """A node and what it keeps. `freed` is the step of the backward pass after which all of that is free (0: nothing is)."""

    op: str
    kept: list[Kept]
    step: int                                    # when the backward pass visits it: 1 is the first
    freed: int
    line: str = ""
    module: str = ""

    @property
    def bytes(self) -> int:
        """What is counted here."""
        return sum(k.bytes for k in self.kept if k.counted == "here")


@dataclass
class Moment:
    """A step of the backward pass: bytes that the graph keeps and that gradients take, at the most, while the node's rules run."""

    op: str
    kept: int
    gradients: int


@dataclass(repr=False)
class Ledger(Shown):
    """What `memory` found. `entries` are in the order of the forward pass, `moments` in that of the backward pass."""

    entries: list[Entry]
    moments: list[Moment]
    parameters: int                              # bytes of leaves that rules read: they are there anyway
    gradients: bool                              # are gradients' bytes known?
    modules: list[Saving] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Bytes kept between forward and backward, each array once, parameters apart."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def peak(self) -> int:
        """The most that is held at a time in the backward pass, gradients included if a tape told their sizes."""
        return max((m.kept + m.gradients for m in self.moments), default=0)

    def json(self) -> str:
        """All of it, for programs."""
        entries = [{**asdict(e), "bytes": e.bytes} for e in self.entries]
        return json.dumps({"total": self.total, "peak": self.peak, "parameters": self.parameters, "gradients": self.gradients,
                           "entries": entries, "moments": [asdict(m) for m in self.moments], "modules": [asdict(m) for m in self.modules]})

    def page(self) -> Page:
        """Tables, for a reader."""
        keeping = sum(e.bytes > 0 for e in self.entries)
        page = Page(f"{bytes_text(self.total)} kept for backward by {keeping:,} of {len(self.entries):,} nodes; "
                    f"parameters, {bytes_text(self.parameters)}, apart")
        if self.moments:
            at = max(range(len(self.moments)), key=lambda i: self.moments[i].kept + self.moments[i].gradients)
            m = self.moments[at]
            grads = f"{bytes_text(m.gradients)} of gradients" if self.gradients else "gradients not counted: give tape="
            page.parts.append(f"Peak in the backward pass: {bytes_text(self.peak)} at step {at + 1:,} of {len(self.moments):,}, "
                              f"{m.op} ({bytes_text(m.kept)} kept, {grads}).")
        page.parts.append(self._kept_table())
        if self.modules:
            page.parts.append(self._module_table())
        return page

    def _kept_table(self) -> Table:
        most = sorted(self.entries, key=lambda e: -e.bytes)[:MOST]
        shown = [e for e in self.entries if e in most and e.kept] if len(self.entries) > MOST else self.entries
        rows: list[Sequence[Any]] = [
            (e.op, ", ".join(map(_kept_text, e.kept)), bytes_text(e.bytes) if e.bytes else "", str(e.freed or ""), line_text(e.line))
            for e in shown]
        if len(shown) < len(self.entries):
            rest = self.total - sum(e.bytes for e in shown)
            rows.append((f"{len(self.entries) - len(shown):,} more", "", bytes_text(rest), "", ""))
        return Table(("op", "its rules keep", "bytes", "free after step", "line"), rows, right=(2, 3))

    def _module_table(self) -> Table:
        rows = [(m.name + (f" ×{m.calls}" if m.calls > 1 else ""), bytes_text(m.kept), bytes_text(m.instead), ("-" if m.saved < 0 else "") + bytes_text(abs(m.saved)),
                 time_text(m.seconds)) for m in self.modules[:MOST]]
        return Table(("module", "keeps", "its input instead", "saved", "forward again"), list(rows), right=(1, 2, 3, 4),
                     title="What checkpointing a module would save between forward and backward")


def _kept_text(k: Kept) -> str:
    return f"{k.name} {shape_text(k.shape)}" + {"here": "", "at": " (counted above)", "parameter": " (parameter)"}[k.counted]


def memory(loss: Tensor, tape: Tape | None = None, names: Any = None) -> Ledger:
    """What the graph behind `loss` keeps: read before backward, which lets it go.

    Args:
        tape: recorded while the loss was computed; with it the ledger has lines, the sizes of gradients, and, for a
            `Tape(model)`, what checkpointing each module would save.
        names: a module or {name: tensor}, for names of results.

    Arrays are counted once, where they are kept first; those of leaves that need a gradient apart. A gradient is counted
    as if it had memory of its own, though some rules hand theirs on; what a rule makes on its way is not counted.

    Raises:
        GraphError: loss has no graph, or a backward pass has freed it.

    >>> w, x = ta.ones(3, 4, requires_grad=True), ta.ones(2, 3)
    >>> with ta.study.Tape() as tape:
    ...     loss = (x @ w).tanh().sum()
    >>> ledger = ta.study.memory(loss, tape)
    >>> ledger.total, [(e.op, e.bytes, e.freed) for e in ledger.entries]
    (56, [('mm', 24, 3), ('tanh', 32, 2), ('sum', 0, 0)])
    """
    if not isinstance(loss, Tensor):
        raise ArgumentError("study.memory", type(loss).__name__, "it takes the loss, a Tensor")
    if loss.node is None:
        raise GraphError("study.memory", f"a tensor of shape {loss.shape}", "no graph is behind it", "pass a result that needs a gradient")
    order = reachable([loss.node])
    if any(node.saved is FREED for node in order):
        raise GraphError("study.memory", f"a tensor of shape {loss.shape}", "a backward pass has freed what its graph kept",
                         "call it before backward, or backward with retain_graph=True")
    labels = Labels(order, names, tape)
    leaves = {id(owner(e.array)) for node in order for e in node.edges if isinstance(e, Tensor)}
    entries, last, sizes, apart = [], last_steps(order), {}, {}
    for step, node in zip(range(len(order), 0, -1), reversed(order), strict=True):
        if node.op is PICK:
            continue
        kept, freed = [], 0
        for name, array in arrays_of(node):
            held = owner(array)
            counted = "parameter" if id(held) in leaves else "at" if id(held) in sizes else "here"
            if counted == "parameter":
                apart[id(held)] = held.nbytes
            else:
                sizes[id(held)] = held.nbytes
                freed = max(freed, last[id(held)])
            kept.append(Kept(name, tuple(array.shape), str(array.dtype), held.nbytes, counted))
        entries.append(Entry(labels(node) + in_brackets(node.op), kept, step, freed, labels.line(node), labels.module(node)))
    gone = {key: last[key] for key in sizes}
    moments = simulate(loss, order, labels, sizes, gone, tape)
    return Ledger(entries, moments, sum(apart.values()), tape is not None, savings(order, tape, leaves) if tape else [])


def owner(array: Any) -> Any:
    """The array that the memory belongs to."""
    return namespaces[type(array)].owner(array)


def last_steps(order: Sequence[Node]) -> dict[int, int]:
    """For each array, by id, the step of the last node that keeps it."""
    return {id(owner(array)): step for step, node in enumerate(order, 1) for _, array in arrays_of(node)}


def simulate(loss: Tensor, order: Sequence[Node], labels: Labels, sizes: dict[int, int], gone: dict[int, int],
             tape: Tape | None) -> list[Moment]:
    """The backward pass in bytes: what is kept and what gradients are about at each step."""
    kept, freeing = sum(sizes.values()), [0] * (len(order) + 1)
    for key, step in gone.items():
        freeing[step] += sizes[key]
    pending: dict[Any, int] = {loss.node: loss.array.nbytes}
    waiting, moments = loss.array.nbytes, []
    for step, node in enumerate(order, 1):
        own = pending.pop(node, 0)
        made = [(edge, own if node.op is PICK else bytes_of(edge, tape)) for edge in node.edges if edge is not None] if tape and own else []
        moments.append(Moment(labels(node) + in_brackets(node.op), kept, waiting + sum(n for _, n in made)))
        for edge, n in made:
            waiting += n if edge not in pending or node.op is PICK else 0
            pending[edge] = pending.get(edge, 0) + n if node.op is PICK else n
        waiting -= own
        kept -= freeing[step]
    return moments if tape else [Moment(m.op, m.kept, 0) for m in moments]


def bytes_of(edge: Any, tape: Tape) -> int:
    """Of the gradient for a leaf or for a node's result; a node of several results waits for its picks' gradients."""
    return int(edge.array.nbytes) if isinstance(edge, Tensor) else size_of(edge, tape)
