"""The ops: importing a module of this folder enters its rows (see registry.py)."""

from . import (
    arithmetic,
    autograd_methods,
    comparison,
    convert,
    create,
    exponential,
    inplace,
    printing,
    reduce,
    rounding,
    selection,
    shape,
    special,
    trigonometric,
)
