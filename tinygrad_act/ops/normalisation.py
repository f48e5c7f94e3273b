"""Normalisation over parts of a sample, one node each: layer_norm, group_norm, rms_norm, local_response_norm, normalize.

The rules see every input as (N, G, K, L), as numerics/normalise.py says, where their arithmetic is. (What takes running
means and variances, batch_norm and instance_norm, is in batch_norm.py.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..op import Single
from ..rule import beside
from ..tensor import Tensor, wrap
from .norms import _norm, _norm_rule
from .reduce import axes, cast, only_floats, reduction, wide
from .registry import enter

View = tuple[int, int, int, int]


# ------------------------------------------------------------------------------- the gradient, where it is recorded
def gradient(g: Any, x: Any, weight: Any, view: View, eps: float, batch: bool, centred: bool) -> tuple[Any, Any, Any]:
    """What the arrays' own normalise_grad computes, of recorded ops; so the statistics are made anew of x."""
    F = recording
    dtype = dtypes.float32 if dtypes.is_half(x.dtype) else x.dtype
    along = (0, 2, 3) if batch else (2, 3)
    shape, x_dtype = x.shape, x.dtype
    g, x = (F.reshape(F.cast(v, dtype=dtype), view) for v in (g, x))
    w = 1.0 if isinstance(weight, float) else F.reshape(F.cast(weight, dtype=dtype), (1, view[1], view[2], 1))
    d = x - F.mean(x, along, True) if centred else x
    scale = 1 / F.sqrt(F.mean(d * d, along, True) + eps)
    y, v = d * scale, g * w
    gx = v - y * F.mean(v * y, along, True)
    gx = scale * (gx - F.mean(v, along, True) if centred else gx)
    return F.cast(F.reshape(gx, shape), dtype=x_dtype), F.sum(g * y, (0, 3)), F.sum(g, (0, 3))


def affine_grads(F: Any, weight: Any, grads: tuple[Any, Any, Any], needs: Any) -> list[Any]:
    """The gradients for x, weight and bias, in their shapes and dtypes; None for what is a number, or not asked for."""
    results = [grads[0]]
    for need, v in zip(needs[1:], grads[1:], strict=False):
        if not need or isinstance(weight, float):
            v = None
        elif v.shape != weight.shape or v.dtype != weight.dtype:
            v = F.cast(F.reshape(v, weight.shape), weight.dtype)
        results.append(v)
    return results


# ------------------------------------------------------------------------------------------------------- the rows
@beside("normalised")
def _normalised(F: Any, x: Any, weight: Any, bias: Any, *, view: Any = None, eps: float = 1e-5) -> Any:
    return F.normalise(x, weight, bias, view, True, eps)


def _normalised_back(F: Any, g: Any, x: Any, weight: Any, mean: Any, scale: Any, *, view: View, eps: float, needs: Any) -> Any:
    grads = (gradient(g, x, weight, view, eps, False, True) if F is recording else
             F.normalise_grad(g, x, weight, mean, scale, view, False))
    return affine_grads(F, weight, grads, needs)


@beside("rms")
def _rms(F: Any, x: Any, weight: Any, *, view: Any = None, eps: float = 1e-5) -> Any:
    y, _, scale = F.normalise(x, weight, 0.0, view, False, eps)
    return y, scale


def _rms_back(F: Any, g: Any, x: Any, weight: Any, scale: Any, *, view: View, eps: float, needs: Any) -> Any:
    grads = (gradient(g, x, weight, view, eps, False, False) if F is recording else
             F.normalise_grad(g, x, weight, None, scale, view, False))
    return affine_grads(F, weight, grads, needs)


def row(name: str) -> Single:
    """An op that gives each group of each sample the mean 0 and the variance 1, under the name that the graph shows."""
    return enter(Single(name, _normalised, joint=_normalised_back, aux=("mean", "scale")))


_layer_norm, _group_norm = row("layer_norm"), row("group_norm")
_rms_norm = enter(Single("rms_norm", _rms, joint=_rms_back, aux=("scale",)))


# ------------------------------------------------------------------------------------------------- what is refused
def fits(x: Tensor, a: Tensor, b: Tensor, shape: tuple[int, ...]) -> bool:
    """Are two Tensors what goes with x, at first sight?"""
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.array.dtype is b.array.dtype is x.array.dtype and a.array.shape == b.array.shape == shape


