"""Multi-head attention from queries, keys and values to the output's projection: what nn.MultiheadAttention computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import _functions as ops
from .. import dtypes
from ..activations.softmaxes import softmax
from ..errors import ArgumentError, DTypeError, ShapeError
from ..ops.attention import scaled_dot_product_attention
from ..ops.dropout import dropout
from ..ops.linear import linear
from ..ops.reduce import operand
from ..tensor import Tensor

NAME = "multi_head_attention_forward"


Change = Callable[[Tensor, Tensor], Tensor]


class Weights(NamedTuple):
    """The parameters of a layer. `projection` is (3E, E) for all inputs, or one (E, features) for each of the three.

    `out` may be a function instead, of what the heads give. `changes` has a function of (input, its projection) for query,
    key and value each, or None, which gives the projection to go on with.
    """

    projection: Tensor | tuple[Tensor, Tensor, Tensor]
    bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None
    out: Tensor | Callable[[Tensor], Tensor]
    out_bias: Tensor | None
    changes: tuple[Change | None, Change | None, Change | None] = (None, None, None)


class Masks(NamedTuple):
    """Where not to attend: (L, S) or (N * heads, L, S), and (N, S); bools (True: not) or floats to be added."""

    attention: Tensor | None
    padding: Tensor | None
    causal: bool


class Layout(NamedTuple):
    """How the batch lies: which axis of a batched input is the sequence, how many heads there are."""

    batch_first: bool
    heads: int

    def split(self, x: Tensor) -> Tensor:
        """(N, L, E) or (L, N, E) as (N, heads, L, E / heads): a view."""
        x = x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads)
        return x.permute(0, 2, 1, 3) if self.batch_first else x.permute(1, 2, 0, 3)

    def merge(self, x: Tensor) -> Tensor:
        """The way back."""
        x = x.permute(0, 2, 1, 3) if self.batch_first else x.permute(2, 0, 1, 3)
        return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])


def multi_head_attention_forward(
        query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
        in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
        out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
        q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
        static_k: Tensor | None = None, static_v: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, for parameters that are handed to it.

    Args:
        query, key, value: (L, N, E), (S, N, features) twice; or without the batch's axis N.
        embed_dim_to_check: what E must be.
        in_proj_weight, in_proj_bias: (3E, E) and (3E,): one projection for query, key and value; or, with
            use_separate_proj_weight, q_proj_weight, k_proj_weight and v_proj_weight.
        bias_k, bias_v: E numbers each, of one further key and value; add_zero_attn adds one of zeros.
        key_padding_mask: (N, S), attn_mask: (L, S) or (N * num_heads, L, S). Of bools: True where *not* to attend. Of
            floats: added to the scores. is_causal says that attn_mask is the causal one.
        static_k, static_v: (N * num_heads, S, E / num_heads), instead of projected keys and values.

    Returns: (L, N, E), and with need_weights the weights, (N, L, S), or (N, num_heads, L, S) if not averaged; else None.

    Raises:
        ShapeError, DTypeError, ArgumentError: what was given does not fit together.

    >>> x, w = ta.ones(3, 1, 2), ta.eye(2)
    >>> y, weights = ta.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 2, 1, ta.cat([w, w, w]), None, None, None, False, 0.0, w, None)
    >>> y.shape, weights[0, 0]
    ((3, 1, 2), tensor([0.3333, 0.3333, 0.3333]))
    """
    if query.shape[-1] != embed_dim_to_check:
        raise ShapeError(NAME, f"a query of shape {query.shape}", f"its last size must be {embed_dim_to_check}")
    separate = q_proj_weight, k_proj_weight, v_proj_weight
    projection: Any = separate if use_separate_proj_weight else in_proj_weight
    if projection is None or (use_separate_proj_weight and any(w is None for w in separate)):
        raise ArgumentError(NAME, f"use_separate_proj_weight={use_separate_proj_weight}", "a weight of the projection is None",
                            "pass q_proj_weight, k_proj_weight and v_proj_weight" if use_separate_proj_weight else
                            "pass in_proj_weight")
    return attend((query, key, value), Weights(projection, in_proj_bias, bias_k, bias_v, out_proj_weight, out_proj_bias),
                  Masks(attn_mask, key_padding_mask, is_causal), Layout(False, num_heads), (static_k, static_v), add_zero_attn,
                  dropout_p if training else 0.0, need_weights, average_attn_weights)


