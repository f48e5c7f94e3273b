"""In-place changes: `x.add_(1)`, `x[i] = v`, `x *= 2`, and what they do to the graph.

An in-place op is the ordinary one followed by `assign`: the result is written into x's memory, and x's handle moves to
the node of the result. A view shares its memory with a root and other views, so a change of one moves them all: the
root's new node is `put` (the old root with the new part in its place), and the other views look at that.

Arrays that earlier nodes saved are guarded by the clock in `changes`. What the op itself saved of the old value
it keeps as a copy, as PyTorch's in-place formulas do.
"""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Callable
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..changes import changes, tick
from ..errors import DeviceError, DTypeError, IndexingError, InplaceError, ShapeError
from ..grad_mode import mode
from ..graph import Node, new_node, recording, watchers
from ..tensor import Tensor, wrap
from .index import getitem_op, resolve
from .registry import add_method, attribute, functions, methods, op

# `path` is how a view looks at its root: (op, settings) after (op, settings).
_put = op("put_view", lambda F, x, v, *, path: F.put(x, v, path),
          lambda F, g, *, path: F.erase(g, path=path),
          lambda F, g, v_shape, *, path: F.sum_to(F.follow(g, path), v_shape))
op("erase", lambda F, x, *, path: F.put(x, 0, path), lambda F, g, *, path: F.erase(g, path=path))


def _follow(x: Tensor, path: Any) -> Tensor:
    """The view of x that `path` describes."""
    for step, settings in path:
        x = step(x, **settings)
    return x


recording.follow = _follow


# ------------------------------------------------------------------------------------------------- the one way in
def assign(x: Tensor, result: Tensor, name: str, since: int | None = None) -> Tensor:
    """Make x hold `result`, in its memory and, if that is recorded, in the graph; returns x.

    `since` is the time before the op ran: its nodes are those made later (only the last one, unless given). Raises
    InplaceError where x may not be changed, ShapeError and DTypeError where the result does not fit into x.
    """
    refuse(x, name)
    if result.shape != x.shape:
        raise ShapeError(name, f"a result of shape {result.shape} for a tensor of shape {x.shape}",
                         "what is changed in place keeps its shape", f"use {name.rstrip('_')}, which returns a new tensor")
    if result.dtype != x.dtype:
        if not can_cast(result.dtype, x.dtype):
            raise DTypeError(name, f"a result of {result.dtype} for a tensor of {x.dtype}", "it would lose what it holds",
                             f"use {name.rstrip('_')}, which returns a new tensor, or convert x with .to({result.dtype})")
        result = recording.cast(result, dtype=x.dtype)
    array, value = x.array, result.array
    recorded = mode.grad and (x.requires_grad or result.requires_grad)
    if recorded and result.node:
        _keep_old(result.node, array, since)
    write(x, Ellipsis, value, name)
    if recorded:
        node = result.node
        if node is None:                   # the result is a leaf, or a constant: x's old value gets a zero gradient
            node = _put_node(x, result, ())
        elif namespaces[type(array)].owner(array) is array:
            node.saved = tuple([array if s is value else s for s in node.saved])   # y is x now: keep it once
            node.time = tick()
        become(x, node)
    return x


def can_cast(source: Any, target: Any) -> bool:
    """True if an in-place op may write `source` into `target`: bool into int into float, but not back."""
    return dtypes.promote_types(source, target) == target or dtypes.is_floating(target) or (
        target.kind in "iu" and source.kind in "iub")


def refuse(x: Tensor, name: str) -> None:
    """Raise if x may not be changed in place."""
    if x.inference and not mode.inference:
        raise InplaceError(name, f"a tensor of shape {x.shape}", "it was made under inference_mode, which keeps no record "
                           "of changes", "change a clone() of it, or change it under inference_mode")
    root, path = _root(x)
    if mode.grad and path is None:
        raise InplaceError(name, f"a view of shape {x.shape}", "it was taken under no_grad, so the tensor it looks at "
                           "would not learn of the change", "take the view where gradients are recorded")
    if mode.grad and root.requires_grad and root.node is None:
        raise InplaceError(name, f"a {'leaf' if x is root else 'view of a leaf'} of shape {x.shape} that requires a gradient",
                           "the value its gradient belongs to would be lost",
                           "change it under ta.no_grad(), or change a clone() of it")
    if x.array.size and 0 in x.array.strides and any(s == 0 and n > 1 for s, n in zip(x.array.strides, x.shape, strict=True)):
        raise InplaceError(name, f"an expanded tensor of shape {x.shape}", "several of its elements are one place in memory",
                           "change a clone() of it")


