"""Adam (arXiv:1412.6980) and AdamW (arXiv:1711.05101)."""

from __future__ import annotations

import math
from typing import Any

from .. import backend, dtypes
from ..tensor import wrap
from .optimizer import Optimizer, check_options


class Adam(Optimizer):
    """x ← x - lr m̂ / (√v̂ + eps), with m and v the running means of g and g², m̂ and v̂ without their bias towards 0.

    weight_decay adds weight_decay x to g (decoupled_weight_decay: shrinks x instead, as AdamW); amsgrad divides by the
    largest v so far (arXiv:1904.09237); maximize goes uphill. `foreach` and `fused` are accepted and change nothing.

    >>> x = ta.tensor([1.0], requires_grad=True)
    >>> optimizer = ta.optim.Adam([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([0.9000], requires_grad=True)
    """

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False) -> None:
        check_options(type(self).__name__, lr=(lr, lr >= 0), betas=(betas, all(0 <= b < 1 for b in betas)),
                      eps=(eps, eps >= 0), weight_decay=(weight_decay, weight_decay >= 0))
        super().__init__(params, {"lr": float(lr), "betas": tuple(map(float, betas)), "eps": float(eps),
                                  "weight_decay": float(weight_decay), "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, amsgrad: bool, maximize: bool, decoupled_weight_decay: bool) -> None:
        if maximize:
            g = -g
        if weight_decay and decoupled_weight_decay:
            x *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * x
        if not state:
            state["step"] = wrap(backend.asarray(0.0, dtypes.float32, "cpu"))
            for name in ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else [])):
                state[name] = wrap(F.zeros_like(x))
        state["step"].array += 1
        step = float(state["step"].array)
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        m += (1 - betas[0]) * (g - m)
        v *= betas[1]
        v += (1 - betas[1]) * (g * g)
        if amsgrad:
            largest = state["max_exp_avg_sq"]
            v = largest.array = F.maximum(largest.array, v)
        scale = F.sqrt(v)
        scale /= math.sqrt(1 - betas[1] ** step)
        scale += eps
        move = m / scale
        move *= lr / (1 - betas[0] ** step)
        x -= move


class AdamW(Adam):
    """Adam whose weight_decay shrinks x by lr weight_decay x instead of entering the running means."""

    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)
