"""Adam (arXiv:1412.6980), and AdamW (arXiv:1711.05101)."""

from __future__ import annotations

import math
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer, decay, decayed


def _adam(F: Any, g: Any, x: Any, m: Any, v: Any, *largest: Any, to_m: float, keep_v: float, to_v: float, eps: float,
          rate: float, **decay: Any) -> Any:
    x, g = decayed(x, g, **decay)
    m = m + (g - m) * to_m
    v = v * keep_v + g * g * to_v
    largest = tuple(F.maximum(before, v) for before in largest)
    return x - m / (F.sqrt(largest[0] if largest else v) + eps) * rate, m, v, *largest


class Adam(Optimizer):
    """x ← x - lr m̂ / (√v̂ + eps), with m and v the running means of g and g², m̂ and v̂ without their bias towards 0.

    weight_decay adds weight_decay x to g (decoupled_weight_decay: shrinks x instead, as AdamW); amsgrad divides by the
    largest v so far (arXiv:1904.09237); maximize goes uphill. `fused` and `capturable` are accepted and change nothing;
    `foreach=False` moves parameters one by one, which gives the same numbers.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Adam([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    elementwise = True

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
                 decoupled_weight_decay: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
                                  "maximize": maximize, "foreach": foreach, "capturable": capturable,
                                  "differentiable": differentiable, "fused": fused,
                                  "decoupled_weight_decay": decoupled_weight_decay})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, amsgrad: bool, maximize: bool, decoupled_weight_decay: bool) -> None:
        if not state:
            state |= {"step": 0.0, "exp_avg": F.zeros_like(x), "exp_avg_sq": F.zeros_like(x)}
            if amsgrad:
                state["max_exp_avg_sq"] = F.zeros_like(x)
        step = state["step"] = state["step"] + 1
        unbiased = math.sqrt(1 - betas[1] ** step)     # √v̂ + eps = (√v + eps unbiased) / unbiased
        arrays = [x, *[state[name] for name in ("exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * amsgrad)]]
        F.change(arrays, _adam, [g, *arrays], {
            "to_m": 1 - betas[0], "keep_v": betas[1], "to_v": 1 - betas[1], "eps": eps * unbiased,
            "rate": lr * unbiased / (1 - betas[0] ** step), **decay(maximize, weight_decay, lr if decoupled_weight_decay else None)})


class AdamW(Adam):
    """Adam whose weight_decay shrinks x by lr weight_decay x instead of entering the running means.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.8500], requires_grad=True)
    """

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach,
                         capturable=capturable, differentiable=differentiable, fused=fused, decoupled_weight_decay=True)
