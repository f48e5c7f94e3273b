"""Images read at positions that a tensor gives: grid_sample, and affine_grid, which makes such positions (arXiv:1506.02025)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .. import dtypes
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from .arguments import shape as shape_of
from .registry import op

MODES, BORDERS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


# ------------------------------------------------------------------------------ from a coordinate to elements
class Taps(NamedTuple):
    """Of one axis: which elements are read, with what weights; how the weights change with the coordinate."""

    places: list[Any]
    weights: list[Any]
    slopes: list[Any]


def _inside(F: Any, p: Any, n: int, border: str, corners: bool) -> tuple[Any, Any]:
    """A position as the border says, reflected or moved to the edge, and how it moves with the one given."""
    slope: Any = 1.0
    if border == "zeros":
        return p, slope
    if border == "reflection":
        low, span = (0.0, float(n - 1)) if corners else (-0.5, float(n))
        if not span:
            return p * 0.0, 0.0
        turns = F.floor(F.abs(p - low) / span)
        odd = F.remainder(turns, 2.0)                        # 1 where it comes back
        rest = F.abs(p - low) - turns * span
        slope = (1 - 2 * odd) * (1 - 2 * F.cast(p < low, p.dtype))
        p = rest + odd * (span - 2 * rest) + low
    within = F.logical_and(p > 0, p < n - 1)                 # at the edge itself the gradient is 0, as in PyTorch
    return F.where(within, p, (n - 1) * F.cast(p > 0, p.dtype)), F.cast(within, p.dtype) * slope


def _taps(F: Any, coordinate: Any, n: int, mode: str, border: str, corners: bool) -> Taps:
    scale = (n - 1) / 2 if corners else n / 2                # elements for a coordinate of 1
    p = coordinate * scale + (n - 1) / 2
    if mode == "bicubic":
        low = F.floor(p)
        weights, slopes = zip(*[_keys(p - low, k) for k in (-1, 0, 1, 2)], strict=True)
        return Taps([_inside(F, low + k, n, border, corners)[0] for k in (-1, 0, 1, 2)], list(weights), [s * scale for s in slopes])
    p, slope = _inside(F, p, n, border, corners)
    if mode == "nearest":
        return Taps([F.round(p)], [1.0], [0.0])
    low = F.floor(p)
    share = p - low
    return Taps([low, low + 1], [1 - share, share], [-scale * slope, scale * slope])


def _keys(t: Any, k: int) -> tuple[Any, Any]:
    """The cubic convolution kernel at tap k for a position t past tap 0, and its slope in t (a = -3/4, as in PyTorch)."""
    a, sign = -0.75, 1 if k <= 0 else -1
    d = (t - k) * sign
    if k in (0, 1):
        return ((a + 2) * d - (a + 3)) * d * d + 1, (3 * (a + 2) * d - 2 * (a + 3)) * d * sign
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a, ((3 * a * d - 10 * a) * d + 8 * a) * sign


def _corners(F: Any, grid: Any, sizes: tuple[int, ...], settings: Any) -> Iterator[tuple[Any, Any, list[Any], list[Any]]]:
    """Of each element that is read: its index (N, 1, P) in the flattened image, whether it is in the image, and of each axis
    its weight and slope, (N, P)."""
    n, count = grid.shape[0], math.prod(grid.shape[1:-1])
    last = len(sizes) - 1                                    # the grid's last axis is (x, y, z), x along the image's last
    taps = [_taps(F, F.reshape(F.getitem(grid, (..., last - k)), (n, count)), size, *settings) for k, size in enumerate(sizes)]
    for chosen in itertools.product(*[range(len(t.places)) for t in taps]):
        places = [t.places[i] for t, i in zip(taps, chosen, strict=True)]
        there, index = None, 0.0
        for p, size in zip(places, sizes, strict=True):
            within = F.logical_and(p >= 0, p < size)
            there = within if there is None else F.logical_and(there, within)
            index = index * size + p
        index = F.reshape(F.cast(F.where(there, index, 0.0), dtypes.int64), (n, 1, count))
        yield (index, there, [t.weights[i] for t, i in zip(taps, chosen, strict=True)],
               [t.slopes[i] for t, i in zip(taps, chosen, strict=True)])


def _spread(F: Any, there: Any, factors: list[Any], like: Any) -> Any:
    """The product of the factors where the element is in the image, as (N, 1, P)."""
    w = F.cast(there, like.dtype)
    for f in factors:
        w = w * f
    return F.reshape(F.where(there, w, 0.0), (w.shape[0], 1, w.shape[1]))


def _lines(F: Any, x: Any, axes: int) -> Any:
    """(N, C, *) with the last axes as one."""
    return F.reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))


# -------------------------------------------------------------------------------------------------- the node
def _forward(F: Any, x: Any, grid: Any, *, mode: str = "bilinear", border: str = "zeros", corners: bool = False) -> Any:
    lines, total = _lines(F, x, grid.shape[-1]), None
    for index, there, weights, _ in _corners(F, grid, x.shape[2:], (mode, border, corners)):
        part = F.gather(lines, 2, F.expand(index, (*x.shape[:2], index.shape[2]))) * _spread(F, there, weights, x)
        total = part if total is None else total + part
    return F.reshape(total, (*x.shape[:2], *grid.shape[1:-1]))


def _for_x(F: Any, g: Any, x_shape: tuple[int, ...], grid: Any, *, mode: str, border: str, corners: bool) -> Any:
    g = _lines(F, g, grid.shape[-1])
    total = F.full((*x_shape[:2], math.prod(x_shape[2:])), 0, g)
    for index, there, weights, _ in _corners(F, grid, x_shape[2:], (mode, border, corners)):
        total = F.scatter_add(total, 2, F.expand(index, g.shape), g * _spread(F, there, weights, g))
    return F.reshape(total, x_shape)


def _for_grid(F: Any, g: Any, x: Any, grid: Any, *, mode: str, border: str, corners: bool) -> Any:
    if mode == "nearest":
        return F.full(grid.shape, 0, grid)
    g, lines, axes = _lines(F, g, grid.shape[-1]), _lines(F, x, grid.shape[-1]), grid.shape[-1]
    parts: list[Any] = [0.0] * axes
    for index, there, weights, slopes in _corners(F, grid, x.shape[2:], (mode, border, corners)):
        along = F.sum(g * F.gather(lines, 2, F.expand(index, g.shape)), 1, True)
        for k in range(axes):
            parts[k] = parts[k] + along * _spread(F, there, [*weights[:k], slopes[k], *weights[k + 1:]], g)
    return F.stack([F.reshape(part, grid.shape[:-1]) for part in reversed(parts)], -1)


grid_sample_op = op("grid_sample", _forward, _for_x, _for_grid, same_dtype=True)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:
    """The input read at the positions of `grid`; one node, with gradients for both.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, H', W', 2) or (N, D', H', W', 3): where each result is read, as (x, y) or (x, y, z) from -1 to 1,
            x along the input's last axis.
        mode: "bilinear" (for volumes trilinear), "nearest", or "bicubic" (images only).
        padding_mode: what is read outside: 0, the edge ("border"), or the image reflected ("reflection").
        align_corners: -1 and 1 are the centres of the outermost elements; else (the default) their outer edges.

    Returns: (N, C, H', W') or (N, C, D', H', W').

    >>> x, grid = ta.tensor([[[[1.0, 3.0]]]]), ta.tensor([[[[0.0, 0.0], [1.0, 0.0]]]])
    >>> ta.nn.functional.grid_sample(x, grid, align_corners=True)
    tensor([[[[2., 3.]]]])
    """
    name = "grid_sample"
    for what, t in (("input", input), ("grid", grid)):
        if not isinstance(t, Tensor):
            raise ArgumentError(name, f"{what}: {type(t).__name__}", f"the {what} must be a Tensor", "make one with ta.tensor(...)")
        if not dtypes.is_floating(t.dtype):
            raise DTypeError(name, f"{what} of {t.dtype}", "it must be of a floating dtype", "convert it with .float()")
    if mode not in MODES or padding_mode not in BORDERS:
        raise ArgumentError(name, f"mode={mode!r}, padding_mode={padding_mode!r}", f"choose from {MODES} and {BORDERS}")
    if input.ndim not in (4, 5) or grid.ndim != input.ndim or grid.shape[-1] != input.ndim - 2 or grid.shape[0] != input.shape[0]:
        raise ShapeError(name, f"an input of shape {input.shape} and a grid of shape {grid.shape}",
                         "they must be (N, C, H, W) and (N, H', W', 2), or (N, C, D, H, W) and (N, D', H', W', 3)")
    if 0 in input.shape[2:]:
        raise ShapeError(name, f"an input of shape {input.shape}", "there is nothing to read")
    if mode == "bicubic" and input.ndim == 5:
        raise ShapeError(name, f"mode='bicubic' for an input of shape {input.shape}", "it is for images (N, C, H, W)", 'use "bilinear"')
    return grid_sample_op.call(input, grid, mode=mode, border=padding_mode, corners=bool(align_corners))


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid for grid_sample that turns, scales and moves an image: theta @ (x, y, 1) for each element of the result.

    Args:
        theta: (N, 2, 3) for images, (N, 3, 4) for volumes.
        size: the shape of the result of grid_sample, (N, C, H, W) or (N, C, D, H, W).

    >>> ta.nn.functional.affine_grid(ta.tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    name, sizes = "affine_grid", shape_of((size,), "affine_grid")
    axes = len(sizes) - 2
    if not isinstance(theta, Tensor) or not dtypes.is_floating(theta.dtype):
        raise DTypeError(name, f"theta: {getattr(theta, 'dtype', type(theta).__name__)}", "it must be a Tensor of a floating dtype")
    if axes not in (2, 3) or theta.shape != (sizes[0], axes, axes + 1) or min(sizes) < 1:
        raise ShapeError(name, f"theta of shape {theta.shape} for a result of shape {sizes}",
                         "they must be (N, 2, 3) and (N, C, H, W), or (N, 3, 4) and (N, C, D, H, W), of sizes above 0")
    lines = [_line(theta, n, bool(align_corners), axes - 1 - k) for k, n in enumerate(sizes[2:])]
    ones = recording.full(sizes[2:], 1, theta)
    base = recording.stack([*[line * ones for line in reversed(lines)], ones], -1)
    flat = recording.reshape(base, (math.prod(sizes[2:]), axes + 1))
    grid = recording.matmul(flat, recording.permute(theta, (0, 2, 1)))
    return recording.reshape(grid, (sizes[0], *sizes[2:], axes))  # type: ignore[no-any-return]


def _line(like: Tensor, n: int, corners: bool, after: int) -> Any:
    """The coordinates of n elements along an axis that has `after` more behind it."""
    step = 0.0 if n == 1 else 2 / (n - 1) if corners else 2 / n
    line = recording.cast(recording.arange(n, like), like.dtype)
    return recording.reshape((line - (n - 1) / 2) * step, (n, *(1,) * after))
