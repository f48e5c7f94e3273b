"""Shrinking: what is small becomes 0, as in wavelet denoising. All have a flat middle and NaN passes through."""

from __future__ import annotations

from math import inf
from typing import Any

from ..errors import ArgumentError
from .record import activation, flat

DONOHO = "doi:10.1093/biomet/81.3.425"


@activation(formula=r"x\,[|x| > \lambda]", derivative=r"[|x| > \lambda]", paper=DONOHO,
            kinks=lambda lambd: {-lambd: 0, lambd: 0}, range=(-inf, inf), monotonic=True, smooth="discontinuous",
            zero_centred=True, lipschitz=inf, module="Hardshrink", torch="hardshrink")
def hard_shrink(F: Any, x: Any, *, lambd: float = 0.5) -> Any:
    """x, but 0 for |x| <= lambd (Donoho and Johnstone 1994). Any shape.

    >>> ta.activations.catalogue["hard_shrink"](ta.tensor([-1.0, 0.5, 2.0]))
    tensor([-1.,  0.,  2.])
    """
    return F.where(F.abs(x) <= lambd, 0, x)


@hard_shrink.backward
def hard_shrink_backward(F: Any, g: Any, x: Any, *, lambd: float) -> Any:
    return F.where(F.abs(x) <= lambd, 0, g)


hard_shrink.second(flat)


@activation(formula=r"\operatorname{sign}(x) \max(|x| - \lambda, 0)", derivative=r"[|x| > \lambda]", paper=DONOHO,
            kinks=lambda lambd: {-lambd: 0, lambd: 0}, range=(-inf, inf), monotonic=True, smooth="C0", zero_centred=True,
            lipschitz=1, module="Softshrink", torch="softshrink")
def soft_shrink(F: Any, x: Any, *, lambd: float = 0.5) -> Any:
    """x, moved towards 0 by lambd and no further (Donoho and Johnstone 1994): the proximal step of lambd |x|. Any shape.

    Raises: ArgumentError, if lambd is negative.

    >>> ta.activations.catalogue["soft_shrink"](ta.tensor([-1.0, 0.25, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise ArgumentError("soft_shrink", f"lambd={lambd}", "it must not be negative", "pass how far to shrink, 0 or more")
    return x - F.minimum(F.maximum(x, -lambd), lambd)


@soft_shrink.backward
def soft_shrink_backward(F: Any, g: Any, x: Any, *, lambd: float) -> Any:
    return F.where(F.abs(x) <= lambd, 0, g)


soft_shrink.second(flat)


@activation(formula=r"x + b \text{ for } x < -\lambda,\ x - b \text{ for } x > \lambda,\ 0 \text{ else}",
            derivative=r"[|x| > \lambda]", paper="https://onnx.ai/onnx/operators/onnx__Shrink.html",
            kinks=lambda lambd: {-lambd: 0, lambd: 0}, range=(-inf, inf), monotonic=True, smooth="discontinuous",
            zero_centred=True, lipschitz=inf, note="ONNX says nothing of the derivative; at the jumps it is 0, as for hard_shrink.")
def shrink(F: Any, x: Any, *, lambd: float = 0.5, bias: float = 0.0) -> Any:
    """ONNX's: hard_shrink for bias = 0, soft_shrink for bias = lambd. Any shape.

    >>> ta.activations.catalogue["shrink"](ta.tensor([-1.0, 0.25, 2.0]), bias=0.75)
    tensor([-0.2500,  0.0000,  1.2500])
    """
    return F.where(x < -lambd, x + bias, F.where(x <= lambd, 0, x - bias))


@shrink.backward
def shrink_backward(F: Any, g: Any, x: Any, *, lambd: float) -> Any:
    return F.where(x < -lambd, g, F.where(x <= lambd, 0, g))


shrink.second(flat)
