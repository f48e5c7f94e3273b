"""DataLoader: batches of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice, repeat
from typing import Any

from ...errors import ArgumentError
from ...ops.random import default_generator
from .collate import default_collate, default_convert
from .dataset import IterableDataset, can_gather
from .iteration import Epoch, Iteration, Stream
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed, permutation

FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader:
    """Iterate over it for batches; each `for` is a new epoch, with a new order if `shuffle`.

    Args:
        dataset: a Dataset, anything with `__getitem__` and `__len__`, or an IterableDataset.
        batch_size: samples a batch; None hands out single samples, converted by collate_fn if given.
        shuffle, sampler, batch_sampler: the order; at most one of them.
        num_workers: threads that make batches ahead; 0 makes them where they are asked for. Any number gives the same
            batches in the same order, random ones included if the data set draws from the default generators.
            An IterableDataset is read by one thread, whatever the number.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        drop_last: leave out a shorter last batch.
        timeout: seconds to wait for a worker's batch, and for the workers when the loop is left; 0 waits as long as it takes.
        worker_init_fn: called in each worker with its number when it starts.
        generator: of the random order.
        prefetch_factor: batches made ahead for each worker, 2 unless given.

    The other options are of processes and of pinned memory (pin_memory, pin_memory_device, multiprocessing_context,
    persistent_workers, in_order): accepted and kept as attributes, without effect on threads. What is sent to a GPU goes through
    CuPy's pinned memory in any case, without waiting.

    Tensors in a TensorDataset, also behind a Subset, are looked up a batch at a time, on the device they are on.
    `state_dict()` says where an iteration is; a loader that has loaded it hands out the batches that were left.

    >>> loader = DataLoader(ta.utils.data.TensorDataset(ta.arange(5)), batch_size=2)
    >>> [batch.tolist() for batch, in loader], len(loader)
    ([[0, 1], [2, 3], [4]], 3)
    """

    def __init__(self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
                 batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
                 pin_memory: bool = False, drop_last: bool = False, timeout: float = 0,
                 worker_init_fn: Callable[[int], Any] | None = None, multiprocessing_context: Any = None, generator: Any = None,
                 *, prefetch_factor: int | None = None, persistent_workers: bool = False, pin_memory_device: str = "",
                 in_order: bool = True) -> None:
        self._iterable = isinstance(dataset, IterableDataset)
        _check_order(self._iterable, batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        self.dataset, self.generator, self.num_workers, self.drop_last = dataset, generator, num_workers, drop_last
        self.timeout, self.worker_init_fn, self.prefetch_factor = timeout, worker_init_fn, prefetch_factor
        if num_workers and prefetch_factor is None:
            self.prefetch_factor = 2
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.multiprocessing_context = multiprocessing_context
        self.batch_size = batch_size if batch_sampler is None else None
        self._own_order = not self._iterable and sampler is None and batch_sampler is None
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self._epoch: Epoch | None = None                 # the one under way
        self._resumed: Epoch | None = None               # loaded, and not begun
        self.persistent_workers = persistent_workers

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "persistent_workers" in self.__dict__:
            raise ArgumentError("DataLoader", name, "it cannot be set once the loader is made", "make a new one")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        """How many batches; for an IterableDataset, what its own length says."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        n = len(self.dataset if self._iterable else self.sampler)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    # --------------------------------------------------------------------------------------------- an iteration
    def __iter__(self) -> Iteration:
        resumed, self._resumed = self._resumed, None
        generators = self._generators()
        default = generators["default"]
        before = default.get_state() if resumed else None
        self._epoch = epoch = resumed or Epoch({place: g.get_state() for place, g in generators.items()})
        try:
            if resumed:
                for place, generator in generators.items():
                    generator.set_state(resumed.states[place])
            seed = draw_seed(self.generator)
            parts, fetch = self._order(epoch.batches)
        finally:
            if before is not None:                       # it belongs to everybody: others have drawn from it since
                default.set_state(before)
        return Iteration(self, epoch, parts, fetch, seed)

    def _order(self, skip: int) -> tuple[Iterator[Any], Callable[[Any], Any]]:
        """The indices of each batch after the first `skip`, with what makes a batch of them."""
        if self._iterable:
            return repeat(None), Stream(self.dataset, self.batch_size, self.drop_last, self.collate_fn, skip)
        if self._own_order and self.batch_size and self.collate_fn is default_collate and can_gather(self.dataset):
            return self._lookups(self.batch_size, skip)
        parts = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        first = list(islice(parts, skip, skip + 1))      # drawn now, so that the state is that from which it is drawn
        return chain(first, parts), self._collated if self.batch_sampler is not None else self._single

    def _lookups(self, size: int, skip: int) -> tuple[Iterator[slice], Callable[[slice], Any]]:
        """The same batches in the same order, each looked up at once."""
        n, device = len(self.dataset), getattr(self.dataset, "device", "cpu")
        order = permutation(n, self.generator, device).to(device) if isinstance(self.sampler, RandomSampler) else None
        starts = range(0, n - size + 1 if self.drop_last else n, size)[skip:]
        gather = self.dataset.gather
        return ((slice(start, min(start + size, n)) for start in starts),
                gather if order is None else lambda part: gather(order[part]))

    def _collated(self, indices: list[int]) -> Any:
        many = getattr(self.dataset, "__getitems__", None)
        return self.collate_fn(many(indices) if callable(many) else [self.dataset[i] for i in indices])

    def _single(self, index: int) -> Any:
        return self.collate_fn(self.dataset[index])

    def _finished(self, epoch: Epoch) -> None:
        if self._epoch is epoch:
            self._epoch = None

    # ------------------------------------------------------------------------------------------------ its state
    def _generators(self) -> dict[str, Any]:
        """What the order may be drawn from, by where it stands."""
        inner = getattr(self.batch_sampler, "sampler", None)
        places = {"loader": self, "sampler": self.sampler, "batch_sampler": self.batch_sampler, "batch_sampler.sampler": inner}
        found = {place: generator for place, holder in places.items()
                 if hasattr(generator := getattr(holder, "generator", None), "get_state")}
        return {"default": default_generator("cpu"), **found}

    def state_dict(self) -> dict[str, Any]:
        """Where the iteration is: the generators as the epoch began, and the batches that were received.

        Batches that workers have made ahead do not count. Between epochs it is the generators' own state. Numbers, texts
        and Tensors: `ta.save` writes it.

        >>> loader = DataLoader(range(6), batch_size=2, shuffle=True)
        >>> batches = iter(loader)
        >>> _, state = next(batches), loader.state_dict()
        >>> loader.load_state_dict(state)
        >>> [x.tolist() for x in loader] == [x.tolist() for x in batches]
        True
        """
        epoch = self._resumed or self._epoch
        states = epoch.states if epoch else {p: g.get_state() for p, g in self._generators().items() if p != "default"}
        return {"in_epoch": epoch is not None, "batches": epoch.batches if epoch else 0, "generators": dict(states),
                "order": self._described()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where `state_dict()` was called: the next iteration hands out the batches that were left.

        The default generator, which also others draw from, is not changed: `ta.set_rng_state` does that.

        Raises:
            ArgumentError: it is no such state, or one of a loader with another order, batch size or length.
        """
        try:
            in_epoch, batches, states, order = (state_dict[k] for k in ("in_epoch", "batches", "generators", "order"))
        except (KeyError, TypeError):
            raise ArgumentError("DataLoader.load_state_dict", str(state_dict)[:80], "that is no state of a DataLoader",
                                "pass what state_dict() returned") from None
        own, generators = self._described(), self._generators()
        if dict(order) != own or set(states) != set(generators) - ({"default"} if not in_epoch else set()):
            raise ArgumentError("DataLoader.load_state_dict", f"the state of {dict(order)}, generators {sorted(states)}",
                                f"this loader is {own}, generators {sorted(generators)}", "make it as the one that was saved")
        self._epoch, self._resumed = None, Epoch(dict(states), int(batches)) if in_epoch else None
        for place, state in states.items() if not in_epoch else ():
            generators[place].set_state(state)

    def _described(self) -> dict[str, Any]:
        """What must be the same for a state to fit."""
        try:
            samples = None if self._iterable else len(self.sampler)
        except TypeError:                                # a sampler need not know
            samples = None
        order = self.batch_sampler if self.batch_sampler is not None and not self._own_order else self.sampler
        return {"order": type(order).__name__, "samples": samples, "batch_size": self.batch_size, "drop_last": self.drop_last}


def _check_order(iterable: bool, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    """One thing at most says the order."""
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


def _check_workers(num_workers: Any, timeout: float, prefetch_factor: int | None, persistent_workers: bool, context: Any) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ArgumentError("DataLoader", f"num_workers={num_workers!r}", "it is a number of threads and cannot be negative",
                            "0 makes batches in the loop itself")
    if timeout < 0:
        raise ArgumentError("DataLoader", f"timeout={timeout}", "it cannot be negative", "0 waits as long as it takes")
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ArgumentError("DataLoader", f"prefetch_factor={prefetch_factor}", "it cannot be negative")
    given = {"prefetch_factor": prefetch_factor is not None, "persistent_workers": persistent_workers,
             "multiprocessing_context": context is not None}
    for name in [name for name, there in given.items() if there and not num_workers]:
        raise ArgumentError("DataLoader", f"{name} and num_workers=0", "it is for workers, and there are none",
                            f"leave {name} out, or pass num_workers=1 or more")
