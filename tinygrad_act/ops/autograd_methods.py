"""The Tensor methods of automatic differentiation: backward, detach, requires_grad_, retain_grad and hooks."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .. import graph
from ..errors import GraphError, InplaceError
from ..tensor import Tensor, wrap
from .registry import attribute, public


class Handle:
    """What registering a hook returns: `remove()` takes the hook out again. It works as a `with` block too."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks, self.hook = hooks, hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        for i, hook in enumerate(self.hooks):
            if hook is self.hook:
                del self.hooks[i]
                return

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


@public(function=False)
def backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:
    """Add to `.grad` of the leaves this tensor depends on (or of `inputs`) its gradient with respect to them.

    A tensor of more than one element needs `gradient`, of its shape. The graph is freed unless `retain_graph`, which
    defaults to `create_graph`; that makes the gradients part of a graph themselves.

    >>> x = ta.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward(); x.grad
    tensor([2., 4.])
    """
    graph.backward(self, gradient, retain_graph, create_graph, inputs)


@public()
def detach(self: Tensor) -> Tensor:
    """The same memory outside the graph: a constant. In-place changes of either are seen in both."""
    out = wrap(self.array)
    out.inference = self.inference
    return out


@public()
def detach_(self: Tensor) -> Tensor:
    """Cut this tensor off its graph: it becomes a leaf that needs no gradient."""
    if self.view_of and self.view_of[1] is not None:
        raise InplaceError("detach_", f"a view of shape {self.shape}", "a view's place in the graph is that of its root",
                           "use detach()")
    self.node, self._requires_grad = None, False
    return self


@public(function=False)
def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Say of a leaf whether gradients with respect to it are wanted.

    >>> ta.zeros(2).requires_grad_().requires_grad
    True
    """
    self.requires_grad = requires_grad
    return self


@public(function=False)
def retain_grad(self: Tensor) -> None:
    """Have `backward` set `.grad` of this result too, as it does for leaves."""
    if not self.requires_grad:
        raise GraphError("retain_grad", f"a tensor of shape {self.shape}", "it does not require a gradient",
                         "set requires_grad=True on a leaf it depends on")
    if self.node is None or "retained" in self.__dict__:
        return
    reference = weakref.ref(self)

    def keep(g: Tensor) -> None:
        t = reference()
        if t is not None:
            t._grad = g if t._grad is None else t._grad + g

    keep.tensor = reference  # type: ignore[attr-defined]   # so that study.Stepper can tell it from the user's hooks
    self.__dict__["retained"] = keep
    if self.node.hooks is None:
        self.node.hooks = []
    self.node.hooks.append(keep)           # in place: handles hold on to the list


@public(function=False)
def register_hook(self: Tensor, hook: Callable[[Tensor], Any]) -> Handle:
    """Call `hook(gradient)` when this tensor's gradient is known; what it returns, if not None, takes its place.

    >>> x = ta.tensor(2.0, requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> (x * 3).backward(); x.grad
    tensor(30.)
    >>> handle.remove()
    """
    if not self.requires_grad:
        raise GraphError("register_hook", f"a tensor of shape {self.shape}", "it does not require a gradient",
                         "set requires_grad=True on a leaf it depends on")
    owner = self if self.node is None else self.node
    if owner.hooks is None:
        owner.hooks = []
    keep = self.__dict__.get("retained")   # retain_grad comes last: it sees what the hooks made of the gradient
    owner.hooks.insert(owner.hooks.index(keep) if keep in owner.hooks else len(owner.hooks), hook)
    return Handle(owner.hooks, hook)


@public(function=False)
def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> Handle:
    """Call `hook(leaf)` after `backward` has added to the leaf's `.grad`: an optimizer step may run in it."""
    if self.node is not None or not self.requires_grad:
        raise GraphError("register_post_accumulate_grad_hook", f"a tensor of shape {self.shape}",
                         "only a leaf that requires a gradient has one added to", "use register_hook for a result")
    hooks = self.__dict__.setdefault("post_hooks", [])
    hooks.append(hook)
    return Handle(hooks, hook)


@public(function=False)
def is_inference(self: Tensor) -> bool:
    """True if it was made under `inference_mode`."""
    return self.inference


@attribute
def retains_grad(self: Tensor) -> bool:
    """Was `retain_grad` called on it, and is it the result of an op?"""
    return "retained" in self.__dict__ and self.node is not None
