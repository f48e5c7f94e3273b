"""Stochastic gradient descent: SGD, averaged as ASGD, and by signs as Rprop."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor
from .optimizer import Optimizer, decayed
from .runs import rounded


class SGD(Optimizer):
    """x ← x - lr v, with v ← momentum v + (1 - dampening) g; with nesterov, x ← x - lr (g + momentum v).

    weight_decay adds weight_decay x to g, maximize goes uphill. PyTorch's convention: the first v is g, undampened.
    `fused` is accepted and changes nothing; `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.SGD([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8000], requires_grad=True)
    """

    elementwise = True
    numbers = frozenset()

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float | Tensor = 0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
                                  "differentiable": differentiable, "fused": fused})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError("SGD", f"nesterov=True, momentum={momentum}, dampening={dampening}",
                                "Nesterov's way needs a momentum and no dampening")

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, momentum: float, dampening: float,
               weight_decay: float, nesterov: bool, maximize: bool) -> None:
        g = decayed(x, g, maximize, weight_decay)
        if momentum:
            if not state:
                state["momentum_buffer"] = F.copy(g)
            else:
                v = state["momentum_buffer"]
                v *= momentum
                v += (1 - dampening) * g
            v = state["momentum_buffer"]
            g = g + momentum * v if nesterov else v
        x -= lr * g


class ASGD(Optimizer):
    """SGD with steps eta that shrink, x ← (1 - lambd eta) x - eta g, and the average `ax` of all x since step t0 in its state.

    Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992). `capturable` is accepted and changes
    nothing; `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.ASGD([x], lr=0.1, lambd=0.0)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8000], requires_grad=True)
    """

    elementwise = True
    numbers = frozenset({"step", "eta", "mu"})

    def __init__(self, params: Any, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
                 weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
                                  "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
                                  "capturable": capturable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, lambd: float, alpha: float, t0: float,
               weight_decay: float, maximize: bool) -> None:
        g = decayed(x, g, maximize, weight_decay)
        if not state:
            state |= {"step": 0.0, "eta": rounded(lr), "mu": 1.0, "ax": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        eta, mu, mean = state["eta"], state["mu"], state["ax"]
        x *= 1 - lambd * eta
        x -= eta * g
        if mu == 1:
            mean[...] = x
        else:
            mean += mu * (x - mean)
        state["eta"] = lr / (1 + lambd * lr * step) ** alpha
        state["mu"] = 1 / max(1, step - t0)


class Rprop(Optimizer):
    """x ← x - sign(g) s, each number with a step s of its own: larger (times etas[1]) while g keeps its sign, smaller
    (times etas[0]), and not moved, where it has changed.

    Riedmiller and Braun, A direct adaptive method for faster backpropagation learning (1993). For full batches. `capturable`
    is accepted and changes nothing; `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Rprop([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
                                  "differentiable": differentiable, "capturable": capturable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, etas: tuple[float, float],
               step_sizes: tuple[float, float], maximize: bool) -> None:
        if maximize:
            g = -g
        if not state:
            state |= {"step": 0.0, "prev": F.zeros_like(x), "step_size": F.full(x.shape, lr, x)}
        state["step"] += 1
        before, size = state["prev"], state["step_size"]
        turn = F.sign(g * before)
        size *= F.where(turn > 0, etas[1], F.where(turn < 0, etas[0], 1 + turn))
        size[...] = F.minimum(F.maximum(size, step_sizes[0]), step_sizes[1])
        before[...] = F.where(turn < 0, 0, g)
        x -= F.sign(before) * size
