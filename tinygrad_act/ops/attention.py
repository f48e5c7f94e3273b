"""Scaled dot-product attention as one node: softmax(q kᵀ · scale + mask) v (Vaswani et al. 2017, arXiv:1706.03762).

The graph keeps q, k, v, the output and two numbers a row, but no weights: see numerics/attention.py.
"""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import casts, recording
from ..op import Single
from ..tensor import Tensor, wrap
from .linalg import turned
from .random import uniform
from .reduce import operand
from .registry import op

NAME = "scaled_dot_product_attention"


# ------------------------------------------------------------------------------------------------ the rules
def _attention(F: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, *, scale: float, causal: bool = False,
               gain: float = 1.0) -> Any:
    """`mask`, and `keep` (the weights that dropout leaves, to be multiplied by `gain`), are arrays or the number 0.0."""
    batch = broadcast_shape(q.shape[:-2], k.shape[:-2], v.shape[:-2]) or ()
    q, k, v = [F.expand(x, batch + x.shape[-2:]) for x in (q, k, v)]
    return F.attend(q, k, v, mask, keep, scale, causal, gain)


def _backward(F: Any, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, peak: Any, total: Any, *,
              scale: float, causal: bool, gain: float, needs: tuple[bool, ...]) -> Any:
    full = [F.expand(x, (*y.shape[:-2], *x.shape[-2:])) for x in (q, k, v)]
    found = F.attend_grad(g, *full, mask, keep, y, peak, total, scale, causal, gain, needs[3])
    return [F.sum_to(gx, x.shape) if needed else None
            for gx, x, needed in zip((*found, None), (q, k, v, mask, keep), needs, strict=True)]


def _without_mask(F: Any, q: Any, k: Any, v: Any, *, scale: float, causal: bool = False) -> Any:
    return _attention(F, q, k, v, 0.0, 0.0, scale=scale, causal=causal)


def _back_without_mask(F: Any, g: Any, q: Any, k: Any, v: Any, y: Any, peak: Any, total: Any, *, scale: float,
                       causal: bool, needs: tuple[bool, ...]) -> Any:
    needs = (*needs, False, False)
    return _backward(F, g, q, k, v, 0.0, 0.0, y, peak, total, scale=scale, causal=causal, gain=1.0, needs=needs)[:3]


_masked = op(NAME, _attention, joint=_backward, aux=("peak", "total"))
_plain = Single(NAME, _without_mask, joint=_back_without_mask, aux=("peak", "total"), same_dtype=True)


def _recorded(g: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Any, keep: Any, y: Tensor, peak: None, total: None,
              scale: float, causal: bool, gain: float, for_mask: bool) -> list[Any]:
    """What the arrays' own attend_grad computes, of recorded ops; so the weights are made anew."""
    F = recording
    q = q * scale
    scores = F.matmul(q, turned(F, k))
    if causal:
        queries, keys = [F.arange(n, q) for n in scores.shape[-2:]]
        mask = F.reshape(keys, (1, scores.shape[-1])) <= F.reshape(queries, (scores.shape[-2], 1))
    if not isinstance(mask, float):
        scores = F.where(mask, scores, -math.inf) if mask.dtype == dtypes.bool_ else scores + mask
    none = F.all(scores == -math.inf, (-1,), True)
    p = F.where(none, 0.0, F.exp(F.log_softmax(F.where(none, 0.0, scores), dim=-1)))
    gp = F.matmul(g, turned(F, v))
    left = 1.0 if isinstance(keep, float) else F.cast(keep, p.dtype) * gain
    gs = p * (gp * left - F.sum(g * y, (-1,), True))
    return [F.matmul(gs, k) * scale, F.matmul(turned(F, gs), q), F.matmul(turned(F, p * left), g), gs]


recording.attend_grad = _recorded


# ------------------------------------------------------------------------------------------------- public

