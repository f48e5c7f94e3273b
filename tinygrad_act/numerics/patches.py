"""Patches of images as columns, and columns added back to an image: PyTorch's unfold and fold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .windows import Windows, taps


class Patches:
    """The part of the vocabulary behind unfold and fold. `windows` are those along the last axes."""

    xp: Any

    def patches(self, x: Any, windows: Sequence[Windows]) -> Any:
        """(..., C, *sizes) to (..., C * elements of a window, number of windows), 0 in the padding."""
        kernel, outs = tuple([w.kernel for w in windows]), tuple([w.out for w in windows])
        make = self.xp.zeros if any(w.padding for w in windows) else self.xp.empty
        *lead, channels = x.shape[:-len(windows)]
        y = make((*lead, channels, *kernel, *outs), x.dtype)
        for offset, here, there in _each(windows):
            y[(..., *offset, *here)] = x[(..., *there)]
        return y.reshape(*lead, channels * math.prod(kernel), math.prod(outs))

    def unpatch(self, g: Any, windows: Sequence[Windows]) -> Any:
        """The adjoint of patches: every element of the image is the sum of its places in the columns."""
        kernel, outs = tuple([w.kernel for w in windows]), tuple([w.out for w in windows])
        lead = (*g.shape[:-2], g.shape[-2] // math.prod(kernel))
        y = self.xp.zeros((*lead, *[w.n for w in windows]), g.dtype)
        g = g.reshape(*lead, *kernel, *outs)
        for offset, here, there in _each(windows):
            y[(..., *there)] += g[(..., *offset, *here)]
        return y


def _each(windows: Sequence[Windows]) -> Any:
    """(place in the window, outputs, inputs) for every tap of the windows in all axes."""
    found: list[Any] = [((), (), ())]
    for w in windows:
        found = [((*offset, k), (*here, outs), (*there, ins)) for offset, here, there in found for k, (outs, ins) in enumerate(taps(w))]
    return found
