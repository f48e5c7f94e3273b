"""Convolutions over three axes as such over two (convolve.py), which run in C: the planes of a volume are images.

A plane of the result sees several planes of each channel, one for each of the kernel's own. They are laid side by side, as so
many more channels of one image; of the gradient of that image each returns to its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .convolve import Convolved, Shape, _library

BESIDE = 1 << 24                         # numbers that are laid side by side at a time


class Volumes(Convolved):
    """The three maps, where C has them for the planes."""

    def convolution(self, x: Any, w: Any, bias: Any = None, *, size: Any, groups: int, **settings: Any) -> Any:
        if not _in_c(x, w, bias, w.shape, size, groups):
            return super().convolution(x, w, bias, size=size, groups=groups, **settings)
        y, (depth, rest) = np.empty((len(x), len(w), *size), x.dtype), _split(settings)
        for batch, planes in _parts(x.shape, w.shape[2], size[0]):
            image = _beside(x[batch], w.shape[2], planes, groups, *depth)
            y[batch, :, planes] = _volumes(super().convolution(image, _flat(w), bias, size=size[1:], groups=groups, **rest), planes)
        return y

    def convolution_input(self, g: Any, w: Any, bias: Any = None, *, size: Any, groups: int, **settings: Any) -> Any:
        if not _in_c(g, w, bias, w.shape, size, groups):
            return super().convolution_input(g, w, bias, size=size, groups=groups, **settings)
        y, (depth, rest) = np.zeros((len(g), groups * w.shape[1], *size), g.dtype), _split(settings)
        if bias is not None:
            y += bias.reshape(-1, 1, 1, 1)
        for batch, planes in _parts(y.shape, w.shape[2], g.shape[2]):
            image = super().convolution_input(_images(g[batch, :, planes]), _flat(w), size=size[1:], groups=groups, **rest)
            _back(y[batch], image, w.shape[2], planes, groups, *depth)
        return y

    def convolution_weight(self, g: Any, x: Any, *, size: Any, groups: int, **settings: Any) -> Any:
        shape = (g.shape[1], x.shape[1] // groups, *size)
        if not _in_c(x, g, None, shape, g.shape[2:], groups):
            return super().convolution_weight(g, x, size=size, groups=groups, **settings)
        y, (depth, rest) = np.zeros((shape[0], shape[1] * size[0], *size[1:]), x.dtype), _split(settings)
        for batch, planes in _parts(x.shape, size[0], g.shape[2]):
            image = _beside(x[batch], size[0], planes, groups, *depth)
            y += super().convolution_weight(_images(g[batch, :, planes]), image, size=size[1:], groups=groups, **rest)
        return np.ascontiguousarray(y.reshape(shape[0], size[0], shape[1], *size[1:]).swapaxes(1, 2))


def _in_c(x: Any, w: Any, bias: Any, kernel: Shape, size: Shape, groups: int) -> bool:
    """Has C the convolution of the planes?"""
    return len(size) == 3 and _library(x, w, bias, (kernel[0], kernel[1] * kernel[2], *kernel[3:]), size, groups) is not None


def _split(settings: dict[str, Shape]) -> tuple[Shape, dict[str, Shape]]:
    """(stride, padding, dilation) along the first axis, and all three along the others."""
    return tuple([settings[name][0] for name in ("stride", "padding", "dilation")]), {name: value[1:] for name, value in settings.items()}


def _parts(volumes: Shape, taps: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Some volumes at a time with all planes of the result, or of a large one some of those planes."""
    planes = max(BESIDE // (volumes[1] * taps * math.prod(volumes[3:])), 1)
    together = max(planes // size, 1)
    for volume in range(0, volumes[0], together):
        for first in range(0, size, planes):
            yield slice(volume, volume + together), slice(first, min(first + planes, size))


def _flat(w: Any) -> Any:
    """A kernel with its planes as channels, those of one plane together."""
    return w.swapaxes(1, 2).reshape(w.shape[0], w.shape[1] * w.shape[2], *w.shape[3:])


def _images(g: Any) -> Any:
    """Volumes as images: (N, C, D, H, W) as (N D, C, H, W)."""
    return g.swapaxes(1, 2).reshape(-1, g.shape[1], *g.shape[3:])


def _volumes(y: Any, planes: slice) -> Any:
    """Images as volumes, the other way round."""
    return y.reshape(-1, planes.stop - planes.start, *y.shape[1:]).swapaxes(1, 2)


def _seen(depth: int, taps: int, planes: slice, stride: int, padding: int, dilation: int) -> Iterator[tuple[int, slice, slice]]:
    """For each plane of the kernel: its number, in which of the result's `planes` it sees one of the volume's, and which it sees."""
    for tap in range(taps):
        offset = tap * dilation - padding
        first, end = max(-(offset // stride), planes.start), min((depth - 1 - offset) // stride + 1, planes.stop)
        if first < end:
            yield tap, slice(first - planes.start, end - planes.start), slice(first * stride + offset, (end - 1) * stride + offset + 1, stride)


def _beside(x: Any, taps: int, planes: slice, groups: int, *depth: int) -> Any:
    """For each of those planes of the result the planes that it sees, zeros where there is none, as the channels of an image."""
    count, channels, high, *plane = x.shape
    y = np.zeros((count, planes.stop - planes.start, groups, taps, channels // groups, *plane), x.dtype)
    x = x.reshape(count, groups, channels // groups, high, *plane).transpose(0, 3, 1, 2, 4, 5)
    for tap, results, seen in _seen(high, taps, planes, *depth):
        y[:, results, :, tap] = x[:, seen]
    return y.reshape(-1, channels * taps, *plane)


def _back(y: Any, g: Any, taps: int, planes: slice, groups: int, *depth: int) -> None:
    """The adjoint: each plane of g is added to where it was seen in the volumes y."""
    count, channels, high, *plane = y.shape
    g = g.reshape(count, -1, groups, taps, channels // groups, *plane)
    y = y.reshape(count, groups, channels // groups, high, *plane).transpose(0, 3, 1, 2, 4, 5)
    for tap, results, seen in _seen(high, taps, planes, *depth):
        y[:, seen] += g[:, results, :, tap]