def attend(inputs: tuple[Tensor, Tensor, Tensor], weights: Weights, masks: Masks, layout: Layout,
           static: tuple[Tensor | None, Tensor | None], add_zero_attn: bool, dropout_p: float, need_weights: bool,
           average: bool) -> tuple[Tensor, Tensor | None]:
    """The whole of it, batch or not, for either layout."""
    _check(*inputs, weights, masks, layout)
    batched = inputs[0].ndim == 3
    if not batched:
        axis = 0 if layout.batch_first else 1
        shared = inputs[0] is inputs[1], inputs[1] is inputs[2]
        q = inputs[0].unsqueeze(axis)
        k = q if shared[0] else inputs[1].unsqueeze(axis)
        inputs = q, k, k if shared[1] else inputs[2].unsqueeze(axis)
        if masks.padding is not None:
            masks = masks._replace(padding=masks.padding.unsqueeze(0))
    q, k, v = [layout.split(y if change is None else change(x, y)) for x, y, change in zip(
        inputs, _projected(inputs, weights), weights.changes, strict=True)]
    k, v = _static(static[0], k), _static(static[1], v)
    if weights.bias_k is not None and weights.bias_v is not None:
        k, v = [ops.cat([x, b.reshape(1, layout.heads, 1, -1).expand(x.shape[0], -1, -1, -1)], 2)
                for x, b in ((k, weights.bias_k), (v, weights.bias_v))]
    if add_zero_attn:
        k, v = [ops.cat([x, ops.zeros(*x.shape[:2], 1, x.shape[3], dtype=x.dtype, device=x.device)], 2) for x in (k, v)]
    mask = _mask(masks, q, k, need_weights)
    if need_weights:
        y, p = _with_weights(q, k, v, mask, dropout_p)
        p = p.mean(1) if average else p
        p = p if batched else p.squeeze(0)
    else:
        y, p = scaled_dot_product_attention(q, k, v, None if mask is True else mask, dropout_p, mask is True), None
    merged = layout.merge(y)
    out = linear(merged, weights.out, weights.out_bias) if isinstance(weights.out, Tensor) else weights.out(merged)
    return out if batched else out.squeeze(0 if layout.batch_first else 1), p


def _projected(inputs: tuple[Tensor, Tensor, Tensor], weights: Weights) -> tuple[Tensor, ...]:
    """Query, key and value, each times its matrix; in one product where they are the same."""
    q, k, v = inputs
    biases: tuple[Any, ...]
    if isinstance(weights.projection, tuple):
        biases = (None,) * 3 if weights.bias is None else weights.bias.chunk(3)
        return tuple([linear(x, w, b) for x, w, b in zip(inputs, weights.projection, biases, strict=True)])
    if q is k and k is v:
        return linear(q, weights.projection, weights.bias).chunk(3, -1)
    size = q.shape[-1]
    sizes = (size, 2 * size) if k is v else (size,) * 3
    matrices = weights.projection.split(sizes)
    biases = (None,) * len(sizes) if weights.bias is None else weights.bias.split(sizes)
    parts = [linear(x, w, b) for x, w, b in zip((q, k, v), matrices, biases, strict=False)]
    return (parts[0], *parts[1].chunk(2, -1)) if k is v else tuple(parts)


def _static(given: Tensor | None, x: Tensor) -> Tensor:
    """Keys or values that are given as they are, (N * heads, S, E / heads), instead of x."""
    if given is None:
        return x
    batch, heads, _, size = x.shape
    if given.ndim != 3 or (given.shape[0], given.shape[2]) != (batch * heads, size):
        raise ShapeError(NAME, f"static_k or static_v of shape {given.shape}", f"it must be ({batch * heads}, length, {size}): "
                         "(N * heads, S, E / heads)")
    return given.reshape(batch, heads, given.shape[1], size)


