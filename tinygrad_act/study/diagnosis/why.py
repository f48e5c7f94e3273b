"""why: the reason for a gradient that is None, 0, NaN, tiny or huge."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from ..tape import Tape
from .absent import absent
from .case import Case
from .causes import Reason
from .unhealthy import present


def why(tensor: Tensor, loss: Tensor | None = None, model: Any = None, tape: Tape | None = None) -> Reason:
    """Say why the gradient of a tensor (a parameter, an input, a result) is what it is.

    Args:
        tensor: the one with the strange `.grad`.
        loss: what `backward` was, or will be, called on. What is zero, not finite, tiny or huge is traced to an op if the
            graph is still there: `loss.backward(retain_graph=True)`, or before backward.
        model: a module, or {name: tensor}, for the names of parameters and layers.
        tape: a `study.Tape` around forward (it tells lines, modules, and where the graph was cut), and with
            `gradients=True` around backward too (it then stands in for a graph that was freed).

    Returns: an object with `.cause`, one of `study.Cause`; `.text`, which says what happened, where, and what to do; and
    `.evidence`. Nothing is changed: no `.grad`, no graph; hooks are not run.

    >>> w = ta.tensor([1.0, -2.0], requires_grad=True)
    >>> loss = ta.relu(w - 5).sum()
    >>> loss.backward(retain_graph=True)
    >>> reason = ta.study.why(w, loss)
    >>> reason.cause.value, reason.text[:72]
    ('dead_units', 'All 2 elements of the gradient of the tensor of shape (2,) are 0. It die')
    """
    for what, x in (("tensor", tensor), ("loss", loss)):
        if x is not None and not isinstance(x, Tensor):
            raise ArgumentError("why", f"a {type(x).__name__} as {what}", "it asks about Tensors", "pass a parameter, such as model[0].weight")
    if tensor is None:
        raise ArgumentError("why", "None", "it asks about the tensor, not about its .grad", "pass the tensor itself")
    if tape is not None and not isinstance(tape, Tape):
        raise ArgumentError("why", f"a {type(tape).__name__} as tape", "it reads a study.Tape")
    case = Case(tensor, loss, model, tape)
    return absent(case) if tensor.grad is None else present(case, tensor.grad)
