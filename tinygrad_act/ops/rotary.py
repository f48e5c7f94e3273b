"""Rotary positions as one node: each pair of features is turned by an angle (Su et al. 2021, arXiv:2104.09864)."""

from __future__ import annotations

from typing import Any

from .registry import op

EVERY: Any = (Ellipsis,)


def _turned(F: Any, x: Any, cos: Any, sin: Any, *, interleaved: bool) -> Any:
    """Pairs are neighbours, or feature i and feature i + half."""
    half = x.shape[-1] // 2
    one, two = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    a, b = F.getitem(x, (*EVERY, one)), F.getitem(x, (*EVERY, two))
    pair = a * cos - b * sin, b * cos + a * sin
    return F.reshape(F.stack(pair, -1), x.shape) if interleaved else F.cat(pair, -1)


def _back(F: Any, g: Any, cos: Any, sin: Any, *, interleaved: bool) -> Any:
    return _turned(F, g, cos, -sin, interleaved=interleaved)


rotary = op("rotary", _turned, _back, None, None)
