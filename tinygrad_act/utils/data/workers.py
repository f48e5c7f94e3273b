"""Threads that make batches ahead of the loop that takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import TinygradActError
from ...grad_mode import mode

if TYPE_CHECKING:
    from queue import SimpleQueue


class WorkerInfo:
    """What `get_worker_info` tells: the worker's number, how many there are, its seed and the data set they share.

    >>> WorkerInfo(id=0, num_workers=2, seed=3, dataset=None)
    WorkerInfo(id=0, num_workers=2, seed=3, dataset=None)
    """

    def __init__(self, id: int, num_workers: int, seed: int, dataset: Any) -> None:
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset

    def __repr__(self) -> str:
        return f"WorkerInfo({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


_thread = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a DataLoader, which one it is; None anywhere else.

    >>> get_worker_info()
    """
    return getattr(_thread, "info", None)


class Slot:
    """A job that was handed to the workers, and what came of it."""

    __slots__ = ("error", "job", "ready", "result", "worker")

    def __init__(self, job: Callable[[], Any]) -> None:
        self.job: Callable[[], Any] | None = job
        self.ready = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.worker = 0

    def wait(self, seconds: float) -> None:
        """Until it is done; 0 waits as long as it takes."""
        if not self.ready.wait(seconds or None):
            raise TinygradActError("DataLoader", f"timeout={seconds}", "no batch was ready within that many seconds",
                                   "raise timeout, or find what makes a sample slow with num_workers=0")

    def take(self) -> Any:
        """The result, or the worker's own error: its traceback leads into the worker."""
        if self.error is None:
            return self.result
        error, self.error = self.error, None             # else the error's traceback would hold the slot that holds it
        error.add_note(f"It was raised in worker {self.worker} of a DataLoader; num_workers=0 raises it in the loop itself.")
        raise error


class Workers:
    """`len(infos)` threads that do the jobs in the order in which they come.

    They end when `close` is called, which waits for them: at most `patience` seconds if that is not 0. They are daemons, so that a loop left in the middle never keeps Python from ending.
    """

    def __init__(self, infos: list[WorkerInfo], init: Callable[[int], Any] | None, patience: float = 0) -> None:
        from queue import SimpleQueue  # a millisecond that importing the package need not take

        self.jobs: SimpleQueue[Slot | None] = SimpleQueue()
        self.closing, self.patience = threading.Event(), patience
        recording = mode.grad, mode.inference
        self.threads = [threading.Thread(target=_work, args=(self.jobs, self.closing, info, init, recording), daemon=True,
                                         name=f"DataLoader worker {info.id}") for info in infos]
        for thread in self.threads:
            thread.start()

    def submit(self, slot: Slot) -> None:
        """Hand a job over, unless it is done."""
        if not slot.ready.is_set():
            self.jobs.put(slot)

    def close(self) -> None:
        """Leave the jobs that nobody has begun, and wait until the threads have ended, or patience has."""
        self.closing.set()
        for _ in self.threads:
            self.jobs.put(None)
        until = time.monotonic() + self.patience
        for thread in self.threads:
            if thread is not threading.current_thread():     # the garbage collector may call this anywhere
                thread.join(max(0.0, until - time.monotonic()) if self.patience else None)


def _work(jobs: SimpleQueue[Slot | None], closing: threading.Event, info: WorkerInfo, init: Callable[[int], Any] | None,
          recording: tuple[bool, bool]) -> None:
    """A thread: it holds no reference to the loader's iterator, whose end is what ends it."""
    _thread.info = info
    mode.grad, mode.inference = recording                # as in the loop that takes the batches
    failed: BaseException | None = None
    try:
        if init is not None:
            init(info.id)
    except BaseException as error:                       # told with the first batch that this worker was to make
        failed = error
    while (slot := jobs.get()) is not None and not closing.is_set():
        slot.worker, job, slot.job = info.id, slot.job, None
        try:
            if failed is not None:
                raise failed
            slot.result = job()                          # type: ignore[misc]
        except BaseException as error:
            slot.error = error
        slot.ready.set()
        del slot, job                                    # a batch is the consumer's, not kept until the next one
