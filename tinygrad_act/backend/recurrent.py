"""The steps of recurrent layers on the CPU in C (kernels/recurrent.c), in float32: one call for a whole sequence.

The functions in numerics/recurrent.py stay the definition, and what runs where there is no compiler; the tests run both.
Each thread takes some of the sequences through all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numerics.recurrent import Step, given
from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

ROWS, WEIGHT = 8, 8                      # sequences that C multiplies at a time; products that take about as long as a number shared otherwise
PANEL = 32                               # columns of laid out weights that lie together


class InSteps(Namespace):
    """The functions that have C beside them."""

    def lstm(self, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, order: Sequence[Step]) -> Any:
        functions = None if given(w_hr) else _functions(x, w_ih)
        if functions is None:
            return super().lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, order)
        z, size = self.matmul(x, w_ih.T), h0.shape[1]
        hidden, cells, hn, cn = np.empty((len(z), size), z.dtype), np.empty((len(z), size), z.dtype), _copy(h0), _copy(c0)
        self._steps(functions.lstm, (z, _packed(functions, w_hh.T), _bias(w_hh, b_ih, b_hh), hidden, cells, hn, cn), (), size, order, len(h0))
        return hidden, z, cells, hn, cn

    def lstm_back(self, gy: Any, gh: Any, gc: Any, h0: Any, c0: Any, w_hh: Any, w_hr: Any, z: Any, cells: Any, order: Sequence[Step]) -> Any:
        functions = None if given(w_hr) else _functions(z, w_hh)
        if functions is None:
            return super().lstm_back(gy, gh, gc, h0, c0, w_hh, w_hr, z, cells, order)
        dz, dh, dc = np.empty(z.shape, z.dtype), _copy(gh), _copy(gc)
        self._steps(functions.lstm_back, (dense(gy), dense(c0), _packed(functions, w_hh), z, cells, dz, dh, dc), (), c0.shape[1], order, len(h0))
        return dz, dh, dc, None, None

    def gru(self, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, order: Sequence[Step]) -> Any:
        functions = _functions(x, w_ih)
        if functions is None:
            return super().gru(x, h0, w_ih, w_hh, b_ih, b_hh, order)
        z, size = self.matmul(x, w_ih.T), h0.shape[1]
        hidden, products, last = np.empty((len(z), size), z.dtype), np.empty((len(z), size), z.dtype), _copy(h0)
        room = np.empty((len(h0), 3 * size), z.dtype)
        biases = _bias(w_hh, b_ih), _bias(w_hh, b_hh)
        self._steps(functions.gru, (z, _packed(functions, w_hh.T), *biases, room, hidden, products, last), (), size, order, len(h0))
        return hidden, z, products, last

    def gru_back(self, gy: Any, gh: Any, w_hh: Any, z: Any, products: Any, found: Any, order: Sequence[Step]) -> tuple[Any, Any]:
        functions = _functions(z, w_hh)
        if functions is None:
            return super().gru_back(gy, gh, w_hh, z, products, found, order)
        size = gh.shape[1]
        dz, dh = np.empty((len(z), 4 * size), z.dtype), _copy(gh)
        self._steps(functions.gru_back, (dense(gy), _packed(functions, w_hh), z, products, found, dz, dh), (), size, order, len(gh))
        return dz, dh

    def rnn(self, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, relu: bool, order: Sequence[Step]) -> tuple[Any, Any]:
        functions = _functions(x, w_ih)
        if functions is None:
            return super().rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, order)
        hidden, last = self.matmul(x, w_ih.T), _copy(h0)
        self._steps(functions.rnn, (hidden, _packed(functions, w_hh.T), _bias(w_hh, b_ih, b_hh), last), (int(relu),), h0.shape[1], order, len(h0))
        return hidden, last

    def rnn_back(self, gy: Any, gh: Any, w_hh: Any, hidden: Any, relu: bool, order: Sequence[Step]) -> tuple[Any, Any]:
        functions = _functions(hidden, w_hh)
        if functions is None:
            return super().rnn_back(gy, gh, w_hh, hidden, relu, order)
        dz, dh = np.empty(hidden.shape, hidden.dtype), _copy(gh)
        self._steps(functions.rnn_back, (dense(gy), _packed(functions, w_hh), hidden, dz, dh), (int(relu),), gh.shape[1], order, len(gh))
        return dz, dh

    def _steps(self, function: Any, arrays: tuple[Any, ...], settings: tuple[int, ...], size: int, order: Sequence[Step], batch: int) -> None:
        """The function on all steps of all sequences."""
        steps = np.array(order, np.int64)
        work = len(order) * batch * size * size // WEIGHT
        share = -(-batch // (pool.available(work) * ROWS)) * ROWS
        pool.ranges(function, (*[place(a) for a in (*arrays, steps)], *settings, len(order), size), batch, work, share)


def _functions(x: Any, w: Any) -> Any:
    return library("recurrent", "f", x, w, vector=("tanh",))


def _packed(functions: Any, w: Any) -> Any:
    """A matrix laid out to be multiplied by from the right."""
    rows, columns = w.shape
    panels = np.empty(-(-columns // PANEL) * PANEL * rows + PANEL, w.dtype)
    turned = not w.flags.c_contiguous
    whole = dense(w.T if turned else w)
    functions.pack(place(whole), place(panels), rows, columns, int(turned))
    return panels


def _bias(w: Any, *biases: Any) -> Any:
    """The sum of those that are given, for the rows of w."""
    total = np.zeros(len(w), w.dtype)
    for b in biases:
        total += b
    return total


def _copy(x: Any) -> Any:
    return np.array(x, order="C")
