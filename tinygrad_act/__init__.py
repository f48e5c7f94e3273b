"""tinygrad_act: autograd to learn backpropagation from and then keep using. `import tinygrad_act as ta`.

PyTorch's names for what PyTorch has; `ta.backend` (the switch between NumPy and CuPy), `ta.activations` (the catalogue)
and `ta.study` (looking at backpropagation) are its own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import activations, autograd, backend, cuda, linalg, nn, ops, optim, utils
from . import dtypes as _dtypes
from ._functions import *
from .autograd import Function
from .backend import Device as device
from .dtypes import (
    double,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    result_type,
    set_default_dtype,
    short,
    uint8,
)
from .dtypes import bool_ as bool
from .dtypes import float32 as float
from .dtypes import int32 as int
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .elementwise import Elementwise
from .op import Op
from .tensor import Tensor

if TYPE_CHECKING:
    from .interop.safetensors import load, save

__version__ = "0.1.0"
_LAZY = ("study",)                       # imported when first named: they cost more than NumPy


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f".{name}", __name__)
    if name in ("load", "save"):         # files and JSON take Python longer than all of this package
        return getattr(importlib.import_module(".interop.safetensors", __name__), name)
    if name == "bfloat16":               # of the package ml_dtypes, which is optional
        return _dtypes.bfloat16()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
