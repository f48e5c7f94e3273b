"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..tensor import wrap
from .optimizer import Optimizer, check_options


class SGD(Optimizer):
    """x ← x - lr v, with v ← momentum v + (1 - dampening) g; with nesterov, x ← x - lr (g + momentum v).

    weight_decay adds weight_decay x to g, maximize goes uphill. `foreach` and `fused` are accepted and change nothing.
    PyTorch's convention: the first v is g, undampened.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.SGD([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8000], requires_grad=True)
    """

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, fused: bool | None = None) -> None:
        check_options("SGD", lr=(lr, lr >= 0), momentum=(momentum, momentum >= 0),
                      weight_decay=(weight_decay, weight_decay >= 0))
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError("SGD", f"nesterov=True, momentum={momentum}, dampening={dampening}",
                                "Nesterov's way needs a momentum and no dampening")
        super().__init__(params, {"lr": float(lr), "momentum": float(momentum), "dampening": float(dampening),
                                  "weight_decay": float(weight_decay), "nesterov": nesterov, "maximize": maximize})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, momentum: float, dampening: float,
               weight_decay: float, nesterov: bool, maximize: bool) -> None:
        if maximize:
            g = -g
        if weight_decay:
            g = g + weight_decay * x
        if momentum:
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = wrap(F.copy(F.cast(g, x.dtype)))
            else:
                v = state["momentum_buffer"].array
                v *= momentum
                v += (1 - dampening) * g
            v = state["momentum_buffer"].array
            g = g + momentum * v if nesterov else v
        x -= lr * g
