"""Automatic differentiation by name: grad, backward, Function, gradcheck, anomaly detection, functional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from .. import graph
from ..grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from ..graph import backward
from ..tensor import Tensor
from . import function, functional
from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from .function import Function, once_differentiable
from .gradcheck import gradcheck, gradgradcheck

__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "function", "functional", "grad", "gradcheck",
           "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "no_grad", "once_differentiable",
           "set_detect_anomaly", "set_grad_enabled", "variable"]


_Key = TypeVar("_Key")


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """The tensor itself, which is what a Variable became in PyTorch; for listings from before that.

    >>> Variable(ta.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """
    if requires_grad:
        data.requires_grad = True
    return data


@overload
def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor], grad_outputs: Any = None,
         retain_graph: bool | None = None, create_graph: bool = False, only_inputs: bool = True,
         allow_unused: bool | None = None, is_grads_batched: bool = False, materialize_grads: bool = False
         ) -> tuple[Tensor, ...]: ...


@overload
def grad(outputs: Tensor | Sequence[Tensor], inputs: dict[_Key, Tensor], grad_outputs: Any = None,
         retain_graph: bool | None = None, create_graph: bool = False, only_inputs: bool = True,
         allow_unused: bool | None = None, is_grads_batched: bool = False, materialize_grads: bool = False
         ) -> dict[_Key, Tensor]: ...


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
         is_grads_batched: bool = False, materialize_grads: bool = False) -> Any:
    """The gradients of `outputs` (one or several, summed) with respect to each of `inputs`; no `.grad` is touched.

    `grad_outputs` seeds each output (a scalar is seeded by 1); with `is_grads_batched` it has a leading axis, and so have
    the results. An input that the outputs do not depend on is an error, None with `allow_unused`, or zeros with
    `materialize_grads`. A dict of inputs gives a dict.

    >>> x = ta.tensor(3.0, requires_grad=True)
    >>> (g,) = ta.autograd.grad(x * x * x, x, create_graph=True)
    >>> g.item(), ta.autograd.grad(g, x)[0].item()
    (27.0, 18.0)
    """
    if isinstance(inputs, dict):
        values = grad(outputs, tuple(inputs.values()), grad_outputs, retain_graph, create_graph, only_inputs, allow_unused,
                      is_grads_batched, materialize_grads)
        return dict(zip(inputs, values, strict=True))
    keep = create_graph if retain_graph is None else retain_graph
    if not is_grads_batched:
        return graph.grad(outputs, inputs, grad_outputs, keep, create_graph, allow_unused, materialize_grads)
    seeds = graph.as_tuple(grad_outputs)
    count = len(seeds[0])
    rows: list[tuple[Tensor | None, ...]] = [
        graph.grad(outputs, inputs, tuple(s[i] for s in seeds), keep or i < count - 1, create_graph, allow_unused,
                   materialize_grads) for i in range(count)]
    return tuple(None if column[0] is None else graph.recording.stack(column, 0) for column in zip(*rows, strict=True))


from . import variable  # noqa: E402   it offers what stands above
