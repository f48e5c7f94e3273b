"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples as a batch: tensors, arrays and numbers stacked, within dicts, tuples and lists; texts as a list.

    >>> default_collate([(ta.zeros(2), 3), (ta.ones(2), 4)])
    [tensor([[0., 0.],
            [1., 1.]]), tensor([3, 4])]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        shapes = {t.shape for t in batch}
        if len(shapes) > 1:
            raise ShapeError("default_collate", " and ".join(map(str, sorted(shapes))), "samples of a batch must have one shape",
                             "pad them, or pass a collate_fn")
        return ops.stack(list(batch))
    if isinstance(first, float):
        return ops.tensor(list(batch), dtype=dtypes.float64)
    if isinstance(first, int):
        return ops.tensor(list(batch))
    if hasattr(first, "__array__"):
        return default_collate([ops.as_tensor(sample) for sample in batch])
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) > 1:
            raise ShapeError("default_collate", f"samples of {sorted({len(s) for s in batch})} parts",
                             "samples of a batch must have as many")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise ArgumentError("default_collate", type(first).__name__, "it takes tensors, arrays, numbers, texts, dicts and sequences",
                        "pass a collate_fn")
