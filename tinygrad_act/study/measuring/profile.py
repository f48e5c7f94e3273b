"""Where a step's time and memory go, by op, line or module, forward and backward; as a table and for a trace viewer."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import backend
from ...errors import ArgumentError, user_line
from ...files import write_aside
from ...graph import PICK, Node, Watcher, watchers
from ...tensor import Tensor
from ..choosing.choose import in_backward, op_text
from ..facts import bytes_text, kept, line_text, time_text
from ..present import Page, Shown, Table
from ..values import parts, shape_text
from .memory import owner

FEW = 5                                  # runs, of which a median says little
GROUPS: dict[str, Callable[[Any], str]] = {"op": lambda e: e.op, "line": lambda e: line_text(e.line), "module": lambda e: e.module or "outside modules"}


@dataclass
class Event:
    """An op of one run of the step. `start` is in seconds from the step's, `seconds` its own; `bytes` what it made."""

    op: str
    phase: str                                   # "forward", or "backward"
    start: float
    seconds: float
    bytes: int
    kept: int = 0                                # of these, and of its inputs, what its node keeps
    shape: tuple[int, ...] = ()
    line: str = ""
    module: str = ""


@dataclass
class Cost:
    """A row of the table: of what has that name, in a step. Seconds are medians over the runs."""

    name: str
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    bytes: int = 0
    kept: int = 0


class Profile(Shown):
    """What `profile` found. `runs` has the events of each run, `seconds` what each took as a whole."""

    def __init__(self, runs: list[list[Event]], seconds: list[float]) -> None:
        self.runs, self.seconds = runs, seconds

    @property
    def outside(self) -> float:
        """Seconds of a step that no op accounts for: Python, the optimizer's own work, the sweep (median)."""
        return statistics.median(s - sum(e.seconds for e in run) for run, s in zip(self.runs, self.seconds, strict=True))

    def costs(self, by: str = "op") -> list[Cost]:
        """Rows, dearest first; `by` "op", "line" or "module".

        Raises:
            ArgumentError: `by` is none of them.
        """
        if by not in GROUPS:
            raise ArgumentError("costs", f"by={by!r}", "there is no such grouping", f"choose from {', '.join(GROUPS)}")
        name, rows, spent = GROUPS[by], dict[str, Cost](), dict[tuple[str, str], list[float]]()
        for i, run in enumerate(self.runs):
            for event in run:
                of = spent.setdefault((name(event), event.phase), [0.0] * len(self.runs))
                of[i] += event.seconds
        for (row, phase), seconds in spent.items():
            setattr(rows.setdefault(row, Cost(row)), phase, statistics.median(seconds))
        for event in self.runs[-1]:
            cost = rows[name(event)]
            cost.calls += event.phase == "forward"
            cost.bytes += event.bytes
            cost.kept += event.kept
        return sorted(rows.values(), key=lambda c: -(c.forward + c.backward))

    def page(self, by: str = "op", most: int = 30) -> Page:
        """A table, dearest first."""
        costs, whole = self.costs(by), statistics.median(self.seconds)
        rows: list[Sequence[Any]] = [
            (c.name, f"{c.calls:,}", time_text(c.forward), time_text(c.backward), _share(c.forward + c.backward, whole),
             bytes_text(c.bytes), bytes_text(c.kept)) for c in costs[:most]]
        if len(costs) > most:
            rest = sum(c.forward + c.backward for c in costs[most:])
            rows.append((f"{len(costs) - most:,} more", "", "", time_text(rest), _share(rest, whole), "", ""))
        rows.append(("outside ops", "", time_text(max(self.outside, 0.0)), "", _share(self.outside, whole), "", ""))
        few = [f"The shares are rough: {len(self.runs)} {'run' if len(self.runs) == 1 else 'runs'} only; repeat=10 or more gives steady ones."]
        return Page(f"A step takes {time_text(whole)} (median of {len(self.runs)}, watched)",
                    [*(few if len(self.runs) < FEW else []), Table((by, "calls", "forward", "backward", "share", "made", "kept"), rows, right=(1, 2, 3, 4, 5, 6))])

    def trace(self, path: str | os.PathLike[str]) -> Path:
        """Write the last run as a trace file for chrome://tracing or ui.perfetto.dev; returns the path.

        Raises:
            OSError: it cannot be written; nothing is left behind.
        """
        thread = {"forward": 1, "backward": 2}
        events: list[dict[str, Any]] = [
            {"name": "thread_name", "ph": "M", "pid": 1, "tid": tid, "args": {"name": name}} for name, tid in thread.items()]
        events += [{"name": e.op, "cat": e.phase, "ph": "X", "pid": 1, "tid": thread[e.phase], "ts": round(e.start * 1e6, 3),
                    "dur": round(e.seconds * 1e6, 3), "args": {"shape": shape_text(e.shape), "bytes": e.bytes, "kept": e.kept,
                                                               "line": e.line, "module": e.module}} for e in self.runs[-1]]
        return write_aside(path, json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode())


def _share(part: float, whole: float) -> str:
    return f"{max(part, 0.0) / whole:.1%}" if whole else ""


