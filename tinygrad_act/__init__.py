"""tinygrad_act: autograd to learn backpropagation from and then keep using. `import tinygrad_act as ta`.

PyTorch's names for what PyTorch has; `ta.backend` (the switch between NumPy and CuPy), `ta.activations` (the catalogue)
and `ta.study` (looking at backpropagation) are its own.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from math import e, inf, nan, pi
from typing import Any

from .before_numpy import uncollected  # first

with uncollected():
    from . import _functions, activations, backend, errors
    from . import dtypes as _dtypes
    from ._functions import *
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
    from .dtypes import DType as dtype
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
    from .errors import MissingPackageError
    from .later import later
    from .op import Op
    from .tensor import Tensor

__version__ = "0.1.0"
newaxis = None

# Imported when first named, for few programs name them, or they cost more than all the rest: name -> where it stands.
_LATER = {
    **{name: name for name in (
        "amp", "autograd", "backends", "cuda", "datasets", "distributed", "distributions", "func", "interop", "linalg", "nn", "optim", "pretrained",
        "random", "study", "testing", "train", "tune", "utils")},
    "Function": "autograd.function", "compile": "replay", "load": "interop.formats", "save": "interop.safetensors",
    **dict.fromkeys(("GradScaler", "autocast", "get_autocast_dtype", "is_autocast_enabled"), "amp"),
    **dict.fromkeys(("are_deterministic_algorithms_enabled", "get_default_device", "get_float32_matmul_precision",
                     "is_deterministic_algorithms_warn_only_enabled", "set_default_device", "set_float32_matmul_precision",
                     "use_deterministic_algorithms"), "backends.switches"),
    **dict.fromkeys(("channels_last", "channels_last_3d", "contiguous_format", "layout", "memory_format", "preserve_format", "strided"), "formats"),
    # of networks, as PyTorch has them beside nn.functional: as they are there, and otherwise
    **dict.fromkeys(("adaptive_avg_pool1d", "avg_pool1d", "bilinear", "channel_shuffle", "cosine_similarity", "pairwise_distance", "pixel_shuffle",
                     "pixel_unshuffle", "rms_norm"), "nn.functional"),
    **dict.fromkeys(("adaptive_max_pool1d", "alpha_dropout", "alpha_dropout_", "batch_norm", "binary_cross_entropy_with_logits", "constant_pad_nd",
                     "cosine_embedding_loss", "ctc_loss", "dropout", "dropout_", "embedding", "feature_alpha_dropout", "feature_alpha_dropout_",
                     "feature_dropout", "feature_dropout_", "group_norm", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm",
                     "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d", "poisson_nll_loss",
                     "triplet_margin_loss"), "nn.outer"),
}
_import_later = later(__name__, _LATER)

__all__ = sorted([
    # parts
    "activations", "backend", "errors", *_LATER,
    # what tensors are, and ops
    "Elementwise", "Op", "Tensor", "device",
    # element types
    *(["bfloat16"] if PathFinder.find_spec("ml_dtypes") else []), "bool", "double", "dtype", "finfo", "float", "float16", "float32", "float64", "get_default_dtype", "half", "iinfo",
    "int", "int16", "int32", "int64", "int8", "long", "promote_types", "result_type", "set_default_dtype", "short", "uint8",
    # the CPU
    "get_num_threads", "set_num_threads",
    # numbers, and the index that is a new axis
    "e", "inf", "nan", "newaxis", "pi",
    # whether ops record
    "enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_grad_enabled",
    *_functions.__all__])


def __getattr__(name: str) -> Any:
    if name == "bfloat16":               # of the package ml_dtypes, which is optional
        try:
            return _dtypes.bfloat16()
        except MissingPackageError as missing:               # to hasattr() and help() it is an attribute that is not there
            raise AttributeError(str(missing)) from missing
    return _import_later(name)


def __dir__() -> list[str]:
    return __all__
