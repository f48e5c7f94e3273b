"""Whether this thread records: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from . import backend

Function = TypeVar("Function", bound=Callable[..., Any])


class Mode(threading.local):
    """What this thread is doing: recording or not."""

    def __init__(self) -> None:
        self.grad = True
        self.inference = False
        backend.quiet()


mode = Mode()


class set_grad_enabled:
    """Record from here on, or do not: as a call, a `with` block or a decorator (`no_grad`, `enable_grad`)."""

    def __init__(self, enabled: bool, *, _apply: bool = True) -> None:
        self.enabled = enabled
        self.before: list[tuple[bool, bool]] = []
        self.called = mode.grad
        if _apply:
            mode.grad = enabled

    def __enter__(self) -> Any:
        self.before.append((self.called, mode.inference))
        mode.grad = self.enabled and not mode.inference
        return self

    def __exit__(self, *exc: object) -> None:
        mode.grad, mode.inference = self.before.pop()

    def __call__(self, function: Function) -> Function:
        mode.grad = self.called
        return _decorate(function, lambda: type(self)(self.enabled))


class no_grad(set_grad_enabled):
    """Inside, nothing is recorded: `with no_grad():`, or `@no_grad()`, or `@no_grad`.

    >>> import tinygrad_act as ta
    >>> x = ta.ones(2, requires_grad=True)
    >>> with ta.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    enables = False

    def __new__(cls, function: Any = None) -> Any:
        return _decorate(function, cls) if callable(function) else super().__new__(cls)

    def __init__(self, function: Any = None) -> None:
        super().__init__(self.enables, _apply=False)

    def __enter__(self) -> Any:
        self.called = mode.grad
        return super().__enter__()

    def __call__(self, function: Function) -> Function:
        return _decorate(function, type(self))


class enable_grad(no_grad):
    """Inside, ops are recorded again, also within no_grad."""

    enables = True


class inference_mode(no_grad):
    """As no_grad, and the tensors made inside can never be recorded afterwards either."""

    def __new__(cls, on: Any = True) -> Any:
        return _decorate(on, cls) if callable(on) else object.__new__(cls)

    def __init__(self, on: Any = True) -> None:
        super().__init__()
        self.on = on

    def __enter__(self) -> Any:
        super().__enter__()
        mode.grad, mode.inference = not self.on, bool(self.on)
        return self

    def __call__(self, function: Function) -> Function:
        return _decorate(function, lambda: type(self)(self.on))


def _decorate(function: Function, context: Callable[[], Any]) -> Function:
    """The function run in the context; a generator function only while it runs, not while it waits."""
    if inspect.isgeneratorfunction(function):
        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            running = function(*args, **kwargs)
            resume, given = running.send, None
            while True:
                try:
                    with context():
                        result = resume(given)
                except StopIteration as end:
                    return end.value
                try:
                    resume, given = running.send, (yield result)
                except GeneratorExit:
                    with context():
                        running.close()
                    raise
                except BaseException as error:
                    resume, given = running.throw, error
        return steps  # type: ignore[return-value]

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)
    return inside  # type: ignore[return-value]


def is_grad_enabled() -> bool:
    """Does this thread record?"""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Is this thread in `inference_mode`?"""
    return mode.inference
