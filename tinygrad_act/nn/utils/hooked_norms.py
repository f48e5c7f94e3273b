"""weight_norm and spectral_norm in the older spelling: a hook makes the weight an attribute before each forward pass.

What is new goes by `nn.utils.parametrizations`, which reads anew whenever it is asked, can be copied at any time, and can be replayed
(`ta.compile` takes no hooks). These have the names that older programs and checkpoints know.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from ... import _functions as ops
from ...errors import ArgumentError
from ...grad_mode import no_grad
from ...ops.normalisation import normalize
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter
from .computed import Computed, the_tensor
from .norms import as_matrix, norm_except_dim, positive, rows_of, unit

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


class _Norm:
    """The hook. `parts` are the endings of the names under which a module has what the weight is made of."""

    op: str
    parts: tuple[str, ...]

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def compute(self, module: Module, training: bool) -> Tensor:
        """The weight."""
        raise NotImplementedError

    def split(self, module: Module, weight: Tensor) -> None:
        """Give the module the parts of a weight."""
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        Computed.own(module)
        setattr(module, self.name, self.compute(module, module.training))

    def enter(self, module: M) -> M:
        """Hook it to the module."""
        if _place(self.op, module, self.name) is not None:
            raise ArgumentError(self.op, repr(self.name), f"this {type(module).__name__} has it already")
        weight = the_tensor(self.op, module, self.name)
        if not isinstance(weight, Parameter):
            raise ArgumentError(self.op, repr(self.name), "it is a buffer, which learns nothing", "name a parameter")
        Computed.of(module, self.name, f'nn.utils.remove_{self.op}(layer, "{self.name}")')
        self.split(module, weight)
        module.register_forward_pre_hook(self)
        return module

    def leave(self, module: Module) -> None:
        """Make the weight a parameter again."""
        with no_grad():
            weight = self.compute(module, False)
        for name in (self.name, *[self.name + part for part in self.parts]):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(weight.detach()))
        Computed.no_more(module, self.name)


class _WeightNorm(_Norm):
    op, parts = "weight_norm", ("_g", "_v")

    def compute(self, module: Module, training: bool) -> Tensor:
        g, v = (getattr(module, self.name + part) for part in self.parts)
        weight: Tensor = v * (g / norm_except_dim(v, self.dim))
        return weight

    def split(self, module: Module, weight: Tensor) -> None:
        g = norm_except_dim(weight.detach(), self.dim)
        delattr(module, self.name)
        module.register_parameter(f"{self.name}_g", Parameter(g))
        module.register_parameter(f"{self.name}_v", Parameter(weight.detach()))
        setattr(module, self.name, self.compute(module, False))


class _SpectralNorm(_Norm):
    op, parts = "spectral_norm", ("_orig", "_u", "_v")

    def __init__(self, name: str, dim: int, n_power_iterations: int, eps: float) -> None:
        super().__init__(name, dim)
        self.rows, self.n_power_iterations, self.eps = dim, positive(self.op, n_power_iterations), eps

    def compute(self, module: Module, training: bool) -> Tensor:
        weight, in_u, in_v = (getattr(module, self.name + part) for part in self.parts)
        matrix = as_matrix(weight, self.rows)
        if training:
            u = in_u
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v = normalize(ops.mv(matrix.T, u), dim=0, eps=self.eps)
                    u = normalize(ops.mv(matrix, v), dim=0, eps=self.eps)
                in_u.copy_(u)
                in_v.copy_(v)
        else:
            u, v = ops.clone(in_u), ops.clone(in_v)        # the graph's: the next pass in training changes the buffers
        computed: Tensor = weight / ops.dot(u, ops.mv(matrix, v))
        return computed

    def split(self, module: Module, weight: Tensor) -> None:
        rows, columns = as_matrix(weight.detach(), self.rows).shape
        delattr(module, self.name)
        module.register_parameter(f"{self.name}_orig", weight)  # type: ignore[arg-type]
        setattr(module, self.name, weight.detach())
        module.register_buffer(f"{self.name}_u", unit(rows, weight, self.eps))
        module.register_buffer(f"{self.name}_v", unit(columns, weight, self.eps))


def _place(op: str, module: Module, name: str) -> int | None:
    """Under which number the hook stands."""
    return next((i for i, (hook, *_) in module._pre_hooks.items() if isinstance(hook, _Norm) and (hook.op, hook.name) == (op, name)), None)


def hooked(module: Module) -> list[str]:
    """The names of these norms that hooks of the module compute; none if it has other hooks, too."""
    found = [getattr(hook, "op", "") if isinstance(hook, _Norm) else "" for hook, *_ in module._pre_hooks.values()]
    others = module._hooks or module._backward_hooks or module._backward_pre_hooks
    return [] if others or not all(found) else list(dict.fromkeys(found))


def _removed(op: str, module: M, name: str) -> M:
    place = _place(op, module, name)
    if place is None:
        raise ArgumentError(f"remove_{op}", repr(name), f"this {type(module).__name__} has no {op} of that name")
    module._pre_hooks.pop(place)[0].leave(module)
    return module


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """As `parametrizations.weight_norm`, with the parameters `NAME_g` and `NAME_v`. Deprecated: it warns, as PyTorch's does."""
    warnings.warn("`nn.utils.weight_norm` is deprecated in favor of `nn.utils.parametrizations.weight_norm`.", FutureWarning, stacklevel=2)
    return _WeightNorm(name, dim).enter(module)


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Undo `weight_norm`: the weight is a parameter again, with the value that it had."""
    return _removed("weight_norm", module, name)


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> M:
    """As `parametrizations.spectral_norm`, with the parameter `NAME_orig` and the buffers `NAME_u` and `NAME_v`, once a forward pass.

    >>> layer = ta.nn.utils.spectral_norm(ta.nn.Linear(20, 40))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    return _SpectralNorm(name, rows_of(module) if dim is None else dim, n_power_iterations, eps).enter(module)


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo `spectral_norm`: the weight is a parameter again, with the value that it had."""
    return _removed("spectral_norm", module, name)
