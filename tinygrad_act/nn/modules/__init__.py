"""PyTorch's paths of the classes of `nn`: `from tinygrad_act.nn.modules.batchnorm import _BatchNorm`.

The classes stand elsewhere; the modules here are made of a table when this package is imported. The bases with an underscore are
there to ask with (`isinstance(m, nn.modules.conv._ConvNd)`); but for those of the losses, what they are made with is our own.
"""

from __future__ import annotations

import re
from typing import Any

from ... import nn
from ...later import shelf
from .. import activation, conv, dropout, losses, normalisation, pooling
from ..lazy import LazyModuleMixin
from ..module import Module
from . import utils

# The first whose pattern is found in a class's name has it; besides, activations have what is made from records.
PLACES = {
    "batchnorm": r"BatchNorm", "instancenorm": r"InstanceNorm", "normalization": r"Norm$", "conv": r"Conv", "loss": r"Loss$", "pooling": r"[pP]ool",
    "padding": r"Pad\dd$", "dropout": r"Dropout", "rnn": r"RNN|LSTM|GRU", "sparse": r"^Embedding", "transformer": r"^Transformer",
    "container": r"^(Sequential|Module(List|Dict)|Parameter(List|Dict))$", "linear": r"Linear$|^(Bilinear|Identity)$", "flatten": r"[fF]latten$",
    "fold": r"[fF]old$", "pixelshuffle": r"^Pixel", "channelshuffle": r"^Channel", "upsampling": r"^Upsampl", "distance": r"^(Cosine|Pairwise)",
    "module": r"^Module$", "activation": r"^(MultiheadAttention|Softmax2d)$",
}
BASES: dict[str, dict[str, Any]] = {
    "batchnorm": {"_BatchNorm": normalisation._BatchNorm, "_NormBase": normalisation._Running},
    "instancenorm": {"_InstanceNorm": normalisation._InstanceNorm},
    "conv": {"_ConvNd": conv._Convolution, "_ConvTransposeNd": conv._ConvTranspose},
    "dropout": {"_DropoutNd": dropout._Dropout},
    "lazy": {"LazyModuleMixin": LazyModuleMixin},
    "loss": {"_Loss": losses.Loss, "_WeightedLoss": losses.WeightedLoss},
    "pooling": {"_AdaptiveAvgPoolNd": pooling._AdaptiveAvgPool, "_AdaptiveMaxPoolNd": pooling._AdaptiveMaxPool, "_LPPoolNd": pooling._LPPool,
                "_MaxPoolNd": pooling._MaxPool, "_MaxUnpoolNd": pooling._MaxUnpool},
}


def _place(name: str, kind: type) -> str | None:
    """The module that has it; None for what is no Module, and for those that PyTorch has elsewhere or not at all."""
    if not issubclass(kind, Module):
        return None
    if issubclass(kind, activation.ActivationModule):
        return "activation"
    return next((place for place, pattern in PLACES.items() if re.search(pattern, name)), None)


_shelves: dict[str, dict[str, Any]] = {place: dict(bases) for place, bases in BASES.items()}
_NAMES: list[str] = vars(nn)["__all__"]                      # which its stub does not have
for _name in _NAMES:
    _class = getattr(nn, _name)
    if isinstance(_class, type) and (_found := _place(_name, _class)):
        _shelves.setdefault(_found, {})[_name] = globals()[_name] = _class
for _found, _held in _shelves.items():
    globals()[_found] = shelf(f"{__name__}.{_found}", "Classes of `nn` at PyTorch's path.", _held)

__all__ = sorted([*_shelves, "utils", *(n for n in _NAMES if n in globals())])