def _root(x: Tensor) -> tuple[Any, Any]:
    """What x is a view of, and how; x itself if it is none. The path is None for a view taken under no_grad."""
    root: Any
    root, path = x.view_of or (x, ())
    if path is None:
        root = root()
        if root is None or not namespaces[type(x.array)].overlaps(x.array, root.array):
            return x, ()
    return root, path


def write(x: Tensor, index: Any, value: Any, name: str) -> None:
    """x[index] = value in memory, seen by the clock of changes."""
    array = x.array
    if type(value) is int and array.dtype.kind in "iu":
        value = dtypes.stored(value, array.dtype, name)
    try:
        namespaces[type(array)].write(array, index, value)
    except ValueError as error:
        if not getattr(array.flags, "writeable", True):
            raise InplaceError(name, f"a tensor of shape {x.shape}", "its memory is read-only",
                               "change a clone() of it") from error
        raise ShapeError(name, f"a value of shape {getattr(value, 'shape', ())} for a tensor of shape {x.shape}",
                         str(error).rstrip(".")) from error
    except IndexError as error:
        raise IndexingError(name, f"a tensor of shape {x.shape}", str(error).rstrip(".")) from error
    changes.mark(array, name)


def _keep_old(node: Any, array: Any, since: int | None) -> None:
    """The op's own nodes get a copy of what they saved of the memory that is about to be written."""
    F = namespaces[type(array)]
    since = node.time - 1 if since is None else since
    stack, seen = [node], set()
    while stack:
        node = stack.pop()
        if type(node) is not Node or node.time <= since or node in seen:
            continue
        seen.add(node)
        stack.extend(node.edges)
        if node.saved:
            node.saved = tuple([_apart(F, s, array) for s in node.saved])


def _apart(F: Any, saved: Any, array: Any) -> Any:
    if isinstance(saved, tuple):
        return tuple([_apart(F, s, array) for s in saved])
    return F.copy(saved) if type(saved) is type(array) and F.overlaps(saved, array) else saved


# ------------------------------------------------------------------------------------------------------ the graph
def _put_node(x: Tensor, v: Tensor, path: Any) -> Node:
    """The node of `put(x, v, path)`, whose value is in memory already."""
    mask = x.requires_grad + 2 * v.requires_grad
    plan = _put.plans.get(mask) or _put.plan(mask)
    edges = (x.node or x) if x.requires_grad else None, (v.node or v) if v.requires_grad else None
    return new_node(_put, edges, plan.keep((x.array, v.array, x.array)), plan, {"path": path})


def become(x: Tensor, node: Node) -> None:
    """x's value is now what `node` made; so its root's and that of the root's other views are other ones too."""
    root, path = _root(x)
    _move(x, node)
    if x is not root:
        _move(root, _put_node(root, x, _steps(path)))
    if root.views:
        live = [v for r in root.views if (v := r()) is not None]
        for view in live:
            if view is not x:
                _move(view, _follow(root, _steps(view.view_of[1])).node)
        root.views = [weakref.ref(v) for v in live]


def _steps(path: Any) -> tuple[Any, ...]:
    """changes.note_view's (earlier, op, settings) as a sequence of (op, settings), from the root on."""
    steps = []
    while path:
        path, op, settings = path
        steps.append((op, settings))
    return tuple(reversed(steps))


def _move(x: Tensor, node: Node) -> None:
    hook = x.__dict__.get("retained")
    if hook is not None:                   # retain_grad follows the tensor, not the node
        x.node.hooks.remove(hook)
        node.hooks = [*(node.hooks or ()), hook]
    x.node, x._requires_grad = node, True


