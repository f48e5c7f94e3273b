"""Convolutions that are something simpler. The functions in numerics/convolve.py stay the definition; the tests run both.

Where the windows lie side by side and cover the images, or are the whole of them, it is one product of two matrices: a row of the one is
what a window sees (the patches of a vision transformer, a last layer that looks at all), of the other what a result is made of. And
where the kernel is as wide as the image, a word's vector for example, the numbers side by side are channels of a convolution over the
other axis.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from ..dtypes import float32, is_half
from .namespace import Namespace

Shape = tuple[int, ...]
RUN = 4                                  # numbers side by side in memory from which on it pays to copy windows


class Abutting(Namespace):
    """The three maps of such convolutions; of halves, all are those of float32, rounded once."""

    def convolution(self, x: Any, w: Any, bias: Any = None, *, size: Any, **settings: Any) -> Any:
        if is_half(x.dtype):
            return self.convolution(*_wide(x, w, bias), size=size, **settings).astype(x.dtype)
        if _as_wide(x.shape[2:], w.shape[2:], **settings):
            return self.convolution(_narrow(x), _narrow(w), bias, size=size[:1], **_first(settings))[..., None]
        if not _abut(x.shape[2:], w.shape[2:], tuple(size), **settings):
            return super().convolution(x, w, bias, size=size, **settings)
        y = self.matmul(_windows(x, w.shape[2:], size), w.reshape(len(w), -1).T)
        if bias is not None:
            y += bias
        y = np.ascontiguousarray(y.reshape(len(x), math.prod(size), len(w)).transpose(0, 2, 1))
        return y.reshape(len(x), len(w), *size)

    def convolution_input(self, g: Any, w: Any, bias: Any = None, *, size: Any, **settings: Any) -> Any:
        if is_half(g.dtype):
            return self.convolution_input(*_wide(g, w, bias), size=size, **settings).astype(g.dtype)
        if bias is None and _as_wide(tuple(size), w.shape[2:], **settings):
            return _broad(self.convolution_input(g[..., 0], _narrow(w), size=size[:1], **_first(settings)), size)
        if not _abut(tuple(size), w.shape[2:], g.shape[2:], **settings):
            return super().convolution_input(g, w, bias, size=size, **settings)
        y = self.matmul(_results(g), w.reshape(len(w), -1)).reshape(len(g), *g.shape[2:], *w.shape[1:])
        n = len(size)
        y = y.transpose(0, n + 1, *itertools.chain.from_iterable((1 + i, n + 2 + i) for i in range(n)))
        y = y.reshape(len(g), w.shape[1], *size)
        if bias is not None:
            y += bias.reshape(-1, *(1,) * n)
        return y

    def convolution_weight(self, g: Any, x: Any, *, size: Any, **settings: Any) -> Any:
        if is_half(g.dtype):
            return self.convolution_weight(*_wide(g, x), size=size, **settings).astype(g.dtype)
        if _as_wide(x.shape[2:], tuple(size), **settings):
            return _broad(self.convolution_weight(g[..., 0], _narrow(x), size=size[:1], **_first(settings)), size)
        if not _abut(x.shape[2:], tuple(size), g.shape[2:], **settings):
            return super().convolution_weight(g, x, size=size, **settings)
        return self.matmul(_results(g).T, _windows(x, size, g.shape[2:])).reshape(g.shape[1], x.shape[1], *size)


@functools.lru_cache(maxsize=1024)
def _abut(image: Shape, kernel: Shape, size: Shape, *, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> bool:
    """Is each element of the images in exactly one window, and are the windows worth copying?"""
    if groups > 1 or any(padding) or 0 in kernel or image != tuple([k * n for k, n in zip(kernel, size, strict=True)]):
        return False
    axes = zip(kernel, size, stride, dilation, strict=True)
    return all((s == k or n == 1) and (d == 1 or k == 1) for k, n, s, d in axes) and (math.prod(size) == 1 or kernel[-1] >= RUN)


def _as_wide(image: Shape, kernel: Shape, *, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> bool:
    """Is the kernel as wide as the image, which is higher than one window?"""
    return len(image) == 2 and groups == dilation[1] == 1 and padding[1] == 0 and kernel[1] == image[1] > 1 and (kernel[0] < image[0] or padding[0] > 0)


def _first(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:1] if isinstance(value, tuple) else value for name, value in settings.items()}


def _narrow(x: Any) -> Any:
    """Images, or a kernel, whose columns are channels: (count, channels * width, height)."""
    return x.transpose(0, 1, 3, 2).reshape(len(x), x.shape[1] * x.shape[3], x.shape[2])


def _broad(x: Any, size: Shape) -> Any:
    """And back."""
    x = x.reshape(len(x), x.shape[1] // size[1], size[1], size[0])
    return x.transpose(0, 1, 3, 2).copy()


def _windows(x: Any, kernel: Shape, size: Shape) -> Any:
    """What each window sees: (images and windows, channels and taps)."""
    x = x.reshape(*x.shape[:2], *itertools.chain.from_iterable(zip(size, kernel, strict=True)))
    x = x.transpose(0, *range(2, x.ndim, 2), 1, *range(3, x.ndim, 2))
    return x.reshape(len(x) * math.prod(size), math.prod(x.shape[len(size) + 1:]))


def _results(g: Any) -> Any:
    """A row an image and window: (images and windows, results)."""
    return g.transpose(0, *range(2, g.ndim), 1).reshape(len(g) * math.prod(g.shape[2:]), g.shape[1])


def _wide(*arrays: Any) -> list[Any]:
    """The arrays in float32; None for none."""
    return [a if a is None else a.astype(float32) for a in arrays]
