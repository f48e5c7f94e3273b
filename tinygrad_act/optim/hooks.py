"""Hooks: functions that are called round an optimizer's step, and round the saving and loading of its state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from ..nn.hooks import Hooks, RemovableHandle

KINDS = ("_step_pre", "_step_post", "_state_dict_pre", "_state_dict_post", "_load_state_dict_pre", "_load_state_dict_post")


def around_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step with its hooks round it, and noted for the schedulers, which come after it."""
    @functools.wraps(step)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if not (self._step_pre or self._step_post):
            return step(self, *args, **kwargs)
        for hook in list(self._step_pre.values()):
            new = hook(self, args, kwargs)
            if new is not None:
                if not (isinstance(new, tuple) and len(new) == 2):
                    raise ArgumentError(f"{self.name}.step", f"a hook that returned {type(new).__name__}",
                                        "a hook before the step returns None, or the new arguments as (args, kwargs)")
                args, kwargs = new
        out = step(self, *args, **kwargs)
        for hook in list(self._step_post.values()):
            hook(self, args, kwargs)
        return out
    return hooked


class Hooked:
    """The part of Optimizer that is about hooks."""

    _hook_names = KINDS

    def _start_hooks(self) -> None:
        for kind in KINDS:
            setattr(self, kind, Hooks())

    def _call_hooks(self, kind: str) -> None:
        for hook in list(getattr(self, kind).values()):
            hook(self)

    def _passed_on(self, kind: str, value: Any) -> Any:
        for hook in list(getattr(self, kind).values()):
            new = hook(self, value)
            value = value if new is None else new
        return value

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(optimizer, args, kwargs)` before each step; it may return other (args, kwargs)."""
        return self._add("_step_pre", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(optimizer, args, kwargs)` after each step."""
        return self._add("_step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer)` before state_dict."""
        return self._add("_state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer, state_dict)` on what state_dict returns; it may return another."""
        return self._add("_state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer, state_dict)` on what load_state_dict is given; it may return another."""
        return self._add("_load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer)` after load_state_dict."""
        return self._add("_load_state_dict_post", hook, prepend)

    def _add(self, kind: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        hooks: Hooks = getattr(self, kind)
        return hooks.add(hook, prepend)
