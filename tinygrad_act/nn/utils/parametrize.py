"""Parametrizations: a parameter or buffer that is computed anew from others whenever it is read.

`register_parametrization(layer, "weight", part)` moves the weight to `layer.parametrizations.weight.original`, which is what
learns, and from then on `layer.weight` is `part(original)`. For that the layer's class is replaced by one that derives from it and
has a property `weight`; `remove_parametrizations` gives the layer its class back.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

from ... import _functions as ops
from ...errors import ArgumentError, DeviceError, DTypeError, ModuleError, ShapeError
from ...grad_mode import mode, no_grad
from ...tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter
from .computed import Computed, the_tensor

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
           "transfer_parametrizations_and_params", "type_before_parametrizations"]

M = TypeVar("M", bound=Module)
KINDS: dict[str, Any] = {"dtype": DTypeError, "shape": ShapeError, "device": DeviceError}


# -------------------------------------------------------------------------------------------------------- the cache
class _Cache(threading.local):
    """What this thread has computed inside `cached()`: by parametrization, and by whether it was recorded."""

    def __init__(self) -> None:
        self.depth = 0
        self.values: dict[tuple[ParametrizationList, bool, bool], Tensor] = {}

    def get(self, parts: ParametrizationList) -> Tensor:
        """What `parts` give, computed once."""
        key = parts, mode.grad, mode.inference
        if key not in self.values:
            self.values[key] = parts()
        return self.values[key]

    def forget(self, parts: ParametrizationList) -> None:
        """What `parts` gave is no longer so."""
        self.values = {key: value for key, value in self.values.items() if key[0] is not parts}


_cache = _Cache()


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Inside, what is parametrized is computed when it is first read and then remembered; this thread forgets it at the end.

    For weights that a step reads more than once, as in the loop over a sequence. An optimizer's step belongs outside.

    >>> layer = ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(2, 3))
    >>> with ta.nn.utils.parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


# -------------------------------------------------------------------------------------------------------- the list
class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, first to last, and what they start from; `register_parametrization` makes it.

    `original` is the tensor that is kept, or `original0`, `original1`, ... if the first parametrization's `right_inverse` gives
    several.

    Raises:
        ArgumentError: a parametrization or its `right_inverse` gives no Tensor.
        ShapeError, DTypeError, DeviceError: it gives one of another shape, dtype or device (unless `unsafe`).
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ArgumentError("ParametrizationList", "no modules", "it holds one parametrization or more")
        super().__init__(modules)
        self.unsafe = unsafe
        start = self._inverse(original, needed=False)
        self.is_tensor = isinstance(start, Tensor)
        starts = [start] if self.is_tensor else _several(self[0], start)
        self.ntensors = len(starts)
        if not self.is_tensor:
            for name, value in zip(self._names(), starts, strict=True):
                _own(self, name, Parameter(value, original.requires_grad) if isinstance(original, Parameter) else value)
        else:
            _alike(_name(self[0], "right_inverse"), start, original, "dtype", "device")
            _own(self, "original", original)
        before, shape, dtype = original.array, original.shape, original.dtype
        if start is not original and self.is_tensor:
            _put(original, start)
        if not unsafe:
            try:
                _check(self[-1], self(), shape, dtype)
            except Exception:
                original.array = before
                raise

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def originals(self) -> list[Tensor]:
        """The tensors that the first parametrization takes."""
        return [getattr(self, name) for name in self._names()]

    @no_grad()
    def _inverse(self, value: Any, needed: bool) -> Any:
        """What the parametrizations make `value` of. One that has no inverse is left out, unless it is needed."""
        for part in reversed(list(self)):
            if hasattr(part, "right_inverse"):
                with contextlib.nullcontext() if needed else contextlib.suppress(NotImplementedError):
                    value = part.right_inverse(value)
            elif needed:
                raise ArgumentError("right_inverse", type(part).__name__, "it has none, so nothing can be assigned to what it parametrizes",
                                    "define right_inverse(self, value), or assign to parametrizations.NAME.original")
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Make the originals such that they give `value`: what `module.weight = value` does.

        Raises:
            ArgumentError: a parametrization has no `right_inverse`.
            ShapeError, DTypeError, DeviceError: what it gives is not like the original. Nothing is changed.
        """
        if not isinstance(value, Tensor):
            raise ArgumentError("right_inverse", type(value).__name__, "a parametrized tensor can be set to a Tensor only", "wrap it with ta.tensor(...)")
        given = self._inverse(value, needed=True)
        name, originals = _name(self[0], "right_inverse"), self.originals()
        new = [given] if self.is_tensor and isinstance(given, Tensor) else _several(self[0], given)
        if len(new) != len(originals):
            raise ArgumentError(name, f"{len(new)} tensors", f"there are {len(originals)} originals to set")
        for start, original in zip(new, originals, strict=True):
            _alike(name, start, original, "dtype", "shape", "device")
        for start, original in zip(new, originals, strict=True):
            _put(original, start)
        _cache.forget(self)

    def append(self, module: Module) -> Self:
        """Add a parametrization, which takes what the others give."""
        _cache.forget(self)
        return super().append(module)

    def forward(self) -> Tensor:
        """The tensor that is parametrized."""
        first, *others = self
        value: Tensor = first(*self.originals())
        for part in others:
            value = part(value)
        return value


