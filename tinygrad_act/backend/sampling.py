"""Images read at positions on the CPU in C (kernels/sampling.c), linearly: where each sample lies is found once for all channels.

The rules of ops/grid_sample.py stay the definition, and what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import place
from .shares import Shares

POINTS = 128                             # samples at a time, as in C
BORDERS = ("zeros", "border", "reflection")
RULES = frozenset({"grid_sample", "grid_sample_input", "grid_sample_grid"})


class Sampled(Shares):
    """The rules that have C beside them, by their names."""

    beside = Shares.beside | RULES

    def own(self, name: str, rule: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        """What the rule of that name returns."""
        if name not in RULES:
            return super().own(name, rule, *values, **settings)
        grid, arrays = values[-1], [a for a in values if type(a) is not tuple]
        functions = library("sampling", "fd", grid, *arrays) if grid.ndim == 4 and settings["mode"] == "bilinear" else None
        back = name == "grid_sample_input"                   # it is told the image's shape
        shape = values[1] if back else values[-2].shape
        if functions is None or 0 in shape or math.prod(shape[2:]) >> 31:          # positions in a channel are ints in C
            return rule(self, *values, **settings)
        count, channels, samples = shape[0], shape[1], math.prod(grid.shape[1:3])
        y = np.empty(shape if back else grid.shape if name == "grid_sample_grid" else (count, channels, *grid.shape[1:3]), grid.dtype)
        numbers = np.array((*shape[1:], samples, BORDERS.index(settings["border"]), settings["corners"]), np.int64)
        held = *map(dense, arrays), y, numbers
        units, size = count * (channels if back else -(-samples // POINTS)), count * channels * samples
        pool.ranges(getattr(functions, name), map(place, held), units, size)
        return y
