"""Softmax and its kin: what turns the numbers along an axis into shares, or weighs them against one another.

All rules work on any axis, `dim`. A row that is all -inf has no shares: it is NaN, as in PyTorch.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..errors import ShapeError
from ..ops.reduce import wide
from ..ops.registry import enter
from ..rule import beside
from .record import activation

UNIT: dict[str, Any] = {"axis": True, "range": (0, 1)}


def _total(F: Any, x: Any, dim: int) -> Any:
    n = x.ndim
    return F.sum(x, dim % n, True) if n else x               # a 0-d x is a row of one


def _shifted(F: Any, x: Any, dim: int) -> Any:
    """x with 0 for its largest number: nothing overflows, and shares do not change."""
    n = x.ndim
    if not n:
        return x - x
    return x - F.amax(x, dim % n, True) if x.shape[dim] else x


def _shares(F: Any, x: Any, dim: int) -> Any:
    e = F.exp(_shifted(F, x, dim))
    return e / _total(F, e, dim)


def _against_mean(F: Any, g: Any, y: Any, dim: int) -> Any:
    """y (g - Σ g y): what softmax does to a gradient."""
    return y * (g - _total(F, g * y, dim))


# ---------------------------------------------------------------------------------------------------- softmax
@activation(formula=r"\frac{e^{x_i}}{\sum_j e^{x_j}}", derivative=r"y_i\,([i = j] - y_j)",
            paper="doi:10.1007/978-3-642-76153-9_28", torch="softmax", **UNIT)
@beside("softmax")
@wide
def softmax(F: Any, x: Any, *, dim: int = -1) -> Any:
    """Positive shares that add up to 1 along `dim` (Bridle 1990)."""
    return _shares(F, x, dim)


@softmax.backward
@beside("softmax_backward")
@wide
def softmax_backward(F: Any, g: Any, y: Any, *, dim: int) -> Any:
    return _against_mean(F, g, y, dim)


@activation(formula=r"\frac{e^{-x_i}}{\sum_j e^{-x_j}}", derivative=r"-y_i\,([i = j] - y_j)",
            paper="https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmin.html", torch="softmin", **UNIT)
@wide
def softmin(F: Any, x: Any, *, dim: int = -1) -> Any:
    """Softmax of -x: the smallest number has the largest share."""
    return _shares(F, -x, dim)


@softmin.backward
@wide
def softmin_backward(F: Any, g: Any, y: Any, *, dim: int) -> Any:
    return -_against_mean(F, g, y, dim)


@activation(formula=r"x_i - \log \sum_j e^{x_j}", derivative=r"[i = j] - e^{y_j}", axis=True, range=(-inf, 0),
            paper="doi:10.1007/978-3-642-76153-9_28", torch="log_softmax")
@beside("log_softmax")
@wide
def log_softmax(F: Any, x: Any, *, dim: int = -1) -> Any:
    """The logarithm of softmax, exact also where the share itself is too small to be a number."""
    shifted = _shifted(F, x, dim)
    top = shifted == 0
    count = _total(F, F.cast(top, x.dtype), dim)             # these are exactly 1, so the others are not lost beside them
    others = _total(F, F.where(top, 0, F.exp(shifted)), dim)
    return shifted - (F.log(count) + F.log1p(others / count))


@log_softmax.backward
@beside("log_softmax_backward")
@wide
def log_softmax_backward(F: Any, g: Any, y: Any, *, dim: int) -> Any:
    return g - F.exp(y) * _total(F, g, dim)


enter(log_softmax.op)                     # a name of F: the rules of the losses use it


# --------------------------------------------------------------------------------- shares that are exactly 0
def _descending(F: Any, x: Any, dim: int) -> tuple[Any, Any]:
    """The row from its largest number down, and the places 1, 2, ...; what is 2 below the largest has no share anyway."""
    x = F.maximum(x, -2.0)
    places = F.cast(F.arange(x.shape[dim], x) + 1, x.dtype)
    order = F.flip(F.argsort(x, dim), (dim,))
    return F.gather(x, dim, order), F.reshape(places, (-1,) + (1,) * (x.ndim - dim - 1))


def _at(F: Any, values: Any, dim: int, inside: Any) -> Any:
    """The value at the last of the places that are inside (they are the first ones)."""
    count = F.sum(F.cast(inside, "int64"), (dim,), True)
    return F.gather(values, dim, F.maximum(count - 1, 0))


def _row(rule: Any) -> Any:
    """A forward rule of a row, for any shape: 0-d is a row of one, an empty row is handed through."""
    def run(F: Any, x: Any, dim: int) -> Any:
        if not x.ndim:
            return F.reshape(rule(F, F.reshape(x, (1,)), 0), ())
        return rule(F, x, dim % x.ndim) if x.shape[dim] else F.copy(x)
    return run


@_row
def _sparse_shares(F: Any, x: Any, dim: int) -> Any:
    x = _shifted(F, x, dim)
    z, k = _descending(F, x, dim)
    sums = F.cumsum(z, dim)
    return F.maximum(x - _at(F, (sums - 1) / k, dim, 1 + k * z > sums), 0)


@activation(formula=r"\max(0, x_i - \tau(x)),\ \tau:\ \sum_i y_i = 1",
            derivative=r"s_i\,([i = j] - s_j / \textstyle\sum_k s_k),\ s = [y > 0]", paper="arXiv:1602.02068",
            note="Where y_i is just 0, the derivative is that of the side on which it stays 0.", **UNIT)
@wide
def sparsemax(F: Any, x: Any, *, dim: int = -1) -> Any:
    """The shares nearest to x: small ones are exactly 0 (Martins and Astudillo 2016)."""
    return _sparse_shares(F, x, dim)


@sparsemax.backward
@wide
def sparsemax_backward(F: Any, g: Any, y: Any, *, dim: int) -> Any:
    inside = F.where(y > 0, F.ones_like(y), y * 0)           # 1 or 0; NaN where y is
    return inside * (g - _total(F, inside * g, dim) / _total(F, inside, dim))


@_row
def _entmax15(F: Any, x: Any, dim: int) -> Any:
    x = _shifted(F, x, dim) / 2
    z, k = _descending(F, x, dim)
    mean = F.cumsum(z, dim) / k
    spread = k * (F.cumsum(z * z, dim) / k - mean * mean)
    tau = mean - F.sqrt(F.maximum((1 - spread) / k, 0))
    root = F.maximum(x - _at(F, tau, dim, tau <= z), 0)
    return root * root


@activation(formula=r"\max(0, x_i / 2 - \tau(x))^2,\ \tau:\ \sum_i y_i = 1",
            derivative=r"r_i\,([i = j] - r_j / \textstyle\sum_k r_k),\ r = \sqrt{y}", paper="arXiv:1905.05702", **UNIT)
@wide
def entmax15(F: Any, x: Any, *, dim: int = -1) -> Any:
    """Half way between softmax and sparsemax: zeros, but smooth where they begin (Peters, Niculae, Martins 2019)."""
    return _entmax15(F, x, dim)


@entmax15.backward
@wide
def entmax15_backward(F: Any, g: Any, y: Any, *, dim: int) -> Any:
    inside = y > 0
    r = F.where(inside, F.sqrt(F.where(inside, y, F.ones_like(y))), y * 0)   # no slope of the root at 0
    return r * (g - _total(F, r * g, dim) / _total(F, r, dim))


# ------------------------------------------------------------------------------------------- one takes it all
@_row
def _one_hot(F: Any, x: Any, dim: int) -> Any:
    places = F.reshape(F.arange(x.shape[dim], x), (-1,) + (1,) * (x.ndim - dim - 1))
    return F.cast(places == F.argmax(x, dim, True), x.dtype)


@activation(formula=r"[i = \arg\max_j x_j]", derivative=r"0", paper="https://onnx.ai/onnx/operators/onnx__Hardmax.html",
            note="The first of several largest, as in ONNX. The derivative is 0 wherever there is one.", **UNIT)
def hardmax(F: Any, x: Any, *, dim: int = -1) -> Any:
    """1 for the largest number (the first of them), 0 for the others."""
    return _one_hot(F, x, dim)


@hardmax.backward
def hardmax_backward(F: Any, g: Any) -> Any:
    return F.zeros_like(g)


@activation(formula=r"\mathrm{softmax}((x + n) / \tau),\ n_i = -\log(-\log u_i)",
            derivative=r"y_i\,([i = j] - y_j) / \tau", paper="arXiv:1611.01144", fixed={"noise": 0.0}, torch="gumbel_softmax",
            note="hard=True: the value is one-hot, the derivative that of the soft one (straight through).",
            aux=("soft",), **UNIT)
def gumbel_softmax(F: Any, x: Any, noise: Any, *, tau: float = 1.0, hard: bool = False, dim: int = -1) -> Any:
    """Softmax of x with Gumbel noise, which for a small tau is nearly a random choice by softmax's shares (Jang, Gu,
    Poole 2017; Maddison, Mnih, Teh 2017). The noise is drawn outside: see `nn.functional.gumbel_softmax`.
    """
    soft = _tempered(F, x, noise, tau=tau, dim=dim)
    return _one_hot(F, soft, dim) if hard else soft, soft


@wide
def _tempered(F: Any, x: Any, noise: Any, *, tau: float, dim: int) -> Any:
    return _shares(F, (x + noise) / tau, dim)


@gumbel_softmax.backward
def gumbel_softmax_backward(F: Any, g: Any, x: Any, noise: Any, soft: Any, *, tau: float, dim: int) -> Any:
    if soft is None:                      # recorded: computed again, so that it has a derivative
        soft = _tempered(F, x, noise, tau=tau, dim=dim)
    return wide(_against_mean)(F, g, soft, dim) / tau


# --------------------------------------------------------------------------------------------- maxout, squash
def _pieces(F: Any, x: Any, dim: int, k: int) -> tuple[Any, int]:
    """The axis split into (units, k), and where the k are."""
    if not x.ndim or k < 1 or x.shape[dim] % k:
        raise ShapeError("maxout", f"k={k} and an input of shape {x.shape}",
                         f"the size of dim {dim} must be a multiple of k, which is 1 or more")
    d = dim % x.ndim
    return F.reshape(x, (*x.shape[:d], x.shape[d] // k, k, *x.shape[d + 1:])), d + 1


@activation(formula=r"\max_{j < k} x_{k i + j}", derivative=r"[j = \arg\max]", paper="arXiv:1302.4389", axis=True,
            range=(-inf, inf), note="Of equal pieces the first gets the gradient, as with PyTorch's max(dim).")
def maxout(F: Any, x: Any, *, k: int = 2, dim: int = -1) -> Any:
    """The largest of each `k` neighbours: k linear pieces make one convex unit (Goodfellow et al. 2013)."""
    pieces, d = _pieces(F, x, dim, k)
    return F.amax(pieces, (d,))


@maxout.backward
def maxout_backward(F: Any, g: Any, x: Any, *, k: int, dim: int) -> Any:
    pieces, d = _pieces(F, x, dim, k)
    if not x.shape[dim]:
        return F.reshape(F.zeros_like(pieces), x.shape)
    places = F.reshape(F.arange(k, x), (-1,) + (1,) * (pieces.ndim - d - 1))
    largest = places == F.argmax(pieces, d, True)
    return F.reshape(F.where(largest, F.reshape(g, (*g.shape[:d], 1, *g.shape[d:])), 0.0), x.shape)


def _length(F: Any, x: Any, dim: int) -> Any:
    """The Euclidean length of a row without overflow; of a row of zeros 1, which is a number to divide by."""
    if not x.ndim or not x.shape[dim]:
        return F.where(x == 0, 1.0, F.abs(x))
    peak = F.amax(F.abs(x), dim % x.ndim, True)
    peak = F.where(peak == 0, 1.0, peak)
    parts = x / peak
    squares = _total(F, parts * parts, dim)
    return peak * F.sqrt(F.where(squares == 0, 1.0, squares))


@activation(formula=r"\frac{n}{1 + n^2}\,x,\ n = \lVert x \rVert", axis=True, range=(-1, 1), paper="arXiv:1710.09829",
            derivative=r"c\,([i = j] + \tfrac{1 - n^2}{1 + n^2}\,u_i u_j),\ c = \tfrac{n}{1 + n^2},\ u = x / n")
@wide
def squash(F: Any, x: Any, *, dim: int = -1) -> Any:
    """A vector with its direction and a length below 1: short ones shrink to 0, long ones to 1 (Sabour, Frosst,
    Hinton 2017, capsules).
    """
    n = _length(F, x, dim)
    return x / (n + 1 / n)


@squash.backward
@wide
def squash_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    n = _length(F, x, dim)
    u = x / n                                                 # 0 for a row of zeros
    zero = _total(F, F.abs(u), dim) == 0
    c = F.where(zero, 0.0, 1 / (n + 1 / n))
    r = F.minimum(n, 1 / n)                                   # (1 - n²) / (1 + n²) without n²
    bend = F.where(n > 1, r * r - 1, 1 - r * r) / (1 + r * r)
    return c * g + (c * bend) * u * _total(F, g * u, dim)
