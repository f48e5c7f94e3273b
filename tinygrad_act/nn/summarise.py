"""summary: what each module of a network makes, holds, keeps and costs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import _functions as ops
from ..backend import is_array
from ..errors import ArgumentError
from ..grad_mode import enable_grad, no_grad
from ..graph import Watcher, watchers
from ..ops.random import fork_rng
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter

Cost = Callable[[Sequence[Any], Any, dict[str, Any]], int]


def _numel(x: Any) -> int:
    return int(math.prod(x.shape))


def _window(inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> int:
    """A convolution: each output takes its group's channels times the window."""
    return _numel(output) * _numel(inputs[1]) // max(int(inputs[1].shape[0]), 1)


def _window_back(inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> int:
    """A transposed one: each input is spread over as much."""
    return _numel(inputs[0]) * _numel(inputs[1]) // max(int(inputs[1].shape[0]), 1)


def _sequence(inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> int:
    """A recurrent layer: each of its matrices once a step and sequence."""
    x = inputs[0]
    steps = _numel(x) // max(int(x.shape[-1]), 1)
    return steps * sum(_numel(w) for w in inputs[1:] if isinstance(w, Parameter) and w.ndim == 2)


def _einsum(inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> int:
    """One product for each choice of all the indices."""
    sizes: dict[str, int] = {}
    for letters, x in zip(params["equation"].partition("->")[0].split(","), inputs, strict=True):
        sizes |= dict(zip(letters.replace("...", ""), x.shape[x.ndim - len(letters.replace("...", "")):], strict=True))
    return math.prod(sizes.values())


def _attention(inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> int:
    """The products of queries and keys, and of their weights and the values."""
    query, key = inputs[0], inputs[1]
    return (_numel(query) + _numel(output)) * int(key.shape[-2])


# How many multiply-adds the forward rule of an op takes, from its inputs and its (first) output. Products only: what is
# done once an element (activations, norms, sums) is not counted, as is usual.
COSTS: dict[str, Cost] = {
    **dict.fromkeys(("linear", "matmul", "mm", "mv", "dot", "bmm"), lambda inputs, output, params: _numel(output) * inputs[0].shape[-1]),
    **dict.fromkeys(("addmm", "baddbmm"), lambda inputs, output, params: _numel(output) * inputs[1].shape[-1]),
    "bilinear": lambda inputs, output, params: _numel(output) * inputs[0].shape[-1] * inputs[1].shape[-1],
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    **{f"conv{n}d": _window for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _window_back for n in (1, 2, 3)},
    **dict.fromkeys([f"{name}_{kind}" for name in ("lstm", "gru", "rnn_tanh", "rnn_relu") for kind in ("layer", "cell")], _sequence),
}


@dataclass
class Row:
    """Of one module. Bytes and multiply-adds are those of the module with all inside it; so are parameters."""

    name: str
    kind: str
    depth: int
    parameters: int = 0
    trainable: int = 0
    outputs: list[tuple[int, ...]] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    kept: int = 0
    multiply_adds: int = 0
    calls: int = 0


def columns(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The rows of a table as lines, in columns as wide as need be: the first `left` to the left, the others to the right.

    >>> columns([["name", "size"], ["weight", "6"]])
    ['name    size', 'weight     6']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in rows]


class Summary(list[Row]):
    """The rows, parents before children; `str` is the table. Totals: `parameters`, `trainable`, `kept`, `multiply_adds`."""

    parameters = property(lambda self: self[0].parameters)
    trainable = property(lambda self: self[0].trainable)
    kept = property(lambda self: self[0].kept)
    multiply_adds = property(lambda self: self[0].multiply_adds)

    def __init__(self, rows: Sequence[Row], weight_bytes: int) -> None:
        super().__init__(rows)
        self.weight_bytes = weight_bytes

    def __str__(self) -> str:
        heads = ["module", "input", "output", "parameters", "kept for backward", "multiply-adds"]
        table = [heads]
        for row in self:
            label = f"{row.name.rpartition('.')[2]}: {row.kind}" if row.name else row.kind
            times = f" ×{row.calls}" if row.calls > 1 else "" if row.calls else " (not used)"
            table.append(["  " * row.depth + label + times, _shapes(row.inputs), _shapes(row.outputs), f"{row.parameters:,}",
                          _bytes(row.kept), _count(row.multiply_adds)])
        lines = columns(table, left=3)
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, lines[1], (
            f"{self.parameters:,} parameters ({self.trainable:,} trainable), {_bytes(self.weight_bytes)}; kept for backward "
            f"{_bytes(self.kept)}; {_count(self.multiply_adds)} multiply-adds forward")])

    __repr__ = __str__


class _Ledger(Watcher):
    """Books what each op keeps and costs to every module that is running."""

    def __init__(self, model: Module) -> None:
        self.rows = {m: Row(name, type(m).__name__, name.count(".") + bool(name)) for name, m in model.named_modules()}
        self.running: list[Module] = []
        self.seen = {id(t.array) for t in (*model.parameters(), *model.buffers())}
        self.arrays: list[Any] = []                       # held, so that no two have the same id
        for m, row in self.rows.items():
            row.parameters = sum(_numel(p) for p in m.parameters())
            row.trainable = sum(_numel(p) for p in m.parameters() if p.requires_grad)

    def enter(self, module: Module, inputs: tuple[Any, ...], *_: Any) -> None:
        """A module's forward begins."""
        self.running.append(module)
        self.rows[module].calls += 1
        self.rows[module].inputs = [x.shape for x in inputs if isinstance(x, Tensor)]

    def leave(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        """It is done."""
        self.running.pop()
        self.rows[module].outputs = [x.shape for x in _tensors(output)]

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        first = output[0] if isinstance(output, tuple) else output
        node = first.node if isinstance(first, Tensor) else None
        if node is not None and isinstance(output, tuple):
            node = node.edges[0]                          # behind the pick
        kept = 0
        for part in node.saved if node is not None else ():
            for a in part if isinstance(part, tuple) else (part,):
                if is_array(a) and id(_owner(a)) not in self.seen:
                    self.seen.add(id(_owner(a)))
                    self.arrays.append(_owner(a))
                    kept += self.arrays[-1].nbytes
        cost = COSTS[op.name](inputs, first, params) if op.name in COSTS else 0
        for module in set(self.running):
            self.rows[module].kept += kept
            self.rows[module].multiply_adds += cost


def summary(model: Module, *inputs: Any, depth: int | None = None) -> Summary:
    """Run `model(*inputs)` once and return the table of its modules: shapes, parameters, memory, multiply-adds.

    Args:
        inputs: tensors, or shapes, of which zeros are made.
        depth: leave out modules nested deeper than this.

    "Kept for backward" are the bytes that the graph of this forward pass holds besides weights and inputs: the
    activation memory of training; each array is counted where it is first kept. Nothing of the model is changed: of one with lazy
    modules that wait for their first input, a copy is run.

    >>> print(ta.nn.summary(ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.ReLU()), (2, 4)))
    module       input   output  parameters  kept for backward  multiply-adds
    -------------------------------------------------------------------------
    Sequential   (2, 4)  (2, 8)          40               64 B             64
      0: Linear  (2, 4)  (2, 8)          40                0 B             64
      1: ReLU    (2, 8)  (2, 8)           0               64 B              0
    -------------------------------------------------------------------------
    40 parameters (40 trainable), 160 B; kept for backward 64 B; 64 multiply-adds forward
    """
    if not inputs:
        raise ArgumentError("summary", "no input", "the model is run once to see its shapes", "pass a tensor, or a shape such as (1, 3, 32, 32)")
    given = [_example(x, model) for x in inputs]
    if any(hasattr(m, "has_uninitialized_params") for m in model.modules()):
        model = copy.deepcopy(model)
        with no_grad(), fork_rng():
            model(*given)
    ledger = _Ledger(model)
    ledger.seen |= {id(_owner(x.array)) for x in given if isinstance(x, Tensor)}
    buffers = [(b, b.array) for b in model.buffers()]
    for b, _ in buffers:
        b.array = ops.clone(b.detach()).array             # what forward changes in place is the copy
    handles = [h for m in model.modules() for h in (m.register_forward_pre_hook(ledger.enter), m.register_forward_hook(ledger.leave))]
    watchers.append(ledger)
    try:
        with enable_grad(), fork_rng():
            model(*given)
    finally:
        watchers.remove(ledger)
        for handle in handles:
            handle.remove()
        for b, array in buffers:
            b.array = array
    rows = [row for row in ledger.rows.values() if depth is None or row.depth <= depth]
    return Summary(rows, sum(p.array.nbytes for p in model.parameters()))


def _example(x: Any, model: Module) -> Any:
    if isinstance(x, (tuple, list)) and x and all(isinstance(n, int) for n in x):
        p = next(model.parameters(), None)
        return ops.zeros(tuple(x)) if p is None else ops.zeros(tuple(x), dtype=p.dtype, device=p.device)
    return x


def _tensors(x: Any) -> list[Tensor]:
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return [x] if isinstance(x, Tensor) else [t for part in parts for t in _tensors(part)]


def _owner(a: Any) -> Any:
    while getattr(a, "base", None) is not None and is_array(a.base):
        a = a.base
    return a


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return " ".join(str(tuple(s)) for s in shapes)


def _bytes(n: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.3g} {unit}"
        n /= 1000                                         # type: ignore[assignment]
    return ""


def _count(n: int) -> str:
    return f"{n:,}" if n < 100_000 else f"{n / 1e6:.3g} M" if n < 1e9 else f"{n / 1e9:.3g} G"