def affine(name: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...], what: str) -> tuple[Any, Any]:
    """Weight and bias as the rows take them: 1 and 0 for none, and no bias without a weight."""
    only_floats(x, name)
    if weight is not None and bias is not None and fits(x, weight, bias, shape):
        return weight, bias
    for label, p in (("weight", weight), ("bias", bias)):
        if p is None:
            continue
        if not isinstance(p, Tensor):
            raise ArgumentError(name, f"{label}: {type(p).__name__}", f"the {label} must be a Tensor or None")
        if p.shape != shape:
            raise ShapeError(name, f"a {label} of shape {p.shape} for an input of shape {x.shape}",
                             f"it must have the shape {shape}: {what}")
        if p.dtype != x.dtype and not (dtypes.is_half(x.dtype) and p.dtype == dtypes.float32):
            raise DTypeError(name, f"a {label} of {p.dtype} for an input of {x.dtype}", "the dtypes differ",
                             f"convert one with .to(dtype): the {label} must be of the input's dtype, or of float32 for a half")
    if weight is not None and bias is not None and weight.dtype != bias.dtype:
        raise DTypeError(name, f"a weight of {weight.dtype} and a bias of {bias.dtype}", "the dtypes differ")
    if bias is not None and weight is None:
        weight = wrap(namespaces[type(bias.array)].ones_like(bias.array))
    return 1.0 if weight is None else weight, 0.0 if bias is None else bias


def _rows_of(name: str, x: Any, normalized_shape: Any) -> tuple[tuple[int, ...], View]:
    """The shape that is normalised, and x as (rows, 1, its numbers, 1)."""
    if isinstance(normalized_shape, int) or not isinstance(normalized_shape, Sequence):
        raise ArgumentError(name, f"normalized_shape={normalized_shape!r}", "it must be a tuple: the last sizes of the input",
                            f"write ({normalized_shape},)")
    shape = tuple(normalized_shape)
    only_floats(x, name)
    if not shape:
        raise ShapeError(name, f"normalized_shape={shape}", "it must have one size at least")
    if x.shape[-len(shape):] != shape:
        raise ShapeError(name, f"an input of shape {x.shape} with normalized_shape={shape}",
                         f"the input's last sizes are {x.shape[-len(shape):]}, and must be {shape}")
    return shape, (math.prod(x.shape[:-len(shape)]), 1, math.prod(shape), 1)