def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
                                 enable_gqa: bool = False) -> Tensor:
    """Each query's average of the values, weighted by softmax(query @ key.mT * scale + attn_mask); one node.

    Args:
        query: (..., L, E): L queries. All leading dims broadcast.
        key: (..., S, E).
        value: (..., S, Ev), one for each key.
        attn_mask: broadcasts to (..., L, S). Of bools: True where a query may attend to a key. Of floats: added to the
            scores; it can have a gradient. A query that may attend to no key gets zeros.
        dropout_p: the probability with which each weight is dropped. It applies always: pass 0 in evaluation.
        is_causal: query i attends to keys 0 .. i only; instead of a mask.
        scale: 1/√E unless given.
        enable_gqa: query may have several times as many heads (dim -3) as key and value, which neighbours then share.

    Returns: (..., L, Ev).

    Raises:
        ShapeError, DTypeError: the inputs or the mask do not fit.
        ArgumentError: a mask and is_causal together, or dropout_p is no probability.

    The memory it takes grows with L + S, not with L·S, unless there is dropout (a byte a weight).

    >>> q = k = v = ta.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> ta.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    if not 0 <= dropout_p <= 1:
        raise ArgumentError(NAME, f"dropout_p={dropout_p}", "it is a probability: 0 to 1")
    if is_causal and attn_mask is not None:
        raise ArgumentError(NAME, "attn_mask and is_causal=True", "a causal mask is a mask", "give one of them")
    _check_inputs(query, key, value)
    if enable_gqa:
        key, value = _shared(query, key), _shared(query, value)
    batch = broadcast_shape(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    if batch is None:
        raise ShapeError(NAME, _sizes(query, key, value), "the leading dims do not broadcast", "they must be equal or 1"
                         + ("" if enable_gqa else "; for fewer heads of keys than of queries pass enable_gqa=True"))
    weights = (*batch, query.shape[-2], key.shape[-2])
    if attn_mask is not None:
        _check_mask(attn_mask, query, weights)
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1] or 1)
    if attn_mask is None and not dropout_p:
        return _plain(query, key, value, scale=scale, causal=is_causal)
    keep, gain = drop(weights, dropout_p, query) if dropout_p else (0.0, 1.0)
    return _masked(query, key, value, 0.0 if attn_mask is None else attn_mask, keep, scale=scale, causal=is_causal, gain=gain)


def drop(shape: tuple[int, ...], p: float, like: Tensor) -> tuple[Tensor, float]:
    """Which weights dropout leaves, and by how much these then count more."""
    return wrap(uniform(shape, dtypes.float32, like.device, None, NAME) >= p), 1 / (1 - p) if p < 1 else 0.0


def _sizes(query: Tensor, key: Tensor, value: Tensor) -> str:
    return f"a query of shape {query.shape}, a key of {key.shape}, a value of {value.shape}"


def _check_inputs(query: Tensor, key: Tensor, value: Tensor) -> None:
    given = query, key, value
    for x in given:
        if operand(x, NAME).ndim < 2:
            raise ShapeError(NAME, _sizes(*given), "each must have at least 2 dims: (..., length, features)")
        if not dtypes.is_floating(x.dtype) or (x.dtype != query.dtype and not casts(NAME)):
            raise DTypeError(NAME, ", ".join(str(x.dtype) for x in given), "query, key and value must be of one floating "
                             "dtype", "convert them with .to(dtype)")
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(NAME, _sizes(*given), f"query and key have {query.shape[-1]} and {key.shape[-1]} features",
                         "the last sizes of these two must be equal")
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(NAME, _sizes(*given), f"there are {key.shape[-2]} keys and {value.shape[-2]} values",
                         "each key needs one value: the second to last sizes of these two must be equal")


def _check_mask(mask: Tensor, query: Tensor, weights: tuple[int, ...]) -> None:
    if operand(mask, NAME).dtype not in (dtypes.bool_, query.dtype):
        raise DTypeError(NAME, f"an attn_mask of {mask.dtype} for a query of {query.dtype}", "a mask is of bools (True: may "
                         "attend) or of the query's dtype (added to the scores)", "convert it with .bool() or .to(query.dtype)")
    if broadcast_shape(mask.shape, weights) != weights:
        raise ShapeError(NAME, f"an attn_mask of shape {mask.shape}", f"it does not broadcast to the weights' shape {weights}",
                         f"make it {weights[-2:]} (queries, keys), with leading dims if they differ in it")


def _shared(query: Tensor, x: Tensor) -> Tensor:
    """Keys or values with each head as often as queries share it."""
    if query.ndim < 3 or x.ndim < 3:
        raise ShapeError(NAME, f"shapes {query.shape} and {x.shape}", "with enable_gqa there must be an axis of heads",
                         "make them (..., heads, length, features)")
    heads, own = query.shape[-3], x.shape[-3]
    if own == 0 or heads % own:
        raise ShapeError(NAME, f"{heads} heads of queries and {own} of keys or values", "the first must be a multiple of the "
                         "second")
    if heads == own:
        return x
    spread = x.unsqueeze(-3).expand(*x.shape[:-2], heads // own, *x.shape[-2:])
    return spread.flatten(-4, -3)
