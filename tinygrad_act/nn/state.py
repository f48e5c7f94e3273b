"""state_dict and load_state_dict: a module's values by name, out and in again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import backend
from ..errors import ArgumentError, ShapeError
from ..graph import changes
from ..tensor import Tensor
from .parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found missing in the state_dict, and what it did not expect there."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


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
        out[prefix + name] = value if keep_vars else Tensor(value.array)
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
    places = named_state(module)
    values = {name: getattr(owner, key) for name, (owner, key) in places.items()}
    keys = IncompatibleKeys([n for n in values if n not in state], [n for n in state if n not in values])
    shapes = [(n, _shape(state[n]), v.shape) for n, v in values.items() if n in state and _shape(state[n]) != v.shape]
    if shapes or (strict and (keys.missing_keys or keys.unexpected_keys)):
        raise ShapeError(f"load_state_dict for {type(module).__name__}", "", _difference(keys, shapes, strict),
                         "pass strict=False to load what fits by name" if not shapes else "")
    for name, (owner, key) in places.items():
        if name in state:
            _put(owner, key, values[name], state[name], assign)
    for part in module.modules():
        for hook in part._load_hooks.values():
            hook(part, keys)
    return keys


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if hasattr(value, "shape") else backend.asarray(value).shape


def _difference(keys: IncompatibleKeys, shapes: list[tuple[str, Any, Any]], strict: bool) -> str:
    """What differs, a line each."""
    lines = [f"missing     {n}" for n in keys.missing_keys if strict]
    lines += [f"unexpected  {n}" for n in keys.unexpected_keys if strict]
    lines += [f"shape       {n}: {theirs} in the state_dict, {ours} in the module" for n, theirs, ours in shapes]
    return "the state_dict does not fit:\n  " + "\n  ".join(lines) + "\n"


def _put(owner: Any, key: str, target: Tensor, value: Any, assign: bool) -> None:
    if assign and isinstance(value, Tensor):
        if isinstance(target, Parameter) and not isinstance(value, Parameter):
            value = Parameter(Tensor(value.array), requires_grad=target.requires_grad)
        setattr(owner, key, value)
        return
    source = value.array if isinstance(value, Tensor) else value
    target.array[...] = backend.asarray(source, target.dtype, target.device)
    changes.mark(target.array, "load_state_dict")
