"""Where in a sequence a position is, as numbers that a transformer can read: waves, learned vectors, rotations."""

from __future__ import annotations

import math
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, ShapeError
from ..ops.rotary import rotary
from ..tensor import Tensor
from . import init
from .dropout import Dropout
from .module import Module
from .parameter import Parameter


class _Positions(Module):
    """What is given for each of `max_len` positions, and looked up for those of an input."""

    def __init__(self, features: int, max_len: int) -> None:
        super().__init__()
        if features <= 0 or max_len <= 0:
            raise ArgumentError(type(self).__name__, f"{features} features, max_len={max_len}", "both must be greater than 0")
        self.max_len = max_len

    def _rows(self, table: Tensor, length: int, offset: int) -> Tensor:
        if not 0 <= offset <= self.max_len - length:
            raise ShapeError(type(self).__name__, f"positions {offset} to {offset + length - 1}", f"there are {self.max_len}",
                             "make it with a larger max_len")
        return table[offset:offset + length]


class _Added(_Positions):
    """Adds a vector a position to sequences of features."""

    def __init__(self, d_model: int, max_len: int, dropout: float, batch_first: bool) -> None:
        super().__init__(d_model, max_len)
        self.d_model, self.batch_first = d_model, batch_first
        self.dropout = Dropout(dropout)

    def forward(self, input: Tensor, offset: int = 0) -> Tensor:
        """input, (L, d_model) or with a batch, plus what belongs to its positions, the first of which is `offset`."""
        if input.ndim not in (2, 3) or input.shape[-1] != self.d_model:
            raise ShapeError(type(self).__name__, f"an input of shape {input.shape}", "it must be " + (
                "(N, L, d_model)" if self.batch_first else "(L, N, d_model)") + f" or (L, d_model), with d_model={self.d_model}")
        first = input.ndim == 2 or self.batch_first
        rows = self._rows(self.weight, input.shape[-2] if first else input.shape[0], offset)
        result: Tensor = self.dropout(input + (rows if first else rows.unsqueeze(1)))
        return result

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


class SinusoidalPositionalEncoding(_Added):
    """Adds sines and cosines of the position, of wavelengths from 2π to 10000·2π, and then drops out.

    Feature 2i of position p is sin(p / 10000^(2i / d_model)), feature 2i + 1 the cosine. Nothing is learned.
    (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)

    Args:
        d_model: the number of features.
        max_len: for how many positions.
        dropout: as in nn.Dropout.
        batch_first: are inputs (N, L, d_model), or (L, N, d_model)?

    >>> ta.nn.SinusoidalPositionalEncoding(4)(ta.zeros(2, 4))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """

    weight: Tensor

    def __init__(self, d_model: int, max_len: int = 5000, dropout: float = 0.0, batch_first: bool = False,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        angles = _angles(d_model + d_model % 2, max_len, 10000.0, device)
        waves = ops.stack([angles.sin(), angles.cos()], -1).reshape(max_len, -1)[:, :d_model]
        self.register_buffer("weight", waves.to(dtype or dtypes.get_default_dtype()), persistent=False)


class LearnedPositionalEncoding(_Added):
    """Adds a learned vector for each position, and then drops out. They start normal, with the deviation 0.02.

    The arguments are those of SinusoidalPositionalEncoding. (Devlin et al. 2018, arXiv:1810.04805)

    >>> ta.nn.LearnedPositionalEncoding(8, max_len=10, batch_first=True)(ta.zeros(3, 5, 8)).shape
    (3, 5, 8)
    """

    weight: Parameter

    def __init__(self, d_model: int, max_len: int, dropout: float = 0.0, batch_first: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        self.weight = Parameter(ops.empty((max_len, d_model), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        init.normal_(self.weight, std=0.02)


class RotaryPositionalEncoding(_Positions):
    """Turns each pair of a head's features by the position times an angle of the pair's own: for queries and for keys.

    The product of a query and a key then depends on how far apart they are, not on where. (Su et al. 2021, RoPE,
    arXiv:2104.09864)

    Args:
        dim: the features of a head, an even number.
        max_len: for how many positions.
        base: pair i turns by base^(-2i / dim) a position.
        interleaved: are pairs neighbours, as in the paper, or feature i and feature i + dim / 2, as in Llama?

    >>> rotate = ta.nn.RotaryPositionalEncoding(2)
    >>> rotate(ta.tensor([[1.0, 0.0], [1.0, 0.0]]))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, dim: int, max_len: int = 4096, base: float = 10000.0, interleaved: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(dim, max_len)
        if dim % 2:
            raise ArgumentError("RotaryPositionalEncoding", f"dim={dim}", "features are turned in pairs", "choose an even number")
        self.dim, self.base, self.interleaved = dim, base, interleaved
        angles = _angles(dim, max_len, base, device)
        for name, values in (("cos", angles.cos()), ("sin", angles.sin())):
            self.register_buffer(name, values.to(dtype or dtypes.get_default_dtype()), persistent=False)

    def forward(self, input: Tensor, offset: int = 0) -> Tensor:
        """input, (..., L, dim), turned; its first position is `offset`."""
        if input.ndim < 2 or input.shape[-1] != self.dim:
            raise ShapeError("RotaryPositionalEncoding", f"an input of shape {input.shape}", f"it must be (..., L, {self.dim})")
        cos, sin = [self._rows(t, input.shape[-2], offset).to(input.dtype) for t in (self.cos, self.sin)]
        return rotary(input, cos, sin, interleaved=self.interleaved)

    def extra_repr(self) -> str:
        return f"{self.dim}, max_len={self.max_len}, base={self.base}, interleaved={self.interleaved}"


def _angles(features: int, count: int, base: float, device: Any) -> Tensor:
    """(count, features / 2): position p times base^(-2i / features), in float64."""
    i = ops.arange(0, features, 2, device=device, dtype=dtypes.float64)
    speeds = (i * (-math.log(base) / features)).exp()
    return ops.arange(count, device=device, dtype=dtypes.float64).unsqueeze(1) * speeds
