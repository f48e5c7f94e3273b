"""Where every op is entered: as a function of the package, as a Tensor method, as a name of the rules' F.

A row of the tables in this folder is an Op; `elementwise`, `op` and `public` enter it. Functions with PyTorch's
signature that are not one op (they choose an op, or compose several) are entered by the decorator `public`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..elementwise import Elementwise
from ..graph import recording
from ..op import Op, Single
from ..short import two_inputs
from ..tensor import Tensor

functions: dict[str, Callable[..., Any]] = {}        # ta.NAME
methods: dict[str, Callable[..., Any]] = {}          # Tensor.NAME
table: dict[str, Op] = {}                            # every Op by its name

Function = TypeVar("Function", bound=Callable[..., Any])
Row = TypeVar("Row", bound=Op)


def enter(op: Row) -> Row:
    """Make an op part of F, without a public name."""
    table[op.name] = op
    setattr(recording, op.name, op.call)
    return op


def op(name: str, forward: Callable[..., Any], *rules: Any, **more: Any) -> Single:
    """A row: an op that is neither elementwise nor public by itself."""
    return enter(Single(name, forward, *rules, **more))


def elementwise(name: str, forward: Callable[..., Any], *rules: Any, doc: str = "", method: bool = True,
                **more: Any) -> Elementwise:
    """A row: an elementwise op, public under its name as a function and (unless `method=False`) a Tensor method."""
    row = enter(Elementwise(name, forward, *rules, **more))
    row.__doc__ = row.call.__doc__ = doc
    functions[name] = row.call
    if method:
        add_method(name, row.call)
    return row


def public(*names: str, method: bool = True, function: bool = True, F: bool = False) -> Callable[[Function], Function]:
    """Enter a function under its own name (or `names`): public, a method, and, if `F`, part of the rules' vocabulary."""
    def enter_it(f: Function) -> Function:
        if names:
            f.__name__ = f.__qualname__ = names[0]       # as Python's errors call it
        for name in names or (f.__name__,):
            if function:
                functions[name] = f
            if method:
                add_method(name, f)
            if F:
                setattr(recording, name, f)
        return f
    return enter_it


def add_method(name: str, f: Callable[..., Any]) -> None:
    """`x.name(...)` is `f(x, ...)`."""
    f = f.call if isinstance(f, Op) else f              # an Op is no function, which is what Python binds
    methods[name] = f
    setattr(Tensor, name, f)


def attribute(f: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """Enter a question that is asked without brackets: `x.is_cuda`."""
    setattr(Tensor, f.__name__, property(f))
    return f


def alias(**names: str) -> None:
    """Further names: `alias(absolute="abs")` enters as a function and a method what is entered as `abs`."""
    for name, of in names.items():
        functions[name] = functions[of]
        add_method(name, functions[of])


def operators(**rows: Callable[..., Any]) -> None:
    """Enter operators: `operators(__add__=add)`; a reflected one takes its operands the other way round."""
    for name, f in rows.items():
        reflected = name.startswith("__r") and name not in ("__round__", "__rshift__")
        methods[name] = _reflected(f) if reflected else _operator(f)
        setattr(Tensor, name, methods[name])


def unary_operators(**rows: Callable[..., Any]) -> None:
    """Enter operators of one operand: `unary_operators(__neg__=neg)`."""
    for name, f in rows.items():
        setattr(Tensor, name, lambda self, f=f: f(self))


def mirrored_operators(**rows: Callable[..., Any]) -> None:
    """Enter reflected operators by functions that take the tensor first: `mirrored_operators(__rsub__=rsub)`."""
    for name, f in rows.items():
        setattr(Tensor, name, _operator(f))


def _operator(f: Callable[..., Any]) -> Callable[..., Any]:
    op = getattr(f, "op", f)
    if isinstance(op, Elementwise) and op.arity == 2 and not op.defaults and not op.free:
        return two_inputs(op, foreign)

    def method(self: Tensor, other: Any) -> Tensor:
        return NotImplemented if foreign(other) else f(self, other)
    return method


def _reflected(f: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, other: Any) -> Tensor:
        return NotImplemented if foreign(other) else f(other, self)
    return method


OPERANDS = {Tensor, int, float, bool}


def foreign(x: Any) -> bool:
    """True for an operand that is no number, Tensor or array: Python then asks that operand."""
    return not (type(x) in OPERANDS or isinstance(x, Tensor) or hasattr(x, "__array__") or hasattr(x, "__cuda_array_interface__"))
