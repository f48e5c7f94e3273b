"""Optimizers, under PyTorch's names: `ta.optim.SGD(model.parameters(), lr=0.1)`."""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
