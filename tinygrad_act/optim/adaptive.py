"""A step size for each number, from the squares of its gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from ..backend import namespaces
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, decay, decayed
from .runs import number


def _adagrad(F: Any, g: Any, x: Any, total: Any, *, rate: float, eps: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    total = total + g * g
    return x - rate * g / (F.sqrt(total) + eps), total


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
        if not state:                                        # a group that was added later
            state |= {"step": 0.0, "sum": F.full(x.shape, initial_accumulator_value, x)}
        step = state["step"] = state["step"] + 1
        arrays = [x, state["sum"]]
        F.change(arrays, _adagrad, [g, *arrays], {"rate": lr / (1 + (step - 1) * lr_decay), "eps": eps, **decay(maximize, weight_decay)})


def _adadelta(F: Any, g: Any, x: Any, v: Any, u: Any, *, lr: float, rho: float, share: float, eps: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    v = v * rho + share * (g * g)
    move = F.sqrt(u + eps) / F.sqrt(v + eps) * g
    return x - lr * move, v, u * rho + share * (move * move)


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
        if not state:
            state |= {"step": 0.0, "square_avg": F.zeros_like(x), "acc_delta": F.zeros_like(x)}
        state["step"] += 1
        arrays = [x, state["square_avg"], state["acc_delta"]]
        F.change(arrays, _adadelta, [g, *arrays], {"lr": lr, "rho": rho, "share": 1 - rho, "eps": eps, **decay(maximize, weight_decay)})


def _rmsprop(F: Any, g: Any, x: Any, v: Any, *more: Any, lr: float, alpha: float, share: float, eps: float, momentum: float | None,
             centered: bool, **decay: Any) -> Any:
    """`more` are the momentum and the mean of g, as far as there are any."""
    x, g = decayed(x, g, **decay)
    v = v * alpha + share * (g * g)
    mean = [more[-1] + share * (g - more[-1])] if centered else []
    move = g / (F.sqrt(v - mean[0] * mean[0] if centered else v) + eps)
    b = [] if momentum is None else [more[0] * momentum + move]
    return x - lr * (b[0] if b else move), v, *b, *mean


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
        wanted = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * centered]
        state |= {k: 0.0 if k == "step" else F.zeros_like(x) for k in ("step", *wanted) if k not in state}
        state["step"] += 1
        arrays = [x, *[state[name] for name in wanted]]
        F.change(arrays, _rmsprop, [g, *arrays], {
            "lr": lr, "alpha": alpha, "share": 1 - alpha, "eps": eps, "momentum": momentum if momentum > 0 else None,
            "centered": bool(centered), **decay(maximize, weight_decay)})
