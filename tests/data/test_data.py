"""Data sets, samplers, collating and loaders."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, IndexingError, ShapeError
from tinygrad_act.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


class Squares(Dataset[Any]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[int, float]:
        return i, float(i * i)


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))


def tensors(n: int = 10) -> TensorDataset:
    return TensorDataset(ta.arange(n * 2).reshape(n, 2), ta.arange(n))


# ---------------------------------------------------------------------------------------------------- data sets
def test_tensor_datasets_and_subsets() -> None:
    data = tensors()
    assert len(data) == 10 and [t.tolist() for t in data[3]] == [[6, 7], 3]
    part = Subset(data, [5, 1])
    assert len(part) == 2 and part[1][1].item() == 1 and len(data + part) == 12
    with pytest.raises(ShapeError, match="as many samples"):
        TensorDataset(ta.zeros(2), ta.zeros(3))
    with pytest.raises(ArgumentError, match="first axis"):
        TensorDataset(3)


def test_concatenation() -> None:
    both = ConcatDataset([Squares(3), Squares(2)])
    assert [both[i][0] for i in range(5)] == [0, 1, 2, 0, 1] and both[-1] == (1, 1.0) and len(both) == 5
    with pytest.raises(IndexingError, match="5 samples"):
        both[5]
    with pytest.raises(ArgumentError):
        ConcatDataset([])
    with pytest.raises(ArgumentError, match="Iterable"):
        ConcatDataset([Stream()])


def test_data_sets_side_by_side() -> None:
    asked: list[list[int]] = []

    class Many(Squares):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            asked.append(indices)
            return [self[i] for i in indices][:self.n]

    pairs, named = StackDataset(Squares(4), [5, 6, 7, 8]), StackDataset(square=Many(4), other=[5, 6, 7, 8])
    assert pairs[2] == ((2, 4.0), 7) and named[3] == {"square": (3, 9.0), "other": 8} and len(pairs) == len(named) == 4
    batch = next(iter(DataLoader(Subset(named, [3, 1, 0]), 2)))
    assert plain(batch) == {"square": [[3, 1], [9.0, 1.0]], "other": [8, 6]} and asked == [[3, 1]]
    for wrong in (lambda: StackDataset(), lambda: StackDataset([1], b=[1])):
        with pytest.raises(ArgumentError, match="one way"):
            wrong()
    with pytest.raises(ShapeError, match="as many samples"):
        StackDataset([1], [1, 2])
    with pytest.raises(ShapeError, match="__getitems__"):
        StackDataset(Many(0) + Many(0), Many(0)).__class__(Many(1)).__getitems__([0, 0])


def test_streams_in_a_chain() -> None:
    both = Stream() + Stream()
    assert isinstance(both, ChainDataset) and list(both) == [0, 1, 2, 3, 4] * 2
    with pytest.raises(ArgumentError, match="IterableDatasets only"):
        list(ChainDataset([Squares(2)]))
    assert [b.tolist() for b in DataLoader(both, 4)] == [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4]]


def test_a_subclass_says_what_its_samples_are() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, i: int) -> Any:
            return tuple(2 * t for t in super().__getitem__(i))

    data = Doubled(ta.arange(4))
    assert next(iter(DataLoader(data, 4)))[0].tolist() == [0, 2, 4, 6] == next(iter(DataLoader(Subset(data, [0, 1, 2, 3]), 4)))[0].tolist()
    with pytest.raises(NotImplementedError, match="__getitems__"):
        type("Mine", (Subset,), {"__getitem__": lambda self, i: 0})(data, [0])


def test_an_empty_part_is_told() -> None:
    with pytest.warns(UserWarning, match="part 1 is empty"):
        random_split(Squares(1), [0.9, 0.1])


@pytest.mark.parametrize("lengths", [[6, 4], [0.5, 0.25, 0.25], [10, 0], [1.0]])
def test_random_split(lengths: list[float]) -> None:
    torch = pytest.importorskip("torch")
    ta.manual_seed(0)
    parts = random_split(Squares(10), lengths)
    theirs = torch.utils.data.random_split(range(10), lengths) if 0 not in lengths else [[0] * 10, []]
    assert [len(p) for p in parts] == [len(p) for p in theirs]
    assert sorted(p[i][0] for p in parts for i in range(len(p))) == list(range(10))
    with pytest.raises(ArgumentError, match="10 samples"):
        random_split(Squares(10), [5, 4])


def test_the_same_seed_gives_the_same_order() -> None:
    orders = []
    for _ in range(2):
        ta.manual_seed(7)
        split = random_split(tensors(), [7, 3])
        orders.append((split[0].indices, [b[1].tolist() for b in DataLoader(split[0], 2, shuffle=True)], list(RandomSampler(range(9)))))
    assert orders[0] == orders[1]
    a, b = (random_split(range(50), [25, 25], ta.Generator().manual_seed(3)) for _ in range(2))
    assert a[0].indices == b[0].indices != list(range(25))


# ----------------------------------------------------------------------------------------------------- samplers
def test_samplers() -> None:
    assert list(SequentialSampler(range(4))) == [0, 1, 2, 3]
    assert sorted(RandomSampler(range(50))) == list(range(50)) != list(RandomSampler(range(50)))
    assert len(list(RandomSampler(range(3), num_samples=8))) == 8 == len(RandomSampler(range(3), num_samples=8))
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=40))
    assert set(drawn) == {0, 1, 2} and len(drawn) == 40
    assert sorted(SubsetRandomSampler([7, 9, 4])) == [4, 7, 9]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]] and len(BatchSampler(range(5), 2, True)) == 2
    assert len(BatchSampler(range(5), 2, False)) == 3
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match="one sample"):
            BatchSampler(range(5), wrong, False)
    with pytest.raises(ArgumentError, match="num_samples"):
        RandomSampler(range(3), num_samples=-1)


def test_weights_say_how_often() -> None:
    drawn = list(WeightedRandomSampler([1, 0, 3], 4000, generator=ta.Generator().manual_seed(0)))
    assert len(drawn) == 4000 and 1 not in drawn and 0.71 < drawn.count(2) / 4000 < 0.79
    assert sorted(WeightedRandomSampler([1.0, 2.0, 3.0], 3, replacement=False)) == [0, 1, 2]
    for wrong in ({"num_samples": 0}, {"num_samples": True}, {"num_samples": 2, "replacement": 1}):
        with pytest.raises(ArgumentError):
            WeightedRandomSampler([1.0], **wrong)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="one weight"):
        WeightedRandomSampler([[1.0]], 1)


def test_what_others_draw_does_not_change_an_order_that_was_begun() -> None:
    orders = []
    for between in (0, 5):
        ta.manual_seed(2)
        order = iter(RandomSampler(range(4), num_samples=12))
        first = [next(order) for _ in range(4)]
        ta.rand(between)
        orders.append(first + list(order))
    assert orders[0] == orders[1] and len(orders[0]) == 12


# --------------------------------------------------------------------------------------------------- collating
def test_collating_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import default_collate as theirs

    pair = namedtuple("pair", "a b")
    for sample in (1, 2.5, True, "text", b"raw", (1, 2.0), [1, (2, 3)], {"a": 1, "b": [2.0]}, pair(1, 2.0), np.float32(2), np.arange(3)):
        ours, other = default_collate([sample, sample]), theirs([sample, sample])
        assert plain(ours) == plain(other) and type(ours).__name__ == type(other).__name__.replace("Tensor", "Tensor")
        if isinstance(ours, ta.Tensor):
            assert str(other.dtype) == f"torch.{ours.dtype.name}"
    assert default_collate([ta.ones(2), ta.zeros(2)]).shape == (2, 2) and torch is not None


def test_kinds_are_kept_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from collections import OrderedDict, UserDict, UserList, deque
    from types import MappingProxyType

    pair = namedtuple("pair", "a b")
    arrays = {"a": np.float32([1, 2]), "t": np.str_("text"), "s": np.array(["x", "y"]), "o": [np.int64(3), (np.bool_(True), 2.5)]}
    samples = [OrderedDict(b=1, a=2), UserDict(a=[1]), MappingProxyType({"a": 1}), UserList([1, 2.0]), deque([1, 2]), range(2),
               pair(1, [2.0]), np.float64(2.5), np.int32(4), np.bool_(False), {"a": (1, "x", b"y")}]
    for sample in samples:
        ours, theirs = default_collate([sample, sample]), torch.utils.data.default_collate([sample, sample])
        assert plain(ours) == plain(theirs) and kinds(ours) == kinds(theirs)
    for sample in (*samples, arrays, np.arange(3), "text", b"raw", None, 1, (1, [np.float32(2)])):
        ours, theirs = default_convert(sample), torch.utils.data.default_convert(sample)
        assert repr(plain(ours)) == repr(plain(theirs)) and kinds(ours) == kinds(theirs)
    for wrong in ([None], [object()], [np.array(["x"])], [np.array([{}], dtype=object)]):
        with pytest.raises(ArgumentError, match="pass a collate_fn"):
            default_collate(wrong)
        with pytest.raises(TypeError):
            torch.utils.data.default_collate(wrong)


def kinds(x: Any) -> Any:
    """The types within, and the element types of tensors."""
    if hasattr(x, "dtype"):
        return str(x.dtype).removeprefix("torch.")
    if hasattr(x, "items"):
        return type(x).__name__, [(k, kinds(v)) for k, v in x.items()]
    return (type(x).__name__, [kinds(v) for v in x]) if hasattr(x, "__iter__") and not isinstance(x, (str, bytes)) else type(x).__name__


def plain(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if not hasattr(x, "dtype") and hasattr(x, "__iter__") and not isinstance(x, (str, bytes)):
        return [plain(v) for v in x] if not hasattr(x, "items") else {k: plain(v) for k, v in x.items()}
    return x.tolist() if hasattr(x, "tolist") else x


def test_what_cannot_be_collated() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        default_collate([ta.zeros(2), ta.zeros(3)])
    with pytest.raises(ShapeError, match="parts"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(ArgumentError, match="NoneType"):
        default_collate([None])


# ------------------------------------------------------------------------------------------------------ loaders
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_fast_way_gives_the_same_batches(shuffle: bool, drop_last: bool) -> None:
    """A TensorDataset, and a Subset of one, are looked up a batch at a time; a plain Dataset sample by sample."""
    data = tensors()
    for fast in (data, Subset(data, [9, 2, 4, 4, 0, 1, 7])):
        class Slow(Dataset[Any]):
            def __len__(self, data: Any = fast) -> int:
                return len(data)

            def __getitem__(self, i: int, data: Any = fast) -> Any:
                return data[i]
        found = []
        for source in (fast, Slow()):
            loader = DataLoader(source, 3, shuffle, drop_last=drop_last, generator=ta.Generator().manual_seed(11))
            batches = [[t.tolist() for t in batch] for _ in range(2) for batch in loader]
            assert len(batches) == 2 * len(loader) and all(isinstance(b, list) for b in loader)
            found.append(batches)
        assert found[0] == found[1]


def test_a_batch_does_not_share_memory_with_the_data() -> None:
    data = tensors()
    for batch, _ in DataLoader(data, 5):
        batch.zero_()
    assert data.tensors[0].sum().item() == 190


def test_nothing_crosses_while_batches_are_made() -> None:
    from tinygrad_act import backend

    if backend.current() != "strict":
        pytest.skip("only strict counts")
    from tinygrad_act.backend import strict
    parts = random_split(tensors(), [6, 4])
    loader = DataLoader(parts[0], 2, shuffle=True)
    list(loader)
    before = dict(strict.transfers)
    assert len(list(loader)) == 3 and dict(strict.transfers) == before


def test_orders_and_collate_functions() -> None:
    assert plain(list(DataLoader(Squares(3), 2))) == [[[0, 1], [0.0, 1.0]], [[2], [4.0]]]
    assert list(DataLoader(Squares(3), 2, collate_fn=lambda b: [i for i, _ in b])) == [[0, 1], [2]]
    assert list(DataLoader(Squares(3), batch_size=None)) == [[0, 0.0], [1, 1.0], [2, 4.0]]      # tuples are lists, as in PyTorch
    assert [b[0].tolist() for b in DataLoader(Squares(4), 2, sampler=[3, 1, 0])] == [[3, 1], [0]]
    assert [b[0].tolist() for b in DataLoader(tensors(4), batch_sampler=[[3, 0], [1]])] == [[[6, 7], [0, 1]], [[2, 3]]]
    assert [b.tolist() for b in DataLoader(Stream(), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(), None)) == [0, 1, 2, 3, 4]
    assert plain(list(DataLoader([ta.ones(2), ta.zeros(2)], 2))) == [[[1.0, 1.0], [0.0, 0.0]]]
    assert len(DataLoader(Squares(5), 2)) == 3 == len(DataLoader(Squares(3), None))
    assert list(DataLoader(TensorDataset(ta.zeros(0, 2)), 4)) == []


def test_a_loader_is_pytorchs_to_look_at() -> None:
    torch = pytest.importorskip("torch")
    for options in ({}, {"batch_size": 3, "shuffle": True, "drop_last": True}, {"batch_size": None}, {"sampler": [2, 0]},
                    {"batch_sampler": [[0], [1, 2]]}, {"num_workers": 1, "timeout": 2, "pin_memory": False}):
        ours, theirs = DataLoader(range(5), **options), torch.utils.data.DataLoader(range(5), **options)
        for name in ("batch_size", "drop_last", "num_workers", "timeout", "pin_memory", "prefetch_factor", "persistent_workers",
                     "generator", "worker_init_fn", "in_order", "pin_memory_device", "multiprocessing_context"):
            assert getattr(ours, name) == getattr(theirs, name), name
        for name in ("sampler", "batch_sampler", "dataset"):
            assert type(getattr(ours, name)).__name__ == type(getattr(theirs, name)).__name__
        assert ours.collate_fn.__name__ == theirs.collate_fn.__name__ and len(ours) == len(theirs)
        if not options.get("shuffle"):
            assert plain(list(ours)) == plain(list(theirs))
        for name in ("batch_size", "dataset", "sampler"):
            with pytest.raises(ValueError, match="cannot be set"):
                setattr(ours, name, 1)


@pytest.mark.parametrize(("make", "says"), [
    (lambda: DataLoader(Squares(3), 0), "one sample"),
    (lambda: DataLoader(Squares(3), shuffle=True, sampler=[0]), "each of them says the order"),
    (lambda: DataLoader(Squares(3), 2, batch_sampler=[[0]]), "decides all of that"),
    (lambda: DataLoader(Stream(), shuffle=True), "order is its own"),
    (lambda: DataLoader(Squares(3), None, drop_last=True), "no last one"),
    (lambda: DataLoader(Squares(3), num_workers=-1), "negative"),
])
def test_misuse_is_told(make: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        make()
