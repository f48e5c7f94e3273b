"""Hooks: functions that are called round a module's forward and backward pass."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..op import Op
from ..tensor import Tensor, wrap

_ids = itertools.count()


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away, and so does leaving a `with` block."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = next(_ids)
        self._hooks = weakref.ref(hooks)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Hooks(dict[int, Any]):
    """The hooks of one kind, in the order of registration. (A dict of its own class can be weakly referenced.)"""

    def add(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """Register a hook as the last one, or with `prepend` as the first."""
        handle = RemovableHandle(self)
        before = dict(self) if prepend else {}
        if prepend:
            self.clear()
        self[handle.id] = hook
        self.update(before)
        return handle


class BackwardHooks:
    """Catches a module's gradients on their way through: one gate behind its outputs, one before its inputs.

    The gates are ops that hand their inputs on; their backward rule is where the hooks run.
    """

    def __init__(self, module: Any, hooks: Sequence[Any], pre_hooks: Sequence[Any]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: tuple[Any, ...] = ()
        self.inputs_recorded = False

    def around_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.hooks:
            return args
        gated = self._gate("module_inputs", args, self._at_inputs)
        self.inputs_recorded = gated is not None
        return args if gated is None else gated

    def around_outputs(self, result: Any) -> Any:
        several = isinstance(result, (tuple, list))
        gated = self._gate("module_outputs", tuple(result) if several else (result,), self._at_outputs)
        if gated is None:
            return result
        return type(result)(gated) if several else gated[0]

    def _gate(self, name: str, values: tuple[Any, ...], rule: Callable[..., Any]) -> tuple[Any, ...] | None:
        """The values with those that need a gradient passed through an op; None if there are none."""
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
        if not places:
            return None
        count = len(places)

        def joint(F: Any, g: Any) -> Sequence[Any]:
            full: list[Any] = [None] * len(values)
            for i, part in zip(places, [g] if count == 1 else g, strict=True):
                full[i] = part if isinstance(part, Tensor) else wrap(part)
            new = rule(tuple(full))
            # An array came in as an array, and leaves as one.
            recorded = isinstance(g if count == 1 else g[0], Tensor)
            return [new[i] if recorded or new[i] is None else new[i].array for i in places]

        gate = Op(name, lambda F, *xs: xs[0] if count == 1 else xs, joint=joint, outputs=count, view=count == 1)
        passed = gate(*[values[i] for i in places])
        out = list(values)
        for i, v in zip(places, (passed,) if count == 1 else passed, strict=True):
            out[i] = v
        return tuple(out)

    def _at_outputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.pre_hooks:
            grads = _replaced(hook(self.module, grads), grads)
        self.grad_outputs = grads
        if not self.inputs_recorded:                       # no gradient will arrive there
            for hook in self.hooks:
                hook(self.module, (None,), grads)
        return grads

    def _at_inputs(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.hooks:
            grads = _replaced(hook(self.module, grads, self.grad_outputs), grads)
        return grads


def _replaced(new: Any, old: tuple[Any, ...]) -> tuple[Any, ...]:
    return old if new is None else tuple(new) if isinstance(new, (tuple, list)) else (new,)


class Hooked:
    """The part of Module that is about hooks."""

    forward: Callable[..., Any]
    _pre_hooks: Hooks
    _hooks: Hooks
    _backward_hooks: Hooks
    _backward_pre_hooks: Hooks
    _state_hooks: Hooks
    _load_hooks: Hooks
    _load_pre_hooks: Hooks

    def _call_hooked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs, _ in list(self._pre_hooks.values()):
            new = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if new is not None and with_kwargs:
                args, kwargs = new
            elif new is not None:
                args = new if isinstance(new, tuple) else (new,)
        gates = None
        if self._backward_hooks or self._backward_pre_hooks:
            gates = BackwardHooks(self, list(self._backward_hooks.values()), list(self._backward_pre_hooks.values()))
            args = gates.around_inputs(args)
        pending = list(self._hooks.values())
        try:
            result = self.forward(*args, **kwargs)
            while pending:
                hook, with_kwargs, _ = pending.pop(0)
                new = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
                result = result if new is None else new
        except Exception:
            for hook, with_kwargs, always in pending:
                if always:
                    (hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None))
            raise
        return result if gates is None else gates.around_outputs(result)

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """`hook(module, args)` before forward; what it returns replaces the arguments."""
        return self._pre_hooks.add((hook, with_kwargs, False), prepend)

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """`hook(module, args, output)` after forward; what it returns replaces the output."""
        return self._hooks.add((hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_input, grad_output)` (tuples) in the backward pass; it may return another grad_input."""
        return self._backward_hooks.add(hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_output)` before the module's own backward; it may return another grad_output."""
        return self._backward_pre_hooks.add(hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(module, state_dict, prefix, local_metadata)` once state_dict has been filled."""
        return self._state_hooks.add(hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before load_state_dict.

        It may edit the dict, a copy: other names for what this module, at `prefix`, has. What it puts into `error_msgs` is raised; the
        other two lists are not looked at.
        """
        return self._load_pre_hooks.add(hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """`hook(module, incompatible_keys)` after load_state_dict; it may edit the lists in them."""
        return self._load_hooks.add(hook)
