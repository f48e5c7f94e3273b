"""What each layer does while a network trains: activations and gradients, saturated and dead units, step by step."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ...activations import Activation, catalogue
from ...activations.names import of_module
from ...errors import ArgumentError
from ...grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad
from ...graph import Watcher, grad, watchers
from ...tensor import Tensor, wrap
from ...utils.checkpoint import Run
from . import units
from .histogram import Histogram, bounded_edges, magnitude_edges, value_edges
from .watched import Layers

MOST = 256                # steps that are kept


@dataclass
class Figures:
    """What was seen of a layer: counts and sums, to which more can be added."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    gradient_count: int = 0
    gradient_squares: float = 0.0
    slopes: int = 0
    flat: int = 0
    alive: Any = field(default=None, repr=False)          # for each unit, until `settle` counts them
    counted: tuple[int, int] | None = None                # dead, of how many
    values: Histogram | None = field(default=None, repr=False)
    gradients: Histogram | None = field(default=None, repr=False)

    @property
    def mean(self) -> float:
        """Of the outputs."""
        return self.total / max(self.count, 1)

    @property
    def std(self) -> float:
        """The standard deviation of the outputs."""
        return math.sqrt(max(self.squares / max(self.count, 1) - self.mean * self.mean, 0.0))

    @property
    def gradient_rms(self) -> float:
        """The root mean square of the gradient of the loss with respect to the output."""
        return math.sqrt(self.gradient_squares / max(self.gradient_count, 1))

    @property
    def saturated(self) -> float | None:
        """The share of outputs where the activation is nearly flat; None where the catalogue does not say."""
        return self.flat / self.slopes if self.slopes else None

    @property
    def units(self) -> int | None:
        """How many units there are, places of the shape after the batch; None where the catalogue does not know the layer."""
        return None if self._dead is None else self._dead[1]

    @property
    def dead(self) -> int | None:
        """How many of them had slope 0 for every input, so that no gradient passes; None likewise."""
        return None if self._dead is None else self._dead[0]

    @property
    def _dead(self) -> tuple[int, int] | None:
        if self.alive is None:
            return self.counted
        return int((~self.alive).sum().item()), int(self.alive.numel())

    def settle(self) -> None:
        """Keep the number of dead units and let go of which they are."""
        self.counted, self.alive = self._dead, None

    def figures(self) -> dict[str, float]:
        """Those that are known, by name."""
        found = {"mean": self.mean, "std": self.std, "gradient_rms": self.gradient_rms, "saturated": self.saturated, "dead": self.dead,
                 "units": self.units}
        return {name: value for name, value in found.items() if value is not None}


@dataclass
class StepStatistics(Figures):
    """Of one layer in one step."""

    step: int = 0


@dataclass
class LayerStatistics(Figures):
    """Of one module, or of an activation that is called as a function, over all steps that were watched; `steps` has each.

    `mean` and `std` are of its output. `saturated` is the share of (example, unit) pairs with |f'| < 1 % of the largest slope,
    `dead` the number of units with f' = 0 on every example seen; both are None for what is not one of the catalogue's
    activations of one number. `values` and `gradients` are histograms.
    """

    name: str = ""
    kind: str = ""
    shape: tuple[int, ...] = ()
    steps: list[StepStatistics] = field(default_factory=list)

    def row(self) -> dict[str, str]:
        """The figures as text, for a table."""
        return {
            "layer": self.name, "module": self.kind, "output": "×".join(map(str, self.shape)),
            "mean": f"{self.mean:+.3f}", "std": f"{self.std:.3f}", "gradient rms": f"{self.gradient_rms:.2e}",
            "saturated": "" if self.saturated is None else f"{self.saturated:.1%}",
            "dead units": "" if self.dead is None else f"{self.dead} of {self.units}",
        }

    def at(self, step: int) -> tuple[Figures, Figures]:
        """What to add to: all steps, and this one."""
        if not self.steps or self.steps[-1].step != step:
            if self.steps:
                self.steps[-1].settle()
            self.steps.append(StepStatistics(step=step))
        return self, self.steps[-1]


