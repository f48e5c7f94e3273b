"""From a list of samples to a batch, and from NumPy's arrays to tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples as a batch: tensors, arrays and numbers stacked, within dicts, tuples and lists; texts as they are.

    Raises:
        ShapeError: the samples are of several shapes, or of several lengths.
        ArgumentError: the samples are of a kind that has no batch.

    >>> default_collate([(ta.zeros(2), 3), (ta.ones(2), 4)])
    [tensor([[0., 0.],
            [1., 1.]]), tensor([3, 4])]
    """
    if not len(batch):
        raise ArgumentError("default_collate", "no samples", "a batch has one sample at least")
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, float):
        return ops.tensor(list(batch), dtype=dtypes.float64)
    if isinstance(first, int):
        return ops.tensor(list(batch))
    if _is_array(first):
        return _stacked([ops.as_tensor(sample) for sample in batch])
    if isinstance(first, Mapping):
        return _like_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        return _collated_sequences(first, batch)
    raise ArgumentError("default_collate", _kind(first), "it takes tensors, arrays, numbers, texts, dicts and sequences",
                        "pass a collate_fn")


def default_convert(data: Any) -> Any:
    """A sample with its NumPy arrays as tensors, within dicts, tuples and lists; anything else as it is.

    >>> default_convert({"a": 1, "b": "text", "c": [ta.ones(2)]})
    {'a': 1, 'b': 'text', 'c': [tensor([1., 1.])]}
    """
    if isinstance(data, (Tensor, str, bytes)):
        return data
    if _is_array(data):
        return ops.as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence):
        return _like_sequence(data, [default_convert(part) for part in data])
    return data


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    shapes = {t.shape for t in tensors}
    if len(shapes) > 1:
        raise ShapeError("default_collate", " and ".join(map(str, sorted(shapes))), "samples of a batch must have one shape",
                         "pad them, or pass a collate_fn")
    return ops.stack(list(tensors))


def _collated_sequences(first: Any, batch: Sequence[Any]) -> Any:
    sizes = {len(sample) for sample in batch}
    if len(sizes) > 1:
        raise ShapeError("default_collate", f"samples of {sorted(sizes)} parts", "samples of a batch must have as many",
                         "pad them, or pass a collate_fn")
    return _like_sequence(first, [default_collate(part) for part in zip(*batch, strict=True)])


def _is_array(x: Any) -> bool:
    """True for arrays of numbers and their scalars, of any library; texts and objects in an array have no tensor."""
    dtype = getattr(x, "dtype", None)
    return hasattr(x, "__array__") and getattr(dtype, "kind", "O") not in "SUO"


def _kind(x: Any) -> str:
    return f"{type(x).__name__} of {x.dtype}" if hasattr(x, "dtype") else type(x).__name__


def _like_mapping(sample: Any, parts: dict[Any, Any]) -> Any:
    """`parts` in a mapping of the sample's own kind, with what else it has, where that can be made; else a dict."""
    def changed() -> Any:
        clone = copy.copy(sample)
        clone.update(parts)
        return clone
    return _or_plain(changed if isinstance(sample, MutableMapping) else lambda: type(sample)(parts), parts)


def _like_sequence(sample: Any, parts: list[Any]) -> Any:
    """`parts` in a sequence of the sample's own kind where that can be made; a tuple's are a list, as in PyTorch."""
    if isinstance(sample, tuple):
        return type(sample)(*parts) if hasattr(sample, "_fields") else parts

    def changed() -> Any:
        clone = copy.copy(sample)
        for i, part in enumerate(parts):
            clone[i] = part
        return clone
    return _or_plain(changed if isinstance(sample, MutableSequence) else lambda: type(sample)(parts), parts)


def _or_plain(make: Callable[[], Any], parts: Any) -> Any:
    try:
        return make()
    except TypeError:                                    # it cannot be copied, set or made of its parts
        return parts