class Clock(Watcher):
    """Notes when each op began and ended. Its own work, between ops, is in nobody's time."""

    def __init__(self, model: Any) -> None:
        self.events: list[Event] = []
        self.of: dict[Node, Event] = {}
        self.running: list[str] = []
        self.handles: list[Any] = []
        self.model = model
        self.last = self.began = 0.0
        self.swept: Node | None = None                       # the node that the sweep visited last

    def start(self) -> None:
        """A run begins."""
        self.events, self.of, self.swept = [], {}, None
        self.last = self.began = time.perf_counter()

    def __enter__(self) -> Clock:
        for name, module in self.model.named_modules() if self.model is not None else ():
            self.handles += [module.register_forward_pre_hook(self._entering(name or type(module).__name__)),
                             module.register_forward_hook(self._leaving, always_call=True)]
        watchers.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        watchers.remove(self)
        for handle in self.handles:
            handle.remove()

    def _entering(self, name: str) -> Any:
        return lambda module, inputs: self.running.append(name)

    def _leaving(self, module: Any, inputs: Any, output: Any) -> None:
        if self.running:
            self.running.pop()

    def instead(self, op: Any) -> Any:
        """An op begins."""
        self.last = time.perf_counter()
        return op

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        """It is done."""
        outs = [y for y in (output if isinstance(output, tuple) else (output,)) if isinstance(y, Tensor)]
        now = _now(outs[0].array if outs else None)
        node = outs[0].node if outs else None
        node = node.edges[0] if node is not None and node.op is PICK else node
        bytes_kept = _kept(node) if node is not None else 0
        phase = "backward" if in_backward() else "forward"
        event = Event(op_text(op), phase, self.last - self.began, now - self.last, sum(_made(y.array) for y in outs), bytes_kept,
                      outs[0].shape if outs else (), user_line(), self.running[-1] if self.running else "")
        self.events.append(event)
        if node is not None:
            self.of[node] = event
        self.swept = None
        self.last = time.perf_counter()

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        """A node's rules have run; since the node before it, so that adding up gradients is in the time."""
        arrays = [p.array if isinstance(p, Tensor) else p for p in parts(list(grads))]
        now = _now(arrays[0] if arrays else None)
        recorded = any(isinstance(p, Tensor) for p in parts(list(grads)))
        if (self.swept is None or self.swept.time < node.time) and node.op is not PICK and not recorded:
            now = self._again(node, g, now)                  # the first of a sweep: Python ran before it, nobody knows how long
        made = self.of.get(node)
        if node.op is not PICK:
            size = sum(int(getattr(a, "nbytes", 0)) for a in arrays if a is not g)
            self.events.append(Event(op_text(node.op), "backward", self.last - self.began, now - self.last, size, 0,
                                     tuple(getattr(arrays[0], "shape", ())) if arrays else (), made.line if made else "",
                                     made.module if made else ""))
        self.swept = node
        self.last = time.perf_counter()

    def _again(self, node: Node, g: Any, now: float) -> float:
        """The node's rules once more, as they were not timed."""
        before = time.perf_counter()
        grads = node.op.vjp(node, g, False, None)
        self.last = max(self.last, now - (_now(next(iter(parts(list(grads))), None)) - before))
        return now


def _now(array: Any) -> float:
    """The time, when a GPU has done what it was asked."""
    if backend.is_array(array) and backend.device_of(array).type == "cuda":
        from ... import cuda

        cuda.synchronize()
    return time.perf_counter()


def _made(array: Any) -> int:
    """Bytes of its own: none of a view."""
    return int(array.nbytes) if owner(array) is array else 0


def _kept(node: Node) -> int:
    """Bytes that the node keeps, leaves apart."""
    leaves = {id(owner(edge.array)) for edge in node.edges if isinstance(edge, Tensor)}
    return sum(a.nbytes for _, a in kept(node) if id(owner(a)) not in leaves)


def profile(step: Callable[[], Any], repeat: int = 10, model: Any = None) -> Profile:
    """Run `step()` once to warm up, then `repeat` times, and time every op, forward and backward.

    Args:
        step: a training step: forward, backward, whatever belongs to it.
        model: a module, to tell by which of its modules an op was called (and `costs("module")`).

    While watched, ops take the long way through the engine, some µs more each; on a GPU each is waited for.

    Raises:
        ArgumentError: repeat is below 1.

    >>> w = ta.ones(64, 64, requires_grad=True)
    >>> found = ta.study.profile(lambda: (w @ w).tanh().sum().backward(), repeat=2)
    >>> sorted(cost.name for cost in found.costs()), found.runs[-1][-1].phase
    (['mm', 'sum', 'tanh'], 'backward')
    """
    if not callable(step):
        raise ArgumentError("study.profile", f"a {type(step).__name__} as step", "the step is a function that is run",
                            "pass lambda: loss_of(batch).backward()")
    if not isinstance(repeat, int) or repeat < 1:
        raise ArgumentError("study.profile", f"repeat={repeat!r}", "the step must run at least once", "pass a whole number >= 1")
    step()
    runs, seconds = [], []
    with Clock(model) as clock:
        for _ in range(repeat):
            clock.start()
            step()
            seconds.append(time.perf_counter() - clock.began)
            runs.append(clock.events)
    return Profile(runs, seconds)
