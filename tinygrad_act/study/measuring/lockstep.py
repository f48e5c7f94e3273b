"""One step on two backends, node by node: where they part, by how much, and what each op contributes."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ... import backend
from ...errors import ArgumentError, user_line
from ...graph import PICK, Node, Watcher, watchers
from ...ops.random import manual_seed
from ...tensor import Tensor, wrap
from ..choosing.choose import in_backward, op_text
from ..facts import line_text
from ..present import Page, Shown, Table
from ..values import number, shape_text, unravel

INFINITE = float("inf")
ROUNDING = 16                            # ulp: what the order of a sum may make
SCALES = {"element": "ulp", "largest": "of_largest"}
DIGITS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}      # of the significand, after its first


@dataclass
class Seen:
    """What one backend did at one place of the step: the arrays are on the CPU."""

    op: str
    what: str                                    # "value", or "gradient for weight", or "the leaf 0.weight's gradient"
    line: str
    arrays: list[Any]


@dataclass
class Difference:
    """Two results of one place. `ulp`: the most units in the last place, of the number itself and of the largest in the array."""

    op: str
    what: str
    line: str
    shape: tuple[int, ...]
    ulp: float
    of_largest: float
    index: tuple[int, ...] = ()
    first: float = 0.0                           # the two numbers there
    second: float = 0.0
    reason: str = ""                             # other than numbers: shapes or dtypes that differ


@dataclass
class OpSummary:
    """Of an op: how many arrays were compared, how many differed, and the most they did."""

    op: str
    compared: int = 0
    differing: int = 0
    value: float = 0.0                           # ulp
    gradient: float = 0.0


class Lockstep(Shown):
    """What `lockstep` found: `first` difference (None: there is none above the tolerance), all of them, and a row per op."""

    def __init__(self, backends: tuple[str, str], differences: list[Difference], ops: list[OpSummary], parted: str = "",
                 tolerance: float = 0.0) -> None:
        self.backends, self.differences, self.ops, self.parted, self.tolerance = backends, differences, ops, parted, tolerance

    @property
    def first(self) -> Difference | None:
        """The first in the order of computing; those after it may be its consequences."""
        return self.differences[0] if self.differences else None

    @property
    def agree(self) -> bool:
        """Did the same ops run, with the same results up to the tolerance?"""
        return not self.differences and not self.parted

    def json(self) -> str:
        """All of it, for programs."""
        return json.dumps({"backends": self.backends, "agree": self.agree, "parted": self.parted, "tolerance": self.tolerance,
                           "differences": [asdict(d) for d in self.differences], "ops": [asdict(o) for o in self.ops]})

    def page(self) -> Page:
        """The first difference in words, and the ops in a table."""
        one, two = self.backends
        compared = sum(o.compared for o in self.ops)
        page = Page(f"{one} and {two}: {len(self.differences):,} of {compared:,} arrays differ by more than {self.tolerance:g} ulp")
        if self.parted:
            page.parts.append(self.parted)
        if self.first:
            page.parts.append(self._first_text(self.first))
        small = [d for d in self.differences if not d.reason and min(d.ulp, d.of_largest) <= ROUNDING]
        if len(small) > 1 and 2 * len(small) >= len(self.differences) and not self.tolerance:
            page.parts.append(f'{len(small):,} of the {len(self.differences):,} are within {ROUNDING} ulp, of the number or of the array\'s largest, '
                              f'which is rounding: relative_to="largest" with tolerance={ROUNDING} shows what is more.')
        rows = [(o.op, f"{o.compared:,}", f"{o.differing:,}", ulp_text(o.value), ulp_text(o.gradient)) for o in self.ops]
        page.parts.append(Table(("op", "compared", "differ", "values: ulp", "gradients: ulp"), list(rows), right=(1, 2, 3, 4)))
        return page

    def _first_text(self, d: Difference) -> str:
        where = f"The first: {d.op}, {d.what}, {line_text(d.line) or 'no line'}: "
        if d.reason:
            return where + d.reason + "."
        place = f" at {list(d.index)}" if d.index else ""
        return (where + f"{ulp_text(d.ulp)} ulp{place} of {shape_text(d.shape)} ({number(d.first, 9)} and {number(d.second, 9)}; "
                f"{ulp_text(d.of_largest)} ulp of the largest).")


def ulp_text(x: float) -> str:
    """`0`, `3`, `1.2e+06`, `inf`."""
    return f"{x:.3g}"


class Recorder(Watcher):
    """Writes down every value and gradient, on the CPU."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.lines: dict[Node, str] = {}

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        """An op's results; what backward rules call under create_graph is theirs."""
        line = user_line()
        outs = [y for y in (output if isinstance(output, tuple) else (output,)) if isinstance(y, Tensor)]
        for y in outs:
            if y.node is not None:
                self.lines[y.node] = line
                if y.node.op is PICK:
                    self.lines[y.node.edges[0]] = line
        self.seen.append(Seen(op_text(op), "value in a backward rule" if in_backward() else "value", line,
                              [copied(y.array) for y in outs]))

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        """What a node's rules made."""
        if node.op is PICK:
            return
        names = getattr(node.op, "inputs", ())
        for i, gradient in enumerate(grads):
            if gradient is not None and node.edges[i] is not None:
                name = names[i] if i < len(names) else str(i)
                self.seen.append(Seen(op_text(node.op), f"gradient for {name}", self.lines.get(node, ""),
                                      [copied(gradient.array if isinstance(gradient, Tensor) else gradient)]))


