"""`utils.data`: data sets and loaders. `utils.checkpoint`: memory for time."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
