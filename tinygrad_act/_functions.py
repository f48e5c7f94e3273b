"""The functions of the tables as names of the package, listed for type checkers in `_functions.pyi`."""

from . import activations, ops  # noqa: F401  their import enters the rows
from .ops.inplace import install
from .ops.registry import functions

install()                                # the in-place methods, one for each of PyTorch's `name_`
globals().update(functions)
__all__ = sorted(functions)
