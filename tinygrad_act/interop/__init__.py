"""Exchange with the outside: files of tensors, and other libraries' names and layouts."""

from __future__ import annotations

from .npz import load_npz, save_npz
from .safetensors import SafeFile, load_safetensors, save_safetensors
from .torch_checkpoint import load_torch

__all__ = ["SafeFile", "load_npz", "load_safetensors", "load_torch", "save_npz", "save_safetensors"]
