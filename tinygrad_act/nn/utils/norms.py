"""What weight_norm and spectral_norm, in either spelling, measure a weight by."""

from __future__ import annotations

from ... import _functions as ops
from ...errors import ArgumentError, IndexingError
from ...ops.normalisation import normalize
from ...tensor import Tensor
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module


def norm_except_dim(weight: Tensor, dim: int | None) -> Tensor:
    """The norm of each slice along `dim`, an axis of size 1 for each other; of all numbers with None or, as in PyTorch, -1."""
    if dim is None or dim == -1:
        return ops.norm(weight)
    if not -weight.ndim <= dim < weight.ndim:
        raise IndexingError("weight_norm", f"dim={dim} for a tensor of shape {weight.shape}", f"it has {weight.ndim} axes")
    others = [d for d in range(weight.ndim) if d != dim % weight.ndim]
    return ops.norm(weight, 2, others, True) if others else ops.abs(weight)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight with `dim` as rows and all other axes as columns."""
    matrix = weight if dim == 0 else ops.movedim(weight, dim, 0)
    return matrix.reshape(matrix.shape[0], -1)


def rows_of(module: Module) -> int:
    """The axis of a weight that stands for outputs."""
    return int(isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)))


def unit(size: int, like: Tensor, eps: float) -> Tensor:
    """A random vector of length 1."""
    return normalize(ops.randn(size, dtype=like.dtype, device=like.device), dim=0, eps=eps)


def positive(op: str, n_power_iterations: int) -> int:
    """A number of iterations that is one."""
    if n_power_iterations <= 0:
        raise ArgumentError(op, f"n_power_iterations={n_power_iterations}", "it must be 1 or more")
    return n_power_iterations
