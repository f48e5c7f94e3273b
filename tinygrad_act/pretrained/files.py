"""What the loaders have in common: configurations, folders of checkpoints, states that fill a network."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from ..errors import ArgumentError, FileError, MissingKeyError, ShapeError
from ..interop.filling import state_in
from ..interop.naming import rename
from ..nn import Module
from ..tensor import Tensor

M = TypeVar("M", bound=Module)

# What the configurations of published checkpoints call activations that the catalogue has under other names.
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_python": "gelu",
               "swish": "silu"}
LARGEST, DEEPEST = 1 << 31, 1000                         # sizes, and layers or groups of them


@dataclasses.dataclass(frozen=True)
class Config:
    """A network's sizes, under the names that checkpoints' config.json has. A subclass is a dataclass with defaults.

    Raises:
        ArgumentError: an entry is no size of a network.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, like, may_be_none = getattr(self, field.name), field.default, field.name == "pad_token_id"
            if isinstance(like, str):
                right = type(value) is str
            elif isinstance(like, float):
                right = type(value) in (int, float) and 0 <= value < LARGEST
            else:
                bound = DEEPEST if field.name.startswith(("num_hidden_", "inner_group_")) else LARGEST
                right = type(value) is int and (0 if may_be_none else 1) <= value < bound
            if not right and not (may_be_none and value is None):
                raise ArgumentError(type(self).__name__, f"{field.name}={value!r}", f"no network has that; {like!r} is one it may be")

    def numbers(self) -> int:
        """How many numbers such a network has at least."""
        return 0

    def held_by(self, state: Mapping[str, Any]) -> Self:
        """This, unless it is far more than the weights are that come with it: a file shall not say what is reserved.

        Raises:
            ArgumentError: it is.
        """
        given = sum(held(t) for t in state.values() if isinstance(t, Tensor))
        if self.numbers() > 10_000_000 + 2 * given:
            raise ArgumentError(type(self).__name__, f"sizes of {self.numbers()} numbers", f"the weights are {given}", "get both of one network")
        return self

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the entries of a config.json; those that it has no field for are passed over.

        Raises:
            ArgumentError: it is of another architecture, or asks for what this one does not do.
        """
        if not isinstance(values, Mapping):
            raise ArgumentError(cls.__name__, f"a {type(values).__name__}", "a config.json holds entries by name")
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


def read_json(path: Path, kind: Any = dict) -> Any:
    """What a JSON file says: entries by name, or with `kind` a list of such entries.

    Raises:
        FileError: it cannot be read, is no JSON, or says something else.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError("pretrained", str(path), "there is no such file", "give the folder that holds the whole checkpoint") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileError("pretrained", str(path), f"it cannot be read as JSON ({error})", "get a whole copy") from error
    if not isinstance(found, kind) or not all(isinstance(part, dict) for part in (found if kind is list else ())):
        raise FileError("pretrained", str(path), f"it holds a {type(found).__name__}, not {'entries by name' if kind is dict else 'a list of entries'}",
                        "get a whole copy")
    return found


def read_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The named tensors of a file of weights, of any format that `ta.load` reads; of a folder, of its file of weights.

    Where they are a part of a checkpoint (`model_state`, `state_dict`, ...), that part.

    Raises:
        FileError: there is none, or it is damaged or hostile.
        ArgumentError: it holds something else than named tensors.
    """
    return dict(state_in(path)[0])


def filled(model: M, state: Mapping[str, Any], *, rules: Sequence[tuple[str, str]] = (), unused: Sequence[str] = ()) -> M:
    """The model with these values in it, in evaluation mode, as published networks are handed out.

    Args:
        rules: (pattern, replacement) pairs for the names of the state: see `interop.rename`.
        unused: patterns of names that the model has no use for: heads of other tasks, tables that it computes itself.

    Raises:
        ShapeError: names or shapes that differ; nothing is changed.
    """
    renamed = rename(state, rules)
    own = model.state_dict()
    model.load_state_dict({name: value for name, value in renamed.items()
                           if name in own or not any(re.match(pattern, name) for pattern in unused)})
    model.eval()
    return model


def shape_of(state: Mapping[str, Any], name: str, model: str, axes: int) -> tuple[int, ...]:
    """The shape of a tensor that the state must have, for sizes that are read off the weights.

    Raises:
        MissingKeyError: it has none of that name.
        ShapeError: it has another number of axes, or no numbers of its own for all that its shape says: a network of such
            sizes would be far more than the file.
    """
    if name not in state:
        raise MissingKeyError(model, f"a state without {name!r}", "it is of another network",
                              f"it has {', '.join(list(state)[:3])} ..." if state else "it is empty")
    shape = tuple(state[name].shape)
    if len(shape) != axes or not 0 < math.prod(shape) <= held(state[name]):
        raise ShapeError(model, f"{name} of shape {shape}", f"it is to have {axes} axes, and as many numbers as its shape says",
                         "it is of another network")
    return shape


def held(value: Any) -> int:
    """How many numbers of its own a tensor can have: one that is spread over its shape has fewer than the shape says."""
    if not isinstance(value, Tensor):
        return math.prod(value.shape)
    return min(value.numel(), 1 + sum((n - 1) * stride for n, stride in zip(value.shape, value.stride(), strict=True)))
