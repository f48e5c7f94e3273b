"""find_lr: which learning rate a network bears (Smith, arXiv:1506.01186)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArgumentError
from ..ops.random import generator_states, set_generator_states
from ..study.figures import figure_class, save_figure
from ..tensor import Tensor
from .loop import predict, to_device


@dataclass
class LRCurve:
    """The loss at each learning rate: `lrs`, `losses` as measured, `smooth` their running mean."""

    lrs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smooth: list[float] = field(default_factory=list)

    @property
    def suggestion(self) -> float:
        """Where the smoothed loss falls fastest against the logarithm of the rate."""
        if len(self.smooth) < 3:
            raise ArgumentError("LRCurve", f"{len(self.smooth)} steps", "a slope takes three", "start lower, or take more steps")
        lowest = max(min(range(len(self.smooth)), key=self.smooth.__getitem__), 2)
        slopes = [self.smooth[i + 1] - self.smooth[i - 1] for i in range(1, lowest)]
        return self.lrs[1 + min(range(len(slopes)), key=slopes.__getitem__)]

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Loss against rate, the suggestion marked; returns the matplotlib figure."""
        figure = figure_class("LRCurve.plot")(figsize=(5.5, 3.6), layout="constrained")
        ax = figure.subplots()
        ax.plot(self.lrs, self.losses, color="#b9c4d8", linewidth=0.8, label="measured")
        ax.plot(self.lrs, self.smooth, color="#4269d0", label="smoothed")
        ax.axvline(self.suggestion, color="#c1602c", linestyle="--", label=f"suggestion {self.suggestion:.2g}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        if path is not None:
            save_figure(figure, path)
        return figure


def find_lr(model: Any, data: Iterable[Any], loss: Callable[[Any, Any], Tensor], optimizer: Any, *, start: float = 1e-6,
            end: float = 10.0, steps: int = 100, smoothing: float = 0.9, stop_at: float = 4.0,
            forward: Callable[[Any, Any], tuple[Any, Any]] = predict, device: Any = None) -> LRCurve:
    """Train for a few steps with a rate that grows from `start` to `end`, and put everything back as it was.

    It ends early where the smoothed loss is `stop_at` times its smallest. The data are gone through as often as needed.

    Raises: ArgumentError for settings that are none, and for data without batches, or that can be gone through only once
        and are fewer than `steps`.

    >>> model = ta.nn.Linear(1, 1)
    >>> data = [(ta.ones(4, 1), ta.zeros(4, 1))]
    >>> curve = ta.train.find_lr(model, data, ta.nn.MSELoss(), ta.optim.SGD(model.parameters(), lr=0.1), steps=20)
    >>> curve.lrs[0], len(curve.lrs) <= 20
    (1e-06, True)
    """
    if not 0 < start < end or steps < 3:
        raise ArgumentError("find_lr", f"start={start}, end={end}, steps={steps}", "the rate grows from above 0, in 3 steps at least")
    weights = {name: t.clone() for name, t in model.state_dict().items()}
    remembered, rates = optimizer.state_dict(), [group["lr"] for group in optimizer.param_groups]
    remembered["state"] = {k: {n: v.clone() if isinstance(v, Tensor) else v for n, v in s.items()}
                           for k, s in remembered["state"].items()}
    states, modes = generator_states(), [(m, m.training) for m in model.modules()]
    grads = [(p, p.grad) for group in optimizer.param_groups for p in group["params"]]
    place = data.state_dict() if hasattr(data, "state_dict") else None         # a loader's own generator
    curve, mean = LRCurve(), 0.0
    model.train()
    try:
        for i, batch in zip(range(steps), _over_and_over(data), strict=False):
            rate = start * (end / start) ** (i / (steps - 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            output, target = forward(model, to_device(batch, device))
            value = loss(output, target)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            number = float(value.item())
            mean = smoothing * mean + (1 - smoothing) * number
            smooth = mean / (1 - smoothing ** (i + 1))
            if not math.isfinite(number) or (i > 3 and smooth > stop_at * min(curve.smooth)):
                break
            curve.lrs.append(rate)
            curve.losses.append(number)
            curve.smooth.append(smooth)
    finally:
        model.load_state_dict(weights)
        optimizer.load_state_dict(remembered)
        for p, grad in grads:
            p.grad = grad
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        for module, training in modes:
            module.training = training
        if place is not None:
            data.load_state_dict(place)  # type: ignore[attr-defined]
        set_generator_states(states)
    return curve


def _over_and_over(data: Iterable[Any]) -> Iterator[Any]:
    """Its batches without end; it must have some each time."""
    while True:
        batch = data                                     # no batch
        for batch in data:
            yield batch
        if batch is data:
            raise ArgumentError("find_lr", f"data: a {type(data).__name__}", "it has no batches, or can be gone through only once",
                                "pass a DataLoader or a list of batches")
