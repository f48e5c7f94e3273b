"""Two inputs as modules: Bilinear, CosineSimilarity, PairwiseDistance."""

from __future__ import annotations

import math
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError
from ..ops.bilinear import bilinear
from ..ops.similarity import cosine_similarity, pairwise_distance
from ..tensor import Tensor
from . import init
from .module import Module, weight_and_bias
from .parameter import Parameter


class Bilinear(Module):
    """input1ᵀ A input2 + b, with a learned matrix A and number b for each output: see `nn.functional.bilinear`.

    Both start uniform in ±1/√in1_features.

    >>> ta.nn.Bilinear(2, 3, 4)(ta.ones(5, 2), ta.ones(5, 3)).shape
    (5, 4)
    """

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentError("Bilinear", f"in1_features={in1_features}", "it must be more than 0")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(ops.empty((out_features, in1_features, in2_features), device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(ops.empty((out_features,), device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return bilinear(input1, input2, *weight_and_bias(self))

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`: see `nn.functional.cosine_similarity`.

    >>> ta.nn.CosineSimilarity()(ta.tensor([[3.0, 4.0]]), ta.tensor([[4.0, 3.0]]))
    tensor([0.9600])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of the differences of vectors: see `nn.functional.pairwise_distance`.

    >>> ta.nn.PairwiseDistance(p=1)(ta.tensor([[0.0, 0.0]]), ta.tensor([[3.0, 4.0]]))
    tensor([7.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
