"""Distances between all pairs of vectors."""

from __future__ import annotations

import math
from typing import Any

from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .linalg import column, row_of, turned
from .norms import _norm, power_slope
from .reduce import only_floats, wide
from .registry import op, public

DIRECT = 25       # up to so many vectors the differences themselves; beyond it, for p = 2, a matrix product, as in PyTorch


def _differences(F: Any, a: Any, b: Any) -> Any:
    """(..., P, 1, M) - (..., 1, R, M)."""
    return F.reshape(a, (*a.shape[:-1], 1, a.shape[-1])) - F.reshape(b, (*b.shape[:-2], 1, *b.shape[-2:]))


def _distances(F: Any, a: Any, b: Any, *, p: float = 2, product: bool = False) -> Any:
    if not product:
        d = _differences(F, a, b)
        return _norm(F, d, p=p, dim=-1) if d.shape[-1] else F.sum(d, -1)
    squares = column(F, F.sum(a * a, -1)) + row_of(F, F.sum(b * b, -1)) - 2 * F.matmul(a, turned(F, b))
    return F.sqrt(F.maximum(squares, 0))


def _pull(F: Any, g: Any, a: Any, b: Any, y: Any, p: float) -> Any:
    """The gradient with respect to each difference; PyTorch's subgradients, 0 where two vectors are equal."""
    d = _differences(F, a, b)
    if p == 0:
        return column(F, g) * (0 * d)
    if p == 1:
        return column(F, g) * F.sign(d)
    if p == math.inf:
        return column(F, g) * F.where(F.abs(d) == column(F, y), F.sign(d), 0)
    return column(F, _weights(F, g, y, p - 1)) * (d if p == 2 else power_slope(F, d, p))


def _weights(F: Any, g: Any, y: Any, power: float) -> Any:
    zero = y == 0
    return F.where(zero, 0 * g, g) * F.pow(F.where(zero, 1, y), -power)


def _for_first(F: Any, g: Any, a: Any, b: Any, y: Any, *, p: float, product: bool) -> Any:
    if not product:
        return F.sum_to(F.sum(_pull(F, g, a, b, y, p), -2), a.shape)
    w = _weights(F, g, y, 1)
    return F.sum_to(a * F.sum(w, -1, True) - F.matmul(w, b), a.shape)


def _for_second(F: Any, g: Any, a: Any, b: Any, y: Any, *, p: float, product: bool) -> Any:
    if not product:
        return F.sum_to(-F.sum(_pull(F, g, a, b, y, p), -3), b.shape)
    w = turned(F, _weights(F, g, y, 1))
    return F.sum_to(b * F.sum(w, -1, True) - F.matmul(w, a), b.shape)


_cdist = op("cdist", wide(_distances), wide(_for_first), wide(_for_second), same_dtype=True)

MODES = {"use_mm_for_euclid_dist_if_necessary": None, "use_mm_for_euclid_dist": True, "donot_use_mm_for_euclid_dist": False}


@public(method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norm distances of each of the vectors (..., P, M) to each of (..., R, M): shape (..., P, R).

    For p = 2 and more than 25 vectors they come from a matrix product, unless `compute_mode` says otherwise.

    >>> ta.cdist(ta.tensor([[0., 0.]]), ta.tensor([[3., 4.], [0., 1.]]))
    tensor([[5., 1.]])
    """
    for x in (only_floats(x1, "cdist"), only_floats(x2, "cdist")):
        if x.ndim < 2:
            raise ShapeError("cdist", str(x.shape), "it takes at least two axes: vectors, and their elements", "unsqueeze(0) it")
    if x1.shape[-1] != x2.shape[-1] or broadcast_shape(x1.shape[:-2], x2.shape[:-2]) is None:
        raise ShapeError("cdist", f"{x1.shape} and {x2.shape}", "the vectors have different lengths, or the batches do not broadcast")
    if p < 0 or (compute_mode or "donot_use_mm_for_euclid_dist") not in MODES:
        raise ArgumentError("cdist", f"p={p}, compute_mode={compute_mode!r}", "p must be at least 0", f"the modes are {sorted(MODES)}")
    product = MODES[compute_mode or "use_mm_for_euclid_dist_if_necessary"]
    if product is None:
        product = x1.shape[-2] > DIRECT or x2.shape[-2] > DIRECT
    return _cdist(x1, x2, p=p, product=product and p == 2)
