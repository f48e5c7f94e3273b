"""Adapters as files: their matrices and settings, without the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...errors import ArgumentError, FileError, ShapeError
from ...grad_mode import no_grad
from ...interop import safetensors
from ...nn import Module
from ...tensor import Tensor, wrap
from .. import select
from .inject import NOTE, _adapters, begin, injected, put, use
from .kinds import KINDS, Config

FORMAT = "tinygrad_act.lora"


def state_dict(model: Module, adapter: str = "default") -> dict[str, Tensor]:
    """{name: tensor} of one adapter's matrices, and of what was injected with `also=`. They share the model's memory.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 4))
    >>> _ = ta.tune.lora.inject(model, rank=2)
    >>> {name: t.shape for name, t in ta.tune.lora.state_dict(model).items()}
    {'0.lora_A.default': (2, 4), '0.lora_B.default': (4, 2)}
    """
    layers = _with(model, adapter, "lora.state_dict")
    out = {}
    for path, module in layers.items():
        prefix = f"{path}." if path else ""
        for part in module.lora_shapes(module.lora_configs[adapter]):
            for label in ("lora_A", "lora_B"):
                out[f"{prefix}{label}.{adapter}{part}"] = wrap(getattr(module, label)[adapter + part].array)
    for name in model.__dict__.get(NOTE, {"also": {}})["also"].get(adapter, ()):
        out[name] = wrap(model.get_parameter(name).array)
    return out


def _with(model: Module, adapter: str, where: str) -> dict[str, Any]:
    layers = _adapters(model, where)
    found = {path: m for path, m in layers.items() if adapter in m.lora_configs}
    if not found:
        known = dict.fromkeys(a for m in layers.values() for a in m.lora_configs)
        raise ArgumentError(where, repr(adapter), f"the adapters are {', '.join(known)}")
    return found


def save(model: Module, path: str | os.PathLike[str], adapter: str = "default") -> None:
    """Write one adapter to a safetensors file: its matrices, and in the metadata its settings for each layer.

    >>> import tempfile, os
    >>> def network():
    ...     ta.manual_seed(0)
    ...     return ta.nn.Sequential(ta.nn.Linear(4, 4))
    >>> tuned, x = network(), ta.ones(1, 4)
    >>> _ = ta.tune.lora.inject(tuned, rank=2); _ = tuned[0].lora_B["default"].data.fill_(1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ta.tune.lora.save(tuned, os.path.join(folder, "adapter.safetensors"))
    ...     fresh = network()
    ...     ta.tune.lora.load(fresh, os.path.join(folder, "adapter.safetensors"))
    >>> ta.equal(fresh(x), tuned(x))
    True
    """
    layers = _with(model, adapter, "lora.save")
    settings = {path: {**asdict(m.lora_configs[adapter]), "slices": list(m.lora_configs[adapter].slices)} for path, m in layers.items()}
    also = list(model.__dict__.get(NOTE, {"also": {}})["also"].get(adapter, ()))
    safetensors.save({"format": FORMAT, "adapter": adapter, "layers": settings, "also": also, "state": state_dict(model, adapter)}, path)


def load(model: Module, path: str | os.PathLike[str], adapter: str | None = None, norms: str = "eval") -> None:
    """Put an adapter from a file of `save` into `model`, by itself or beside others, and use it. `adapter` is the name it gets.

    Raises:
        FileError: the file holds no adapter.
        ArgumentError, ShapeError: the model is not of the kind it was trained in; nothing is changed.
    """
    found = safetensors.load(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise FileError("lora.load", str(path), "it holds no adapter", "pass a file that ta.tune.lora.save wrote")
    try:
        old, also = str(found["adapter"]), [str(n) for n in found["also"]]
        configs = {str(p): Config(**{**c, "slices": tuple(c["slices"])}) for p, c in found["layers"].items()}
        state = dict(found["state"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError("lora.load", str(path), f"its settings are damaged ({error!r})", "save it anew, or get a whole copy") from error
    name = old if adapter is None else adapter
    before = _fitting(model, configs, also, state, old)
    begin(model, norms)
    model.__dict__[NOTE]["also"][name] = also
    with no_grad():
        for place, config in configs.items():
            module: Any = before[place]
            if name not in getattr(module, "lora_configs", {}):
                put(module, name, config)
            for part in module.lora_shapes(config):
                for label in ("lora_A", "lora_B"):
                    _copy(getattr(module, label)[name + part], state[f"{place}{'.' if place else ''}{label}.{old}{part}"])
        for n in also:
            _copy(model.get_parameter(n), state[n])
    use(model, name)


def _copy(target: Tensor, value: Tensor) -> None:
    target.copy_(value.to(target.device))


def _fitting(model: Module, configs: Mapping[str, Config], also: list[str], state: Mapping[str, Any], adapter: str) -> dict[str, Any]:
    """The layers that are to get the adapter, after a look whether everything fits."""
    from .kinds import kind_of

    if any(m.lora_kept for m in injected(model).values()):
        raise ArgumentError("lora.load", "a merged model", "its weights have the other adapters in them", "lora.unmerge(model) first")
    layers = dict(model.named_modules(remove_duplicate=False))
    found: dict[str, Any] = {}
    for place, config in configs.items():
        if place not in layers or not isinstance(layers[place], tuple(KINDS)):
            select.modules(model, [place], "lora.load", tuple(KINDS))          # says what there is instead
            raise ArgumentError("lora.load", repr(place), "the model has no such layer")
        found[place] = module = layers[place]
        kind: Any = kind_of(module)
        for part, shapes in kind.lora_shapes(module, config).items():
            for label, shape in zip(("lora_A", "lora_B"), shapes, strict=True):
                key = f"{place}{'.' if place else ''}{label}.{adapter}{part}"
                if key not in state or tuple(state[key].shape) != shape:
                    got = f"{key} of shape {tuple(state[key].shape)}" if key in state else f"no {key}"
                    raise ShapeError("lora.load", got, f"the layer needs {shape}", "load it into the network it was trained in")
    own = dict(model.named_parameters())
    for n in also:
        if n not in own or n not in state or own[n].shape != tuple(state[n].shape):
            raise ShapeError("lora.load", f"{n} of shape {tuple(state[n].shape) if n in state else None}",
                             f"the model's is {own[n].shape if n in own else None}", "give it the same head first: ta.tune.new_head(model, ...)")
    return found
