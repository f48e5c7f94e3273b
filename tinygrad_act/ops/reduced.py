"""The frame of the losses that compare numbers one by one: a formula, reduced, as one node.

A row gives the formula and its slopes as elementwise rules; `pointwise` makes of them an op whose forward rule reduces
the formula's values and whose backward rules spread the gradient over the slopes. Only the inputs are kept.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..backend.namespace import broadcast_shape, numel
from ..elementwise import Elementwise
from ..errors import ArgumentError, DTypeError, ShapeError
from ..grad_mode import mode
from ..graph import casts, recording
from ..op import Op
from ..rule import parameters
from ..tensor import Tensor
from .registry import enter

REDUCTIONS = ("none", "mean", "sum")


def reduction_of(name: str, reduction: str, size_average: bool | None, reduce: bool | None,
                 choices: Sequence[str] = REDUCTIONS) -> str:
    """The reduction, also from the two arguments that came before it in PyTorch."""
    for given in (size_average, reduce):
        if given is not None and not isinstance(given, (bool, int)):
            raise ArgumentError(name, f"a {type(given).__name__} for size_average or reduce", "they are True or False",
                                f"a loss is made first and called then: {name}()(output, target)")
    if size_average is not None or reduce is not None:
        return "none" if reduce is False else "sum" if size_average is False else "mean"
    if reduction not in choices:
        raise ArgumentError(name, f"reduction={reduction!r}", f"choose from {tuple(choices)}")
    return reduction


# ------------------------------------------------------------------------------------------------------ the op
class PointwiseLoss(Elementwise):
    """An op whose inputs broadcast and mix dtypes as an elementwise one's, and whose result is reduced."""

    elementwise = False                  # its rules are none to print as kernels: those inside them are

    def __init__(self, name: str, value: Callable[..., Any], *slopes: Callable[..., Any] | None, **more: Any) -> None:
        names, _, settings = parameters(value)
        settings = {"reduction": "mean", **settings}
        names = names[1:]
        rules = [s and _signed(_backward, s, ("g", *names), settings, at=i, reads=_places(s, names)) for i, s in enumerate(slopes)]
        super().__init__(name, _signed(_forward, value, names, settings), *rules, **more)

    record = Op.record                                  # the rules see to what was broadcast


def _signed(rule: Callable[..., Any], formula: Callable[..., Any], names: Sequence[str], settings: dict[str, Any], **more: Any) -> Any:
    """`rule` for this formula, with the parameters that an Op reads off a rule."""
    rule = functools.partial(rule, formula, **more)
    rule.rule_parameters = ["F", *names], False, settings  # type: ignore[attr-defined]
    return rule


def _places(slope: Callable[..., Any], names: Sequence[str]) -> list[int]:
    """Which of the inputs a slope reads."""
    return [names.index(n) for n in parameters(slope)[0][2:]]


def _run(F: Any, rule: Callable[..., Any], arrays: Sequence[Any], settings: dict[str, Any]) -> Any:
    """An elementwise rule: recorded, run as it is, or by the executor (the halves in float32; on a GPU one kernel)."""
    lead = arrays[-1]                                                              # the first may be g, one number
    if not hasattr(lead, "dtype"):
        lead = next(a for a in reversed(arrays) if hasattr(a, "dtype"))
    plain = F is recording or (lead.dtype.char in F.plain and lead.size < F.large)
    if plain:
        return rule(F, *arrays, **settings)
    return F.run(rule, arrays, settings)


def _forward(value: Callable[..., Any], F: Any, *inputs: Any, reduction: str = "mean", **settings: Any) -> Any:
    loss = _run(F, value, inputs, settings)
    if reduction == "none":
        return loss
    if reduction == "mean":
        return F.mean(loss) if numel(loss.shape) else F.sum(loss) / 0.0
    return F.sum(loss)


def _backward(slope: Callable[..., Any], F: Any, g: Any, *inputs: Any, at: int, reads: Sequence[int], reduction: str,
              **settings: Any) -> Any:
    shape = broadcast_shape(*[a.shape for a in inputs if hasattr(a, "shape")]) or ()
    if reduction == "mean":
        share = g / (numel(shape) or 1)
        g = F.cast(share, g.dtype) if dtypes.is_half(g.dtype) else share        # NumPy widens a bfloat16 beside a number
    gx = _run(F, slope, (g, *[inputs[i] for i in reads]), {k: settings[k] for k in parameters(slope)[2]} if settings else settings)
    return F.sum_to(gx if gx.shape == shape else F.expand(gx, shape), inputs[at].shape)


def pointwise(name: str, value: Callable[..., Any], *slopes: Callable[..., Any] | None, **more: Any) -> PointwiseLoss:
    """Enter a row: `value(F, x, target, ..., *, setting)` and a slope `(F, g, ...)` for each input, or None."""
    return enter(PointwiseLoss(name, value, *slopes, **more))


# --------------------------------------------------------------------------------------------------- its arguments
def pair(name: str, input: Tensor, target: Tensor, *, equal: bool = False, warn: bool = True, into: bool = False) -> None:
    """Raise unless the shapes are such as PyTorch takes: equal; or (unless `equal`) some that broadcast, with a warning
    if `warn`; with `into`, to the input's shape.
    """
    a_tensor(name, "input", input)
    a_tensor(name, "target", target)
    if input.array.shape == target.array.shape:
        return
    shape = broadcast_shape(input.shape, target.shape)
    if equal or shape is None or (into and shape != input.shape):
        raise ShapeError(name, f"an input of shape {input.shape} and a target of shape {target.shape}",
                         "they must have one shape" if equal else "the target does not broadcast to the input" if into
                         else "they do not broadcast", "reshape one of them")
    if warn:
        warnings.warn(f"Using a target size {target.shape} that is different to the input size {input.shape}: {name} broadcasts them, "
                      "which is likely a mistake; give them one shape", UserWarning, stacklevel=3)


def a_tensor(name: str, what: str, t: Any) -> None:
    if not isinstance(t, Tensor):
        raise ArgumentError(name, f"{what}: {type(t).__name__}", f"the {what} must be a Tensor", "make one with ta.tensor(...)")


def same_dtype(name: str, input: Tensor, target: Tensor) -> None:
    """Raise unless the target is of the input's dtype, for losses that convert neither."""
    if input.dtype != target.dtype and not casts("bce"):
        raise DTypeError(name, f"an input of {input.dtype} and a target of {target.dtype}", "the dtypes differ",
                         "convert the target with .to(input.dtype)")


def constant(name: str, what: str, t: Tensor | None) -> None:
    """Raise if a gradient is wanted for a weight, which has none (as in PyTorch)."""
    if t is not None:
        a_tensor(name, what, t)
        if t.requires_grad and mode.grad:
            raise ArgumentError(name, f"a {what} that requires a gradient", f"the loss is not differentiated by its {what}",
                                f"pass {what}.detach()")


def converted(t: Tensor, dtype: Any) -> Tensor:
    """`t` in that dtype, as a recorded op where it is not."""
    if t.dtype == dtype:
        return t
    out: Tensor = recording.cast(t, dtype=dtype)
    return out


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """A loss that was composed of several ops, reduced."""
    out: Tensor = loss if reduction == "none" else recording.mean(loss) if reduction == "mean" else recording.sum(loss)
    return out


def floating(name: str, *tensors: Tensor) -> None:
    """Raise for tensors of integers, of which a loss has no gradient."""
    if not any(dtypes.is_floating(t.array.dtype) for t in tensors):
        raise DTypeError(name, " and ".join(str(t.dtype) for t in tensors), "it takes floats", "convert one with .float()")
