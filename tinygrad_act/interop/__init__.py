"""Exchange with the outside: files of tensors, and other libraries' names and layouts."""

from __future__ import annotations

from . import keras
from .filling import Filled, load_pretrained
from .naming import rename
from .npz import load_npz, save_npz
from .safetensors import SafeFile, load_safetensors, save_safetensors
from .torch_checkpoint import load_torch
from .torch_checkpoint.writing import save_torch

__all__ = ["Filled", "SafeFile", "keras", "load_npz", "load_pretrained", "load_safetensors", "load_torch", "rename", "save_npz", "save_safetensors", "save_torch"]
