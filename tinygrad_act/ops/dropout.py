"""dropout and its kin: one row, whose mask is drawn outside the rule, which so stays pure.

Elements, or with `feature` whole channels, are replaced with probability p; what is kept is scaled and shifted so that the
mean (and for alpha dropout the variance) stays. A mask of channels broadcasts, and is all that the graph keeps.
"""

from __future__ import annotations

import math
import warnings

from .. import dtypes
from ..backend import namespaces
from ..elementwise import Elementwise
from ..errors import ArgumentError, DTypeError, ShapeError
from ..tensor import Tensor, wrap
from .inplace import assign
from .random import uniform
from .reduce import operand
from .registry import enter

# What is dropped is `instead`, even where x is infinite.
_dropout = enter(Elementwise(
    "dropout", lambda F, x, mask, *, scale, shift=0, instead=0: F.where(mask, x * scale + shift if shift else x * scale, instead),
    lambda F, g, mask, *, scale: F.where(mask, g * scale, 0), mixes=(0,)))

SATURATED = -1.7580993408473766        # where SELU goes for large negative numbers: -scale * alpha


def _probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ArgumentError(name, f"p={p}", "it is a probability: 0 to 1")
    return p


def _drop(name: str, x: Tensor, p: float, training: bool, inplace: bool, alpha: bool = False, feature: bool = False) -> Tensor:
    _probability(name, p)
    operand(x, name)
    if not training or p == 0 or not x.array.size:
        return x
    if feature and x.ndim < 2:
        raise ShapeError(name, f"an input of shape {x.shape}", "it must have two axes at least: (N, C, ...)")
    if x.dtype.kind in "biu":
        raise DTypeError(name, f"an input of dtype {x.dtype}", "what is kept is scaled, which takes a float", "convert it with .float()")
    scale = 1 / (1 - p) if p < 1 else 0.0
    shift: float = 0                   # an int, for a zero that is a float is not remembered: see execute.remember
    instead: float = 0
    if alpha and p < 1:                # Klambauer et al., 2017, arXiv:1706.02515: mean 0 and variance 1 stay
        scale = 1 / math.sqrt((1 - p) * (1 + p * SATURATED * SATURATED))
        shift, instead = -scale * p * SATURATED, scale * (1 - p) * SATURATED
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if feature else x.shape
    mask = uniform(shape, dtypes.float32, x.device, None, name) >= p if p < 1 else namespaces[type(x.array)].new(shape, "bool", 0)
    out = _dropout(x, wrap(mask), scale=scale, shift=shift, instead=instead)
    return assign(x, out, name) if inplace else out


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zero each element with probability p and divide the others by 1 - p, which keeps the mean
    (Srivastava et al., 2014).

    >>> ta.nn.functional.dropout(ta.ones(3), p=0.25, training=False)
    tensor([1., 1., 1.])
    """
    return _drop("dropout", input, p, training, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for SELU: what is dropped becomes SELU's lower limit, and all is scaled and shifted so that the mean 0 and
    the variance 1 stay (Klambauer et al., 2017, arXiv:1706.02515).

    >>> ta.nn.functional.alpha_dropout(ta.ones(3))
    tensor([1., 1., 1.])
    """
    return _drop("alpha_dropout", input, p, training, inplace, alpha=True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """As alpha_dropout, of whole channels: input is (N, C, *).

    >>> ta.nn.functional.feature_alpha_dropout(ta.ones(1, 3))
    tensor([[1., 1., 1.]])
    """
    return _drop("feature_alpha_dropout", input, p, training, inplace, alpha=True, feature=True)


def of_channels(name: str, x: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    """Dropout of whole channels of (N, C, *), however many axes there are."""
    if operand(x, name).ndim < 2:
        raise ShapeError(name, f"an input of shape {x.shape}", "it must have two axes at least: (N, C, ...)")
    return _drop(name, x, p, training, inplace, feature=True)


def _channels(name: str, x: Tensor, batched: int, p: float, training: bool, inplace: bool) -> Tensor:
    """Channels of an input with `batched` axes, or of one without its batch axis."""
    operand(x, name)
    if x.ndim == batched:
        return _drop(name, x, p, training, inplace, feature=True)
    out = _drop(name, x.unsqueeze(0), p, training, False, feature=True).squeeze(0)
    return assign(x, out, name) if inplace and training else out


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zero each channel with probability p and divide the others by 1 - p.

    Args:
        input: (N, C, L) or (C, L).

    >>> ta.nn.functional.dropout1d(ta.ones(1, 2), training=False)
    tensor([[1., 1.]])
    """
    if operand(input, "dropout1d").ndim not in (2, 3):
        raise ShapeError("dropout1d", f"an input of shape {input.shape}", "it must be (N, C, L) or (C, L)", "use dropout for others")
    return _channels("dropout1d", input, 3, _probability("dropout1d", p), training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """As dropout1d, for (N, C, H, W). As in PyTorch, three axes are taken to be (N, C, L), with a warning.

    >>> ta.nn.functional.dropout2d(ta.ones(1, 2, 1, 1), training=False).shape
    (1, 2, 1, 1)
    """
    if operand(input, "dropout2d").ndim != 4:
        meant = "takes it for (N, C, L): use dropout1d" if input.ndim == 3 else "is meant for (N, C, H, W): use dropout"
        warnings.warn(f"dropout2d of an input of shape {input.shape} {meant}", stacklevel=2)
    return _drop("dropout2d", input, p, training, inplace, feature=True)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """As dropout1d, for (N, C, D, H, W) or (C, D, H, W).

    >>> ta.nn.functional.dropout3d(ta.ones(2, 1, 1, 1), training=False).shape
    (2, 1, 1, 1)
    """
    if operand(input, "dropout3d").ndim not in (4, 5):
        warnings.warn(f"dropout3d of an input of shape {input.shape} is meant for (N, C, D, H, W): use dropout", stacklevel=2)
    return _channels("dropout3d", input, 5, p, training, inplace)