class watch(Watcher):
    """Collect statistics of the layers of `model` while the block runs: its leaf modules, and activations called as functions.

    A step is a call of the model; calls for evaluation (eval mode under no_grad) are no steps and are not watched.

    Args:
        every: watch one step in so many. What is not watched costs a microsecond a layer.
        histograms: of values and of gradients, of at most 8,192 elements of each. Everything else is of all elements.
        most: how many steps are kept of each layer; past that every other one is let go, and `every` doubles.

    Returns: on entry, `Layers`: a list of LayerStatistics with `table()`, `figure()` and `json()`.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh())
    >>> with ta.study.watch(model) as layers:
    ...     model(ta.ones(2, 4)).sum().backward()
    >>> [layer.kind for layer in layers]
    ['Linear', 'Tanh']
    """

    def __init__(self, model: Any, every: int = 1, *, histograms: bool = True, most: int = MOST) -> None:
        if not hasattr(model, "named_modules"):
            raise ArgumentError("study.watch", f"a {type(model).__name__}", "it watches a module", "pass the nn.Module that trains")
        for name, value, least in (("every", every, 1), ("most", most, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ArgumentError("study.watch", f"{name}={value!r}", f"it is a number of steps, from {least} up")
        self.named = list(model.named_modules())
        self.every, self.histograms, self.most = every, histograms, most
        self.handles: list[Any] = []
        self.layers = Layers()

    def __enter__(self) -> Layers:
        self.layers = Layers(LayerStatistics(name=name, kind=type(m).__name__) for name, m in self.named if not list(m.children()))
        self.by_name = {layer.name: layer for layer in self.layers}
        self.step, self.entered = -1, set[str]()
        self.running: list[tuple[str, Any]] = []
        self.watching = self.busy = self.again = False
        self.used: dict[str, int] = {}                     # how often each function was called in this step
        for name, module in self.named:
            self.handles += [module.register_forward_pre_hook(self._entering(name)),
                             module.register_forward_hook(self._leaving, always_call=True)]
        return self.layers

    def __exit__(self, *exc: object) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
        self._look(False)
        for layer in self.layers:
            for figures in layer.steps:
                figures.settle()

    # ------------------------------------------------------------------------------------------------ calls and steps
    def _entering(self, name: str) -> Any:
        def enter(module: Any, inputs: Any) -> None:
            if not self.running:
                self._called(name, module)
            self.running.append((name, module))
        return enter

    def _called(self, name: str, module: Any) -> None:
        """Called from outside: a step begins when what was called in this one is called again."""
        self.again = run_again()
        if self.again:                                     # its values were seen; only now do their gradients come
            self.used = {}
            self._look(self.step % self.every == 0)
            return
        if not module.training and not is_grad_enabled():
            return
        if not self.entered or name in self.entered:
            self.step += 1
            self.entered.clear()
            self.used = {}
            self.last = -1                                 # the layer that ran last
            self._thin()
        self.entered.add(name)
        self._look(self.step % self.every == 0)

    def _thin(self) -> None:
        if max((len(layer.steps) for layer in self.layers), default=0) >= self.most:
            self.every *= 2
            for layer in self.layers:
                layer.steps = [s for s in layer.steps if s.step % self.every == 0]

    def _look(self, on: bool) -> None:
        """Listen to ops, or stop."""
        if on and not self.watching:
            watchers.append(self)
        elif self.watching and not on:
            watchers.remove(self)
        self.watching = on

    def _leaving(self, module: Any, inputs: Any, output: Any) -> None:
        if not self.running:
            return
        name, _ = self.running.pop()
        layer = self.by_name.get(name)
        if self.watching and layer is not None and (y := first_tensor(output)) is not None:
            self.last = self.layers.index_of(layer)
            self._see(layer, y)
        if not self.running:
            self._look(False)

    # ------------------------------------------------------------------------------------------------ what passes
    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        """An op has run: is it an activation of one number?"""
        record = None if self.busy or not self.running else activation_of(op)
        if record is None or not isinstance(inputs[0], Tensor) or not inputs[0].is_floating_point():
            return
        name, module = self.running[-1]
        whole = name in self.by_name and any(of_module(c.__name__) for c in type(module).__mro__)
        layer = self.by_name[name] if whole else self._function(name, op.name)
        self.busy = True
        try:
            if not whole:
                self._see(layer, output, record)
            if not self.again:
                self._slopes(layer, record, op, inputs, params)
        finally:
            self.busy = False

    def _function(self, path: str, op: str) -> LayerStatistics:
        """The layer of an activation that is called as a function, inside the module of that path."""
        name = f"{path}.{op}".lstrip(".")
        n = self.used[name] = self.used.get(name, -1) + 1
        name = f"{name}_{n}" if n else name
        if name not in self.by_name:
            self.by_name[name] = layer = LayerStatistics(name=name, kind=op)
            self.layers.insert(self.last + 1, layer)
        found: LayerStatistics = self.by_name[name]
        self.last = self.layers.index_of(found)
        return found

    def _slopes(self, layer: LayerStatistics, record: Activation, op: Any, inputs: Sequence[Any], params: dict[str, Any]) -> None:
        """f' at what went in, from the op's own rule."""
        with inference_mode(False), enable_grad():
            x, *others = (wrap(x.array) if isinstance(x, Tensor) else x for x in inputs)
            x.requires_grad_()
            (slope,) = grad(op(x, *others, **params).sum(), x)
        assert slope is not None
        if slope.numel() == 0:
            return
        flat, alive = int(units.saturated(slope, record).sum().item()), units.alive(slope)
        for figures in layer.at(self.step):
            figures.slopes += slope.numel()
            figures.flat += flat
            same = figures.alive is not None and figures.alive.shape == alive.shape       # sequences differ in length
            figures.alive = figures.alive | alive if same else alive

    def _see(self, layer: LayerStatistics, output: Tensor, record: Activation | None = None) -> None:
        """Add a result, and ask for its gradient."""
        self.busy, before = True, self.busy
        try:
            if not output.is_floating_point():
                return
            both = layer.at(self.step)
            if not self.again:
                self._values(layer, output, both, record)
            if output.requires_grad:
                output.register_hook(self._on_gradient(both))
        finally:
            self.busy = before

    @no_grad()
    def _values(self, layer: LayerStatistics, output: Tensor, both: tuple[Figures, Figures], record: Activation | None) -> None:
        y = output.detach().double().reshape(-1)
        total, squares = float(y.sum().item()), float(y.dot(y).item())
        layer.shape = layer.shape or tuple(output.shape)
        for figures in both:
            figures.count += y.numel()
            figures.total += total
            figures.squares += squares
        if self.histograms and y.numel():
            self._count(both, "values", y, edges_of(record or of_module(layer.kind)), False)

    def _on_gradient(self, both: tuple[Figures, Figures]) -> Any:
        def on_gradient(g: Tensor) -> None:
            with no_grad():
                d = g.detach().double().reshape(-1)
                squares = float(d.dot(d).item())
            for figures in both:
                figures.gradient_count += g.numel()
                figures.gradient_squares += squares
            if self.histograms and g.numel():
                self._count(both, "gradients", d, magnitude_edges(), True)
        return on_gradient

    @staticmethod
    @no_grad()
    def _count(both: tuple[Figures, Figures], of: str, x: Tensor, edges: tuple[float, ...], logarithmic: bool) -> None:
        found = Histogram(edges, logarithmic)
        found.add(x)
        for figures in both:
            before = getattr(figures, of)
            setattr(figures, of, found if before is None else before.plus(found))


def run_again() -> bool:
    """Does a checkpoint run its function again, in the backward pass? The stack knows."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is Run.again.__code__:
            return True
        frame = frame.f_back
    return False


def activation_of(op: Any) -> Activation | None:
    """The record of an op, also with another backward rule, if it is an activation of one number (and not the identity)."""
    record = catalogue.get(op.name)
    known = record is not None and not record.axis and record.name != "linear" and (record.op is op or bool(getattr(op, "variant", False)))
    return record if known else None


def edges_of(record: Activation | None) -> tuple[float, ...]:
    """The bins for the values of an activation, or of any other layer (None)."""
    low, high = (record.range if record is not None else None) or (-math.inf, math.inf)
    return bounded_edges(low, high) if math.isfinite(low) and math.isfinite(high) else value_edges()


def first_tensor(output: Any) -> Tensor | None:
    """The result, or the first of several."""
    if isinstance(output, (tuple, list)):
        return next((t for t in map(first_tensor, output) if t is not None), None)
    return output if isinstance(output, Tensor) else None
