"""The ops: importing a module of this folder enters its rows (see registry.py)."""

from . import arithmetic, convert, create, printing, reduce, shape
