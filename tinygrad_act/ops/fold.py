"""Images cut into patches and put together again; blocks of pixels traded for channels."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..numerics.windows import Windows, output_size
from ..tensor import Tensor
from .arguments import Ints, whole
from .pool import several, spatial
from .registry import op

patches_op = op("patches", lambda F, x, *, windows: F.patches(x, windows), lambda F, g, *, windows: F.unpatch(g, windows))
unpatch_op = op("unpatch", lambda F, g, *, windows: F.unpatch(g, windows), lambda F, h, *, windows: F.patches(h, windows))


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(dims)), key=dims.__getitem__))


# Split into axes of the sizes `inner`, put in the order `dims`, and merged into `shape`.
shuffle_op = op("shuffle", lambda F, x, *, inner, dims, shape: F.reshape(F.permute(F.reshape(x, inner), dims), shape),
                lambda F, g, x_shape, *, inner, dims:
                F.reshape(F.permute(F.reshape(g, tuple([inner[d] for d in dims])), _inverse(dims)), x_shape))


# --------------------------------------------------------------------------------------------------- patches
def _grid(name: str, sizes: tuple[int, ...], kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Windows, ...]:
    """The windows over an image of these sizes."""
    kernel, step = several(kernel_size, 2, name, "kernel_size"), several(stride, 2, name, "stride")
    pad, dil = several(padding, 2, name, "padding"), several(dilation, 2, name, "dilation")
    for what, values, least in (("kernel_size", kernel, 1), ("stride", step, 1), ("padding", pad, 0), ("dilation", dil, 1)):
        if min(values) < least:
            raise ArgumentError(name, f"{what}={values}", f"it must be at least {least}")
    found = tuple([Windows(n, output_size(n, k, s, p, d, False), k, s, p, d)
                   for n, k, s, p, d in zip(sizes, kernel, step, pad, dil, strict=True)])
    if min(w.out for w in found) < 1:
        raise ShapeError(name, f"an image of {sizes}, padded by {pad}, with patches of {kernel} (dilation {dil})", "no patch fits",
                         f"here kernel_size can be at most {tuple([(n + 2 * p - 1) // d + 1 for n, p, d in zip(sizes, pad, dil, strict=True)])}")
    return found


def unfold(input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Tensor:
    """The patches of an image, as columns (also called im2col); one node, which keeps nothing.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size, dilation, padding, stride: as for max_pool2d; the padding is 0, and may be of any size.

    Returns: (N, C * kernel height * kernel width, number of patches), without N if the input is.

    >>> ta.nn.functional.unfold(ta.arange(6.0).reshape(1, 2, 3), (2, 2))
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    sizes = spatial("unfold", input, 2)
    windows = _grid("unfold", sizes, kernel_size, dilation, padding, stride)
    return patches_op.call(input, windows=windows)


def fold(input: Tensor, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Tensor:
    """The image of size `output_size` in which each pixel is the sum of its places in the columns: unfold's adjoint.

    Args:
        input: (N, C * kernel height * kernel width, number of patches), or without N.
        kernel_size, dilation, padding, stride: those of the unfold.

    Returns: (N, C, *output_size).

    >>> ta.nn.functional.fold(ta.ones(4, 2), (2, 3), (2, 2))
    tensor([[[1., 2., 1.],
             [1., 2., 1.]]])
    """
    if not isinstance(input, Tensor):
        raise ArgumentError("fold", type(input).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    sizes = several(output_size, 2, "fold", "output_size")
    windows = _grid("fold", sizes, kernel_size, dilation, padding, stride)
    elements, count = math.prod(w.kernel for w in windows), math.prod(w.out for w in windows)
    if input.ndim not in (2, 3) or input.shape[-2] % elements or input.shape[-1] != count or not input.shape[-2]:
        raise ShapeError("fold", f"columns of shape {input.shape} for an image of {sizes} and patches of {tuple([w.kernel for w in windows])}",
                         f"they must be (N, a multiple of {elements}, {count}), or that without N",
                         f"{count} is the number of patches, {windows[0].out} * {windows[1].out}")
    return unpatch_op.call(input, windows=windows)


# --------------------------------------------------------------------------------------------------- shuffles
def _planes(name: str, x: Any, factor: Any, what: str) -> int:
    if not isinstance(x, Tensor) or x.ndim < 3:
        raise ShapeError(name, f"an input of shape {x.shape}" if isinstance(x, Tensor) else type(x).__name__,
                         "it must be (*, C, H, W)", "add axes with unsqueeze")
    count = whole(factor, name, what)
    if count < 1:
        raise ArgumentError(name, f"{what}={count}", "it must be at least 1")
    return count


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r², H, W) to (*, C, H r, W r), r = upscale_factor: channels become pixels (arXiv:1609.05158).

    >>> ta.nn.functional.pixel_shuffle(ta.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = _planes("pixel_shuffle", input, upscale_factor, "upscale_factor")
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise ShapeError("pixel_shuffle", f"an input of shape {input.shape} and upscale_factor={r}",
                         f"{c} channels are not a multiple of {r * r}")
    n = len(lead)
    return shuffle_op.call(input, inner=(*lead, c // (r * r), r, r, h, w), dims=(*range(n), n, n + 3, n + 1, n + 4, n + 2),
                           shape=(*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r², H, W), r = downscale_factor: pixels become channels; pixel_shuffle's inverse.

    >>> ta.nn.functional.pixel_unshuffle(ta.arange(4.0).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    r = _planes("pixel_unshuffle", input, downscale_factor, "downscale_factor")
    *lead, c, h, w = input.shape
    if h % r or w % r:
        raise ShapeError("pixel_unshuffle", f"an input of shape {input.shape} and downscale_factor={r}",
                         f"the sizes {h} and {w} must be multiples of {r}", "pad or crop the input with nn.functional.pad")
    n = len(lead)
    return shuffle_op.call(input, inner=(*lead, c, h // r, r, w // r, r), dims=(*range(n), n, n + 2, n + 4, n + 1, n + 3),
                           shape=(*lead, c * r * r, h // r, w // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of (N, C, *) dealt out: one of each of `groups` equal groups in turn (arXiv:1707.01083).

    >>> ta.nn.functional.channel_shuffle(ta.arange(4).reshape(1, 4, 1), 2).reshape(4)
    tensor([0, 2, 1, 3])
    """
    groups = _planes("channel_shuffle", input, groups, "groups")
    n, c, *rest = input.shape
    if c % groups:
        raise ShapeError("channel_shuffle", f"an input of shape {input.shape} and groups={groups}", f"{c} channels are not a multiple of {groups}")
    return shuffle_op.call(input, inner=(n, groups, c // groups, *rest), dims=(0, 2, 1, *range(3, 3 + len(rest))), shape=input.shape)
