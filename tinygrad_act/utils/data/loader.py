"""DataLoader: batches of a data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ...errors import ArgumentError
from .collate import default_collate
from .dataset import IterableDataset, permutation
from .sampler import BatchSampler, RandomSampler, SequentialSampler


class DataLoader:
    """Iterate over it for batches; each `for` is a new epoch, with a new order if `shuffle`.

    Args:
        dataset: a Dataset, anything with `__getitem__` and `__len__`, or an IterableDataset.
        batch_size: samples a batch; None hands out single samples, converted by collate_fn if given.
        shuffle, sampler, batch_sampler: the order; at most one of them.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        drop_last: leave out a shorter last batch.
        generator: of the random order.
        num_workers: batches are made in this process, where they are asked for. 0 says so; more is accepted, with a
            warning, so that a listing written for PyTorch runs. The other options of worker processes
            (pin_memory, timeout, worker_init_fn, prefetch_factor, persistent_workers) have no effect.

    Tensors in a TensorDataset, also behind a Subset, are looked up a batch at a time, on the device they are on.

    >>> loader = DataLoader(ta.utils.data.TensorDataset(ta.arange(5)), batch_size=2)
    >>> [batch.tolist() for batch, in loader], len(loader)
    ([[0, 1], [2, 3], [4]], 3)
    """

    def __init__(self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
                 batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
                 pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None,
                 *, generator: Any = None, prefetch_factor: int | None = None, persistent_workers: bool = False) -> None:
        if num_workers < 0:
            raise ArgumentError("DataLoader", f"num_workers={num_workers}", "it cannot be negative")
        if num_workers:
            warnings.warn(f"DataLoader: num_workers={num_workers}: batches are made in this process", UserWarning, stacklevel=2)
        iterable = isinstance(dataset, IterableDataset)
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError("DataLoader", "an IterableDataset with shuffle, sampler or batch_sampler",
                                "its order is its own", "shuffle within the data set")
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader", "sampler and shuffle", "each of them says the order", "pass one of them")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("DataLoader", "batch_sampler and batch_size, shuffle, sampler or drop_last",
                                "the batch_sampler decides all of that", "pass it alone")
        if batch_sampler is None and batch_size is None and drop_last:
            raise ArgumentError("DataLoader", "batch_size=None and drop_last", "without batches there is no last one")
        if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
            raise ArgumentError("DataLoader", f"batch_size={batch_size!r}", "a batch has one sample at least")
        self.dataset, self.generator, self.num_workers, self.drop_last = dataset, generator, num_workers, drop_last
        self.batch_size = batch_size if batch_sampler is None else None
        self.collate_fn = collate_fn
        self.sampler = sampler
        if sampler is None and not iterable and batch_sampler is None:
            self.sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.batch_sampler = batch_sampler
        if batch_sampler is None and batch_size is not None and not iterable:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self._own_order = not iterable and sampler is None and batch_sampler is None

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return self._streamed(iter(self.dataset))
        if self.batch_sampler is None:
            convert = self.collate_fn or (lambda sample: sample)
            return (convert(self.dataset[i]) for i in self.sampler)
        if self._own_order and self.collate_fn in (None, default_collate) and hasattr(self.dataset, "gather"):
            return self._gathered(len(self.dataset), self.batch_size or 1)
        return self._collated(self.batch_sampler)

    def _collated(self, batches: Iterable[list[int]]) -> Iterator[Any]:
        collate = self.collate_fn or default_collate
        for indices in batches:
            yield collate([self.dataset[i] for i in indices])

    def _streamed(self, samples: Iterator[Any]) -> Iterator[Any]:
        if self.batch_size is None:
            yield from map(self.collate_fn, samples) if self.collate_fn else samples
            return
        collate = self.collate_fn or default_collate
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield collate(batch)

    def _gathered(self, n: int, size: int) -> Iterator[Any]:
        """The same batches in the same order, each looked up at once."""
        shuffled = isinstance(self.sampler, RandomSampler)
        device = self.dataset.device
        order = permutation(n, self.generator, device).to(device) if shuffled else None
        for start in range(0, n - size + 1 if self.drop_last else n, size):
            part = slice(start, min(start + size, n))
            yield self.dataset.gather(part if order is None else order[part])

    def __len__(self) -> int:
        """How many batches; for an IterableDataset, what its own length says."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        n = len(self.sampler if self.sampler is not None else self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
