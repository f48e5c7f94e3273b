"""Tape: a recording context that remembers what the graph does not keep: shapes, lines, modules, values, gradients, times.

All study tools read a tape. Training without one costs nothing.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple

from ..backend import namespaces
from ..errors import ArgumentError, user_line
from ..graph import PICK, Node, Watcher, walk, watchers
from ..op import NUMBERS
from ..tensor import Tensor
from .diagnosis.flow import Flow


class Result(NamedTuple):
    """What a node produced, from what, and the user's line that called the op."""

    shape: tuple[int, ...]
    dtype: str
    line: str = ""
    inputs: tuple[Tensor | None, ...] = ()       # those that need no gradient, to which the graph has no edge
    value: Any = None                            # the array it produced, if the tape keeps values; of an op with several, a tuple
    module: tuple[str, ...] = ()                 # the modules that were running, outermost first, by dotted name
    call: int = 0                                # which call of the innermost of them: 0, 1, ... (an RNN cell is called often)
    seconds: float = 0.0                         # since the op before it ended: the op's own time, and Python's between
    calls: tuple[int, ...] = ()                  # which call of each of `module`
    numbers: tuple[Any, ...] = ()                # the inputs that are Python numbers; None for the others
    rule: Any = None                             # under create_graph, the node whose backward rule is at work
    sums: bool = False                           # no op of that rule: it adds its gradient to others that came before


@dataclass
class Sweep:
    """What a backward pass did at a node."""

    gradient: Any                                # what came in: an array (a list of them where the op has several results)
    gradients: tuple[Any, ...]                   # for each input, None where there is none
    seconds: float = 0.0
    order: int = 0                               # 0 for the node that was visited first


def running_rule() -> tuple[Node | None, bool]:
    """The node that a backward pass is at (None outside of one), and whether its gradients are being added up.

    The stack knows, so `walk` need not say.
    """
    frame: FrameType | None = sys._getframe(1)
    in_rule = False
    while frame is not None:
        if frame.f_code is walk.__code__:
            return frame.f_locals["node"], not in_rule
        in_rule = in_rule or frame.f_code.co_name == "vjp"
        frame = frame.f_back
    return None, False


class Tape(Watcher):
    """Inside the `with` block, every recorded op leaves its result's shape, dtype and line, by node.

    Args:
        model: note which of its modules (and of several: a list of (name, module) pairs) was running.
        values: keep every result; `results[node].value`.
        gradients: keep what backward passes inside the block do at each node; `sweeps[node]`.

    >>> x = ta.ones(2, 3, requires_grad=True)
    >>> with ta.study.Tape() as tape:
    ...     y = x.tanh().sum()
    >>> [(node.op.name, result.shape) for node, result in tape.results.items()]
    [('tanh', (2, 3)), ('sum', ())]
    """

    def __init__(self, model: Any = None, *, values: bool = False, gradients: bool = False) -> None:
        self.results: dict[Node, Result] = {}
        self.sweeps: dict[Node, Sweep] = {}
        self.model, self.values, self.gradients = model, values, gradients
        self.running: list[str] = []
        self.calls: dict[str, int] = {}
        self.handles: list[Any] = []
        self.given: list[Tensor] = []            # what the model was called with
        self.came: dict[int, tuple[Any, Tensor]] = {}      # id of a Tensor without a graph -> (weak reference, the one given that it came of)
        self.flow = Flow()                       # where the graph was cut: study.why reads it
        self._last = 0.0

    def __enter__(self) -> Tape:
        pairs = self.model if isinstance(self.model, list) else self.model.named_modules() if self.model is not None else ()
        for name, module in pairs:
            self.handles += [module.register_forward_pre_hook(self._entering(name or type(module).__name__)),
                             module.register_forward_hook(self._leaving, always_call=True)]
        watchers.append(self)
        self._last = time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        watchers.remove(self)
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
        self.running.clear()

    def _entering(self, name: str) -> Any:
        def enter(module: Any, inputs: Any) -> None:
            if not self.running:
                self.given += [x for x in inputs if isinstance(x, Tensor)]
            self.running.append(name)
            self.calls[name] = self.calls.get(name, -1) + 1
        return enter

    def _leaving(self, module: Any, inputs: Any, output: Any) -> None:
        if self.running:
            self.running.pop()

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        now = time.perf_counter()
        line, several = user_line(), isinstance(output, tuple)
        constants = tuple(x if isinstance(x, Tensor) and not x.requires_grad else None for x in inputs)
        module = tuple(self.running)
        calls = tuple(self.calls.get(name, 0) for name in module)
        call = calls[-1] if calls else 0
        rest = calls, tuple(x if type(x) in NUMBERS else None for x in inputs), *running_rule()
        outs = [out for out in (output if several else (output,)) if isinstance(out, Tensor) and out.node is not None]
        for out in outs:
            self.results[out.node] = Result(out.shape, str(out.dtype), line, constants, self._kept(out),
                                            module, call, now - self._last, *rest)
        if several and outs and outs[0].node.op is PICK:           # the op itself, behind the picks
            self.results[outs[0].node.edges[0]] = Result(outs[0].shape, str(outs[0].dtype), line, constants,
                                                         tuple(map(self._kept, output)), module, call, now - self._last, *rest)
        if self.given and (source := next((s for s in map(self.source, inputs) if s is not None), None)) is not None:
            for out in output if several else (output,):
                if isinstance(out, Tensor) and out.node is None:
                    self.came[id(out)] = weakref.ref(out), source
        self.flow.see(op, inputs, output if several else (output,), line)
        self._last = time.perf_counter()

    def source(self, x: Any) -> Tensor | None:
        """What the model was called with, if x is that or came of it by ops that were not recorded (a slice, a permutation)."""
        if not isinstance(x, Tensor) or x.node is not None:
            return None
        found = self.came.get(id(x))
        if found is not None and found[0]() is x:
            return found[1]
        return x if any(x is t for t in self.given) else None

    def _kept(self, out: Tensor) -> Any:
        """A copy of the result, which may be changed in place later."""
        return namespaces[type(out.array)].copy(out.array) if self.values else None

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        if self.gradients:
            now = time.perf_counter()
            self.sweeps[node] = Sweep(g, tuple(grads), now - self._last, len(self.sweeps))
        self._last = time.perf_counter()


def check_tape(what: str, tape: Any) -> None:
    """A tape, or none.

    Raises:
        ArgumentError: it is something else.
    """
    if tape is not None and not isinstance(tape, Tape):
        raise ArgumentError(what, f"a {type(tape).__name__} as tape", "it reads a study.Tape",
                            "run forward inside `with study.Tape() as tape:` and pass tape=tape")
