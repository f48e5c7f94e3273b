"""The ops: importing a module of this folder enters its rows (see registry.py)."""

from . import arithmetic, autograd_methods, convert, create, inplace, printing, reduce, shape
