"""What each layer does while a network trains: the spread of activations and gradients, saturated and dead units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ..activations import catalogue
from ..grad_mode import enable_grad
from ..graph import grad
from ..ops.random import fork_rng
from ..tensor import Tensor

SATURATED = 0.01          # a unit is saturated on an example where |f'| is below this share of the activation's largest


@dataclass
class LayerStatistics:
    """Of one module, over everything seen since `watch` began. `mean` and `std` are of its output.

    `saturated` is the share of (example, unit) pairs with |f'| < 1 % of the largest slope, `dead` the number of units
    with f' = 0 on every example seen; both are None for modules that are not one of the catalogue's activations.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    gradient_count: int = 0
    gradient_squares: float = 0.0
    slopes: int = 0
    flat: int = 0
    alive: Any = field(default=None, repr=False)

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
        return None if self.alive is None else self.alive.numel()

    @property
    def dead(self) -> int | None:
        """How many of them had slope 0 for every input, so that no gradient passes; None likewise."""
        return None if self.alive is None else int((~self.alive).sum().item())

    def row(self) -> dict[str, str]:
        """The figures as text, for a table."""
        return {
            "layer": self.name, "module": self.kind, "output": "×".join(map(str, self.shape)),
            "mean": f"{self.mean:+.3f}", "std": f"{self.std:.3f}", "gradient rms": f"{self.gradient_rms:.2e}",
            "saturated": "" if self.saturated is None else f"{self.saturated:.1%}",
            "dead units": "" if self.dead is None else f"{self.dead} of {self.units}",
        }


class watch:
    """Collect statistics of every leaf module of `model` while the block runs.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh())
    >>> with ta.study.watch(model) as layers:
    ...     model(ta.ones(2, 4)).sum().backward()
    >>> [layer.kind for layer in layers]
    ['Linear', 'Tanh']
    """

    def __init__(self, model: Any) -> None:
        self.modules = [(name, m) for name, m in model.named_modules() if not list(m.children())]
        self.handles: list[Any] = []

    def __enter__(self) -> list[LayerStatistics]:
        layers = [LayerStatistics(name, type(module).__name__) for name, module in self.modules]
        for layer, (_, module) in zip(layers, self.modules, strict=True):
            self.handles.append(module.register_forward_hook(observer(layer)))
            record = next((r for r in catalogue.values() if r.module == layer.kind), None)
            if record is not None and not record.axis and not record.learnable:
                self.handles.append(module.register_forward_pre_hook(slope_observer(layer, record.lipschitz or 1.0)))
        return layers

    def __exit__(self, *exc: object) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()


def observer(layer: LayerStatistics) -> Any:
    """A forward hook that adds what passes to `layer`."""
    def on_gradient(g: Tensor) -> None:
        layer.gradient_count += g.numel()
        layer.gradient_squares += float((g.detach().double() ** 2).sum().item())

    def hook(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        y = output.detach().double()
        layer.shape = layer.shape or tuple(output.shape)
        layer.count += y.numel()
        layer.total += float(y.sum().item())
        layer.squares += float((y * y).sum().item())
        if output.requires_grad:
            output.register_hook(on_gradient)

    return hook


def slope_observer(layer: LayerStatistics, largest: float) -> Any:
    """A hook that runs before forward, which may write over its input."""
    def hook(module: Any, inputs: tuple[Any, ...]) -> None:
        add_slopes(layer, module, inputs[0], largest)

    return hook


def add_slopes(layer: LayerStatistics, module: Any, x: Tensor, largest: float) -> None:
    """f' at what went in, from the module's own rule; a unit is one place of the shape after the batch."""
    with enable_grad(), fork_rng():                        # what is drawn here is not missed in training
        x = x.detach().requires_grad_()
        (slope,) = grad(type(module).forward(module, x.clone()).sum(), x)      # a clone: the module may work in place
    assert slope is not None
    layer.slopes += slope.numel()
    layer.flat += int((slope.abs() < SATURATED * min(largest, 1e6)).sum().item())
    alive = (slope != 0).reshape(slope.shape[0], -1).any(0) if slope.ndim > 1 else slope != 0
    layer.alive = alive if layer.alive is None else layer.alive | alive
