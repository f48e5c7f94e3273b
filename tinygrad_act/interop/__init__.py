"""Exchange with the outside: safetensors, PyTorch's checkpoints."""

from __future__ import annotations

from .torch_checkpoint import load_torch

__all__ = ["load_torch"]
