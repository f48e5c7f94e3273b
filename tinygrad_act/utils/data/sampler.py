"""Samplers: in which order a loader visits the samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from ... import _functions as ops
from ... import dtypes
from ...errors import ArgumentError, ShapeError
from ...ops.random import Generator

T = TypeVar("T", covariant=True)


def draw_seed(generator: Any = None) -> int:
    """A seed drawn on the CPU: from the generator if it is there, else from the default one."""
    if generator is not None and generator.device.type != "cpu":
        generator = None
    return int(ops.randint(0, 1 << 62, (1,), generator=generator, device="cpu").item())


def own(generator: Any, device: Any = "cpu") -> Any:
    """The generator, or a new one on `device`: what it draws later does not depend on what others draw meanwhile."""
    return Generator(device).manual_seed(draw_seed()) if generator is None else generator


def permutation(n: int, generator: Any, device: Any = "cpu") -> Any:
    """0 .. n-1 in random order: drawn where the generator is, without one on `device`."""
    generator = own(generator, device)
    return ops.randperm(n, generator=generator, device=generator.device)


class Sampler(Generic[T]):
    """Hands out indices: a subclass has `__iter__()` and, if the length is known, `__len__()`."""

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__(): define it")


class SequentialSampler(Sampler[int]):
    """In order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """In random order, each sample once; with `replacement`, independent draws. `num_samples` defaults to all.

    More samples than there are, without replacement: one shuffled pass after another.
    """

    def __init__(self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
                 generator: Any = None) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        if not isinstance(replacement, bool):
            raise ArgumentError("RandomSampler", f"replacement={replacement!r}", "replacement is True or False")
        if not isinstance(self.num_samples, int) or self.num_samples < 0:
            raise ArgumentError("RandomSampler", f"num_samples={num_samples!r}", "num_samples is an int, 0 or more")

    @property
    def num_samples(self) -> int:
        """How many samples a pass draws."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, left, generator = len(self.data_source), self.num_samples, own(self.generator)
        if self.replacement:
            yield from ops.randint(n, (left,), generator=generator, device=generator.device).tolist()
            return
        while left > 0 and n:
            yield from permutation(n, generator)[:left].tolist()
            left -= n

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices, in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in permutation(len(self.indices), self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices, each drawn with a probability in proportion to its weight, with `replacement` or without.

    >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], num_samples=3))
    [1, 1, 1]
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ArgumentError("WeightedRandomSampler", f"num_samples={num_samples!r}", "num_samples is an int, 1 or more")
        if not isinstance(replacement, bool):
            raise ArgumentError("WeightedRandomSampler", f"replacement={replacement!r}", "replacement is True or False")
        where = "cpu" if generator is None else generator.device
        self.weights = ops.as_tensor(weights, dtype=dtypes.float64, device=where)
        if self.weights.ndim != 1:
            raise ShapeError("WeightedRandomSampler", f"weights of shape {self.weights.shape}", "there is one weight an index",
                             "pass a list of numbers")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        yield from ops.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; with `drop_last`, no shorter last one.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ArgumentError("BatchSampler", f"batch_size={batch_size!r}", "a batch has one sample at least")
        if not isinstance(drop_last, bool):
            raise ArgumentError("BatchSampler", f"drop_last={drop_last!r}", "drop_last is True or False")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