def copied(array: Any) -> Any:
    """A copy on the CPU."""
    return backend.to_host(array).copy()


def lockstep(step: Callable[..., Any], first: str, second: str, *arguments: Any, seed: int = 0, tolerance: float = 0,
             relative_to: str = "element") -> Lockstep:
    """Run `step(*arguments)` on two backends from the same weights and seed, and compare all values and gradients.

    Args:
        step: a training step, with its backward pass. What it makes itself it makes on the current backend.
        first, second: backends: "numpy", "strict", "cupy".
        arguments: modules and Tensors (also in lists, tuples and dicts) are copied for each run, to its device.
        seed: what random numbers start from. CuPy draws others than NumPy: compare without dropout, and give the weights.
        tolerance: how many units in the last place may differ; sums in another order differ by a few, and so do large arrays, whose
            rules NumPy's backend compiles unless `ta.backend.config.kernels` is "off".
        relative_to: units of each "element", or of the array's "largest": a number near 0 that is what a sum left over
            may be all rounding.

    Raises:
        ArgumentError: there is no such backend or scale.
        DeviceError: a backend that is not to be had here.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh(), ta.nn.Linear(8, 1))
    >>> found = ta.study.lockstep(lambda m, x: m(x).mean().backward(), "numpy", "strict", model, ta.randn(8, 4))
    >>> found.agree, [op.op for op in found.ops]
    (True, ['linear', 'tanh', 'mean', 'leaf'])
    """
    if relative_to not in SCALES:
        raise ArgumentError("study.lockstep", f"relative_to={relative_to!r}", "there is no such scale", f"choose from {', '.join(SCALES)}")
    for name in (first, second):
        backend.load(name)
    one, two = (run(step, name, arguments, seed) for name in (first, second))
    parted = ""
    for i, (a, b) in enumerate(zip(one, two, strict=False)):
        if (a.op, a.what) != (b.op, b.what):
            parted = f"They part at place {i}: {first} does {a.op} ({a.what}, {line_text(a.line)}), {second} {b.op} ({b.what})."
            one, two = one[:i], two[:i]
            break
    else:
        if len(one) != len(two):
            short, end = (first, two) if len(one) < len(two) else (second, one)
            more = end[min(len(one), len(two))]
            parted = f"{short} stops before {more.op} ({more.what}, {line_text(more.line)})."
    return compare(one, two, (first, second), parted, tolerance, SCALES[relative_to])


def run(step: Callable[..., Any], name: str, arguments: Sequence[Any], seed: int) -> list[Seen]:
    """One step on one backend."""
    with backend.use(name):
        manual_seed(seed)
        mine: list[Any] = []
        given = [moved(x, backend.current_device(), mine) for x in arguments]
        recorder = Recorder()
        watchers.append(recorder)
        try:
            step(*given)
        finally:
            watchers.remove(recorder)
        for label, leaf in mine:
            if leaf.grad is not None:
                recorder.seen.append(Seen("leaf", f"gradient of {label}", "", [copied(leaf.grad.array)]))
    return recorder.seen


