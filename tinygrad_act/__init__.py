"""tinygrad_act: autograd to learn backpropagation from and then keep using. `import tinygrad_act as ta`."""

from __future__ import annotations

from . import activations, autograd, backend, linalg, ops, utils
from .backend import Device as device
from .dtypes import *  # noqa: F403
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .op import Elementwise, Op
from .ops.inplace import install as _install
from .ops.registry import functions as _functions
from .tensor import Tensor

_install()
globals().update(_functions)

from . import activations, nn, optim, utils
from .interop.safetensors import load, save
