"""Interpolation: images, lines and volumes enlarged or reduced, one node each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..numerics.resampling import interpolation
from ..tensor import Tensor
from .adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .arguments import Ints, whole
from .pool import only_floats
from .registry import op

resample_op = op("resample", lambda F, x, *, maps: F.resample(x, maps), lambda F, g, *, maps: F.unresample(g, maps))
op("unresample", lambda F, g, *, maps: F.unresample(g, maps), lambda F, h, *, maps: F.resample(h, maps))

# mode -> (how an axis is mapped, how many axes it is for: 0 for any)
MODES = {"nearest": ("nearest", 0), "nearest-exact": ("nearest-exact", 0), "linear": ("linear", 1), "bilinear": ("linear", 2),
         "trilinear": ("linear", 3), "bicubic": ("cubic", 2), "area": ("area", 0)}
AREA = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
Factor = float | Sequence[float]


def interpolate(input: Tensor, size: Ints | None = None, scale_factor: Factor | None = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False) -> Tensor:
    """(N, C, L), (N, C, H, W) or (N, C, D, H, W) enlarged or reduced along the axes after C; one node, which keeps nothing.

    Args:
        size: the sizes that come out, or one for all axes; or else
        scale_factor: how many times as large, for all axes or each; what comes out is rounded down.
        mode: "nearest", "nearest-exact" (the nearest to an element's centre), "linear" (3-d input), "bilinear" and
            "bicubic" (4-d), "trilinear" (5-d), or "area" (averages: adaptive_avg_pool).
        align_corners: the outermost elements stay in their places; else (the default) the outermost edges do.
        recompute_scale_factor: take the ratio of the sizes as scale in place of the scale_factor given.
        antialias: for "bilinear" and "bicubic", average over all elements that an output stands for when reducing.

    Raises:
        ShapeError: the axes are not those of the mode, or nothing would be left.

    >>> ta.nn.functional.interpolate(ta.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    name = "interpolate"
    kind = _check(name, input, mode, align_corners, antialias)
    here = input.shape[2:]
    sizes, factors = _sizes(name, here, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ArgumentError(name, "recompute_scale_factor=True and size", "there is no scale_factor to compute again", "leave one out")
    if mode == "area":
        return AREA[len(here) - 1](input, sizes)
    if min((*sizes, *here)) < 1:
        raise ShapeError(name, f"{input.shape} to {sizes}", "every size must be at least 1")
    given = (None,) * len(here) if factors is None or recompute_scale_factor else factors
    maps = tuple([interpolation(kind, n, out, None if out in _exact(kind, n, len(here)) else f, bool(align_corners), antialias)
                  for n, out, f in zip(here, sizes, given, strict=True)])
    return resample_op.call(input, maps=maps)


def _exact(kind: str, n: int, axes: int) -> tuple[int, ...]:
    """The sizes for which PyTorch takes the ratio of the sizes, whatever scale_factor says."""
    return (n,) if kind == "linear" else (n, 2 * n) if kind == "nearest" and axes == 2 else ()


def _check(name: str, x: Any, mode: str, align_corners: bool | None, antialias: bool) -> str:
    """How an axis is mapped, if this mode is for this input."""
    if not isinstance(x, Tensor):
        raise ArgumentError(name, type(x).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    if mode not in MODES:
        raise ArgumentError(name, f"mode={mode!r}", f"choose from {tuple(MODES)}")
    kind, axes = MODES[mode]
    if not 3 <= x.ndim <= 5 or axes not in (0, x.ndim - 2):
        fits = [m for m, (_, n) in MODES.items() if n in (0, x.ndim - 2)]
        raise ShapeError(name, f"mode={mode!r} for an input of shape {x.shape}",
                         f"it is for inputs of {axes + 2} axes, (N, C, ...)" if axes else "inputs have 3 to 5 axes, (N, C, ...)",
                         f"for this input choose from {fits}" if 3 <= x.ndim <= 5 else "add axes with unsqueeze")
    if align_corners is not None and kind not in ("linear", "cubic"):
        raise ArgumentError(name, f"align_corners={align_corners} with mode={mode!r}", "only the linear and cubic modes have it",
                            "leave it out")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(name, f"antialias=True with mode={mode!r}", 'it is for "bilinear" and "bicubic"', "leave it out")
    if not kind.startswith("nearest"):
        only_floats(name, x)
    return kind


def _sizes(name: str, here: tuple[int, ...], size: Any, scale_factor: Any) -> tuple[tuple[int, ...], Any]:
    """The sizes that come out, and the factors if these were given."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError(name, f"size={size}, scale_factor={scale_factor}", "exactly one of them says how large the result is")
    given: Any = scale_factor if size is None else size
    each = tuple(given) if isinstance(given, (tuple, list)) else (given,) * len(here)
    if len(each) != len(here):
        raise ArgumentError(name, f"{'scale_factor' if size is None else 'size'}={given} for axes of sizes {here}", "there is one for each axis after C")
    if size is not None:
        return tuple([whole(n, name, "size") for n in each]), None
    if any(not isinstance(f, (int, float)) or not 0 < f < math.inf for f in each):
        raise ArgumentError(name, f"scale_factor={scale_factor}", "a factor is a number above 0")
    return tuple([int(n * f) for n, f in zip(here, each, strict=True)]), tuple([float(f) for f in each])


def upsample(input: Tensor, size: Ints | None = None, scale_factor: Factor | None = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:
    """`interpolate`, under its earlier name.

    >>> ta.nn.functional.upsample(ta.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Ints | None = None, scale_factor: Factor | None = None) -> Tensor:
    """`interpolate` by the nearest element.

    >>> ta.nn.functional.upsample_nearest(ta.tensor([[[1.0, 3.0]]]), size=4)
    tensor([[[1., 1., 3., 3.]]])
    """
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Ints | None = None, scale_factor: Factor | None = None) -> Tensor:
    """`interpolate` bilinearly with align_corners=True.

    >>> ta.nn.functional.upsample_bilinear(ta.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", True)
