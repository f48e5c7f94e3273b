"""A network at rest: run to be looked at or used, not trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..grad_mode import no_grad
from .module import Module


@contextmanager
def at_rest(model: Module) -> Iterator[None]:
    """Evaluation mode and no recording for a while; afterwards each part is in the mode in which it was.

    >>> model = ta.nn.Sequential(ta.nn.Dropout(0.5), ta.nn.Identity().eval())
    >>> with at_rest(model):
    ...     model(ta.ones(3))
    tensor([1., 1., 1.])
    >>> model[0].training, model[1].training
    (True, False)
    """
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
