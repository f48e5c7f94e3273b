"""Shape: views."""
from __future__ import annotations
from .registry import op
reshape = op("reshape", lambda F, x, *, shape: F.reshape(x, shape), lambda F, g, x_shape: F.reshape(g, x_shape), view=True)
expand = op("expand", lambda F, x, *, shape: F.expand(x, shape), lambda F, g, x_shape: F.sum_to(g, x_shape), view=True)