# ------------------------------------------------------------------------------------------------------ x[i] = v
def setitem(x: Tensor, index: Any, value: Any) -> None:
    """`x[index] = value`: the value is converted to x's dtype and broadcast; gradients flow to both."""
    name = "setitem"
    refuse(x, name)
    steps = [i for i in resolve(x, index, name) if i is not None]       # basic, then arrays: as getitem reads it
    target = x if len(steps) == 1 else wrap(namespaces[type(x.array)].getitem(x.array, steps[0]))
    if type(value) in (int, float, bool) and not (mode.grad and x.requires_grad):
        write(target, steps[-1], value, name)
        return
    v = _as_value(x, value, name)
    if v.requires_grad and mode.grad:
        lead = v.ndim - namespaces[type(x.array)].getitem(target.array, steps[-1]).ndim
        if lead > 0 and v.shape[:lead] == (1,) * lead:
            v = recording.reshape(v, v.shape[lead:])
    write(target, steps[-1], v.array, name)
    if mode.grad and (x.requires_grad or v.requires_grad):
        become(x, _put_node(x, v, tuple((getitem_op, {"index": i}) for i in steps)))


def _as_value(x: Tensor, value: Any, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        return wrap(backend.asarray(value, x.dtype, x.device))
    if type(value.array) is not type(x.array):
        raise DeviceError(name, f"a value on {value.device} for a tensor on {x.device}",
                          "they are on different devices and no op moves data", "move the value with .to(device)")
    return value if value.dtype == x.dtype else recording.cast(value, dtype=x.dtype)


setattr(Tensor, "__setitem__", setitem)  # noqa: B010


# -------------------------------------------------------------------------------------------------------- the rows
def inplace(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`x.NAME_(...)`: x becomes `function(x, ...)`."""
    def method(self: Tensor, *args: Any, **params: Any) -> Tensor:
        since = tick()
        return assign(self, function(self, *args, **params), name, since)
    return named(method, name, function)


def named(method: Callable[..., Tensor], name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place method of `function`: called as that is."""
    functools.update_wrapper(method, function, assigned=(), updated=())
    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name[:-1]}`, in place; returns the tensor itself."
    return method


def fast(name: str, function: Callable[..., Tensor], write_op: Callable[[Any, Any], Any]) -> Callable[..., Tensor]:
    """The same; where nothing is recorded and the library can do it in place, it does."""
    slow = inplace(name, function)

    def method(self: Tensor, other: Any, *args: Any, **params: Any) -> Tensor:
        a, b = self.array, other
        F = namespaces[type(a)]
        fits = not args and not params and not watchers and a.dtype.char in F.floats and 0 not in a.strides
        if isinstance(other, Tensor):
            b = other.array
            fits = (fits and type(b) is type(a) and b.dtype is a.dtype and (b is a or not F.overlaps(a, b))
                    and not (mode.grad and other.requires_grad))
        if not fits or not (b is not other or type(b) in (int, float)) or self.inference or (mode.grad and self.requires_grad):
            return slow(self, other, *args, **params)
        try:
            write_op(a, b)
        except ValueError:                 # it does not fit: say so in our words
            return slow(self, other, *args, **params)
        changes.mark(a, name)
        return self
    return named(method, name, function)


FAST = {"add_": operator.iadd, "sub_": operator.isub, "mul_": operator.imul, "div_": operator.itruediv}

# Every in-place method that PyTorch has for an op of the same name; those whose op is there become methods.
NAMES = """
abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr arccos arccosh arcsin arcsinh arctan arctan2 arctanh
asin asinh atan atan2 atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
ceil clamp clamp_max clamp_min clip copysign cos cosh cumprod cumsum deg2rad digamma div divide eq erf erfc erfinv exp
exp2 expm1 fix float_power floor floor_divide fmod frac gcd ge greater greater_equal gt heaviside hypot i0 index_add
index_copy index_fill index_put index_reduce lcm ldexp le lerp less less_equal lgamma log log10 log1p log2 logical_and
logical_not logical_or logical_xor logit lt masked_fill masked_scatter mul multiply nan_to_num ne neg negative nextafter
not_equal polygamma pow put rad2deg reciprocal relu remainder renorm round rsqrt scatter scatter_add scatter_reduce sgn
sigmoid sign sin sinc sinh sqrt square sub subtract tan tanh tril triu true_divide trunc xlogy
"""
# PyTorch's in-place functions, which are free functions as well
FREE = """
abs acos acosh addmv asin asinh atan atanh ceil clamp clamp_max clamp_min clip cos cosh deg2rad erf erfc exp exp2 expm1
fix floor frac i0 index_put ldexp log log10 log1p log2 logit nan_to_num neg negative rad2deg reciprocal relu round rsqrt
sigmoid sin sinc sinh sqrt square tan tanh trunc xlogy celu selu threshold rrelu elu hardtanh leaky_relu
"""
OPERATORS = {"iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_",
             "imod": "remainder_", "ipow": "pow_", "iand": "bitwise_and_", "ior": "bitwise_or_", "ixor": "bitwise_xor_",
             "ilshift": "bitwise_left_shift_", "irshift": "bitwise_right_shift_"}
# These give x another shape over the same memory
RESHAPING = ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims")


def install() -> None:
    """Make the in-place methods of every op that is there; called once all of them are."""
    for name in NAMES.split():
        f = functions.get(name) or methods.get(name)
        if f is not None:
            method = fast(f"{name}_", f, FAST[f"{name}_"]) if f"{name}_" in FAST else inplace(f"{name}_", f)
            add_method(f"{name}_", method)
    for name in FREE.split():
        f = functions.get(name)
        if f is not None:
            functions[f"{name}_"] = methods.get(f"{name}_") or inplace(f"{name}_", f)
    for name in RESHAPING:
        if name in methods:
            add_method(f"{name}_", _reshaping(f"{name}_", methods[name]))
    for name, method_name in OPERATORS.items():
        if method_name in methods:
            setattr(Tensor, f"__{name}__", methods[method_name])


def _reshaping(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, **params: Any) -> Tensor:
        refuse(self, name)
        if self.view_of is None and mode.grad:        # x becomes a view of what it was, which other views keep to
            root = wrap(self.array)
            root.node, root._requires_grad, root.views = self.node, self._requires_grad, self.views
            for r in root.views or ():
                if (view := r()) is not None:
                    view.view_of = (root, view.view_of[1])
            self.views = None
            self.view_of = (root, ())
        view = function(self, *args, **params)
        self.array, self.node = view.array, view.node
        if view.view_of and view.view_of[1] is not None:
            root = view.view_of[0]
            self.view_of = view.view_of
            root.views = root.views or []             # none, if the function gave back its argument, as t does a vector
            root.views.append(weakref.ref(self))
        return self
    return named(method, name, function)


# ------------------------------------------------------------------------------------------------- fill and copy
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """x becomes a copy of `src`, broadcast, converted to x's dtype and, unlike any other op, to its device."""
    if isinstance(src, Tensor) and type(src.array) is not type(self.array):
        src = src.to(self.device)
    return _overwrite(self, src, "copy_")


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes `value`, a number or a 0-d tensor."""
    if getattr(value, "ndim", 0):
        raise ShapeError("fill_", f"a value of shape {value.shape}", "it must be a number or a 0-d tensor", "use copy_")
    return _overwrite(self, value, "fill_")


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0."""
    return _overwrite(self, 0, "zero_")


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """The main diagonal becomes `fill_value`; `wrap` starts it again below where a tall matrix ends it."""
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise ShapeError("fill_diagonal_", f"a tensor of shape {self.shape}",
                         "it must be a matrix, or have more than two axes, all of one size")
    rows, columns = self.shape[0], self.shape[1]
    places: list[tuple[int, ...]]
    if self.ndim == 2 and wrap:
        places = [(i // columns, i % columns) for i in range(0, rows * columns, columns + 1)]
    else:
        places = [(i,) * self.ndim for i in range(min(self.shape))]
    if places:
        setitem(self, tuple(list(axis) for axis in zip(*places, strict=True)), fill_value)
    return self


def _overwrite(x: Tensor, value: Any, name: str) -> Tensor:
    refuse(x, name)
    if not isinstance(value, Tensor) and type(value) in (int, float, bool) and not (mode.grad and x.requires_grad):
        write(x, Ellipsis, value, name)
        return x
    v = _as_value(x, value, name)
    write(x, Ellipsis, v.array, name)
    if mode.grad and (x.requires_grad or v.requires_grad):
        become(x, _put_node(x, v, ()))
    return x


for method_ in (copy_, fill_, zero_, fill_diagonal_):
    add_method(method_.__name__, method_)
functions["fill_"], functions["zero_"] = fill_, zero_


@attribute
def _version(self: Tensor) -> int:
    """How often its memory was changed in place."""
    return changes.version(self.array)
