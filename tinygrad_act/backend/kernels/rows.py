"""The part of CuPy's vocabulary that runs the kernels of this folder. Arguments and results are those of the rules beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...dtypes import float32, is_half
from . import list_source, source

OPTIONS = ("--fmad=false",)              # as NumPy rounds, so that what must cancel does
LISTED = 32                              # arrays that one launch puts together
PARTS = 64                               # in which long sums over samples are shared


def power(n: int) -> int:
    """The smallest power of 2 that is n or more."""
    return 1 << max(n - 1, 0).bit_length()


def shares(rows: int, n: int, inner: int = 1) -> tuple[tuple[int, ...], tuple[int, int]]:
    """The grid and the block for rows of n numbers, `inner` of which lie side by side in memory: see common.cu."""
    if inner == 1:
        tall = min(256 if n <= 8192 else 512, power(n))
        width = min(max(128 // tall, 1), power(rows))
    else:
        tall, width = min(16, power(n)), min(32, power(inner))
    return (-(-rows // width),), (width, tall)


class Beside:
    """`raw(text, name)` makes a kernel of a text, which is called as kernel(grid, block, arguments)."""

    xp: Any
    beside = frozenset({"softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "normalised", "rms",
                        "cross_entropy", "cross_entropy_backward"})

    def __init__(self) -> None:
        self.made: dict[Any, Any] = {}

    def raw(self, text: str, name: str) -> Any:
        raise NotImplementedError

    def own(self, name: str, rule: Any, *values: Any, **settings: Any) -> Any:
        """What the rule of that name returns, by its kernel."""
        return getattr(self, f"own_{name}")(*values, **settings)

    def launch(self, file: str, name: str, dtype: Any, shape: Any, *arguments: Any) -> None:
        """Run a kernel of a file; None stands for an array that is not there."""
        key = (name, dtype.char)
        kernel = self.made.get(key)
        if kernel is None:
            kernel = self.made[key] = self.raw(source(file, dtype.name), name)
        kernel(*shape, arguments)

    def dense(self, x: Any, dtype: Any = None) -> Any:
        """The array in one piece; None for a number, which stands for there being none."""
        if x is None or isinstance(x, (int, float)):
            return None
        return x if x.flags.c_contiguous and dtype in (None, x.dtype) else self.xp.array(x, dtype, order="C")

    # ------------------------------------------------------------------------------------------- softmax
    def _rows(self, name: str, dim: int, *arrays: Any) -> Any:
        arrays = tuple(map(self.dense, arrays))
        shape = arrays[0].shape
        y, n = self.xp.empty(shape, arrays[0].dtype), shape[dim] if shape else 1
        if y.size:
            inner = math.prod(shape[dim % len(shape) + 1:]) if shape else 1
            rows = y.size // n
            self.launch("softmax", name, y.dtype, shares(rows, n, inner), *arrays, y, rows, n, inner)
        return y

    def own_softmax(self, x: Any, *, dim: int) -> Any:
        return self._rows("softmax", dim, x)

    def own_softmax_backward(self, g: Any, y: Any, *, dim: int) -> Any:
        return self._rows("softmax_backward", dim, g, y)

    def own_log_softmax(self, x: Any, *, dim: int) -> Any:
        return self._rows("log_softmax", dim, x)

    def own_log_softmax_backward(self, g: Any, y: Any, *, dim: int) -> Any:
        return self._rows("log_softmax_backward", dim, g, y)

    # ------------------------------------------------------------------------------------------- attention
    def exponentials(self, x: Any) -> tuple[Any, Any, Any]:
        """See numerics/attention.py; x is changed, if it is in one piece."""
        x = self.dense(x)
        total, peak = (self.xp.empty((*x.shape[:-1], 1), x.dtype) for _ in range(2))
        if total.size:
            n = x.shape[-1]
            self.launch("softmax", "exponentials", x.dtype, shares(total.size, n), x, total, peak, total.size, n)
        return x, total, peak

    def again(self, scores: Any, peak: Any) -> Any:
        """See numerics/attention.py."""
        self.change((scores,), _again, [scores, peak], {})          # type: ignore[attr-defined]
        return scores

    def pulled(self, gs: Any, p: Any, g: Any, y: Any) -> Any:
        """See numerics/attention.py; gs is changed, if it is in one piece."""
        gs, p, g, y = map(self.dense, (gs, p, g, y))
        if gs.size:
            n, rows = gs.shape[-1], gs.size // gs.shape[-1]
            self.launch("softmax", "attention_backward", gs.dtype, shares(rows, max(n, g.shape[-1])), gs, p, g, y, rows, n, g.shape[-1])
        return gs

    # ------------------------------------------------------------------------------------------- cross_entropy
    def own_cross_entropy(self, x: Any, target: Any, weight: Any, *, dim: int, ignore_index: int, reduction: str,
                          label_smoothing: float, every: bool) -> Any:
        x, target, n = self.dense(x), self.dense(target, "int64"), x.shape[dim]
        wide = float32 if is_half(x.dtype) else x.dtype
        weight, rows, inner = self.dense(weight, wide), target.size, math.prod(x.shape[dim + 1:])
        peak, total = (self.xp.empty((*x.shape[:dim], 1, *x.shape[dim + 1:]), wide) for _ in range(2))
        loss, counts = (self.xp.empty(target.shape, wide) for _ in range(2))
        if rows:
            self.launch("cross_entropy", "cross_entropy", x.dtype, shares(rows, n, inner), x, target, weight, loss, counts, peak, total,
                        rows, n, inner, ignore_index, label_smoothing)
        if reduction != "none":
            losses, loss = loss, self.xp.empty((), x.dtype)
            self.launch("cross_entropy", "cross_entropy_total", x.dtype, ((1,), (1, 512)), losses, counts, loss, rows, int(reduction == "mean"))
        return loss.astype(x.dtype, copy=False), peak, total, 0.0, 0.0

    def own_cross_entropy_backward(self, g: Any, x: Any, target: Any, weight: Any, peak: Any, total: Any, e: Any, places: Any, *,
                                   dim: int, ignore_index: int, reduction: str, label_smoothing: float, every: bool) -> Any:
        g, x, target, n = self.dense(g), self.dense(x), self.dense(target, "int64"), x.shape[dim]
        weight, rows, inner = self.dense(weight, peak.dtype), target.size, math.prod(x.shape[dim + 1:])
        y, count = self.xp.empty(x.shape, x.dtype), None
        if reduction == "mean":
            count = self.xp.empty((), peak.dtype)
            self.launch("cross_entropy", "cross_entropy_count", x.dtype, ((1,), (1, 512)), target, weight, count, rows, n, ignore_index)
        if y.size:
            self.launch("cross_entropy", "cross_entropy_backward", x.dtype, shares(rows, n, inner), g, x, target, weight, peak, total, count, y,
                        rows, n, inner, ignore_index, label_smoothing, int(reduction == "none"))
        return y

    # ------------------------------------------------------------------------------------------- normalisation
    def _normalise(self, x: Any, weight: Any, bias: Any, view: Any, batch: bool, centred: bool, eps: float | None) -> Any:
        """y (None without eps), the means (None if not centred), and the variances, or with eps the scales."""
        x = self.dense(x)
        wide = float32 if is_half(x.dtype) else x.dtype
        N, G, K, L = view
        groups = G if batch else N * G
        y = None if eps is None else self.xp.empty(x.shape, x.dtype)
        mean, spread = self.xp.empty(groups, "float64") if centred else None, self.xp.empty(groups, "float64")
        if groups:
            count = N * L if batch else K * L
            self.launch("normalise", "normalise", x.dtype, ((groups,), (1, shares(1, count)[1][1])), x, self.dense(weight, wide),
                        self.dense(bias, wide), y, mean, spread, N, G, K, L, int(batch), eps or 0.0)
        return y, mean, spread

    def own_normalised(self, x: Any, weight: Any, bias: Any, *, view: Any, eps: float) -> Any:
        return self._normalise(x, weight, bias, view, False, True, eps)

    def own_rms(self, x: Any, weight: Any, *, view: Any, eps: float) -> Any:
        y, _, scale = self._normalise(x, weight, 0.0, view, False, False, eps)
        return y, scale

    def moments(self, x: Any, view: Any, batch: bool, centred: bool = True) -> tuple[Any, Any]:
        """See numerics/normalise.py."""
        return self._normalise(x, 1.0, 0.0, view, batch, centred, None)[1:]  # type: ignore[no-any-return]

    def standardise(self, x: Any, mean: Any, scale: Any, weight: Any, bias: Any, view: Any, batch: bool) -> Any:
        """See numerics/normalise.py. A kernel that is generated: what it is given broadcasts."""
        N, G, K, _ = view
        group = (1, G, 1, 1) if batch else (N, G, 1, 1)
        y = self.run(_standardised, [x.reshape(view), mean.reshape(group), scale.reshape(group),          # type: ignore[attr-defined]
                                     *[p if isinstance(p, float) else p.reshape((1, G, K, 1)) for p in (weight, bias)]], {"dtype": x.dtype})
        return y.reshape(x.shape)

    def normalise_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any, batch: bool) -> tuple[Any, Any, Any]:
        """See numerics/normalise.py."""
        g, x = self.dense(g), self.dense(x)
        N, G, K, L = view
        groups, channels = G if batch else N * G, G * K
        gx = self.xp.empty(x.shape, x.dtype)
        if x.size:
            count = N * L if batch else K * L
            w = self.dense(weight, float32 if is_half(x.dtype) else x.dtype)
            self.launch("normalise", "normalise_backward", x.dtype, ((groups,), (1, shares(1, count)[1][1])), g, x, w, self.dense(mean, "float64"), self.dense(scale, "float64"), gx,
                        N, G, K, L, int(batch))
        if isinstance(weight, (int, float)):
            return gx, None, None
        parts = max(1, min(PARTS, N * L // 256))
        each = -(-N * L // parts)
        sums = self.xp.zeros((2, parts, channels), "float64")
        if x.size:
            width, tall = (32, 8) if L == 1 else (1, 256)
            self.launch("normalise", "channel_sums", x.dtype, ((-(-channels // width), parts), (width, tall)), g, x, self.dense(mean, "float64"), self.dense(scale, "float64"), sums,
                        N, G, K, L, int(batch), each)
        to_weight, to_bias = sums[:, 0] if parts == 1 else sums.sum(1)
        return gx, to_weight, to_bias

    # ------------------------------------------------------------------------------------------- lists of arrays
    def _listed(self, name: str, whole: Any, arrays: Sequence[Any]) -> None:
        """Move between `whole`, flat, and arrays in one piece."""
        for start in range(0, len(arrays), LISTED):
            some = arrays[start:start + LISTED]
            ends, end = [], 0
            for a in some:
                end += a.size
                ends.append(end)
            key = (name, len(some), whole.itemsize)
            kernel = self.made.get(key)
            if kernel is None:
                kernel = self.made[key] = self.raw(list_source(len(some), whole.itemsize), name)
            if end:
                kernel((-(-end // 256),), (256,), (whole[:end], *[part for pair in zip(some, ends, strict=True) for part in pair]))
            whole = whole[end:]

    def joined(self, arrays: Sequence[Any]) -> Any:
        """See Namespace.joined."""
        whole = self.xp.empty(sum(a.size for a in arrays), arrays[0].dtype)
        self._listed("gather", whole, [self.dense(a) for a in arrays])
        return whole

    def divide_into(self, whole: Any, arrays: Sequence[Any]) -> None:
        """See Namespace.divide_into."""
        self._listed("scatter", whole, arrays)


def _again(F: Any, scores: Any, peak: Any) -> Any:
    return (F.exp(scores - peak),)


def _standardised(F: Any, x: Any, mean: Any, scale: Any, weight: Any, bias: Any, *, dtype: Any) -> Any:
    """(x - mean) * scale * weight + bias, in x's dtype; the mean in two parts, as far as that holds it, and the rest."""
    wide = float32 if is_half(dtype) else dtype
    x = F.cast(x, wide)
    if mean is not None:
        near = F.cast(mean, wide)
        x = x - near - F.cast(mean - near, wide)
    y = x * F.cast(scale, wide)
    y = y if isinstance(weight, float) else y * F.cast(weight, wide)
    y = y if isinstance(bias, float) else y + F.cast(bias, wide)
    return F.cast(y, dtype)


