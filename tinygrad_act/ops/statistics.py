"""What is said of samples: quantiles, histograms, covariance, the distance of two, areas under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import casts, recording
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import synonyms
from .reduce import cast, only_floats, operand
from .registry import functions, public
from .results import printed

STEPS = {"lower": "floor", "higher": "ceil", "nearest": "round"}         # of quantiles that are elements: how a rank becomes a place


# ------------------------------------------------------------------------------------------------------------ quantiles
def _quantile(name: str, skip_nan: bool, doc: str) -> None:
    @public(name)
    @synonyms
    def function(input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
                 interpolation: str = "linear") -> Tensor:
        d = 0 if dim is None else arguments.dimension(dim, operand(input, name).ndim, name)
        number = not isinstance(q, Tensor)
        if casts("prod"):                                                # autocast, where PyTorch computes this in float32, too
            input, q = _widened(input), _widened(q)
        q = _parts(name, input, q)
        if interpolation not in ("linear", "midpoint", *STEPS):
            raise ArgumentError(name, f"interpolation={interpolation!r}", "choose from linear, lower, higher, midpoint and nearest")
        flat = dim is None or not input.ndim
        x = recording.reshape(input, shape=(input.array.size,)) if flat else functions["movedim"](input, d, -1)
        y = _between(x, q, number, interpolation, skip_nan)
        kept = (1,) * input.ndim if flat else tuple([1 if i == d else n for i, n in enumerate(input.shape)])
        shape = kept if keepdim else () if flat else input.shape[:d] + input.shape[d + 1:]
        y = functions["movedim"](y, -1, 0) if q.ndim else y
        return recording.reshape(y, shape=q.shape + shape)  # type: ignore[no-any-return]
    function.__name__, function.__doc__ = name, doc


def _widened(x: Any) -> Any:
    return recording.cast(x, dtype=dtypes.float32) if isinstance(x, Tensor) and dtypes.is_half(x.dtype) else x


def _parts(name: str, x: Tensor, q: Any) -> Tensor:
    """`q` as a tensor of x's dtype: each from 0 to 1."""
    if x.dtype not in (dtypes.float32, dtypes.float64) or (isinstance(q, Tensor) and q.dtype != x.dtype):
        what = f" and q of {q.dtype}" if isinstance(q, Tensor) else ""
        raise DTypeError(name, f"an input of {x.dtype}{what}", "it takes float32 or float64, and q in the same", "convert with x.float()")
    if not x.array.size:
        raise ShapeError(name, str(x.shape), "an empty tensor has no quantiles")
    if not isinstance(q, Tensor):
        right = 0 <= q <= 1
    elif q.ndim > 1:
        raise ShapeError(name, f"q of shape {q.shape}", "it must be a number or a 1-d tensor")
    else:                                                                # on a GPU it would have to be waited for
        right = not namespaces[type(q.array)].looks or bool(((q.detach() >= 0) & (q.detach() <= 1)).all())
    if not right:
        raise ArgumentError(name, f"q={q}", "a quantile counts from 0 to 1", "divide percents by 100")
    return q if isinstance(q, Tensor) else functions["tensor"](float(q), dtype=x.dtype, device=x.device)


def _between(x: Tensor, q: Tensor, number: bool, interpolation: str, skip_nan: bool) -> Tensor:
    """The elements at the parts q of each row's order, (..., n): (..., Q). For a `number` q not all are sorted, if they may be looked at."""
    a, d, last = x.array, x.ndim - 1, x.shape[-1] - 1
    F = namespaces[type(a)]
    nans = F.isnan(a)
    few = number and F.looks and not F.any(nans)
    if few:
        ranks = recording.reshape(q * last, shape=(1,) * x.ndim)
    elif skip_nan:
        ranks = q * wrap(F.cast(F.maximum(last - F.sum(nans, d, True), 0), a.dtype))
    else:                                                                # NaN stands last: that row's quantiles are it
        ranks = functions["where"](wrap(F.any(nans, d, True)), functions["full_like"](q.detach(), last), q * last)
    if interpolation in STEPS:
        ranks = getattr(recording, STEPS[interpolation])(ranks.detach())
    order = None if few else F.order(a, d)

    def element(step: Any) -> Any:
        at = F.cast(step(ranks.array), dtypes.int64)
        return functions["gather"](x, d, wrap(F.place(a, at.item(), d) if few else F.gather(order, d, at)))

    below = element(F.floor)
    if interpolation in STEPS:
        return below  # type: ignore[no-any-return]
    weight = 0.5 if interpolation == "midpoint" else ranks - wrap(F.floor(ranks.array))
    return functions["lerp"](below, element(F.ceil), weight)  # type: ignore[no-any-return]


