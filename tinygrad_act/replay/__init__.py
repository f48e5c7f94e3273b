"""Replay: a step of training recorded once, and run again without making a graph. `ta.compile(step)`; see docs/replay.md."""

from __future__ import annotations

from .compiled import Compiled, compile

__all__ = ["Compiled", "compile"]
