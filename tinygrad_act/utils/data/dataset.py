"""Data sets: what has samples by number (Dataset) or hands them out one after the other (IterableDataset)."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, IndexingError, ShapeError
from ...tensor import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Samples by number: a subclass has `__getitem__(index)` and `__len__()`.

    One that can look up many samples at once may have `gather(index)`, which takes a slice or an integer Tensor and
    returns the batch that collating those samples would give, and a `device` where it wants the Tensor; the loader
    then uses it.
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(): define it")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Samples one after the other: a subclass has `__iter__()`."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__(): define it")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple of the i-th parts of the tensors.

    >>> data = TensorDataset(ta.zeros(10, 3), ta.arange(10))
    >>> len(data), data[4][1]
    (10, tensor(4))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or any(not isinstance(t, Tensor) or not t.ndim for t in tensors):
            raise ArgumentError("TensorDataset", ", ".join(type(t).__name__ for t in tensors) or "nothing",
                                "it takes Tensors with a first axis of samples")
        sizes = [t.shape[0] for t in tensors]
        if len(set(sizes)) > 1:
            raise ShapeError("TensorDataset", f"first sizes {sizes}", "all tensors must have as many samples")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    @property
    def device(self) -> Any:
        """Where `gather` likes an index to be."""
        return self.tensors[0].device

    def gather(self, index: Any) -> list[Tensor]:
        """The batch of these samples. A slice is copied, so that a batch never shares memory with the data."""
        if isinstance(index, slice):
            return [t[index].clone() for t in self.tensors]
        return [t[index.to(t.device)] for t in self.tensors]


class Subset(Dataset[T]):
    """The samples of `dataset` at `indices`."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices
        self._where: Tensor | None = None                # the indices as a Tensor, once they are needed as one
        if hasattr(dataset, "gather"):
            self.gather, self.device = self._gather, dataset.device  # type: ignore[attr-defined]

    def __getitem__(self, index: Any) -> T:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def _gather(self, index: Any) -> Any:
        if self._where is None:
            self._where = ops.tensor(list(self.indices), dtype=dtypes.int64, device=self.device)
        return self.dataset.gather(self._where[index])  # type: ignore[attr-defined]


class ConcatDataset(Dataset[T]):
    """Several data sets, one after the other."""

    def __init__(self, datasets: Iterable[Dataset[T]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset", "nothing", "it takes one data set at least")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise ArgumentError("ConcatDataset", "an IterableDataset", "its samples have no numbers")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: Any) -> T:
        if not -len(self) <= index < len(self):
            raise IndexingError("ConcatDataset", f"the index {index}", f"it has {len(self)} samples")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


def random_split(dataset: Dataset[T], lengths: Sequence[float], generator: Any = None) -> list[Subset[T]]:
    """Disjoint random parts of `dataset`: of these lengths, or of these shares if they add up to 1.

    >>> [len(part) for part in random_split(TensorDataset(ta.zeros(10)), [0.75, 0.25])]
    [8, 2]
    """
    total = len(dataset)  # type: ignore[arg-type]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9:
        if any(not 0 <= share <= 1 for share in lengths):
            raise ArgumentError("random_split", f"lengths={list(lengths)}", "a share is within 0 and 1")
        sizes = [math.floor(total * share) for share in lengths]
        for i in range(total - sum(sizes)):              # what rounding down left over, one to each in turn
            sizes[i % len(sizes)] += 1
    else:
        sizes = [int(n) for n in lengths]
    if sum(sizes) != total or any(n < 0 for n in sizes):
        raise ArgumentError("random_split", f"lengths={list(lengths)}", f"they must add up to the {total} samples, or to 1")
    order = permutation(total, generator).tolist()
    return [Subset(dataset, order[end - n:end]) for n, end in zip(sizes, itertools.accumulate(sizes), strict=True)]


def permutation(n: int, generator: Any, device: Any = None) -> Any:
    """0 .. n-1 in random order: drawn where the generator is, by default on `device` (None: on the CPU)."""
    if generator is not None:
        return ops.randperm(n, generator=generator, device=generator.device)
    return ops.randperm(n, device="cpu" if device is None else device)