def moved(x: Any, device: Any, leaves: list[Any]) -> Any:
    """A copy on the device; `leaves` collects (name, leaf)."""
    from ...nn import Module  # here, as nn costs more than all of the study tools

    if isinstance(x, Module):
        own = copy.deepcopy(x).to(device)
        for p in own.parameters():
            p.grad = None
        leaves += own.named_parameters()
        return own
    if isinstance(x, Tensor):
        leaf = wrap(backend.to_device(copied(x.array), device)).requires_grad_(x.requires_grad)
        if x.requires_grad:
            leaves.append((f"argument {len(leaves)}", leaf))
        return leaf
    if isinstance(x, dict):
        return {k: moved(v, device, leaves) for k, v in x.items()}
    return type(x)(moved(v, device, leaves) for v in x) if type(x) in (list, tuple) else x


def compare(one: list[Seen], two: list[Seen], backends: tuple[str, str], parted: str, tolerance: float, scale: str) -> Lockstep:
    """Place by place; `scale` is the Difference's figure that counts."""
    differences, ops = [], dict[str, OpSummary]()
    for a, b in zip(one, two, strict=False):
        row = ops.setdefault(a.op, OpSummary(a.op))
        for x, y in zip(a.arrays, b.arrays, strict=False):
            found = difference(a, x, y)
            apart = getattr(found, scale)
            row.compared += 1
            if a.what == "value":
                row.value = max(row.value, apart)
            else:
                row.gradient = max(row.gradient, apart)
            if apart > tolerance:
                row.differing += 1
                differences.append(found)
    return Lockstep(backends, differences, list(ops.values()), parted, tolerance)


def difference(place: Seen, x: Any, y: Any) -> Difference:
    """Of two arrays."""
    found = Difference(place.op, place.what, place.line, tuple(x.shape), 0.0, 0.0)
    if x.shape != y.shape or x.dtype != y.dtype:
        found.ulp = found.of_largest = INFINITE
        found.reason = f"{x.dtype} {shape_text(x.shape)} and {y.dtype} {shape_text(y.shape)}"
        return found
    apart = ulps(x, y)
    if apart.size and apart.max() > 0:
        at = int(apart.argmax())
        flat_x, flat_y = x.reshape(-1), y.reshape(-1)
        found.ulp, found.first, found.second = float(apart[at]), float(flat_x[at]), float(flat_y[at])
        found.index = unravel(at, x.shape)
        found.of_largest = of_largest(x, y)
    return found


def ulps(x: Any, y: Any) -> Any:
    """How many representable numbers lie between, element by element, in one row: NaN and NaN are 0 apart, NaN and a number
    infinitely far. Integers and truth values differ by their difference.
    """
    x, y = x.reshape(-1), y.reshape(-1)                                   # a row, as arithmetic makes scalars of 0-d arrays
    if x.dtype.name not in DIGITS:
        return abs(x.astype("float64") - y.astype("float64"))
    kind = f"int{8 * x.dtype.itemsize}"
    a, b = (v.copy().view(kind).astype("int64") for v in (x, y))
    low = (1 << 8 * x.dtype.itemsize - 1) - 1                             # all bits but the sign's
    size_a, size_b, same = a & low, b & low, (a < 0) == (b < 0)
    apart = abs(size_a - size_b).astype("float64") * same + (size_a.astype("float64") + size_b.astype("float64")) * ~same
    nan_x, nan_y = x != x, y != y
    apart[nan_x & nan_y] = 0
    apart[nan_x != nan_y] = INFINITE
    return apart


def of_largest(x: Any, y: Any) -> float:
    """The largest difference, in units in the last place of the largest number: what matters where small numbers are sums."""
    a, b = x.astype("float64"), y.astype("float64")
    top = float(abs(a).max())
    distance = float(abs(a - b).max())
    digits = DIGITS.get(x.dtype.name, 0)
    if not digits or not top or top == INFINITE or distance != distance or top != top:
        return distance if not digits else INFINITE
    return distance / 2.0 ** (math.frexp(top)[1] - 1 - digits)
