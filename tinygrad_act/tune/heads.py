"""A new head: the last layer of a trained network, made anew for another number of classes."""

from __future__ import annotations

import copy
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError
from ..grad_mode import no_grad
from ..nn import Linear, Module, Parameter
from ..nn.conv import _Conv
from . import select
from .graft import origin_of

HOOKS = ("_pre_hooks", "_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_hooks", "_load_hooks", "_load_pre_hooks")


def new_head(model: Module, name: str, classes: int, *, bias: bool | None = None) -> Any:
    """Replace the Linear or convolution `name` by a new one with `classes` outputs, drawn afresh, and return it.

    It has the old one's inputs, dtype, device, hooks and (unless `bias` says otherwise) bias; it learns, also if the old one
    was frozen; and a weight that the old one shared stays with the others. If `name` is a Sequential or another part
    without weights of its own, its last Linear or convolution is replaced.

    Raises:
        ArgumentError: no such part, or none in it; or a convolution in groups that `classes` is no multiple of.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.ReLU(), ta.nn.Linear(8, 1000))
    >>> ta.tune.new_head(model, "2", 3)
    Linear(in_features=8, out_features=3, bias=True)
    """
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise ArgumentError("new_head", f"classes={classes!r}", "it is a number of outputs, from 1 up")
    found = select.modules(model, [name], "new_head")
    if len(found) > 1:
        raise ArgumentError("new_head", repr(name), f"it names several parts: {', '.join(found)}", "give the whole name")
    ((path, part),) = found.items()
    heads = [(n, m) for n, m in part.named_modules(prefix=path) if isinstance(m, (Linear, _Conv))]
    if not heads or not heads[-1][0]:
        raise ArgumentError("new_head", f"{name!r}, a {type(part).__name__}", "it is no Linear or convolution, and has none inside a parent")
    path, old = heads[-1]
    new = _fresh(old, classes, bias)
    for place in select.names_of(old, model):
        above, _, last = place.rpartition(".")
        model.get_submodule(above)._modules[last] = new
    return new


def _fresh(old: Any, classes: int, bias: bool | None) -> Any:
    """A layer of the same kind, with other outputs and other weights, and with the old one's hooks."""
    if getattr(old, "groups", 1) > 1 and classes % old.groups:
        raise ArgumentError("new_head", f"classes={classes}", f"the convolution is in {old.groups} groups, which share the outputs evenly")
    new = origin_of(old).__new__(origin_of(old))
    Module.__init__(new)
    new.__dict__.update({k: copy.copy(v) for k, v in old.__dict__.items() if k not in (*HOOKS, "_parameters", "_modules", "_buffers")})
    new.__dict__.update({k: old.__dict__[k] for k in HOOKS})
    setattr(new, "out_features" if isinstance(old, Linear) else "out_channels", classes)
    like = {"dtype": old.weight.dtype, "device": old.weight.device}
    new.weight = Parameter(ops.empty((classes, *old.weight.shape[1:]), **like))
    wanted = old.bias is not None if bias is None else bias
    new.register_parameter("bias", Parameter(ops.empty((classes,), **like)) if wanted else None)
    with no_grad():
        new.reset_parameters()
    return new
