"""autocast: ops choose the precision they run in, by PyTorch's lists.

It listens as the study tools do (`graph.watchers`), so when it is off an op pays nothing for it. When it is on, an op of a
list is given its inputs cast; the casts are ops, and gradients come back in the inputs' own dtype.
"""

from __future__ import annotations

import functools
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import cuda, dtypes
from ..errors import ArgumentError, DTypeError
from ..grad_mode import mode
from ..graph import Watcher, recording, watchers
from ..tensor import Tensor
from .lists import ONLY, policies

DEFAULTS = {"cpu": "bfloat16", "cuda": "float16"}
TABLES = {kind: policies(kind) for kind in DEFAULTS}
lock = threading.Lock()


class State(threading.local):
    """What autocast does in this thread: for each kind of device the dtype, or None; and the casts of parameters made."""

    def __init__(self) -> None:
        self.dtypes: dict[str, Any] = {}
        self.depth = 0
        self.caching = True
        self.cache: dict[tuple[int, Any, bool], tuple[Any, Tensor]] = {}
        self.passing: Any = None             # the op whose inputs are cast already


state = State()


class Caster(Watcher):
    """The one watcher; `users` counts the autocast blocks that are open in all threads."""

    users = 0

    def instead(self, op: Any) -> Any:
        if state.passing is op:
            state.passing = None
            return op
        return Cast(op) if state.depth and self.casts(op.name) else op

    def casts(self, name: str) -> bool:
        return any(name in TABLES[kind] for kind in state.dtypes)


caster = Caster()


class Cast:
    """An op with its inputs cast first, as its device's list says."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def general(self, *inputs: Any, **params: Any) -> Any:
        """The op on inputs of the right precision."""
        given = [x for x in (*inputs, *params.values()) if isinstance(x, Tensor)]
        kind = kind_of(given[0].device.type) if given else ""
        dtype = state.dtypes.get(kind)
        policy = TABLES[kind].get(self.op.name) if dtype is not None else None
        if policy == "refused":
            raise DTypeError(self.op.name, "under autocast", "in half precision it overflows for outputs near 0 and 1",
                             "use binary_cross_entropy_with_logits on what goes into the sigmoid, or autocast(enabled=False)")
        if policy is not None and (self.op.name not in ONLY or ONLY[self.op.name](inputs, params)):
            to = dtype if policy == "lower" else dtypes.float32 if policy == "float32" else widest(given)
            inputs = tuple([cast(x, to, dtype) for x in inputs])
            params = {k: cast(v, to, dtype) for k, v in params.items()}
        state.passing = self.op
        try:
            return self.op.general(*inputs, **params)
        finally:
            state.passing = None


def kind_of(device_type: str) -> str:
    """The list for a device: that of the CPU for all but GPUs."""
    return "cuda" if device_type == "cuda" else "cpu"


def widest(given: Sequence[Tensor]) -> Any:
    """The dtype of float32 and half inputs together."""
    floats = [t.dtype for t in given if dtypes.is_floating(t.dtype)]
    return functools.reduce(dtypes.promote_types, floats) if floats else None


def cast(x: Any, dtype: Any, half: Any) -> Any:
    """A Tensor in `dtype`, if it is one of float32 or a half; a parameter's cast to the half is made once a block."""
    if not isinstance(x, Tensor) or dtype is None or x.dtype == dtype or x.dtype == dtypes.float64 or not dtypes.is_floating(x.dtype):
        return x
    if not (state.caching and dtype == half and x.dtype == dtypes.float32 and x.requires_grad and x.node is None):
        return recording.cast(x, dtype=dtype)
    key = (id(x), dtype, mode.grad)
    known = state.cache.get(key)
    if known is not None and known[0]() is x:
        return known[1]
    made: Tensor = recording.cast(x, dtype=dtype)
    state.cache[key] = (weakref.ref(x), made)
    return made


