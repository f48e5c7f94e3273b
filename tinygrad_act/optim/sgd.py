"""Stochastic gradient descent: SGD, averaged as ASGD, and by signs as Rprop."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor
from .optimizer import Optimizer, decay, decayed
from .runs import rounded


def _sgd(F: Any, g: Any, x: Any, *, lr: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    return (x - lr * g,)


def _momentum(F: Any, g: Any, x: Any, v: Any, *, lr: float, momentum: float, share: float, first: bool, nesterov: bool,
              **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    v = g if first else v * momentum + share * g
    return x - lr * (g + momentum * v if nesterov else v), v


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
        settings = {"lr": lr, **decay(maximize, weight_decay)}
        if not momentum:
            F.change([x], _sgd, [g, x], settings)
            return
        settings |= {"momentum": momentum, "share": 1 - dampening, "first": not state, "nesterov": nesterov}
        if not state:
            state["momentum_buffer"] = F.zeros_like(x)
        arrays = [x, state["momentum_buffer"]]
        F.change(arrays, _momentum, [g, *arrays], settings)


def _asgd(F: Any, g: Any, x: Any, mean: Any, *, shrunk: float, eta: float, mu: float, whole: bool, **decay: Any) -> Any:
    _, g = decayed(x, g, **decay)
    x = x * shrunk - eta * g
    return x, x if whole else mean + mu * (x - mean)


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
        if not state:
            state |= {"step": 0.0, "eta": rounded(lr), "mu": 1.0, "ax": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        eta, mu, arrays = state["eta"], state["mu"], [x, state["ax"]]
        F.change(arrays, _asgd, [g, *arrays], {"shrunk": 1 - lambd * eta, "eta": eta, "mu": mu, "whole": mu == 1,
                                               **decay(maximize, weight_decay)})
        state["eta"] = lr / (1 + lambd * lr * step) ** alpha
        state["mu"] = 1 / max(1, step - t0)


def _rprop(F: Any, g: Any, x: Any, before: Any, size: Any, *, less: float, more: float, least: float, most: float,
           uphill: bool) -> Any:
    g = -g if uphill else g
    turn = F.sign(g * before)
    size = size * F.where(turn > 0, more, F.where(turn < 0, less, 1 + turn))
    size = F.minimum(F.maximum(size, least), most)
    g = F.where(turn < 0, 0, g)
    return x - F.sign(g) * size, g, size


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
        if not state:
            state |= {"step": 0.0, "prev": F.zeros_like(x), "step_size": F.full(x.shape, lr, x)}
        state["step"] += 1
        arrays = [x, state["prev"], state["step_size"]]
        F.change(arrays, _rprop, [g, *arrays], {"less": etas[0], "more": etas[1], "least": step_sizes[0], "most": step_sizes[1],
                                                "uphill": bool(maximize)})
