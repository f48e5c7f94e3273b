"""The functions of networks: every activation of the catalogue, linear, dropout, one_hot, the losses.

`ta.nn.functional.NAME`, with PyTorch's names and signatures where it has the function.
"""

from __future__ import annotations

from typing import Any

from .. import _functions as ops
from ..activations import functional as _activations
from ..activations import shares as _shares
from ..elementwise import Elementwise
from ..errors import ArgumentError
from ..op import Op
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from ..ops.linear import linear
from ..ops.loss import cross_entropy, nll_loss
from ..ops.pad import pad
from ..ops.pointwise_loss import binary_cross_entropy, binary_cross_entropy_with_logits, l1_loss, mse_loss
from ..ops.registry import enter
from ..ops.scatter import one_hot
from ..tensor import Tensor

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "l1_loss", "linear",
           "mse_loss", "nll_loss", "one_hot", "pad"]
__all__ += ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

# The mask is drawn outside the rule, which so stays pure. What is dropped is 0 even where x is infinite.
_dropout = enter(Elementwise(
    "dropout", lambda F, x, mask, *, scale: F.where(mask, x * scale, 0), lambda F, g, mask, *, scale: F.where(mask, g * scale, 0),
    mixes=(0,)))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zero each element with probability p and divide the others by 1 - p, which keeps the mean.

    >>> ta.nn.functional.dropout(ta.ones(3), p=0.25, training=False)
    tensor([1., 1., 1.])
    """
    if not 0 <= p <= 1:
        raise ArgumentError("dropout", f"p={p}", "it is a probability: 0 to 1")
    if not training or p == 0:
        return input
    mask = ops.rand(input.shape, device=input.device) >= p
    out: Tensor = _dropout(input, mask, scale=1 / (1 - p) if p < 1 else 0.0)
    return input.copy_(out) if inplace else out


def _activation_functions() -> dict[str, Any]:
    """Every activation, by name, as the modules of the catalogue define it."""
    found = {name: value for name, value in vars(_activations).items() if not name.startswith("_")
             and (isinstance(value, Op) or getattr(value, "__module__", "") == _activations.__name__)}
    return found | {function.__name__: function for function in _shares.FUNCTIONS}


globals().update({name: f for name, f in _activation_functions().items() if name not in __all__})
__all__ += [name for name in _activation_functions() if name not in __all__]