_quantile("quantile", False, """The `q`-quantiles, of all elements or along `dim`; q is a number from 0 to 1, or several in a 1-d tensor, which become the first axis.

    `interpolation` says what lies between two elements: linear, lower, higher, midpoint or nearest. A row with a NaN gives NaN.
    Raises: DTypeError unless float32 or float64. ShapeError for an empty tensor.

    >>> ta.tensor([4., 1., 2., 3.]).quantile(0.5)
    tensor(2.5000)
    """)
_quantile("nanquantile", True, "As `quantile`, leaving out NaN.")


# ----------------------------------------------------------------------------------------------------------- histograms
@printed
class Histogram(NamedTuple):
    """How much lies in each bin (bins,), and the bins' edges (bins + 1,)."""

    hist: Tensor
    bin_edges: Tensor


def _ends(x: Tensor) -> tuple[float, float]:
    """The smallest element and the largest; of none, 0 and 1."""
    return (float(functions["amin"](x.detach())), float(functions["amax"](x.detach()))) if x.array.size else (0, 1)


def _limits(name: str, low: float, high: float, wider: float, bins: int, dtype: Any) -> tuple[float, float]:
    """From where to where bins go: that much further (of a large number, what is seen beside it), where both are one number."""
    if low == high:
        wider = max(wider, 1e-6 * abs(low))
        low, high = low - wider, high + wider
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(name, f"from {low} to {high}", "bins go from a finite number to a larger one", "say from where to where")
    if (high - low) * bins > dtypes.finfo(dtypes.float32 if dtypes.is_half(dtype) else dtype).max:
        raise ArgumentError(name, f"{bins} bins from {low} to {high}", f"{dtype} has no numbers as large as that takes", "say from where to where, or divide the data")
    return low, high


def _count(name: str, bins: Any) -> int:
    count = arguments.whole(bins, name, "bins")
    if count < 1:
        raise ArgumentError(name, f"bins={count}", "there must be at least one")
    return count


