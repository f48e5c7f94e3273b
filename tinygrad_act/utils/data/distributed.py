"""DistributedSampler: each process of a group visits its own part of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from ... import distributed
from ...errors import ArgumentError
from ...ops.random import Generator
from .sampler import Sampler, permutation

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index, beginning with `rank`; in an order that is shuffled anew for each epoch, the same for all.

    All parts are equally long: some first indices come a second time at the end, or with `drop_last` the last are left out.
    `set_epoch(n)`, before each epoch, is what changes the order; `train.fit` calls it.

    Args:
        num_replicas, rank: by default the group's size and this process's place in it.
        seed: must be the same in all processes.

    >>> data = range(5)
    >>> [list(ta.utils.data.distributed.DistributedSampler(data, num_replicas=2, rank=r, shuffle=False)) for r in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
                 seed: int = 0, drop_last: bool = False) -> None:
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ArgumentError("DistributedSampler", f"rank={self.rank} of {self.num_replicas}", "ranks go from 0 to one less than there are")
        n = len(dataset)
        self.num_samples = n // self.num_replicas if drop_last else -(-n // self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        generator = Generator().manual_seed(self.seed + self.epoch)
        order = permutation(n, generator).tolist() if self.shuffle else list(range(n))
        if n:
            order = (order * -(-self.total_size // n))[:self.total_size]       # begins again where it is too short
        return iter(order[self.rank::self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch."""
        self.epoch = epoch
