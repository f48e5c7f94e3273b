"""Tensor: a handle on an array, its place in the graph, and its gradient.

The class holds no operations. They are rows of the tables in `ops/`, which put themselves here as methods and
operators (see `ops/registry.py`); what stands below is only what every handle has.
"""

from __future__ import annotations

from typing import Any

from . import backend, dtypes
from ._methods import TensorMethods
from .errors import ArgumentError, DeviceError, DTypeError, GraphError, ShapeError


class Tensor(TensorMethods):
    """An n-dimensional array that can record what is done to it.

    Four things: `array` (of NumPy or CuPy), `node` (the op that made it, None for a leaf), `requires_grad`, and
    `grad` (None, or a Tensor of the same shape once `backward` has reached this leaf). Make one with `ta.tensor`.
    """

    # Defaults on the class: a result sets only what differs, which keeps an op's overhead low.
    array: Any
    node: Any = None                     # the graph.Node that made it
    _requires_grad: bool = False         # what the engine reads; the properties below check what a user sets
    _grad: Tensor | None = None
    hooks: Any = None                    # on leaves; a result's hooks live in its node
    post_hooks: Any = ()                 # called when a gradient has been added up
    view_of: Any = None                  # (root Tensor, the view functions from it to this one): see ops/inplace.py
    views: Any = None                    # weak references to the live views of this root
    inference: bool = False              # made under inference_mode
    _begin: Any                          # what `Tensor(...)` does with what it is given: ops/create.py

    def __init__(self, *data: Any, requires_grad: bool = False, device: Any = None) -> None:
        """A tensor of the default dtype, as PyTorch's class makes it: of numbers, `Tensor([1, 2])`, or of sizes, `Tensor(2, 3)`,
        which hold whatever the memory held. Arrays are converted too; a Tensor is taken as it is. `ta.tensor` is what keeps dtypes.
        """
        self._begin(data, device)
        if requires_grad:
            self.requires_grad = True

    # ---------------------------------------------------------------- its part in differentiation
    @property
    def requires_grad(self) -> bool:
        """Is a gradient wanted for it? Set it on leaves of floating dtypes."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and not dtypes.is_floating(self.array.dtype):
            raise DTypeError("requires_grad", f"a tensor of {self.dtype}", "only floating-point tensors have gradients",
                             "make it with dtype=ta.float32, or convert it with .float()")
        if not wanted and self.node is not None:
            raise GraphError("requires_grad", f"a result of {self.node.op.name}", "only a leaf can be told to need no gradient",
                             "use detach()")
        if wanted and self.inference:
            raise GraphError("requires_grad", f"a tensor of shape {self.shape}", "it was made under inference_mode, which rules "
                             "gradients out", "use a clone() of it, or make it under ta.no_grad()")
        self._requires_grad = bool(wanted)

    @property
    def grad(self) -> Tensor | None:
        """What `backward` has added up for this leaf: a Tensor like it, or None."""
        return self._grad

    @grad.setter
    def grad(self, g: Tensor | None) -> None:
        if g is not None:
            if not isinstance(g, Tensor) or g is self:
                raise ArgumentError("grad", "the tensor itself" if g is self else type(g).__name__,
                                    "a gradient is another Tensor, or None")
            for what in ("shape", "dtype", "device"):
                ours, theirs = getattr(self, what), getattr(g, what)
                if ours != theirs:
                    kind = {"shape": ShapeError, "dtype": DTypeError, "device": DeviceError}[what]
                    raise kind("grad", f"a gradient of {what} {theirs} for a tensor of {what} {ours}", "they must be equal")
        self._grad = g

    # ---------------------------------------------------------------- what it is
    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes, as a tuple."""
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The element type: `ta.float32` and its kin, which are NumPy's."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

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
        """Where the numbers are: `cpu`, or `cuda` and a number."""
        return backend.device_of(self.array)

    __hash__ = object.__hash__           # by identity: `==` compares elements
    __array_priority__ = 1000            # NumPy's operators give way to ours


def wrap(array: Any) -> Tensor:
    """A constant handle on an array, without a copy or a check."""
    t = Tensor.__new__(Tensor)
    t.array = array
    return t


def array_of(data: Any) -> Any:
    """The array of a Tensor, an array as it is, or what a sequence makes: one of the default dtype."""
    if isinstance(data, Tensor):
        return data.array
    return backend.asarray(data) if backend.is_array(data) else backend.asarray(data, dtypes.get_default_dtype())
