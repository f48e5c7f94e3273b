"""PyTorch's path of Variable: `from tinygrad_act.autograd.variable import Variable`."""

from . import Variable

__all__ = ["Variable"]
