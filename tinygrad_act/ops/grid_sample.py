"""Images read at positions that a tensor gives: grid_sample, and affine_grid, which makes such positions (arXiv:1506.02025)."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..rule import beside
from ..tensor import Tensor, wrap
from .arguments import shape as shape_of
from .reduce import wide
from .registry import op

MODES, BORDERS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
LARGE = 1e9                                                  # a coordinate that no rounding brings back


# ------------------------------------------------------------------------------ from a coordinate to elements
class Tap(NamedTuple):
    """Of one axis, for each sample: the element that is read (0 where that is outside), whether it is inside, its weight, and how
    this changes with the coordinate (both 0 outside)."""

    place: Any
    there: Any
    weight: Any
    slope: Any


def _pixel(F: Any, coordinate: Any, n: int, corners: bool, images: bool) -> Any:
    """Where a coordinate lies among n elements, rounded as PyTorch rounds: a transform that changes nothing reads at the elements
    themselves, and there rounding decides to which side the gradient looks.

    Of images PyTorch multiplies and subtracts with one rounding, of volumes with two.
    """
    c = coordinate + 1
    if corners:
        return c / 2 * (n - 1)
    if not images:
        return (c * n - 1) / 2
    if c.dtype != dtypes.float64:
        return F.cast(F.cast(c, dtypes.float64) * (n / 2) - 0.5, c.dtype)
    high = F.cast(F.cast(c, dtypes.float32), c.dtype)        # short enough for exact products, as is the rest
    return F.where(F.abs(c) < LARGE, high * (n / 2) - 0.5 + (c - high) * (n / 2), c * (n / 2) - 0.5)


def _inside(F: Any, p: Any, n: int, border: str, corners: bool) -> tuple[Any, Any]:
    """A position as the border says, reflected or moved to the edge, and how it moves with the one given."""
    slope: Any = 1.0
    if border == "zeros":
        return p, slope
    if border == "reflection":
        low, span = (0.0, float(n - 1)) if corners else (-0.5, float(n))
        away = F.abs(p - low)
        forth = away - F.floor(away / (2 * span)) * (2 * span) if span else away * 0.0
        back = 2 * span - forth
        slope = (1 - 2 * F.cast(forth > back, p.dtype)) * (1 - 2 * F.cast(p < low, p.dtype))
        p = F.minimum(forth, back) + low
    within = F.logical_and(p > 0, p < n - 1)                 # at the edge itself the gradient is 0, as in PyTorch
    return F.where(within, p, (n - 1) * F.cast(p > 0, p.dtype)), F.cast(within, p.dtype) * slope


def _taps(F: Any, coordinate: Any, n: int, images: bool, mode: str, border: str, corners: bool) -> list[Tap]:
    scale = (n - 1) / 2 if corners else n / 2                # elements for a coordinate of 1
    p = _pixel(F, coordinate, n, corners, images)

    def tap(place: Any, weight: Any, slope: Any) -> Tap:
        there = F.logical_and(place >= 0, place < n)
        inside = F.cast(there, p.dtype)
        return Tap(F.cast(F.where(there, place, 0.0), dtypes.int64), there,
                   inside if weight is None else F.where(there, weight, 0.0), inside * slope)

    if mode == "bicubic":
        low = F.floor(p)
        at = [(low + k, *_keys(p - low, k)) for k in (-1, 0, 1, 2)]
        return [tap(_inside(F, place, n, border, corners)[0], weight, slope * scale) for place, weight, slope in at]
    p, slope = _inside(F, p, n, border, corners)
    if mode == "nearest":
        return [tap(F.round(p), None, 0.0)]
    low = F.floor(p)
    share = p - low
    return [tap(low, 1 - share, -scale * slope), tap(low + 1, share, scale * slope)]


def _keys(t: Any, k: int) -> tuple[Any, Any]:
    """The cubic convolution kernel at tap k for a position t past tap 0, and its slope in t (a = -3/4, as in PyTorch)."""
    a, sign = -0.75, 1 if k <= 0 else -1
    d = (t - k) * sign
    if k in (0, 1):
        return ((a + 2) * d - (a + 3)) * d * d + 1, (3 * (a + 2) * d - 2 * (a + 3)) * d * sign
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a, ((3 * a * d - 10 * a) * d + 8 * a) * sign


def _corners(F: Any, grid: Any, x_shape: tuple[int, ...], *settings: Any) -> Iterator[tuple[Any, Any, tuple[Tap, ...]]]:
    """Of each element that is read: its index in the flattened image, the same for all channels, and whether it is in the image;
    the taps that meet there.
    """
    n, count, sizes = grid.shape[0], math.prod(grid.shape[1:-1]), x_shape[2:]
    last = len(sizes) - 1                                    # the grid's last axis is (x, y, z), x along the image's last
    along = [_taps(F, F.reshape(F.getitem(grid, (..., last - k)), (n, count)), size, last == 1, *settings) for k, size in enumerate(sizes)]
    for taps in itertools.product(*along):
        index, there = taps[0].place, taps[0].there
        for tap, size in zip(taps[1:], sizes[1:], strict=True):
            index, there = index * size + tap.place, F.logical_and(there, tap.there)
        yield F.expand(F.reshape(index, (n, 1, count)), (*x_shape[:2], count)), F.reshape(there, (n, 1, count)), taps


def _product(F: Any, factors: Sequence[Any]) -> Any:
    """The product of an element's factors along the axes, (N, P) each, as (N, 1, P)."""
    w = functools.reduce(operator.mul, factors)
    return F.reshape(w, (w.shape[0], 1, w.shape[1]))


