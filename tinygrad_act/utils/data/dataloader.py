"""PyTorch's path of DataLoader and what it is made with; the class stands in loader.py."""

from .collate import default_collate, default_convert
from .loader import DataLoader
from .workers import get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
