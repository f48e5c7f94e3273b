"""Reductions."""

from __future__ import annotations

from typing import Any

from .registry import enter, op, public

# The rule's F, and with it the graph: dim is None or a tuple of non-negative ints, keepdim is explicit.
_sum = op("sum", lambda F, x, *, dim=None, keepdim=False: F.sum(x, dim, keepdim),
          lambda F, g, x_shape, *, dim, keepdim: F.expand(_keep(F, g, x_shape, dim, keepdim), x_shape))

sum_to = op("sum_to", lambda F, x, *, shape: F.sum_to(x, shape), lambda F, g, x_shape: F.expand(g, x_shape))


def _keep(F: Any, g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """g with the reduced axes back, of size 1."""
    if keepdim:
        return g
    dims = range(len(shape)) if dim is None else {d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim)}
    return F.reshape(g, tuple(1 if i in dims else n for i, n in enumerate(shape)))