def _lines(F: Any, x: Any, axes: int) -> Any:
    """(N, C, *) with the last axes as one."""
    return F.reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))


# -------------------------------------------------------------------------------------------------- the node
@beside("grid_sample")
@wide
def _forward(F: Any, x: Any, grid: Any, *, mode: str = "bilinear", border: str = "zeros", corners: bool = False) -> Any:
    lines, total = _lines(F, x, grid.shape[-1]), None
    for index, there, taps in _corners(F, grid, x.shape, mode, border, corners):
        part = F.where(there, F.gather(lines, 2, index), 0.0) * _product(F, [tap.weight for tap in taps])
        total = part if total is None else total + part
    return F.reshape(total, (*x.shape[:2], *grid.shape[1:-1]))


@beside("grid_sample_input")
@wide
def _for_x(F: Any, g: Any, x_shape: tuple[int, ...], grid: Any, *, mode: str, border: str, corners: bool) -> Any:
    g = _lines(F, g, grid.shape[-1])
    total = F.full((*x_shape[:2], math.prod(x_shape[2:])), 0, g)
    for index, there, taps in _corners(F, grid, x_shape, mode, border, corners):
        total = F.scatter_add(total, 2, index, F.where(there, g * _product(F, [tap.weight for tap in taps]), 0.0))
    return F.reshape(total, x_shape)


@beside("grid_sample_grid")
@wide
def _for_grid(F: Any, g: Any, x: Any, grid: Any, *, mode: str, border: str, corners: bool) -> Any:
    if mode == "nearest":
        return F.full(grid.shape, 0, grid)
    g, lines, axes = _lines(F, g, grid.shape[-1]), _lines(F, x, grid.shape[-1]), grid.shape[-1]
    parts: list[Any] = [0.0] * axes
    for index, there, taps in _corners(F, grid, x.shape, mode, border, corners):
        along = F.sum(g * F.where(there, F.gather(lines, 2, index), 0.0), 1, True)
        for k in range(axes):
            parts[k] = parts[k] + along * _product(F, [tap.slope if i == k else tap.weight for i, tap in enumerate(taps)])
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
    F, array = namespaces[type(theta.array)], theta.array
    lines = [F.reshape(_line(F, array, n, bool(align_corners)), (n, *(1,) * (axes - 1 - k))) for k, n in enumerate(sizes[2:])]
    columns = [F.expand(line, sizes[2:]) for line in (*reversed(lines), F.full((), 1, array))]
    base = wrap(F.reshape(F.stack(columns, -1), (math.prod(sizes[2:]), axes + 1)))
    grid = recording.matmul(base, recording.permute(theta, (0, 2, 1)))
    return recording.reshape(grid, (sizes[0], *sizes[2:], axes))  # type: ignore[no-any-return]


def _line(F: Any, like: Any, n: int, corners: bool) -> Any:
    """The coordinates of n elements along an axis, to the last bit as PyTorch computes them on the CPU (`_pixel` says why): as many
    steps from the nearer end as it takes, by one multiplication and a subtraction that are rounded together.
    """
    if n == 1:
        return F.full((1,), 0, like)
    single = like.dtype != dtypes.float64
    high = _short(2 / (n - 1))
    rest = 0.0 if single else 2 / (n - 1) - high             # times whole numbers both are exact
    i = F.cast(F.arange(n, like), dtypes.float64)
    steps = F.minimum(i, n - 1 - i)
    line = F.cast(1 - steps * high - steps * rest, dtypes.float32 if single else dtypes.float64)
    line = F.where(i < n // 2, -line, line)
    return F.cast(line if corners else line * (n - 1) / n, like.dtype)


def _short(x: float) -> float:
    """A number rounded to the 24 bits of a float32."""
    fraction, exponent = math.frexp(x)
    return math.ldexp(round(math.ldexp(fraction, 24)), exponent - 24)