def _name(part: Module, method: str) -> str:
    return f"{type(part).__name__}.{method}"


def _several(part: Module, starts: Any) -> list[Tensor]:
    """What a `right_inverse` gave, as a list."""
    if isinstance(starts, Sequence) and all(isinstance(start, Tensor) for start in starts):
        return list(starts)
    odd = next((s for s in starts if not isinstance(s, Tensor)), starts) if isinstance(starts, Sequence) else starts
    raise ArgumentError(_name(part, "right_inverse"), type(odd).__name__, "it gives a Tensor, or a tuple or list of Tensors")


def _alike(op: str, made: Tensor, like: Tensor, *whats: str) -> None:
    for what in whats:
        if getattr(made, what) != getattr(like, what):
            raise KINDS[what](op, f"a result of {what} {getattr(made, what)}", f"the original has {what} {getattr(like, what)}")


def _check(part: Module, made: Any, shape: tuple[int, ...], dtype: Any, method: str = "forward") -> None:
    """What a parametrization makes is like what it is made for."""
    name, remedy = _name(part, method), "register it with unsafe=True if that is meant"
    if not isinstance(made, Tensor):
        raise ArgumentError(name, type(made).__name__, "a parametrization gives a Tensor")
    if made.dtype != dtype:
        raise DTypeError(name, f"a result of dtype {made.dtype}", f"what it parametrizes has dtype {dtype}", remedy)
    if made.shape != shape:
        raise ShapeError(name, f"a result of shape {made.shape}", f"what it parametrizes has shape {shape}", remedy)


def _put(original: Tensor, value: Tensor) -> None:
    """Other numbers for a tensor that optimizers may know. They are a copy's: the array that it had may be held by others as well."""
    original.data = ops.clone(value.detach())


def _own(module: Module, name: str, value: Tensor) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


# -------------------------------------------------------------------------------------------------------- the class
class _Parametrized:
    """What a parametrized module's class has beside the one it had before and a property for each computed tensor."""

    _type_before: type[Module]
    _parametrized_names: frozenset[str]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._parametrized_names:
            object.__setattr__(self, name, value)          # the property: Module would register a Parameter beside it
        else:
            super().__setattr__(name, value)

    def __getstate__(self) -> Any:
        raise ArgumentError("pickle", f"a {type(self).__name__}", "a parametrized module's class is made while a program runs, and cannot be "
                            "found by its name later", "save its state_dict()")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        of_its_own = getattr(super(), "__deepcopy__", None)
        if of_its_own is not None:
            return of_its_own(memo)
        replica = memo[id(self)] = type(self).__new__(type(self))
        replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return replica


def _property(name: str) -> property:
    def get(self: Any) -> Tensor:
        parts = self.parametrizations[name]
        try:
            return _cache.get(parts) if _cache.depth else parts()
        except AttributeError as error:                    # Python would take it for: there is no attribute `name`
            raise ArgumentError(f"{type(self).__name__}.{name}", "", f"a parametrization failed: {error}".rstrip(".")) from error

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, put, doc=f"What the parametrizations of {name} give.")


def _reclass(module: Module, names: Iterable[str]) -> None:
    """The class that computes these tensors, or without any the one that the module came with.

    It is never changed, so a copy of the module can share it: what is registered or removed later gives the one module another.
    """
    before, names = type_before_parametrizations(module), frozenset(names)
    if names:
        module.__class__ = type(f"Parametrized{before.__name__}", (_Parametrized, before), {
            "_type_before": before, "_parametrized_names": names, "__module__": before.__module__, "__doc__": before.__doc__, **{n: _property(n) for n in names}})
    else:
        module.__class__ = before


