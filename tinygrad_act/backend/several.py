"""One elementwise change of many arrays: the parameters of a network, all by one rule.

`Columns` makes it row by row with `F.change`. On NumPy's arrays a `Table` makes it with one call of C, where the rule is
compiled: for small arrays the way to a loop takes longer than the loop. It is the same loop (execute.py), so the same bits.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from itertools import combinations, compress
from operator import is_
from typing import Any

import numpy as np

from . import subnormal
from .config import config
from .direct import functions
from .layout import HEAD, ITEMS

Change = tuple[Any, tuple[int, ...], tuple[int, ...], dict[str, Any]]      # rule, targets, arrays, params: arrays by their columns


class Columns:
    """Rows of arrays of one shape, one row for each parameter. What stands in column 0 is given anew at each change."""

    def __init__(self, F: Any, rows: Sequence[Sequence[Any]]) -> None:
        self.F, self.rows = F, rows

    def change(self, given: Sequence[Any], change: Change) -> None:
        """In each row `F.change(targets, rule, arrays, params)`."""
        rule, targets, arrays, params = change
        with subnormal.flushing():
            for first, others in zip(given, self.rows, strict=True):
                row = (first, *others)
                self.F.change([row[i] for i in targets], rule, [row[i] for i in arrays], params)


class _Several(ctypes.Structure):
    """several_t of several.c."""

    _fields_ = (("rule", ctypes.c_void_p), ("data", ctypes.c_void_p),
                *[(name, ctypes.c_long) for name in ("rows", "width", "targets", "varying", "size", "head", "items")],
                *[(name, ctypes.c_void_p) for name in ("table", "counts", "steps", "like")])


def possible(rows: Sequence[Sequence[Any]]) -> bool:
    """Can a Table hold these arrays?"""
    dtype = rows[0][0].dtype
    return dtype.char in "fd" and dtype.isnative and all(
        type(a) is np.ndarray and a.dtype == dtype and a.shape == row[0].shape and a.flags.carray for row in rows for a in row) \
        and not any(np.may_share_memory(a, b) for row in rows for a, b in combinations(row, 2)) and functions("several") is not None


class Table(Columns):
    """Columns whose addresses are known to C."""

    def __init__(self, F: Any, rows: Sequence[Sequence[Any]]) -> None:
        super().__init__(F, rows)
        self.count = sum(row[0].size for row in rows)
        self.made: Any = None                  # the change that was made last
        self.variable: list[bool] = []         # of each of its settings: is it a number that the loop is given?
        self.kinds: list[type] = []            # of what types these are,
        self.other: list[bool] = []            # and of the others
        self.fixed: list[Any] = []             # what they are
        self.inner: Any = None                 # the rule's loop: see execute.Inner
        self.launches: Any = None

    def change(self, given: Sequence[Any], change: Change) -> None:
        if self.inner is None or self.F.executor.mode.launches is not self.launches or not (change is self.made or self.fits(change)):
            self.look(change)
        self.made = change
        given = tuple(given)                   # where C finds the arrays' addresses
        if self.inner is None or not self.call(id(given)):
            super().change(given, change)

    def fits(self, change: Change) -> bool:
        """Does the change differ from the last one in nothing but numbers that the loop is given? It is then given the new ones."""
        rule, targets, arrays, params = change
        made = self.made
        if rule is not made[0] or targets != made[1] or arrays != made[2] or [*params] != [*made[3]]:
            return False
        settings = params.values()
        numbers = [*compress(settings, self.variable)]
        if not self.F.executor.cuda.BAKED.isdisjoint(numbers) or [*map(type, numbers)] != self.kinds \
                or not all(map(is_, compress(settings, self.other), self.fixed)):
            return False
        self.give(numbers)
        return True

    def give(self, numbers: Sequence[Any]) -> None:
        """Put the loop's numbers in their places."""
        for place, value in zip(self.numbers, self.inner.numbers(numbers), strict=True):
            place.value = value

    def look(self, change: Change) -> None:
        """Find the rule's loop for arrays like these and the change's settings, and give it its numbers. None if there is none (yet)."""
        if self.count < self.F.large >> 3 or config.kernels != "auto":
            self.inner = None
            return
        executor, (rule, targets, arrays, params) = self.F.executor or self.F.start(), change
        mode = executor.mode
        row = (self.rows[0][0], *self.rows[0])     # what is given lies like the first of the others, or C refuses it
        launch, numbers = executor.find(rule, [row[i] for i in arrays], params, mode)
        inner = executor.inner.get(launch)
        if inner is None or [arrays[i] for i in inner.used].count(0) != 1 or 0 in targets:
            self.inner = None
            return
        if inner is not self.inner or (targets, arrays) != self.made[1:3]:
            self.write(inner, targets, [arrays[i] for i in inner.used])
        self.inner, self.launches = inner, mode.launches
        settings = params.values()
        self.variable = [inner.takes == len(numbers) and not executor.cuda.baked(value) for value in settings]
        self.kinds = [*map(type, compress(settings, self.variable))]
        self.other = [not variable for variable in self.variable]
        self.fixed = [*compress(settings, self.other)]
        self.give(numbers)

    def write(self, inner: Any, targets: Sequence[int], used: Sequence[int]) -> None:
        """The addresses: in each row of the arrays that the loop reads, of its numbers, and of those that it changes."""
        at: Callable[[Any], int] = lambda array: array.ctypes.data
        self.numbers = [np.ctypeslib.as_ctypes_type(dtype)() for dtype in inner.dtypes]
        size, varying = self.rows[0][0].itemsize, used.index(0)
        table: list[int] = []
        for row in self.rows:
            own = [0, *map(at, row)]
            table += [*[own[i] for i in used], *map(ctypes.addressof, self.numbers), *[own[i] for i in targets]]
        long, pointer = ctypes.c_long, ctypes.c_void_p
        parts: list[Any] = [(pointer * len(table))(*table), (long * len(self.rows))(*[row[0].size for row in self.rows]),
                 (long * (len(table) // len(self.rows)))(*[size] * len(used), *[0] * len(self.numbers), *[size] * len(targets)),
                 (pointer * len(self.rows))(*[id(row[0]) for row in self.rows])]
        several = _Several(inner.loop, inner.data, len(self.rows), len(table) // len(self.rows), len(targets), varying, size, HEAD, ITEMS,
                           *[ctypes.addressof(part) for part in parts])
        self._kept = (several, parts)          # what C has pointers to
        self.call = functools.partial(functions("several").several, ctypes.addressof(several))
