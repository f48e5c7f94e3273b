"""One pass of a loader over its data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from typing import Any

from ...errors import TinygradActError
from ...ops.random import Defaults
from ...tensor import Tensor
from .workers import Slot, WorkerInfo, Workers

END = object()                                           # what comes after the last batch of a stream


class Epoch:
    """Where the random numbers stood when a pass began, by the generator's place, and how many batches were handed out."""

    def __init__(self, states: dict[str, Tensor], batches: int = 0) -> None:
        self.states, self.batches = states, batches


class Stream:
    """Reads the batches of an IterableDataset, one a call; the first call passes over `skip` batches."""

    def __init__(self, dataset: Any, size: int | None, drop_last: bool, collate: Callable[[Any], Any], skip: int) -> None:
        self.dataset, self.size, self.drop_last, self.collate, self.skip = dataset, size, drop_last, collate, skip
        self.samples: Iterator[Any] | None = None
        self.ended = False

    def __call__(self, _: Any) -> Any:
        if self.samples is None:
            self.samples = iter(self.dataset)
            deque(islice(self.samples, self.skip * (self.size or 1)), maxlen=0)
        batch = [] if self.ended else list(islice(self.samples, self.size or 1))
        self.ended = len(batch) < (self.size or 1)
        if not batch or (self.ended and self.drop_last):
            return END
        return self.collate(batch if self.size else batch[0])


class Iteration(Iterator[Any]):
    """Batch after batch, each made by `fetch` of the next of `parts`, here or in worker threads.

    What a batch draws from the default generators depends on the seed and the batch's number only, not on who makes it.

    Args:
        loader: it is told of the batches handed out.
        parts: what is handed to `fetch`: indices. Asked for in the loop's own thread, in order.
        fetch: makes a batch.
        seed: of the random numbers that making batches draws.
    """

    def __init__(self, loader: Any, epoch: Epoch, parts: Iterator[Any], fetch: Callable[[Any], Any], seed: int) -> None:
        self._loader, self._epoch, self._parts, self._fetch, self._seed = loader, epoch, parts, fetch, seed
        self._stream = Defaults(seed) if isinstance(fetch, Stream) else None
        self._numbers = count(epoch.batches)
        self._pending: deque[tuple[int, Slot]] = deque()
        self._workers: Workers | None = None
        self._left = loader.num_workers > 0              # whether there is work for workers still
        self._closed = False

    def __iter__(self) -> Iteration:
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        try:
            number, batch = self._prefetched() if self._loader.num_workers else self._made()
        except StopIteration:
            self._finish()
            raise
        if batch is END:
            self._finish()
            raise StopIteration
        self._epoch.batches = number + 1
        return batch

    def _made(self) -> tuple[int, Any]:
        part = next(self._parts)
        number = next(self._numbers)
        return number, self._make(part, number)

    def _prefetched(self) -> tuple[int, Any]:
        if self._workers is None and (self._left or self._pending):
            self._workers = self._staff()
            for _, slot in self._pending:                # what was not begun when an error ended the last ones
                self._workers.submit(slot)
        ahead = max(1, self._loader.num_workers * self._loader.prefetch_factor)
        while self._left and len(self._pending) < ahead:
            self._submit()
        if not self._pending:
            raise StopIteration
        number, slot = self._pending[0]
        slot.wait(self._loader.timeout)                  # interrupted here, the batch is still there for the next call
        self._pending.popleft()
        if self._left:
            self._submit()                               # before the loop works on this batch, not after
        if slot.error is not None:                       # its traceback holds the loop's frame, and so this iterator
            self._dismiss()
        return number, slot.take()

    def _submit(self) -> None:
        try:
            part = next(self._parts)
        except StopIteration:
            self._left = False
            return
        number = next(self._numbers)
        slot = Slot(partial(_make, self._fetch, part, self._stream, self._seed, number))
        self._pending.append((number, slot))
        if self._workers is not None:
            self._workers.submit(slot)

    def _make(self, part: Any, number: int) -> Any:
        return _make(self._fetch, part, self._stream, self._seed, number)

    def _staff(self) -> Workers:
        """The threads: one for a stream, which has one order of reading only."""
        size = 1 if self._stream else self._loader.num_workers
        infos = [WorkerInfo(i, size, self._seed + i, self._loader.dataset) for i in range(size)]
        return Workers(infos, self._loader.worker_init_fn, self._loader.timeout)

    def _finish(self) -> None:
        self._loader._finished(self._epoch)
        self.close()

    def close(self) -> None:
        """End the workers; what they made ahead is dropped."""
        self._closed, self._left = True, False
        self._pending.clear()
        self._dismiss()

    def _dismiss(self) -> None:
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()

    def __del__(self) -> None:
        if getattr(self, "_workers", None) is not None:  # the loop was left early
            self.close()


def _make(fetch: Callable[[Any], Any], part: Any, stream: Defaults | None, seed: int, number: int) -> Any:
    with stream or Defaults(seed + number):
        try:
            return fetch(part)
        except StopIteration as error:
            raise TinygradActError("DataLoader", f"batch {number}", "the data set or collate_fn raised StopIteration, which would "
                                   "end the loop without a word", "return the sample, or use an IterableDataset") from error
