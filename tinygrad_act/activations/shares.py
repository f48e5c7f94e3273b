"""The functions of `softmaxes.py` with PyTorch's signatures: `dim` checked, `dtype=`, noise drawn."""

from __future__ import annotations

import warnings
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..errors import ArgumentError
from ..ops import arguments
from ..ops.reduce import cast, only_floats
from ..ops.registry import functions, public
from ..tensor import Tensor, wrap
from . import softmaxes
from .record import Activation


def _along(record: Activation, x: Any, dim: Any, dtype: Any = None, *more: Tensor, **settings: Any) -> Tensor:
    if (type(dim) is int and dtype is None and isinstance(x, Tensor) and -x.array.ndim <= dim < x.array.ndim
            and x.array.dtype.char in "fd"):                     # nothing to convert or to complain of
        return record.op.call(x, *more, dim=dim % x.array.ndim, **settings)
    name = record.name
    if not isinstance(x, Tensor):
        raise ArgumentError(name, type(x).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    x = only_floats(cast(x, dtype), name)
    out: Tensor = record.op.call(x, *more, dim=arguments.dimension(_chosen(dim, x, name), x.ndim, name), **settings)
    return out


def _chosen(dim: Any, x: Tensor, name: str) -> Any:
    """`dim`; where it was left out, PyTorch's old choice, said aloud."""
    if dim is not None:
        return dim
    dim = 0 if x.ndim in (0, 1, 3) else 1
    warnings.warn(f"{name}: dim was left out; dim={dim} is chosen for an input of shape {x.shape}. Write it down: "
                  "dim=-1 is the last one", UserWarning, stacklevel=4)
    return dim


@public(method=True)
def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Positive shares that add up to 1 along `dim`: exp(x) / Σ exp(x), for x of any size. The input is converted to
    `dtype` first, if given. A row that is all -inf becomes NaN.

    >>> ta.softmax(ta.tensor([0.0, 1e4, 1e4]), dim=0)
    tensor([0.0000, 0.5000, 0.5000])
    """
    return _along(softmaxes.softmax, input, dim, dtype)


@public(method=True)
def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, without computing the share: exact for x of any size.

    >>> ta.log_softmax(ta.tensor([0.0, 1e4]), dim=0)
    tensor([-10000.,      0.])
    """
    return _along(softmaxes.log_softmax, input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Softmax of -input."""
    return _along(softmaxes.softmin, input, dim, dtype)


def sparsemax(input: Tensor, dim: int = -1) -> Tensor:
    """Shares along `dim` of which the small ones are exactly 0: the point of the simplex nearest to the input.

    >>> ta.nn.functional.sparsemax(ta.tensor([0.0, 1.0, 1.5]))
    tensor([0.0000, 0.2500, 0.7500])
    """
    return _along(softmaxes.sparsemax, input, dim)


def entmax15(input: Tensor, dim: int = -1) -> Tensor:
    """Between softmax and sparsemax: small shares are exactly 0, and go there smoothly."""
    return _along(softmaxes.entmax15, input, dim)


def hardmax(input: Tensor, dim: int = -1) -> Tensor:
    """1 for the first of the largest numbers along `dim`, 0 for the others; no gradient flows (it is 0)."""
    return _along(softmaxes.hardmax, input, dim)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1,
                   generator: Any = None) -> Tensor:
    """Softmax of (logits + Gumbel noise) / tau; with `hard`, one-hot, with the gradient of the soft one.

    `eps` has no effect, as in PyTorch. `generator` draws the noise.

    >>> ta.nn.functional.gumbel_softmax(ta.zeros(5), hard=True).sum()
    tensor(1.)
    """
    if not tau > 0:
        raise ArgumentError("gumbel_softmax", f"tau={tau}", "a temperature is above 0")
    only_floats(logits, "gumbel_softmax")
    wide = dtypes.float32 if dtypes.is_half(logits.dtype) else logits.dtype
    u = functions["rand"](logits.shape, dtype=wide, device=logits.device, generator=generator).array
    F = namespaces[type(u)]
    noise = -F.log(F.maximum(-F.log1p(-u), 1e-30))                 # u is in [0, 1): its 0 would be an infinite noise
    noise = wrap(F.cast(backend.namespace(u).asarray(noise), logits.dtype))
    return _along(softmaxes.gumbel_softmax, logits, dim, None, noise, tau=float(tau), hard=hard)


def maxout(input: Tensor, k: int = 2, dim: int = -1) -> Tensor:
    """The largest of each `k` neighbours along `dim`, whose size is divided by k.

    Raises: ShapeError, if that size is no multiple of k.

    >>> ta.nn.functional.maxout(ta.tensor([1.0, 5.0, 3.0, 2.0]), k=2)
    tensor([5., 3.])
    """
    return _along(softmaxes.maxout, input, dim, k=arguments.whole(k, "maxout", "k"))


def squash(input: Tensor, dim: int = -1) -> Tensor:
    """Each vector along `dim` with its direction and the length n² / (1 + n²), which is below 1 (capsules).

    >>> ta.nn.functional.squash(ta.tensor([3.0, 4.0]))
    tensor([0.5769, 0.7692])
    """
    return _along(softmaxes.squash, input, dim)


FUNCTIONS = (softmax, log_softmax, softmin, sparsemax, entmax15, hardmax, gumbel_softmax, maxout, squash)
