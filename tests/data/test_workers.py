"""Batches made ahead in threads: the same ones, in the same order, and nothing is left running."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, TinygradActError
from tinygrad_act.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info


class Noisy(Dataset[Any]):
    """Samples that take a while, out of step, and draw random numbers: what a random crop does."""

    def __init__(self, n: int = 17, pause: float = 0.002) -> None:
        self.n, self.pause = n, pause

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        time.sleep(self.pause * (i * 7 % 3))
        return i, ta.rand(2)


class NoisyStream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return ((i, ta.rand(2)) for i in ta.randperm(11).tolist())


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader")]


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    assert not workers()
    yield
    gc.collect()
    assert not workers()


def passes(data: Any, n: int, epochs: int = 2, **options: Any) -> list[Any]:
    ta.manual_seed(5)
    loader = DataLoader(data, 4, num_workers=n, **options)
    return [[part.tolist() for part in batch] for _ in range(epochs) for batch in loader]


@pytest.mark.parametrize("make", [Noisy, NoisyStream, lambda: TensorDataset(ta.arange(17), ta.rand(17, 2))])
def test_any_number_of_workers_gives_the_same_batches(make: Any) -> None:
    ta.manual_seed(1)
    data = make()
    for options in ({}, {"drop_last": True}) if isinstance(data, IterableDataset) else ({}, {"shuffle": True}, {"sampler": [3, 1, 2] * 4}):
        expected = passes(data, 0, **options)
        assert len(expected) == 2 * len({repr(b) for b in expected[:len(expected) // 2]}), "two epochs"
        for n in (1, 3):
            assert passes(data, n, **options) == expected
        assert passes(data, 2, prefetch_factor=0, **options) == expected


def test_what_the_data_set_draws_does_not_move_the_default_generator() -> None:
    after = []
    for n, data in ((0, Noisy()), (2, Noisy()), (0, list(range(17)))):
        passes(data, n, epochs=1, **({} if isinstance(data, Noisy) else {"collate_fn": lambda b: ta.tensor([b])}))
        after.append(ta.rand(3).tolist())
    assert after[0] == after[1] == after[2]


def test_workers_work_ahead_and_no_further() -> None:
    seen: list[int] = []

    class Counted(Dataset[int]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, i: int) -> int:
            seen.append(i)
            return i

    batches = iter(DataLoader(Counted(), 2, num_workers=2, prefetch_factor=3))
    assert not seen and not workers()
    next(batches)
    deadline = time.monotonic() + 5
    while len(seen) < 14 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert sorted(seen) == list(range(14))               # the batch that was received, and 2 * 3 ahead


def test_an_error_is_raised_in_the_loop_with_the_workers_traceback() -> None:
    class Broken(Noisy):
        def __getitem__(self, i: int) -> Any:
            return {}["missing"] if i == 9 else super().__getitem__(i)

    for n in (0, 2):
        received = []
        batches = iter(DataLoader(Broken(), 4, num_workers=n))
        with pytest.raises(KeyError, match="missing") as caught:
            for batch in batches:
                received.append(batch[0].tolist())
        assert received == [[0, 1, 2, 3], [4, 5, 6, 7]]
        text = "".join(traceback.format_exception(caught.value))
        assert '{}["missing"]' in text and ("raised in worker" in text) == (n > 0)
        assert next(batches)[0].tolist() == [12, 13, 14, 15], "the next batch can still be had"


def test_a_loop_left_early_ends_its_workers() -> None:
    for _ in DataLoader(Noisy(200), 4, num_workers=3):
        assert len(workers()) == 3
        break
    assert not workers()
    batches = iter(DataLoader(Noisy(200), 4, num_workers=2))
    next(batches)
    batches.close()
    assert not workers()
    with pytest.raises(StopIteration):
        next(batches)


def test_after_an_error_no_worker_is_left_even_while_it_is_held() -> None:
    class Broken(Noisy):
        def __getitem__(self, i: int) -> Any:
            raise OSError(i)

    batches = iter(DataLoader(Broken(), 4, num_workers=2))
    with pytest.raises(OSError) as caught:
        next(batches)
    assert not workers() and caught.value.args == (0,)
    with pytest.raises(OSError, match="4"):
        next(batches)


def test_two_loops_over_one_loader() -> None:
    loader = DataLoader(Noisy(), 4, num_workers=2)
    assert all(a[0].tolist() == b[0].tolist() for a, b in zip(loader, loader, strict=True))


def test_who_works() -> None:
    told: list[Any] = []

    class Asks(Dataset[Any]):
        def __len__(self) -> int:
            return 8

        def __getitem__(self, i: int) -> Any:
            info = get_worker_info()
            assert info is None or info.dataset is self
            return (-1, 0) if info is None else (info.id, info.num_workers)

    assert get_worker_info() is None
    assert {tuple(x) for batch in DataLoader(Asks()) for x in zip(*[b.tolist() for b in batch], strict=True)} == {(-1, 0)}
    found = {tuple(b.item() for b in batch) for batch in DataLoader(Asks(), num_workers=2, worker_init_fn=told.append)}
    assert found <= {(0, 2), (1, 2)} and sorted(told) == [0, 1]

    class Shares(IterableDataset[int]):
        """As PyTorch's documentation shares a stream out among workers."""

        def __iter__(self) -> Iterator[int]:
            info = get_worker_info()
            return iter(range(10) if info is None else range(info.id, 10, info.num_workers))

    assert [int(x) for x in DataLoader(Shares(), num_workers=3)] == list(range(10))


