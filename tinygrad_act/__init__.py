"""tinygrad_act: autograd to learn backpropagation from and then keep using. `import tinygrad_act as ta`.

PyTorch's names for what PyTorch has; `ta.backend` (the switch between NumPy and CuPy), `ta.activations` (the catalogue)
and `ta.study` (looking at backpropagation) are its own.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import Any

from . import before_numpy  # first
from . import _functions, activations, autograd, backend, cuda, errors, linalg
from . import dtypes as _dtypes
from ._functions import *
from .autograd import Function
from .backend import Device as device
from .backend.threads import get_num_threads, set_num_threads
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

__version__ = "0.1.0"

# Imported when first named, for they cost more than all the rest: name -> where it stands.
_LAZY = {**{name: name for name in ("amp", "datasets", "distributed", "interop", "nn", "optim", "pretrained", "study", "train", "tune", "utils")},
         "autocast": "amp", "compile": "replay", "get_autocast_dtype": "amp", "is_autocast_enabled": "amp", "load": "interop.formats", "save": "interop.safetensors"}

__all__ = sorted([
    # parts
    "activations", "autograd", "backend", "cuda", "errors", "linalg", *_LAZY,
    # what tensors are, and ops
    "Elementwise", "Function", "Op", "Tensor", "device",
    # element types
    "bfloat16", "bool", "double", "finfo", "float", "float16", "float32", "float64", "get_default_dtype", "half", "iinfo",
    "int", "int16", "int32", "int64", "int8", "long", "promote_types", "result_type", "set_default_dtype", "short", "uint8",
    # the CPU
    "get_num_threads", "set_num_threads",
    # numbers
    "e", "inf", "nan", "pi",
    # whether ops record
    "enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_grad_enabled",
    *_functions.__all__])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f".{_LAZY[name]}", __name__)
        return module if _LAZY[name] == name else getattr(module, name)
    if name == "bfloat16":               # of the package ml_dtypes, which is optional
        return _dtypes.bfloat16()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