@public()
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of `bins` equal parts of min .. max, of the data's own range if these are equal: (bins,), in the input's dtype.

    What lies outside, and NaN, is left out.

    >>> ta.tensor([1., 2., 1.]).histc(4, 0, 3)
    tensor([0., 2., 1., 0.])
    """
    bins = _count("histc", bins)
    a = only_floats(input, "histc").array
    low, high = _limits("histc", *((min, max) if min != max else _ends(input)), 1, bins, a.dtype)
    F = namespaces[type(a)]
    x = F.reshape(F.cast(a, dtypes.float32) if dtypes.is_half(a.dtype) else a, (a.size,))
    inside = F.logical_and(x >= low, x <= high)
    place = F.minimum(F.floor((F.where(inside, x, low) - low) * bins / (high - low)), bins - 1)
    return wrap(F.cast(F.bincount(F.cast(F.where(inside, place, bins), dtypes.int64), None, bins + 1)[:bins], a.dtype))


@public()
def histogram(input: Tensor, bins: Tensor | int, *, range: Sequence[float] | None = None, weight: Tensor | None = None,
              density: bool = False) -> Histogram:
    """How many elements, or how much of their `weight`, lie in each bin, as (hist, bin_edges). `bins` is how many equal ones `range` (the
    data's own) is divided into, or their ascending edges. The last bin includes its end. With `density` the area is 1.

    >>> ta.tensor([1., 2., 1.]).histogram(3, range=(0., 3.)).hist
    tensor([0., 2., 1.])
    """
    a = only_floats(input, "histogram").array
    if dtypes.is_half(a.dtype) or (isinstance(bins, Tensor) and bins.dtype != a.dtype):
        raise DTypeError("histogram", f"{a.dtype}" + (f", edges of {bins.dtype}" if isinstance(bins, Tensor) else ""),
                         "the input and the edges must be float32, or float64", "convert them, with x.float()")
    if isinstance(bins, Tensor):
        if bins.ndim != 1 or bins.shape[0] < 2 or range is not None:
            raise ArgumentError("histogram", f"edges of shape {bins.shape}, range={range}", "edges are a 1-d tensor of at least two, and say the range",
                                "pass how many bins, and the range")
        edges = bins.detach()
    else:
        count = _count("histogram", bins)
        if range is not None and len(range) != 2:
            raise ArgumentError("histogram", f"range={range}", "it is (from, to)")
        low, high = range or _ends(input)
        low, high = _limits("histogram", low, high, 0.5, count, a.dtype)
        edges = functions["linspace"](low, high, count + 1, dtype=a.dtype, device=input.device)
    if weight is not None and (weight.shape, weight.dtype) != (input.shape, input.dtype):
        raise ShapeError("histogram", f"weights of {weight.dtype}, of shape {weight.shape}, for {input.dtype} of {input.shape}",
                         "there must be one for each, of its dtype")
    F, e, n = namespaces[type(a)], edges.array, edges.shape[0] - 1
    x = F.reshape(a, (a.size,))
    inside = F.logical_and(x >= e[:1], x <= e[n:])
    if isinstance(bins, Tensor):
        place = F.searchsorted(e, x, "right") - 1
    else:                                                                # the bin by arithmetic is it, or next to it
        place = F.cast(F.minimum((F.where(inside, x, e[:1]) - low) * n / (high - low), n - 1), dtypes.int64)
        place = place + F.cast(x >= F.index_select(e, 0, place + 1), dtypes.int64) - F.cast(x < F.index_select(e, 0, place), dtypes.int64)
    place = F.minimum(place, n - 1)                                      # the last one includes its end
    found = F.bincount(F.where(inside, place, n), None if weight is None else F.reshape(weight.array, (a.size,)), n + 1)[:n]
    hist = wrap(F.cast(found, a.dtype))
    return Histogram(hist / functions["sum"](hist) / functions["diff"](edges) if density else hist, edges)


# ----------------------------------------------------------------------------------------------------------- covariance
def _weights(name: str, w: Tensor | None, kind: str, n: int) -> Tensor | None:
    """`w`, if it is a weight for each of n observations, of ints or floats."""
    if w is None:
        return None
    if operand(w, "cov").ndim > 1 or w.array.size != n:
        raise ShapeError("cov", f"{name} of shape {w.shape}", f"it must be 1-d, one for each of {n} observations")
    if dtypes.kind(w.dtype) != kind:
        raise DTypeError("cov", f"{name} of {w.dtype}", f"they are {dtypes.KINDS[kind]}: fweights count, aweights measure", "convert them")
    if n and float(functions["amin"](w.detach())) < 0:
        raise ArgumentError("cov", name, "a weight cannot be negative")
    return w


@public()
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariances of variables, the rows of (V, N) or (N,): (V, V), a number for one. `fweights` (ints) say how often each of the N
    observations was made, `aweights` (floats) how much it counts.

    >>> ta.tensor([[0., 1., 2.], [2., 1., 0.]]).cov()
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if operand(input, "cov").ndim > 2 or input.dtype == dtypes.bool_:
        raise ArgumentError("cov", f"{input.dtype} of shape {input.shape}", "it takes numbers: variables, and their observations",
                            "reshape or convert them")
    x: Any = input if dtypes.is_floating(input.dtype) else cast(input, dtypes.get_default_dtype())
    x = x if x.ndim == 2 else recording.reshape(x, shape=(1, x.array.size))
    f: Any = _weights("fweights", fweights, "i", x.shape[1])
    a: Any = _weights("aweights", aweights, "f", x.shape[1])
    w = f if a is None else a if f is None else f * a
    total: Any = x.shape[1] if w is None else functions["sum"](w)
    deviation = x - functions["sum"](x if w is None else x * w, 1, True) / total
    if a is not None and correction:
        freedom = total - correction * functions["sum"](w * a) / total
    else:
        freedom = total - correction
    freedom = functions["clamp_min"](freedom, 0) if isinstance(freedom, Tensor) else max(freedom, 0)
    y = recording.matmul(deviation, (deviation if w is None else deviation * w).mT) / freedom
    return functions["squeeze"](y)  # type: ignore[no-any-return]


@public()
def corrcoef(input: Tensor) -> Tensor:
    """The correlations, from -1 to 1, of variables, the rows of (V, N) or (N,): (V, V), or a number for one.

    >>> ta.tensor([[0., 1., 2.], [5., 3., 1.]]).corrcoef()
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(operand(input, "corrcoef"))
    if not c.ndim:
        return c / c
    s = functions["sqrt"](functions["diagonal"](c))
    return functions["clamp"](c / functions["unsqueeze"](s, 1) / s, -1, 1)  # type: ignore[no-any-return]


@public()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of `input - other`, which broadcast.

    >>> ta.tensor([1., 2.]).dist(ta.tensor([4., 6.]))
    tensor(5.)
    """
    return functions["norm"](operand(input, "dist") - operand(other, "dist"), p)  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------------------------------------------- areas
def _slabs(name: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, int]:
    """Twice the areas between neighbours along `dim`, and that axis from the front."""
    if not operand(y, name).ndim:
        raise ShapeError(name, f"y of shape {y.shape}", "samples lie along an axis", "unsqueeze(0) it")
    if x is not None and dx is not None:
        raise ArgumentError(name, "x and dx", "they are two ways to say where the samples are", "pass one")
    if any(t is not None and operand(t, name).dtype == dtypes.bool_ for t in (y, x)):
        raise DTypeError(name, "a tensor of bool", "it takes numbers", "convert it, with .float()")
    d = arguments.dimension(dim, y.ndim, name)
    both = _part(y, d, 1, y.shape[d]) + _part(y, d, 0, max(y.shape[d] - 1, 0))
    if x is None:
        return both if dx is None else both * dx, d
    if x.ndim == 1:
        if x.shape[0] != y.shape[d]:
            raise ShapeError(name, f"x of shape {x.shape} for {y.shape} along dim={dim}", "there must be one for each sample")
        shape: tuple[int, ...] = (x.shape[0],) + (1,) * (y.ndim - d - 1)
    elif x.ndim > y.ndim:
        raise ShapeError(name, f"x of shape {x.shape} for {y.shape}", "x has more axes than y")
    else:
        shape = (1,) * (y.ndim - x.ndim) + x.shape
    return both * functions["diff"](recording.reshape(x, shape=shape), dim=d - y.ndim), d


def _part(x: Tensor, dim: int, start: int, stop: int) -> Any:
    return recording.getitem(x, (slice(None),) * dim + (slice(start, stop),))


@public("trapezoid", "trapz", method=False)
@synonyms
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The area under samples y along `dim`, by trapezoids; they are taken at the places x, `dx` (1) apart if not given.

    >>> ta.trapezoid(ta.tensor([1., 2., 4.])), ta.trapezoid(ta.tensor([1., 2., 4.]), ta.tensor([0., 1., 3.]))
    (tensor(4.5000), tensor(7.5000))
    """
    twice, d = _slabs("trapezoid", y, x, dx, dim)
    return functions["sum"](twice, d) / 2  # type: ignore[no-any-return]


@public(method=False)
@synonyms
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The areas under samples up to each but the first: the running sums of what `trapezoid` adds up.

    >>> ta.cumulative_trapezoid(ta.tensor([1., 2., 4.]))
    tensor([1.5000, 4.5000])
    """
    twice, d = _slabs("cumulative_trapezoid", y, x, dx, dim)
    return functions["cumsum"](twice, d) / 2  # type: ignore[no-any-return]
