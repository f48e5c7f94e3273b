"""The ops: importing a module of this folder enters its rows (see registry.py)."""

from . import arithmetic, reduce, shape
