"""What the tables give Tensor: empty here, listed for type checkers in `_methods.pyi` (see ops/stubs.py)."""


class TensorMethods:
    """The base of Tensor; `ops.registry` sets the methods."""
