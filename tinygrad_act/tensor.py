"""Tensor: a handle on an array, its place in the graph, and its gradient.

The class holds no operations. They are rows of the tables in `ops/`, which put themselves here as methods and
operators (see `ops/registry.py`); what stands below is only what every handle has.
"""

from __future__ import annotations

import operator
from typing import Any

from . import backend, dtypes


class Tensor:
    """An n-dimensional array that can record what is done to it.

    Four things: `array` (of NumPy or CuPy), `node` (the op that made it, None for a leaf), `requires_grad`, and
    `grad` (None, or a Tensor of the same shape once `backward` has reached this leaf). Make one with `ta.tensor`.
    """

    # Defaults on the class: a result sets only what differs, which keeps an op's overhead low.
    array: Any
    node: Any = None                     # the graph.Node that made it
    requires_grad: bool = False
    grad: Tensor | None = None
    hooks: Any = None                    # on leaves; a result's hooks live in its node
    view_of: Any = None                  # (root Tensor, the view functions from it to this one): see ops/inplace.py
    views: Any = None                    # weak references to the live views of this root
    inference: bool = False              # made under inference_mode

    def __init__(self, *data: Any, requires_grad: bool = False, device: Any = None) -> None:
        """A handle on the array of a Tensor, or on an array; sizes, `Tensor(2, 3)`, and sequences make a float one."""
        given = data[0] if len(data) == 1 else data
        if isinstance(given, Tensor):
            self.array = given.array
        elif backend.is_array(given):
            self.array = given
        elif data and isinstance(given, (list, tuple)) and len(data) == 1:
            self.array = backend.asarray(given, dtypes.get_default_dtype(), device)
        else:
            module, index = backend.resolve(device)
            self.array = module.F.new(tuple(map(operator.index, data)) or (0,), dtypes.get_default_dtype(), None, index)
        if requires_grad:
            self.requires_grad = True

    # ---------------------------------------------------------------- what it is
    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def is_leaf(self) -> bool:
        """True for what the user made (or what needs no gradient), False for the result of a recorded op."""
        return self.node is None

    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor: its `repr` shows the op. None for a leaf."""
        return self.node

    @property
    def device(self) -> backend.Device:
        return backend.device_of(self.array)

    __hash__ = object.__hash__           # by identity: `==` compares elements
    __array_priority__ = 1000            # NumPy's operators give way to ours


def wrap(array: Any) -> Tensor:
    """A constant handle on an array, without a copy or a check."""
    t = Tensor.__new__(Tensor)
    t.array = array
    return t
