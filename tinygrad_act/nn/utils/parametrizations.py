"""Parametrizations that are much used: weight_norm, spectral_norm, orthogonal."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, IndexingError, ShapeError
from ...grad_mode import no_grad
from ...ops.factor import inv, orthonormal
from ...ops.matrix_function import matrix_exp
from ...ops.normalisation import normalize
from ...tensor import Tensor
from ..module import Module
from .computed import the_tensor
from .norms import as_matrix, norm_except_dim, positive, rows_of, unit
from .orthogonal_maps import identity, reflections, reflectors
from .parametrize import is_parametrized, register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)
MAPS = ("matrix_exp", "cayley", "householder")


# -------------------------------------------------------------------------------------------------------- weight_norm
class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """A weight as length times direction, g · v / ‖v‖, which learn by themselves (Salimans and Kingma, arXiv:1602.07868).

    There is a length for each index of `dim`, or with None one for all. They are `parametrizations.NAME.original0` (g) and
    `original1` (v). A state_dict of the older spelling, with NAME_g and NAME_v, can be loaded.

    >>> layer = ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape
    (40, 1)
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    if not any(getattr(hook, "func", None) is _older_names and hook.args == (name,) for hook in module._load_pre_hooks.values()):
        module.register_load_state_dict_pre_hook(functools.partial(_older_names, name))
    return module


def _older_names(name: str, module: Module, state: dict[str, Any], prefix: str, *more: Any) -> None:
    older = [f"{prefix}{name}_{part}" for part in "gv"]
    if is_parametrized(module, name) and all(key in state for key in older):
        for i, key in enumerate(older):
            state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(key)


# -------------------------------------------------------------------------------------------------------- spectral_norm
class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexingError("spectral_norm", f"dim={dim} for a tensor of shape {weight.shape}", f"it has {weight.ndim} axes")
        self.dim, self.eps = dim % weight.ndim, eps
        self.n_power_iterations = positive("spectral_norm", n_power_iterations)
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            self.register_buffer("_u", unit(matrix.shape[0], weight, eps))
            self.register_buffer("_v", unit(matrix.shape[1], weight, eps))
            self._iterate(matrix, 15)                      # so that the first weight is about right

    @no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> tuple[Tensor, Tensor]:
        """The power method: the vectors that the matrix stretches most, here and in the buffers."""
        u, v = self._u, self._v
        for _ in range(times):
            u = normalize(ops.mv(matrix, v), dim=0, eps=self.eps)
            v = normalize(ops.mv(matrix.T, u), dim=0, eps=self.eps)
        self._u.copy_(u)
        self._v.copy_(v)
        return u, v

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        # The graph keeps these two. The buffers would not do: a second forward pass before the backward pass changes them.
        u, v = self._iterate(matrix, self.n_power_iterations) if self.training else (ops.clone(self._u), ops.clone(self._v))
        return weight / ops.dot(u, ops.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> M:
    """A weight over its largest singular value, so that the layer stretches nothing (Miyato et al., arXiv:1802.05957).

    The value is estimated by the power method, which goes on by `n_power_iterations` whenever the weight is read in training mode.
    Axes but `dim` (the outputs: 0, of a transposed convolution 1) count as one.

    >>> layer = ta.nn.utils.parametrizations.spectral_norm(ta.nn.Linear(20, 40), n_power_iterations=30)
    >>> round(ta.linalg.matrix_norm(layer.weight, 2).item(), 4)
    1.0
    """
    weight = getattr(module, name, None)                   # also one that is parametrized already
    if not isinstance(weight, Tensor):
        weight = the_tensor("spectral_norm", module, name)
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, rows_of(module) if dim is None else dim, eps))


# -------------------------------------------------------------------------------------------------------- orthogonal
class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        n, k = X.shape[-2:]
        if self.orthogonal_map == "householder":
            signs = ops.sign(ops.diagonal(X.detach(), 0, -2, -1))          # which do not learn
            Q = reflections(X) * signs.unsqueeze(-2)
        else:
            X = ops.tril(X)
            if n != k:
                X = ops.cat([X, ops.zeros((*X.shape[:-1], n - k), dtype=X.dtype, device=X.device)], -1)
            A = X - X.mT
            if self.orthogonal_map == "matrix_exp":
                Q = matrix_exp(A)
            else:
                Q = inv(identity(n, A) - 0.5 * A) @ (identity(n, A) + 0.5 * A)
            Q = Q[..., :k]
        if self.use_trivialization and self.base is not None:
            Q = self.base @ Q
        return Q.mT if wide else Q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """The base takes Q's place, and minus the identity stands for no change (every map takes it for that)."""
        if Q.shape != self.shape:
            raise ShapeError("orthogonal", f"a value of shape {Q.shape}", f"it must have shape {self.shape}")
        wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if wide else Q
        n, k = tall.shape[-2:]
        if not self.use_trivialization and self.orthogonal_map == "householder":
            X = reflectors(orthonormal(tall))
            return X.mT if wide else X
        if not self.use_trivialization:
            raise NotImplementedError(f'orthogonal: "{self.orthogonal_map}" without a base cannot be given a value: use_trivialization=True keeps one')
        if n != k:
            tall = ops.cat([tall, ops.randn((*tall.shape[:-1], n - k), dtype=Q.dtype, device=Q.device)], -1)
        off = (tall.mT @ tall - identity(n, Q)).abs()
        near = n == k and not bool((off > 10 * n * dtypes.finfo(Q.dtype).eps).any())
        self.base = ops.clone(tall) if near else orthonormal(tall)
        return ops.zeros_like(Q) - ops.eye(*Q.shape[-2:], dtype=Q.dtype, device=Q.device)


def orthogonal(module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> M:
    """A matrix (or a batch: the last two axes) with orthonormal columns, or rows where these are fewer.

    Args:
        orthogonal_map: how an unconstrained matrix becomes one. "matrix_exp": exp(A) of a skew-symmetric A, the default of square
            matrices; "cayley": (I + A/2)(I - A/2)⁻¹; "householder": a product of reflections, the default of others.
        use_trivialization: keep a `base` that the map's result is multiplied by (Lezcano-Casado, arXiv:1909.09501). The weight is then at
            first what it was, made orthogonal; and other weights can be assigned.

    >>> layer = ta.nn.utils.parametrizations.orthogonal(ta.nn.Linear(3, 2))
    >>> bool(((layer.weight @ layer.weight.T - ta.eye(2)).abs() < 1e-5).all())
    True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        weight = the_tensor("orthogonal", module, name)
    if weight.ndim < 2:
        raise ShapeError("orthogonal", f"a tensor of shape {weight.shape}", "it takes a matrix or a batch of matrices")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentError("orthogonal", f"orthogonal_map={orthogonal_map!r}", "there is no such map", f"choose from {', '.join(map(repr, MAPS))}")
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization), unsafe=True)
