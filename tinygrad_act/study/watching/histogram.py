"""Histograms in fixed bins, so that those of any two steps can be added, and stand side by side in one picture.

Values: bins of the same width in asinh(10 x), linear around 0 and a quarter wider each further out, to ±10⁴. Of a bounded
activation: 50 bins of the same width over its range. Gradients: the logarithm of the magnitude, four bins a decade from 10⁻²⁶ to 10⁶,
and zeros, NaN and infinities counted apart.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

from ... import _functions as ops
from ... import backend, dtypes
from ...tensor import Tensor

SAMPLE = 8192                             # elements of a tensor that are looked at: a share of 1 % is then right to a tenth
BINS = 50                                 # of a bounded activation
WIDTH, SOFT, FAR = 0.25, 0.1, 1e4         # of a bin of asinh(x / SOFT), which reach to FAR
DECADE, SMALLEST, LARGEST = 4, -26, 6     # bins a decade; powers of ten


@functools.cache
def value_edges() -> tuple[float, ...]:
    """Where bins of values meet: 0 is in the middle of one."""
    n = math.ceil(math.asinh(FAR / SOFT) / WIDTH)
    return tuple(SOFT * math.sinh((k + 0.5) * WIDTH) for k in range(-n - 1, n + 1))


@functools.cache
def bounded_edges(low: float, high: float) -> tuple[float, ...]:
    """Where the bins of a bounded activation meet."""
    return tuple(low + (high - low) * k / BINS for k in range(BINS + 1))


@functools.cache
def magnitude_edges() -> tuple[float, ...]:
    """Where bins of log10 |x| meet."""
    return tuple(SMALLEST + k / DECADE for k in range((LARGEST - SMALLEST) * DECADE + 1))


@dataclass
class Histogram:
    """`counts[i]` of the elements looked at lie between edges[i] and edges[i + 1]; the outer bins also have what is beyond.

    `logarithmic`: edges are of log10 |x|, and `zeros` are apart. `bad` are NaN and infinities.

    >>> h = Histogram((-1.0, 0.0, 1.0))
    >>> h.add(ta.tensor([-0.5, 0.25, 7.0, ta.nan]))
    >>> h.counts, h.bad
    ([1, 2], 1)
    """

    edges: tuple[float, ...]
    logarithmic: bool = False
    counts: list[int] = field(default_factory=list)
    zeros: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.edges) - 1)

    def add(self, x: Tensor, most: int = SAMPLE) -> None:
        """Count elements of x: `most` of them, evenly spread, if it has more."""
        found = backend.to_host(sample(x.detach(), most).array)
        found = found.astype("float64" if found.dtype == "float64" else "float32")        # a copy, in which sorting is quick
        ordered = abs(found) if self.logarithmic else found
        ordered.sort()                                                                     # NaN is last
        below = ordered.searchsorted(_probes(self.edges, self.logarithmic, str(found.dtype))).tolist()
        self.counts = [n + b - a for n, a, b in zip(self.counts, below, below[1:], strict=False)]
        self.zeros += below[0] if self.logarithmic else 0
        self.bad += found.size - below[-1] + (0 if self.logarithmic else below[0])

    @property
    def total(self) -> int:
        """How many elements were looked at."""
        return sum(self.counts) + self.zeros + self.bad

    def plus(self, other: Histogram) -> Histogram:
        """Both together; they have the same bins."""
        return Histogram(self.edges, self.logarithmic, [a + b for a, b in zip(self.counts, other.counts, strict=True)],
                         self.zeros + other.zeros, self.bad + other.bad)

    def median(self) -> float:
        """Half of the finite elements are below: the middle of the bin where that is so (of magnitudes: a power of ten)."""
        half, seen = (sum(self.counts) + self.zeros) / 2, float(self.zeros)
        if half == 0:
            return math.nan
        if seen > half:
            return 0.0
        for count, low, high in zip(self.counts, self.edges, self.edges[1:], strict=False):
            seen += count
            if seen >= half and count:
                return 10.0 ** ((low + high) / 2) if self.logarithmic else (low + high) / 2
        return 0.0

    def state(self) -> dict[str, Any]:
        """For JSON and for logs: the bins from the first to the last that is not empty."""
        filled = [i for i, n in enumerate(self.counts) if n] or [0]
        first, last = filled[0], filled[-1]
        return {"edges": list(self.edges[first:last + 2]), "counts": self.counts[first:last + 1], "zeros": self.zeros,
                "bad": self.bad, "logarithmic": self.logarithmic}


@functools.lru_cache(64)
def _probes(edges: tuple[float, ...], logarithmic: bool, dtype: str) -> Any:
    """What to look up among the elements in order: above zeros (or -inf), where bins meet, and infinity."""
    first = math.ulp(0.0) if dtype == "float64" else 1e-45
    inner = [10.0 ** e for e in edges[1:-1]] if logarithmic else list(edges[1:-1])
    lowest = first if logarithmic else -dtypes.finfo(dtype).max
    return backend.to_host(ops.tensor([lowest, *inner, math.inf], dtype=dtype).array)


def sample(x: Tensor, most: int) -> Tensor:
    """At most `most` elements, at even distances that share no factor with the sizes, so that all units and examples are met."""
    flat, n = x.reshape(-1), x.numel()
    if n <= most:
        return flat
    stride = -(-n // most)
    while math.gcd(stride, n) > 1:
        stride += 1
    return flat[::stride]
