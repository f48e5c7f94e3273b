"""Dropout as modules: random in training, nothing in evaluation."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ArgumentError
from ..ops import dropout as functions
from ..tensor import Tensor
from .module import Module


class _Dropout(Module):
    function: Callable[..., Tensor]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(type(self).__name__, f"p={p}", "it is a probability: 0 to 1")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, each element is zero with probability p, the others are divided by 1 - p; nothing in evaluation.

    >>> ta.nn.Dropout(0.5).eval()(ta.ones(3))
    tensor([1., 1., 1.])
    """

    function = staticmethod(functions.dropout)


class Dropout1d(_Dropout):
    """Whole channels of (N, C, L) or (C, L): see `nn.functional.dropout1d`.

    >>> ta.nn.Dropout1d(0.5).eval()(ta.ones(1, 2))
    tensor([[1., 1.]])
    """

    function = staticmethod(functions.dropout1d)


class Dropout2d(_Dropout):
    """Whole channels of (N, C, H, W): see `nn.functional.dropout2d`.

    >>> ta.nn.Dropout2d()
    Dropout2d(p=0.5, inplace=False)
    """

    function = staticmethod(functions.dropout2d)


class Dropout3d(_Dropout):
    """Whole channels of (N, C, D, H, W) or (C, D, H, W): see `nn.functional.dropout3d`.

    >>> ta.nn.Dropout3d(0.2)
    Dropout3d(p=0.2, inplace=False)
    """

    function = staticmethod(functions.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout that keeps the mean 0 and the variance 1 that SELU makes: see `nn.functional.alpha_dropout`.

    >>> ta.nn.AlphaDropout(0.1)
    AlphaDropout(p=0.1, inplace=False)
    """

    function = staticmethod(functions.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels: see `nn.functional.feature_alpha_dropout`.

    >>> ta.nn.FeatureAlphaDropout(0.1)
    FeatureAlphaDropout(p=0.1, inplace=False)
    """

    function = staticmethod(functions.feature_alpha_dropout)
