"""What the loaders have in common: configurations, folders of checkpoints, states that fill a network."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from ..errors import ArgumentError, FileError, MissingKeyError
from ..nn import Module
from ..tensor import Tensor

M = TypeVar("M", bound=Module)

WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# What the configurations of published checkpoints call activations that the catalogue has under other names.
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_python": "gelu",
               "swish": "silu"}


@dataclasses.dataclass(frozen=True)
class Config:
    """A network's sizes, under the names that checkpoints' config.json has. A subclass is a dataclass with defaults."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the entries of a config.json; those that it has no field for are passed over.

        Raises:
            ArgumentError: it is of another architecture, or asks for what this one does not do.
        """
        for name, wanted in cls.required().items():
            if values.get(name, wanted[0]) not in wanted:
                raise ArgumentError(cls.__name__, f"{name}={values[name]!r}", f"this architecture is {name}={wanted[0]!r}")
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in values.items() if k in names})

    @classmethod
    def required(cls) -> dict[str, tuple[Any, ...]]:
        """What entries must be, if they are there: others mean a network that is computed in another way."""
        return {}


def heads_of(config: Any) -> int:
    """The features of one head.

    Raises:
        ArgumentError: the heads do not share the features evenly.
    """
    width, heads = config.hidden_size, config.num_attention_heads
    if heads < 1 or width % heads:
        raise ArgumentError(type(config).__name__, f"hidden_size={width}, num_attention_heads={heads}",
                            "the heads share the features evenly, so the first must be a multiple of the second")
    return int(width // heads)


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        FileError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError("pretrained", str(path), "there is no such file", "give the folder that holds the whole checkpoint") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileError("pretrained", str(path), f"it cannot be read as JSON ({error})", "get a whole copy") from error


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The named tensors of a file of weights: safetensors, or PyTorch's own through the reader that runs nothing.

    Given a folder, its model.safetensors or pytorch_model.bin, in one file or in several with an index.

    Raises:
        FileError: there is none, or it is damaged or hostile.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in WEIGHT_FILES if (path / name).is_file()]
        if not found:
            raise FileError("pretrained", str(path), f"the folder has no file of weights: {', '.join(WEIGHT_FILES)}",
                            "give the path of the file itself")
        path = found[0]
    if path.name.endswith(".index.json"):
        parts = sorted(set(read_json(path).get("weight_map", {}).values()))
        for part in parts:
            if Path(part).name != part:
                raise FileError("pretrained", str(path), f"its part {part!r} is not beside it", "get a whole copy")
        return {name: value for part in parts for name, value in read_state(path.parent / part).items()}
    if path.suffix == ".safetensors":
        from ..interop.safetensors import load

        state = load(path)
    else:
        from ..interop import load_torch

        state = load_torch(path)
    if not isinstance(state, Mapping):
        raise FileError("pretrained", str(path), f"it holds a {type(state).__name__}, not named tensors")
    return dict(state)


def filled(model: M, state: Mapping[str, Any], *, rename: Sequence[tuple[str, str]] = (), unused: Sequence[str] = ()) -> M:
    """The model with these values in it, in evaluation mode, as published networks are handed out.

    Args:
        rename: (pattern, replacement) pairs, each applied to every name of the state.
        unused: patterns of names that the model has no use for: heads of other tasks, tables that it computes itself.

    Raises:
        ShapeError: names or shapes that differ; nothing is changed.
    """
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in rename:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    own = model.state_dict()
    model.load_state_dict({name: value for name, value in renamed.items()
                           if name in own or not any(re.match(pattern, name) for pattern in unused)})
    model.eval()
    return model


def shape_of(state: Mapping[str, Any], name: str, model: str) -> tuple[int, ...]:
    """The shape of a tensor that the state must have, for sizes that are read off the weights.

    Raises:
        MissingKeyError: it has none of that name.
    """
    if name not in state:
        raise MissingKeyError(model, f"a state without {name!r}", "it is of another network",
                              f"it has {', '.join(list(state)[:3])} ..." if state else "it is empty")
    return tuple(state[name].shape)
