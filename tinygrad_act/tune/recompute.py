"""checkpoint_blocks: have parts of a model computed again on the way back, instead of kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .. import _functions as ops
from ..grad_mode import is_grad_enabled
from ..nn import Module
from ..utils.checkpoint import checkpoint
from . import select
from .graft import Graft, graft, ungraft


class Checkpointed(Graft):
    """A module that keeps its arguments only, while training; see `ta.utils.checkpoint.checkpoint`."""

    label = "Checkpointed"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The same as without."""
        if not (self.training and is_grad_enabled()):
            return super().forward(*args, **kwargs)
        return checkpoint(super().forward, *args, use_reentrant=False, context_fn=self._contexts, **kwargs)

    def _contexts(self) -> tuple[Any, Any]:
        return contextlib.nullcontext(), self._unmoved()

    @contextlib.contextmanager
    def _unmoved(self) -> Iterator[None]:
        """Running statistics are moved by the first run, not by the second."""
        before = [(b, ops.clone(b.detach())) for b in self.buffers()]
        try:
            yield
        finally:
            for b, value in before:
                b.array[...] = value.array


def checkpoint_blocks(model: Module, *patterns: Any) -> list[str]:
    """Have the modules that the patterns mean keep only their inputs, and compute the rest again for backward. Less memory,
    about one forward pass of them more; gradients, dropout and running statistics are the same.

    Args:
        patterns: as for `freeze`; without any, the numbered blocks.

    Returns: their names.

    >>> model = ta.nn.Sequential(*[ta.nn.Sequential(ta.nn.Linear(4, 4), ta.nn.Tanh()) for _ in range(3)])
    >>> ta.tune.checkpoint_blocks(model)
    ['0', '1', '2']
    """
    if patterns:
        chosen = select.modules(model, patterns, "checkpoint_blocks")
    else:
        cut = select.layers(model)
        chosen = {name: model.get_submodule(name) for name, _ in cut[cut.first:cut.last]}
    for module in chosen.values():
        graft(module, Checkpointed)
    return list(chosen)


def keep_blocks(model: Module) -> None:
    """Undo `checkpoint_blocks`."""
    for module in model.modules():
        ungraft(module, Checkpointed)
