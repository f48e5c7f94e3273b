"""Data sets: what has samples by number (Dataset) or hands them out one after the other (IterableDataset)."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, IndexingError, ShapeError
from ...tensor import Tensor
from .sampler import permutation

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
    """Samples one after the other: a subclass has `__iter__()`.

    A loader reads it in one thread, so `get_worker_info()` tells of one worker and nothing need be shared out.

    >>> class Countdown(IterableDataset[int]):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown() + Countdown())
    [3, 2, 1, 3, 2, 1]
    """

    def __add__(self, other: Dataset[Any]) -> ChainDataset:              # type: ignore[override]
        return ChainDataset([self, other])

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


class StackDataset(Dataset[Any]):
    """Data sets side by side: sample i is the tuple, or by keyword the dict, of their i-th samples.

    >>> both = StackDataset(image=[10, 20], text=["ten", "twenty"])
    >>> both[1], len(both)
    ({'image': 20, 'text': 'twenty'}, 2)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError("StackDataset", f"{len(args)} data sets by place and {len(kwargs)} by keyword",
                                "samples are tuples or dicts: it takes one data set at least, all of them one way")
        self.datasets: Any = args or kwargs
        sizes = [len(d) for d in args or kwargs.values()]
        if len(set(sizes)) > 1:
            raise ShapeError("StackDataset", f"lengths {sizes}", "all data sets must have as many samples")
        self._length = sizes[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {k: dataset[index] for k, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Many samples; each data set is asked once if it has a `__getitems__` too."""
        parts = self.datasets.values() if isinstance(self.datasets, dict) else self.datasets
        columns = [samples(part, indices) for part in parts]
        for column in columns:
            if len(column) != len(indices):
                raise ShapeError("StackDataset", f"{len(column)} samples of {len(indices)} indices",
                                 "a data set's __getitems__ must return a sample for each")
        rows = zip(*columns, strict=True)
        if isinstance(self.datasets, dict):
            return [dict(zip(self.datasets, row, strict=True)) for row in rows]
        return list(rows)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[T]):
    """The samples of `dataset` at `indices`.

    >>> list(Subset([10, 20, 30], [2, 0]))
    [30, 10]
    """

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(f"{kind.__name__} has a __getitem__() of its own, which __getitems__() would pass by: "
                                      "define that too, as [self[i] for i in indices]")
        self.dataset, self.indices = dataset, indices
        self._where: Tensor | None = None                # the indices as a Tensor, once they are needed as one

    def __getitem__(self, index: Any) -> T:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T]:
        """Many samples, asked for at once if `dataset` can."""
        return samples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def device(self) -> Any:
        """Where `gather` likes an index to be."""
        return getattr(self.dataset, "device", "cpu")

    def gather(self, index: Any) -> Any:
        """The batch of these samples, if `dataset` has a `gather`."""
        if self._where is None:
            self._where = ops.tensor(list(self.indices), dtype=dtypes.int64, device=self.device)
        return self.dataset.gather(self._where[index])  # type: ignore[attr-defined]


def samples(dataset: Any, indices: list[int]) -> list[Any]:
    """Many samples: by the data set's `__getitems__` if it has one."""
    many = getattr(dataset, "__getitems__", None)
    return list(many(indices) if callable(many) else [dataset[i] for i in indices])


def can_gather(dataset: Any) -> bool:
    """True if `gather` gives what collating its samples would: a subclass with a `__getitem__` of its own has none."""
    if isinstance(dataset, Subset) and not can_gather(dataset.dataset):
        return False
    for kind in type(dataset).__mro__:
        if "gather" in vars(kind):
            return bool(getattr(dataset, "can_gather", True))
        if "__getitem__" in vars(kind):
            return False
    return False


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


class ChainDataset(IterableDataset[Any]):
    """Several IterableDatasets, one after the other.

    >>> class Numbers(IterableDataset[int]):
    ...     def __iter__(self):
    ...         return iter(range(2))
    >>> list(ChainDataset([Numbers(), Numbers()]))
    [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise ArgumentError("ChainDataset", type(dataset).__name__, "it takes IterableDatasets only",
                                    "join others with ConcatDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._checked())


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
        if 0 in sizes:
            warnings.warn(f"random_split: part {sizes.index(0)} is empty: {list(lengths)} of {total} samples", stacklevel=2)
    else:
        sizes = [int(n) for n in lengths]
    if sum(sizes) != total or any(n < 0 for n in sizes):
        raise ArgumentError("random_split", f"lengths={list(lengths)}", f"they must add up to the {total} samples, or to 1")
    order = permutation(total, generator).tolist()
    return [Subset(dataset, order[end - n:end]) for n, end in zip(sizes, itertools.accumulate(sizes), strict=True)]