# -------------------------------------------------------------------------------------------------- masks
def _mask(masks: Masks, q: Tensor, k: Tensor, need_weights: bool) -> Any:
    """One mask of both, as scaled_dot_product_attention takes it, or with weights as numbers; True for the causal one."""
    if masks.causal and masks.padding is None and not need_weights:
        return True
    batch, heads, length, keys = *q.shape[:3], k.shape[2]
    found = []
    for mask, lead in ((masks.attention, None), (masks.padding, (batch, 1, 1))):
        if mask is None:
            continue
        if mask.shape[-1] < keys:                              # keys were added, which everybody sees
            more = keys - mask.shape[-1]
            mask = ops.cat([mask, ops.zeros(*mask.shape[:-1], more, dtype=mask.dtype, device=mask.device)], -1)
        if lead or mask.ndim == 3:
            mask = mask.reshape(*(lead or (batch, heads, length)), keys)
        found.append(mask)
    if not found:
        return None
    if not need_weights and all(mask.dtype == dtypes.bool_ for mask in found):
        return ~(found[0] | found[1] if len(found) == 2 else found[0])
    added = [mask if dtypes.is_floating(mask.dtype) else _as_numbers(mask, q.dtype) for mask in found]
    return ops.add(*added) if len(added) == 2 else added[0]


def _as_numbers(mask: Tensor, dtype: Any) -> Tensor:
    """-inf where the mask is True, else 0."""
    return ops.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)


def _with_weights(q: Tensor, k: Tensor, v: Tensor, mask: Any, dropout_p: float) -> tuple[Tensor, Tensor]:
    """The same in several ops, for those who want to see the weights."""
    scores = (q * (1 / math.sqrt(q.shape[-1] or 1))) @ k.mT
    p = dropout(softmax(scores if mask is None else scores + mask, dim=-1), dropout_p)
    return p @ v, p


# ------------------------------------------------------------------------------------------------ misuse
def _check(q: Tensor, k: Tensor, v: Tensor, weights: Weights, masks: Masks, layout: Layout) -> None:
    got = f"a query of shape {operand(q, NAME).shape}, a key of {operand(k, NAME).shape}, a value of {operand(v, NAME).shape}"
    if q.ndim not in (2, 3) or not q.ndim == k.ndim == v.ndim:
        raise ShapeError(NAME, got, "they must be all 3-d (with a batch) or all 2-d (without)")
    batched = q.ndim == 3
    if q.shape[-1] % layout.heads:
        raise ShapeError(NAME, f"{q.shape[-1]} features and {layout.heads} heads", "the heads share the features evenly",
                         "choose a number of heads that divides the features")
    if k.shape[:-1] != v.shape[:-1] or (not isinstance(weights.projection, tuple) and k.shape != v.shape):
        raise ShapeError(NAME, got, "there must be one value for each key",
                         "or use kdim and vdim for other numbers of features")
    time, lot = (1, 0) if layout.batch_first else (0, 1)
    if batched and q.shape[lot] != k.shape[lot]:
        raise ShapeError(NAME, got, f"batches of {q.shape[lot]} and {k.shape[lot]}", "the batch is dim "
                         + ("0: batch_first=True" if layout.batch_first else "1, unless batch_first=True"))
    if (weights.bias_k is None) != (weights.bias_v is None):
        raise ArgumentError(NAME, "one of bias_k and bias_v", "they come together")
    batch = q.shape[lot] if batched else 1
    length, keys = (q.shape[time], k.shape[time]) if batched else (q.shape[0], k.shape[0])
    if masks.causal and masks.attention is None:
        raise ArgumentError(NAME, "is_causal=True without attn_mask", "it says of a mask that it is the causal one",
                            "pass attn_mask=nn.Transformer.generate_square_subsequent_mask(length) too")
    _check_mask("attn_mask", masks.attention, [(length, keys), (batch * layout.heads, length, keys)])
    _check_mask("key_padding_mask", masks.padding, [(batch, keys) if batched else (keys,)])


def _check_mask(name: str, mask: Tensor | None, shapes: list[tuple[int, ...]]) -> None:
    if mask is None:
        return
    if operand(mask, NAME).dtype != dtypes.bool_ and not dtypes.is_floating(mask.dtype):
        raise DTypeError(NAME, f"{name} of {mask.dtype}", "a mask is of bools (True: do not attend) or of floats (added to "
                         "the scores)", "convert it with .bool()")
    if mask.shape not in shapes:
        raise ShapeError(NAME, f"{name} of shape {mask.shape}", "it must be " + " or ".join(map(str, shapes)))
