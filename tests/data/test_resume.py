"""A loader's place can be saved at any moment, and the batches that were left are had from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError
from tinygrad_act.ops.random import generator_states, set_generator_states
from tinygrad_act.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)


class Noisy(Dataset[Any]):
    def __len__(self) -> int:
        return 14

    def __getitem__(self, i: int) -> Any:
        return i, ta.rand(2)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return ((i, ta.rand(2)) for i in ta.randperm(14).tolist())


def tensors() -> TensorDataset:
    return TensorDataset(ta.arange(14), ta.arange(14) * 2)


def generator() -> ta.Generator:
    return ta.Generator().manual_seed(3)


LOADERS: dict[str, Any] = {
    "in order": lambda n: DataLoader(Noisy(), 3, num_workers=n),
    "shuffled": lambda n: DataLoader(Noisy(), 3, shuffle=True, num_workers=n),
    "shuffled by a generator": lambda n: DataLoader(Noisy(), 3, shuffle=True, generator=generator(), num_workers=n),
    "looked up at once": lambda n: DataLoader(tensors(), 3, shuffle=True, num_workers=n),
    "looked up by a generator": lambda n: DataLoader(tensors(), 3, shuffle=True, generator=generator(), drop_last=True, num_workers=n),
    "a split": lambda n: DataLoader(random_split(tensors(), [10, 4], generator())[0], 3, shuffle=True, num_workers=n),
    "several passes": lambda n: DataLoader(Noisy(), 3, sampler=RandomSampler(range(5), num_samples=17), num_workers=n),
    "weighted": lambda n: DataLoader(Noisy(), 3, sampler=WeightedRandomSampler([1.0] * 14, 14), num_workers=n),
    "its own batches": lambda n: DataLoader(
        Noisy(), batch_sampler=BatchSampler(SubsetRandomSampler(range(13), generator()), 3, False), num_workers=n),
    "single samples": lambda n: DataLoader(Noisy(), None, shuffle=True, num_workers=n),
    "a stream": lambda n: DataLoader(Stream(), 3, num_workers=n),
    "single samples of a stream": lambda n: DataLoader(Stream(), None, num_workers=n),
}


def plain(batch: Any) -> Any:
    return [part.tolist() if hasattr(part, "tolist") else part for part in batch]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", LOADERS)
def test_what_was_left_is_handed_out(name: str, workers: int) -> None:
    """After any number of batches, into a new loader, with the default generator moved on by others; then the next epoch."""
    make = LOADERS[name]
    ta.manual_seed(0)
    loader = make(workers)
    list(loader)                                         # an epoch of which the state must know nothing
    states, received, random = [loader.state_dict()], [], []
    for batch in loader:
        ta.rand(1)                                       # dropout, say
        received.append(plain(batch))
        states.append(loader.state_dict())
        random.append(generator_states())
    end, random_at_end = loader.state_dict(), generator_states()
    following = [plain(batch) for batch in loader]
    assert received != following
    for k in {1, len(received) // 2, len(received)}:
        resumed = make(0 if workers else 2)              # saved with workers, resumed without, and the other way round
        resumed.load_state_dict(states[k])
        set_generator_states(random[k - 1])
        left = []
        for batch in resumed:
            ta.rand(1)
            left.append(plain(batch))
        assert left == received[k:]
        assert [plain(batch) for batch in resumed] == following
    resumed = make(workers)
    resumed.load_state_dict(end)
    set_generator_states(random_at_end)
    assert [plain(batch) for batch in resumed] == following


def test_resuming_leaves_the_default_generator_alone() -> None:
    loader = DataLoader(Noisy(), 3, shuffle=True)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    loader.load_state_dict(state)
    ta.manual_seed(8)
    expected = ta.rand(2).tolist()
    ta.manual_seed(8)
    iter(loader)
    assert ta.rand(2).tolist() == expected


def test_a_state_before_the_first_batch_and_one_that_was_only_loaded() -> None:
    loader = DataLoader(Noisy(), 3, shuffle=True, num_workers=2)
    batches = iter(loader)
    state = loader.state_dict()
    other = DataLoader(Noisy(), 3, shuffle=True)
    other.load_state_dict(state)
    again = DataLoader(Noisy(), 3, shuffle=True)
    again.load_state_dict(other.state_dict())
    expected = [plain(b) for b in batches]
    assert [plain(b) for b in other] == expected == [plain(b) for b in again]


def test_a_loop_left_early_can_be_gone_on_with_or_begun_again() -> None:
    loader = DataLoader(tensors(), 4)
    for _ in loader:
        break
    state = loader.state_dict()
    assert [b[0].tolist()[0] for b in loader] == [0, 4, 8, 12]
    loader.load_state_dict(state)
    assert [b[0].tolist()[0] for b in loader] == [4, 8, 12]


def test_it_goes_through_a_file(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    loader = DataLoader(Noisy(), 3, shuffle=True, generator=generator())
    batches = iter(loader)
    next(batches)
    ta.save(loader.state_dict(), tmp_path / "loader")
    other = DataLoader(Noisy(), 3, shuffle=True, generator=generator())
    other.load_state_dict(ta.load(tmp_path / "loader", map_location="cpu"))
    assert [plain(b) for b in other] == [plain(b) for b in batches]


@pytest.mark.parametrize("other", [lambda: DataLoader(Noisy(), 4, shuffle=True), lambda: DataLoader(Noisy(), 3),
                                   lambda: DataLoader(range(9), 3, shuffle=True),
                                   lambda: DataLoader(Noisy(), 3, shuffle=True, generator=generator())])
def test_a_state_of_another_loader_is_refused(other: Any) -> None:
    loader = DataLoader(Noisy(), 3, shuffle=True)
    next(iter(loader))
    with pytest.raises(ArgumentError, match="as the one that was saved"):
        other().load_state_dict(loader.state_dict())


@pytest.mark.parametrize("state", [{}, None, 3, {"batches": 2}])
def test_what_is_no_state_is_refused(state: Any) -> None:
    with pytest.raises(ArgumentError, match="no state of a DataLoader"):
        DataLoader(Noisy()).load_state_dict(state)