def test_a_worker_that_cannot_start_says_so() -> None:
    def fails(number: int) -> None:
        raise ValueError(f"worker {number} has no licence")

    with pytest.raises(ValueError, match="no licence"):
        list(DataLoader(Noisy(), num_workers=1, worker_init_fn=fails))


def test_a_batch_that_takes_too_long() -> None:
    hold = threading.Event()

    class Slow(Dataset[int]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, i: int) -> int:
            hold.wait(5)
            return i

    batches = iter(DataLoader(Slow(), num_workers=1, timeout=0.02))
    with pytest.raises(TinygradActError, match="timeout=0.02"):
        next(batches)
    hold.set()
    assert [int(x) for x in batches] == [0, 1], "nothing is lost by it"


def test_a_loop_that_was_left_for_a_worker_that_hangs_is_left() -> None:
    hold = threading.Event()

    class Hangs(Dataset[int]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, i: int) -> int:
            hold.wait(20)
            return i

    began = time.monotonic()
    with pytest.raises(TinygradActError, match="timeout"):
        list(DataLoader(Hangs(), num_workers=1, timeout=0.05))
    gc.collect()
    assert time.monotonic() - began < 10
    hold.set()


def test_stop_iteration_does_not_end_a_loop_without_a_word() -> None:
    class Ends(Noisy):
        def __getitem__(self, i: int) -> Any:
            return next(iter([]))

    for n in (0, 1):
        with pytest.raises(TinygradActError, match="StopIteration"):
            list(DataLoader(Ends(), num_workers=n))


def test_workers_record_as_the_loop_does() -> None:
    w = ta.ones(2, requires_grad=True)

    class Recorded(Dataset[Any]):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, i: int) -> Any:
            return w * 2

    for n in (0, 1):
        assert next(iter(DataLoader(Recorded(), num_workers=n))).requires_grad
        with ta.no_grad():
            assert not next(iter(DataLoader(Recorded(), num_workers=n))).requires_grad


@pytest.mark.parametrize(("options", "says"), [
    ({"num_workers": -1}, "negative"), ({"num_workers": True}, "number of threads"), ({"num_workers": 1, "timeout": -1}, "timeout"),
    ({"prefetch_factor": 2}, "no.*workers|for workers"), ({"persistent_workers": True}, "for workers"),
    ({"num_workers": 1, "prefetch_factor": -1}, "negative"), ({"multiprocessing_context": "fork"}, "for workers"),
])
def test_misuse_is_told(options: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        DataLoader(Noisy(), **options)
