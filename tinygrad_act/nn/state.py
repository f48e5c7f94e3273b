"""state_dict and load_state_dict: a module's values by name, out and in again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .. import backend
from ..changes import changes
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor, wrap
from .parameter import Parameter, is_lazy
from .state_difference import IncompatibleKeys, difference


def own_state(module: Any) -> dict[str, Any]:
    """The parameters and persistent buffers that `module` itself owns."""
    buffers = {k: v for k, v in module._buffers.items() if k not in module._not_saved}
    return {k: v for k, v in {**module._parameters, **buffers}.items() if v is not None}


def named_state(module: Any, prefix: str = "") -> dict[str, tuple[Any, str]]:
    """{dotted name: (the module that owns it, its name there)} for all that is saved; shared ones under each name."""
    places = {prefix + name: (module, name) for name in own_state(module)}
    for name, part in module._modules.items():
        if part is not None:
            places |= named_state(part, f"{prefix}{name}.")
    return places


def state_of(module: Any, destination: Any, prefix: str, keep_vars: bool) -> OrderedDict[str, Tensor]:
    out: OrderedDict[str, Tensor] = OrderedDict() if destination is None else destination
    for name, value in own_state(module).items():
        out[prefix + name] = value if keep_vars or is_lazy(value) else wrap(value.array)
    for name, part in module._modules.items():
        if part is not None:
            part.state_dict(destination=out, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in module._state_hooks.values():
        hook(module, out, prefix, {})
    return out


def load_state(module: Any, state: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    if not isinstance(state, Mapping):
        raise ArgumentError("load_state_dict", type(state).__name__, "a state_dict is a mapping from names to tensors",
                            "load it with ta.load(path)")
    if odd := [key for key in state if not isinstance(key, str)]:
        raise ArgumentError("load_state_dict", f"the key {odd[0]!r}", "a state_dict's keys are names", "pass the part of it that model.state_dict() gave")
    hooked = [(f"{path}." if path else "", part) for path, part in module.named_modules(remove_duplicate=False) if part._load_pre_hooks]
    state, complaints = dict(state) if hooked else state, list[str]()
    for prefix, part in hooked:
        for hook in part._load_pre_hooks.values():
            hook(part, state, prefix, {}, strict, [], [], complaints)
    if complaints:
        raise ArgumentError("load_state_dict", f"a {type(module).__name__}", "; ".join(complaints))
    places = named_state(module)
    targets = {name: getattr(owner, key) for name, (owner, key) in places.items()}
    values = {name: _value(name, state[name], target) for name, target in targets.items() if name in state}
    keys = IncompatibleKeys([n for n in targets if n not in state and not may_be_missing(n, state)], [n for n in state if n not in targets])
    if waiting := [n for n, v in values.items() if is_lazy(v) and not is_lazy(targets[n])]:
        raise ShapeError("load_state_dict", f"{waiting[0]}: {values[waiting[0]]!r}", "it has no shape and no numbers, and the module has both",
                         "call the network that the state_dict is of once, and take its state_dict then")
    shapes = [(n, _shape(v), targets[n].shape) for n, v in values.items() if not is_lazy(targets[n]) and _shape(v) != targets[n].shape]
    if shapes or (strict and (keys.missing_keys or keys.unexpected_keys)):
        raise difference(type(module).__name__, keys if strict else IncompatibleKeys([], []), shapes,
                         {n: () if is_lazy(t) else t.shape for n, t in targets.items()}, state)
    for name, value in values.items():
        _put(*places[name], targets[name], value, assign)
    for part in module.modules():
        for hook in part._load_hooks.values():
            hook(part, keys)
    return keys


def _value(name: str, value: Any, target: Tensor) -> Any:
    """What is to be loaded; one number of PyTorch's before 0.4, which had no tensors without axes, is taken as one."""
    if is_lazy(value):
        return value
    try:
        number = _shape(value) == (1,)
        return value[0] if number and not is_lazy(target) and target.shape == () else value
    except ArgumentError:
        raise ArgumentError("load_state_dict", f"{name}: {type(value).__name__}", "a state_dict holds tensors by name",
                            "if it holds other state_dicts, pass one of them: state[\"model\"]") from None


def may_be_missing(name: str, state: Mapping[str, Any]) -> bool:
    """Is it the number of batches that a normalisation has seen, which PyTorch did not save at first? It may be missing then."""
    owner, _, last = name.rpartition(".")
    version = getattr(state, "_metadata", {}).get(owner, {}).get("version")
    return last == "num_batches_tracked" and (version is None or version < 2)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if hasattr(value, "shape") else backend.asarray(value).shape


def _put(owner: Any, key: str, target: Tensor, value: Any, assign: bool) -> None:
    if assign and isinstance(value, Tensor):
        if isinstance(target, Parameter):
            value = value if isinstance(value, Parameter) else Parameter(wrap(value.array), requires_grad=target.requires_grad)
            value.requires_grad = target.requires_grad
        setattr(owner, key, value)
        return
    if is_lazy(value):
        return
    if is_lazy(target):
        target.materialize(_shape(value))  # type: ignore[attr-defined]
    source = value.array if isinstance(value, Tensor) else value
    target.array[...] = backend.asarray(backend.asarray(source, target.dtype), device=target.device)     # on CuPy bfloat16 cannot be
    changes.mark(target.array, "load_state_dict")
