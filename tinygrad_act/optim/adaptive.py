"""A step size for each number, from the squares of its gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from ..backend import namespaces
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, decayed
from .runs import number


class Adagrad(Optimizer):
    """x ← x - lr g / (√s + eps), with s the sum of all g² (Duchi, Hazan and Singer, JMLR 12, 2011).

    lr falls as 1 / (1 + lr_decay steps). s starts at initial_accumulator_value, and is in `state` from the start.
    weight_decay adds weight_decay x to g. `fused` is accepted and changes nothing; `foreach=False` moves parameters one by
    one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "fused": fused})
        for group in self.param_groups:
            for p in group["params"]:
                total = namespaces[type(p.array)].zeros_like(p.array)
                total += initial_accumulator_value
                self.state[p] = {"step": number(0.0), "sum": wrap(total)}

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, lr_decay: float, eps: float,
               weight_decay: float, initial_accumulator_value: float, maximize: bool) -> None:
        g = decayed(x, g, maximize, weight_decay)
        if not state:                                        # a group that was added later
            state |= {"step": 0.0, "sum": F.full(x.shape, initial_accumulator_value, x)}
        step = state["step"] = state["step"] + 1
        total = state["sum"]
        total += g * g
        scale = F.sqrt(total)
        scale += eps
        x -= lr / (1 + (step - 1) * lr_decay) * g / scale


class Adadelta(Optimizer):
    """x ← x - lr d, with d = g √(u + eps) / √(v + eps), v and u the running means of g² and d² (arXiv:1212.5701).

    weight_decay adds weight_decay x to g. `capturable` is accepted and changes nothing; `foreach=False` moves parameters one
    by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Adadelta([x])
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9968], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
                 foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, rho: float, eps: float,
               weight_decay: float, maximize: bool) -> None:
        g = decayed(x, g, maximize, weight_decay)
        if not state:
            state |= {"step": 0.0, "square_avg": F.zeros_like(x), "acc_delta": F.zeros_like(x)}
        state["step"] += 1
        v, u = state["square_avg"], state["acc_delta"]
        v *= rho
        v += (1 - rho) * (g * g)
        move = F.sqrt(u + eps)
        move /= F.sqrt(v + eps)
        move *= g
        u *= rho
        u += (1 - rho) * (move * move)
        x -= lr * move


class RMSprop(Optimizer):
    """x ← x - lr g / (√v + eps), with v the running mean of g² (Hinton's lecture 6e, 2012).

    centered takes the square of the running mean of g off v (arXiv:1308.0850); with momentum, x ← x - lr b, where
    b ← momentum b + g / (√v + eps). weight_decay adds weight_decay x to g. `capturable` is accepted and changes nothing;
    `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.RMSprop([x], lr=0.1, alpha=0.75)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, momentum: float = 0, centered: bool = False, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
                                  "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, momentum: float, alpha: float, eps: float,
               centered: bool, weight_decay: float, maximize: bool) -> None:
        g = decayed(x, g, maximize, weight_decay)
        wanted = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * centered]
        state |= {k: 0.0 if k == "step" else F.zeros_like(x) for k in ("step", *wanted) if k not in state}
        state["step"] += 1
        v = state["square_avg"]
        v *= alpha
        v += (1 - alpha) * (g * g)
        if centered:
            mean = state["grad_avg"]
            mean += (1 - alpha) * (g - mean)
            v = v - mean * mean
        scale = F.sqrt(v)
        scale += eps
        move = g / scale
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += move
            move = b
        x -= lr * move
