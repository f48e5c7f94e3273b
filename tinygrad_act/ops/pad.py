"""Padding: borders of a constant, or copied from the tensor itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .arguments import whole
from .registry import op

MODES = ("constant", "reflect", "replicate", "circular")

pad_op = op("pad", lambda F, x, *, pad, mode="constant", value=0: F.pad(x, pad, mode, value),
            lambda F, g, *, pad, mode: F.unpad(g, pad, mode))
unpad_op = op("unpad", lambda F, g, *, pad, mode="constant": F.unpad(g, pad, mode),
              lambda F, h, *, pad, mode: F.pad(h, pad, mode))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """The tensor with borders around its last axes; one node.

    Args:
        pad: (before, after) of the last axis, then of the last but one, ...; negative numbers cut off.
        mode: "constant" (borders of `value`, 0 unless given), "reflect" (mirrored at the edge element, which is not
            repeated), "replicate" (the edge element repeated), "circular" (what is at the other end).

    Returns: the size along each padded axis is n + before + after.

    Raises:
        ShapeError: there are more pairs than axes, more is cut off than there is, or a border is longer than what it is
            copied from: n - 1 for "reflect", n for "circular".

    >>> x = ta.tensor([1.0, 2.0, 3.0])
    >>> ta.nn.functional.pad(x, (1, 2))
    tensor([0., 1., 2., 3., 0., 0.])
    >>> ta.nn.functional.pad(x, (2, 1), mode="reflect")
    tensor([3., 2., 1., 2., 3., 2.])
    """
    if not isinstance(input, Tensor):
        raise ArgumentError("pad", type(input).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    if mode not in MODES:
        raise ArgumentError("pad", f"mode={mode!r}", f"choose from {MODES}")
    if not isinstance(pad, (tuple, list)):
        raise ArgumentError("pad", f"pad={pad!r}", "pad is a tuple of ints: (before, after) of the last axis, then of the one before")
    amounts = tuple([whole(n, "pad", "pad") for n in pad])
    _check(input, amounts, mode)
    if mode == "constant":
        return pad_op.call(input, pad=amounts, value=_constant(input, value))
    if value:
        raise ArgumentError("pad", f"mode={mode!r}, value={value}", "only constant borders have a value")
    return pad_op.call(input, pad=amounts, mode=mode)


def _constant(x: Tensor, value: Any) -> Any:
    if value is None:
        return 0
    if type(value) not in (int, float, bool):
        raise ArgumentError("pad", f"value={value!r}", "the value is a number")
    if type(value) is float and dtypes.kind(x.dtype) == "i":
        value = int(value)
    return dtypes.stored(value, x.dtype, "pad")


def _check(x: Tensor, amounts: tuple[int, ...], mode: str) -> None:
    shape = x.shape
    if len(amounts) % 2 or len(amounts) > 2 * len(shape):
        raise ShapeError("pad", f"{len(amounts)} numbers for a tensor of shape {shape}", "there are two for each axis, the last axis first",
                         f"give at most {2 * len(shape)}, an even number of them")
    for i in range(0, len(amounts), 2):
        n, before, after = shape[-1 - i // 2], amounts[i], amounts[i + 1]
        kept = n + min(before, 0) + min(after, 0)
        source = {"reflect": n - 1, "circular": kept}.get(mode)
        wrong = remedy = ""
        if kept < 0:
            wrong = f"more is cut off than the {n} there are"
        elif source is not None and max(before, after, 0) > source and (before or after):
            wrong, remedy = f"a {mode} border may not be longer than {max(source, 0)} here", 'pad in steps, or use mode="replicate"'
        elif mode in ("reflect", "replicate") and (before or after) and (n == 0 or n + before + after < 1):
            wrong = "nothing is there to copy" if n == 0 else "nothing is left"
        if wrong:
            raise ShapeError("pad", f"pad=({before}, {after}) along dim {len(shape) - 1 - i // 2} of size {n}, a tensor of shape {shape}", wrong, remedy)