# --------------------------------------------------------------------------------------------------------- public
def layer_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5) -> Tensor:
    """Each sample's last axes, of sizes `normalized_shape`, with mean 0 and variance 1 (over their number, plus eps); times
    weight, plus bias, which have that shape (Ba, Kiros and Hinton, 2016, arXiv:1607.06450).

    Raises:
        ShapeError: the input does not end in normalized_shape, or weight or bias have another shape.
        DTypeError: dtypes differ. (Beside a half, weight and bias may be float32.)

    >>> ta.nn.functional.layer_norm(ta.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    shape, view = _rows_of("layer_norm", input, normalized_shape)
    weight, bias = affine("layer_norm", input, weight, bias, shape, "normalized_shape")
    return _layer_norm.call(input, weight, bias, view=view, eps=eps)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The last axes over the root of their mean square (plus eps: that of the dtype, unless given), times weight
    (Zhang and Sennrich, 2019, arXiv:1910.07467). Errors as for layer_norm.

    >>> ta.nn.functional.rms_norm(ta.tensor([3.0, 4.0, 0.0, 0.0]), (4,))
    tensor([1.2000, 1.6000, 0.0000, 0.0000])
    """
    shape, view = _rows_of("rms_norm", input, normalized_shape)
    if isinstance(weight, Tensor) and weight.dtype != input.dtype:
        wider = dtypes.promote_types(weight.dtype, input.dtype)
        y = rms_norm(cast(input, wider), shape, cast(weight, wider), eps)
        return cast(y, input.dtype)
    if eps is None:
        eps = float(dtypes.finfo(dtypes.float32 if dtypes.is_half(input.dtype) else input.dtype).eps)
    weight, _ = affine("rms_norm", input, weight, None, shape, "normalized_shape")
    return _rms_norm(input, weight, view=view, eps=eps)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5) -> Tensor:
    """Each sample's channels in `num_groups` groups, each group with mean 0 and variance 1; times weight, plus bias, which
    have a number a channel (Wu and He, 2018, arXiv:1803.08494).

    Args:
        input: (N, C, *).

    Raises:
        ShapeError: C is no multiple of num_groups; there are less than two axes, or one value in all.

    >>> ta.nn.functional.group_norm(ta.tensor([[1.0, 3.0, 5.0, 9.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    x = only_floats(input, "group_norm")
    if x.ndim < 2:
        raise ShapeError("group_norm", f"an input of shape {x.shape}", "it must have two axes at least: (N, C, ...)")
    n, channels = x.shape[:2]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError("group_norm", f"{channels} channels (axis 1 of the input {x.shape}) and num_groups={num_groups}",
                         "the channels do not divide into the groups")
    pixels = math.prod(x.shape[2:])
    if n * channels // num_groups * pixels == 1:
        raise ShapeError("group_norm", f"an input of shape {x.shape} and num_groups={num_groups}",
                         "each group is one value, which has no variance", "use fewer groups")
    weight, bias = affine("group_norm", x, weight, bias, (channels,), "a number a channel")
    return _group_norm(x, weight, bias, view=(n, num_groups, channels // num_groups, pixels), eps=eps)


# ------------------------------------------------------------------------------------------- local_response_norm
def _window_sums(F: Any, v: Any, before: int, after: int) -> Any:
    """Sums over axis 1, each of a place, those `before` it and those `after` it."""
    shape = v.shape
    pads = [F.full((shape[0], n, *shape[2:]), 0, v) for n in (before, after)]
    return F.sum(F.windows(F.cat((pads[0], v, pads[1]), 1), 1, before + after + 1, 1), -1)


def _respond(F: Any, x: Any, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    return x * F.pow(k + (alpha / size) * _window_sums(F, x * x, size // 2, (size - 1) // 2), -beta)


def _respond_back(F: Any, g: Any, x: Any, *, size: int, alpha: float, beta: float, k: float) -> Any:
    base = k + (alpha / size) * _window_sums(F, x * x, size // 2, (size - 1) // 2)
    root = F.pow(base, -beta)
    return g * root - (2 * alpha * beta / size) * x * _window_sums(F, g * x * root / base, (size - 1) // 2, size // 2)


_response = reduction("local_response_norm", wide(_respond), wide(_respond_back))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * m)**beta, with m the mean square of the `size` channels around each (those past the ends count as
    0) (Krizhevsky, Sutskever and Hinton, 2012).

    Args:
        input: (N, C, *), with three axes at least.

    >>> ta.nn.functional.local_response_norm(ta.tensor([[[1.0], [2.0]]]), 1, alpha=1.0, beta=0.5, k=0.0)
    tensor([[[1.],
             [1.]]])
    """
    x = only_floats(input, "local_response_norm")
    if x.ndim < 3:
        raise ShapeError("local_response_norm", f"an input of shape {x.shape}", "it must have three axes at least: (N, C, ...)")
    if size < 1:
        raise ArgumentError("local_response_norm", f"size={size}", "it is how many channels count: 1 at least")
    return _response.call(x, size=size, alpha=float(alpha), beta=float(beta), k=float(k)) if x.array.size else x


# ------------------------------------------------------------------------------------------------------ normalize
def _unit(F: Any, x: Any, *, p: float = 2, dim: Any = None, eps: float = 1e-12) -> Any:
    return x / F.maximum(_norm(F, x, p=p, dim=dim, keepdim=True), eps)


def _unit_back(F: Any, g: Any, x: Any, *, p: float, dim: Any, eps: float) -> Any:
    """Where the norm is less than eps, it is a constant."""
    norm = _norm(F, x, p=p, dim=dim, keepdim=True)
    bound = F.maximum(norm, eps)
    pull = F.where(norm >= eps, -F.sum(g * x, dim, True) / (bound * bound), 0.0)
    return g / bound + _norm_rule(F, pull, x, norm, p=p, dim=dim, keepdim=True)


_normalize = reduction("normalize", wide(_unit), wide(_unit_back))


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """input / max(its p-norm over `dim`, eps).

    >>> ta.nn.functional.normalize(ta.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return _normalize.call(only_floats(input, "normalize"), p=p, dim=axes(input, dim, "normalize"), eps=eps)