# -------------------------------------------------------------------------------------------------------- by PyTorch's names
def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """From now on `module.NAME`, a parameter or buffer, is `parametrization(original)`; returns the module.

    Args:
        parametrization: its `forward` makes the tensor. A method `right_inverse(value)`, if it has one, says from what; without one that
            is the tensor as it was. If it gives several tensors, `forward` takes as many. With it, `module.NAME = value` works.
        unsafe: the tensor may get another shape or dtype, and nothing is tried.

    A further one on the same tensor takes what the one before gives. State_dicts have `parametrizations.NAME.original` (or `original0`,
    ...) in place of NAME. New parameters, where there are several, must be given to an optimizer that was made before.

    Raises:
        ArgumentError: no such parameter or buffer; what is given or made is no Module, no Tensor.
        ShapeError, DTypeError: the parametrization changes what it must not. The module is as it was.

    >>> class Symmetric(ta.nn.Module):
    ...     def forward(self, x):
    ...         return ta.triu(x) + ta.triu(x, 1).T
    ...     def right_inverse(self, value):
    ...         return ta.triu(value)
    >>> layer = ta.nn.utils.parametrize.register_parametrization(ta.nn.Linear(2, 2), "weight", Symmetric())
    >>> layer.weight = ta.tensor([[1.0, 2.0], [2.0, 5.0]])
    >>> layer.weight.tolist(), layer.parametrizations.weight.original.tolist()
    ([[1.0, 2.0], [2.0, 5.0]], [[1.0, 2.0], [0.0, 5.0]])
    """
    if not isinstance(parametrization, Module):
        raise ArgumentError("register_parametrization", type(parametrization).__name__, "a parametrization is a Module",
                            "put the function into the forward of one")
    if is_parametrized(module, tensor_name):
        parts: Any = module.parametrizations[tensor_name]
        parametrization.train(module.training)
        if not unsafe:
            _try(parametrization, getattr(module, tensor_name))
        parts.append(parametrization)
        parts.unsafe = parts.unsafe or unsafe
        return module
    original = the_tensor("register_parametrization", module, tensor_name)
    parametrization.train(module.training)
    parts = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = parts
    Computed.of(module, tensor_name, f'nn.utils.parametrize.remove_parametrizations(layer, "{tensor_name}")')
    _reclass(module, module.parametrizations)
    return module


def _try(part: Module, value: Tensor) -> None:
    """A further parametrization keeps what it gets, and so does its inverse."""
    made = part(value)
    _check(part, made, value.shape, value.dtype)
    if hasattr(part, "right_inverse"):
        with contextlib.suppress(NotImplementedError):
            _check(part, part.right_inverse(made), value.shape, value.dtype, "right_inverse")


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Is this tensor of the module parametrized; without a name: is any?

    >>> ta.nn.utils.parametrize.is_parametrized(ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(2, 3)), "bias")
    False
    """
    parts = getattr(module, "parametrizations", None)
    return isinstance(parts, ModuleDict) and (len(parts) > 0 if tensor_name is None else tensor_name in parts)


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Take all parametrizations off a tensor; returns the module.

    It keeps the value that it has, or with `leave_parametrized=False` gets back its original, if that is one tensor. A single
    original is the Parameter afterwards, so an optimizer goes on with it.

    Raises:
        ArgumentError: the tensor is not parametrized, or has several originals and `leave_parametrized=False`.

    >>> layer = ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(2, 3))
    >>> ta.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    Linear(in_features=2, out_features=3, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError("remove_parametrizations", repr(tensor_name), f"it is not parametrized in this {type(module).__name__}")
    if tensor_name not in vars(type(module)).get("_parametrized_names", ()):
        raise ModuleError("remove_parametrizations", f"a {type(module).__name__}", "its class was changed after it was parametrized", "undo that first")
    parts: Any = module.parametrizations[tensor_name]
    if not parts.is_tensor and not leave_parametrized:
        raise ArgumentError("remove_parametrizations", f"{tensor_name!r}, leave_parametrized=False", f"it is made of {parts.ntensors} tensors: "
                            "none of them is the original", "leave it as it is, with leave_parametrized=True")
    originals = parts.originals()
    tensor = originals[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name)
        if parts.is_tensor:
            _put(tensor, value)
        else:
            value = ops.clone(value.detach())
            tensor = Parameter(value, any(t.requires_grad for t in originals)) if isinstance(tensor, Parameter) else value
    del module.parametrizations[tensor_name]
    _reclass(module, module.parametrizations)
    if not len(module.parametrizations):
        del module.parametrizations
    _own(module, tensor_name, tensor)
    Computed.no_more(module, tensor_name)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """The module's class, or the one that it had before it was parametrized.

    >>> ta.nn.utils.parametrize.type_before_parametrizations(ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(2, 3))).__name__
    'Linear'
    """
    before: type[Module] = vars(type(module)).get("_type_before", type(module))
    return before


def transfer_parametrizations_and_params(from_module: Module, to_module: M, tensor_name: str | None = None) -> M:
    """Give a second module the parametrizations of a first one (of one tensor, or of all): both share them and their originals."""
    parametrized = from_module.parametrizations if is_parametrized(from_module) else {}
    for name in parametrized if tensor_name is None else [tensor_name]:
        if not is_parametrized(from_module, name):
            continue
        theirs = parametrized[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for part in theirs:
            register_parametrization(to_module, name, part, unsafe=theirs.unsafe)
        ours: Any = to_module.parametrizations[name]
        for key in theirs._names():
            setattr(ours, key, getattr(theirs, key))
    return to_module
