"""Adam's kin: NAdam, RAdam, Adamax, and Lion, which keeps the sign alone."""

from __future__ import annotations

import math
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer, decay, decayed
from .runs import rounded


def _nadam(F: Any, g: Any, x: Any, m: Any, v: Any, *, to_m: float, keep_v: float, to_v: float, unbiased: float, eps: float,
           now: float, ahead: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    m = m + to_m * (g - m)
    v = v * keep_v + to_v * (g * g)
    return x - (now * g + ahead * m) / (F.sqrt(v / unbiased) + eps), m, v


class NAdam(Optimizer):
    """Adam that looks ahead as Nesterov's momentum does (Dozat, Incorporating Nesterov momentum into Adam, 2016).

    The momentum rises towards betas[0], the slower the smaller momentum_decay. weight_decay adds weight_decay x to g, or
    with decoupled_weight_decay shrinks x. `capturable` is accepted and changes nothing; `foreach=False` moves parameters one
    by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.NAdam([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8944], requires_grad=True)
    """

    elementwise = True
    numbers = frozenset({"step", "mu_product"})

    def __init__(self, params: Any, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
                                  "maximize": maximize, "foreach": foreach, "capturable": capturable,
                                  "differentiable": differentiable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, momentum_decay: float, decoupled_weight_decay: bool, maximize: bool) -> None:
        if not state:
            state |= {"step": 0.0, "mu_product": 1.0, "exp_avg": F.zeros_like(x), "exp_avg_sq": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        mu, ahead = (betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
        product = state["mu_product"] = rounded(state["mu_product"] * rounded(mu))
        arrays = [x, state["exp_avg"], state["exp_avg_sq"]]
        F.change(arrays, _nadam, [g, *arrays], {
            "to_m": 1 - betas[0], "keep_v": betas[1], "to_v": 1 - betas[1], "unbiased": 1 - betas[1] ** step, "eps": eps,
            "now": lr * (1 - mu) / (1 - product), "ahead": lr * ahead / (1 - product * ahead),
            **decay(maximize, weight_decay, lr if decoupled_weight_decay else None)})


def _radam(F: Any, g: Any, x: Any, m: Any, v: Any, *, to_m: float, keep_v: float, to_v: float, eps: float, rate: float,
           settled: float | None, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    m = m + to_m * (g - m)
    v = v * keep_v + to_v * (g * g)
    move = rate * m
    return x - (move if settled is None else move * settled / (F.sqrt(v) + eps)), m, v


class RAdam(Optimizer):
    """Adam that does not divide by √v before v has settled (arXiv:1908.03265).

    weight_decay adds weight_decay x to g, or with decoupled_weight_decay shrinks x. `capturable` is accepted and changes
    nothing; `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.RAdam([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "foreach": foreach, "capturable": capturable,
                                  "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, decoupled_weight_decay: bool, maximize: bool) -> None:
        if not state:
            state |= {"step": 0.0, "exp_avg": F.zeros_like(x), "exp_avg_sq": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        bias = 1 - betas[1] ** step
        last = 2 / (1 - betas[1]) - 1
        length = last - 2 * step * betas[1] ** step / bias            # of the average behind v, in effect
        settled = None
        if length > 5:
            settled = math.sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length)) * math.sqrt(bias)
        arrays = [x, state["exp_avg"], state["exp_avg_sq"]]
        F.change(arrays, _radam, [g, *arrays], {
            "to_m": 1 - betas[0], "keep_v": betas[1], "to_v": 1 - betas[1], "eps": eps, "rate": lr / (1 - betas[0] ** step),
            "settled": settled, **decay(maximize, weight_decay, lr if decoupled_weight_decay else None)})


def _adamax(F: Any, g: Any, x: Any, m: Any, largest: Any, *, to_m: float, keep: float, eps: float, rate: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    m = m + to_m * (g - m)
    largest = F.maximum(keep * largest, F.abs(g) + eps)
    return x - rate * m / largest, m, largest


class Adamax(Optimizer):
    """Adam with the decaying maximum of |g| in the place of √v (arXiv:1412.6980, section 7).

    weight_decay adds weight_decay x to g. `capturable` is accepted and changes nothing; `foreach=False` moves parameters one
    by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Adamax([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, maximize: bool) -> None:
        if not state:
            state |= {"step": 0.0, "exp_avg": F.zeros_like(x), "exp_inf": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        arrays = [x, state["exp_avg"], state["exp_inf"]]
        F.change(arrays, _adamax, [g, *arrays], {"to_m": 1 - betas[0], "keep": betas[1], "eps": eps,
                                                 "rate": lr / (1 - betas[0] ** step), **decay(maximize, weight_decay)})


def _lion(F: Any, g: Any, x: Any, m: Any, *, lr: float, keep: float, share: float, to_m: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    return x - lr * F.sign(keep * m + share * g), m + to_m * (g - m)


class Lion(Optimizer):
    """x ← x - lr sign(c), with c between the momentum and g (arXiv:2302.06675). Ours: PyTorch has none.

    c = betas[0] m + (1 - betas[0]) g, then m ← betas[1] m + (1 - betas[1]) g: one moment to remember. weight_decay shrinks x,
    as in AdamW. The paper advises an lr a third to a tenth of AdamW's, and a weight_decay as much larger.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Lion([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    elementwise = True
    numbers = frozenset()

    def __init__(self, params: Any, lr: float | Tensor = 1e-4, betas: tuple[float, float] = (0.9, 0.99),
                 weight_decay: float = 0, *, maximize: bool = False, foreach: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize,
                                  "foreach": foreach})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float],
               weight_decay: float, maximize: bool) -> None:
        if not state:
            state["exp_avg"] = F.zeros_like(x)
        arrays = [x, state["exp_avg"]]
        F.change(arrays, _lion, [g, *arrays], {"lr": lr, "keep": betas[0], "share": 1 - betas[0], "to_m": 1 - betas[1],
                                               **decay(maximize, weight_decay, lr)})