class autocast:
    """In the block, products run in half precision and what needs the range in float32, by PyTorch's lists for the device.

    Args:
        device_type: "cuda" or "cpu": the block is about ops on such tensors.
        dtype: float16 (the default on a GPU) or bfloat16 (on a CPU, where it takes the package ml_dtypes). On a CPU halves are
            right, and slow.
        enabled: False switches it off within another block.
        cache_enabled: cast each parameter once a block (the default), or each time.

    Parameters stay float32, and so do their gradients; the optimizer does not notice. Run the forward pass and the loss in it,
    not the backward pass. With float16 use a GradScaler. It is a `with` block, or a decorator of a function.

    Raises:
        ArgumentError: no such kind of device. A dtype that is no half, and a GPU that is not there, switch it off with a warning.

    >>> model, x = ta.nn.Linear(4, 2), ta.ones(1, 4)
    >>> with ta.autocast("cpu", dtype=ta.float16):
    ...     y = model(x)
    >>> y.dtype, (y * 1.0).sum().backward(), model.weight.grad.dtype
    (dtype('float16'), None, dtype('float32'))
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None) -> None:
        if not isinstance(device_type, str) or device_type not in DEFAULTS:
            raise ArgumentError("autocast", f"device_type={device_type!r}", 'it is "cpu" or "cuda"', "pass x.device.type")
        if device_type == "cuda" and enabled and not cuda.is_available():
            warnings.warn("autocast: CUDA is not available, so it is switched off", UserWarning, stacklevel=2)
            enabled = False
        self.device, self.cache_enabled = device_type, cache_enabled
        self.fast_dtype = None if not enabled and dtype is None else dtypes.as_dtype(DEFAULTS[device_type] if dtype is None else dtype)
        if enabled and not dtypes.is_half(self.fast_dtype):
            warnings.warn(f"autocast: {self.fast_dtype} is not float16 or bfloat16, so it is switched off", UserWarning, stacklevel=2)
            enabled = False
        self.enabled = enabled
        self.before: list[tuple[dict[str, Any], bool]] = []

    def __enter__(self) -> autocast:
        self.before.append((state.dtypes, state.caching))
        rest = {k: v for k, v in state.dtypes.items() if k != self.device}
        enter(rest | {self.device: self.fast_dtype} if self.enabled else rest)
        if self.cache_enabled is not None:
            state.caching = self.cache_enabled
        return self

    def __exit__(self, *exc: object) -> None:
        before, state.caching = self.before.pop()
        leave(before)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)
        return inside


def enter(chosen: dict[str, Any]) -> None:
    """Use these dtypes in this thread from here on, and listen."""
    state.dtypes = chosen
    state.depth += 1
    with lock:
        caster.users += 1
        if caster.users == 1:
            watchers.append(caster)


def leave(before: dict[str, Any]) -> None:
    """Go back to the dtypes of before; without a block in this thread the casts are forgotten, without any, all is as ever."""
    state.dtypes = before
    state.depth -= 1
    if not state.depth:
        state.cache.clear()
    with lock:
        caster.users -= 1
        if not caster.users:
            watchers.remove(caster)


@contextmanager
def as_in(chosen: dict[str, Any]) -> Iterator[None]:
    """Within it, autocast is what it was where `chosen` was `state.dtypes`."""
    if chosen == state.dtypes:
        yield
        return
    before = state.dtypes
    enter(chosen)
    try:
        yield
    finally:
        leave(before)


def is_autocast_available(device_type: str) -> bool:
    """Is there autocast for this kind of device?

    >>> ta.amp.is_autocast_available("cpu")
    True
    """
    return device_type in DEFAULTS


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Does autocast cast in this thread, for this kind of device?

    >>> with ta.autocast("cpu", ta.float16):
    ...     ta.is_autocast_enabled("cpu")
    True
    """
    return state.dtypes.get(device_type) is not None


def get_autocast_dtype(device_type: str) -> Any:
    """The half that autocast casts to, for this kind of device: of the block that is open, or the default.

    >>> ta.get_autocast_dtype("cuda")
    dtype('float16')
    """
    chosen = state.dtypes.get(device_type)
    return dtypes.as_dtype(DEFAULTS[device_type]) if chosen is None else chosen


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """For the forward of an autograd.Function: under autocast, cast its floating inputs to `cast_inputs` and run it without.

    Without `cast_inputs` the ops in it are autocast as any.

    >>> class Twice(ta.autograd.Function):
    ...     @staticmethod
    ...     @ta.amp.custom_fwd(device_type="cpu", cast_inputs=ta.float32)
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @ta.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> with ta.autocast("cpu", ta.float16):
    ...     Twice.apply(ta.ones(1, dtype=ta.float16)).dtype
    dtype('float32')
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._autocast = state.dtypes
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return fwd(ctx, *args, **kwargs)
        to = dtypes.as_dtype(cast_inputs)
        rest = ctx._autocast = {k: v for k, v in state.dtypes.items() if k != device_type}
        with as_in(rest):
            return fwd(ctx, *[cast(x, to, None) for x in args], **{k: cast(v, to, None) for k, v in kwargs.items()})
    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """For the backward of an autograd.Function whose forward has `custom_fwd`: it runs under the autocast that forward had."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with as_in(ctx._autocast):
            return bwd(ctx, *args, **kwargs)
    return backward
