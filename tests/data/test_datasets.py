"""The data sets: what is in them, how they divide, and how a loader takes them. Those that are fetched are skipped where they cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.datasets import (
    CIFAR10,
    IMDB,
    MNIST,
    SOURCES,
    Digits,
    FashionMNIST,
    FilmSnippets,
    HelpTopics,
    MovieLens100k,
    SpokenDigits,
    pad_collate,
    spirals,
    two_moons,
)
from tinygrad_act.datasets.base import split
from tinygrad_act.errors import ArgumentError, FetchError, FileError
from tinygrad_act.utils.data import DataLoader, Subset

from .archive_makers import idx, tar


def had(make: Callable[..., Any], fetched: bool = True) -> tuple[Any, Any]:
    """Both parts; the large ones (`fetched=False`) only if they are in the cache already."""
    try:
        return tuple(make(train=train, **({} if fetched else {"download": False})) for train in (True, False))  # type: ignore[return-value]
    except FetchError as error:
        pytest.skip(str(error))


def counts(data: Any) -> list[int]:
    return data.targets.bincount().tolist()  # type: ignore[no-any-return]


def same_either_way(data: Any, n: int = 5) -> None:
    """A batch looked up at once is the batch of the samples."""
    loader = DataLoader(data, n)
    first = next(iter(loader))
    assert [type(part) for part in first] == [ta.Tensor, ta.Tensor]
    slow = next(iter(DataLoader(data, n, collate_fn=lambda samples: ta.utils.data.default_collate(samples))))
    for fast, one_by_one in zip(first, slow, strict=True):
        assert fast.tolist() == one_by_one.tolist() and fast.shape == one_by_one.shape
    assert first[0].dtype == slow[0].dtype


# ------------------------------------------------------------------------------------------- those that need no network
def test_digits() -> None:
    pytest.importorskip("sklearn")
    train, test = Digits(train=True), Digits(train=False)
    assert (len(train), len(test)) == (1437, 360) and train.data.shape == (1437, 8, 8) and train.data.dtype == ta.uint8
    image, digit = train[3]
    assert image.shape == (1, 8, 8) and image.dtype == ta.float32 and 0 <= digit < 10
    assert train.data.max().item() == 16 and ta.stack([x for x, _ in train]).max().item() == 1
    assert min(counts(train)) > 100 and min(counts(test)) > 25 and train.targets.dtype == ta.int64
    from sklearn.datasets import load_digits
    theirs = sorted(zip(load_digits().images.reshape(-1, 64).tolist(), load_digits().target.tolist(), strict=True))
    ours = [(x, y) for part in (train, test) for x, y in zip(part.data.reshape(-1, 64).tolist(), part.targets.tolist(), strict=True)]
    assert sorted(ours) == theirs
    same_either_way(train)
    same_either_way(Subset(test, [5, 2, 9]), 2)


def test_transforms_see_each_sample() -> None:
    pytest.importorskip("sklearn")
    data = Digits(transform=lambda x: x.flatten() - 1, target_transform=lambda y: y + 10)
    x, y = next(iter(DataLoader(data, 4)))
    assert x.shape == (4, 64) and x.max().item() <= 0 and y.min().item() >= 10
    assert "transform" in repr(data) and "Number of datapoints: 1437" in repr(data) and "Split: Train" in repr(data)
    assert Digits().class_to_idx["7"] == 7

    class Mine(Digits):
        def __getitem__(self, index: int) -> Any:
            return super().__getitem__(index)[0] * 0, 1

    assert next(iter(DataLoader(Mine(), 2)))[1].tolist() == [1, 1], "a subclass's own samples are what a loader takes"


def test_what_is_changed_in_a_batch_is_not_changed_in_the_data() -> None:
    moons = two_moons(n=8)
    before = moons.data.tolist()
    for points, _ in DataLoader(moons, 4):
        points.zero_()
    moons[0][0].zero_()
    assert moons.data.tolist() == before


def test_a_loop_over_a_data_set_ends() -> None:
    assert len(list(two_moons(n=7))) == 7
    with pytest.raises(IndexError, match="7 samples"):
        two_moons(n=7)[7]


@pytest.mark.parametrize("make", [two_moons, spirals])
def test_toys(make: Any) -> None:
    points = make(n=60, noise=0.0)
    assert points.data.shape == (60, 2) and points.data.dtype == ta.float32 and points.data.abs().max().item() <= 2
    assert points.data.tolist() == make(n=60, noise=0.0).data.tolist() != make(n=60, noise=0.0, seed=1).data.tolist()
    assert make(train=False, n=60).data.tolist() != make(n=60).data.tolist()
    assert len(points.classes) == len(counts(points)) and len(set(counts(points))) == 1
    same_either_way(points)
    for wrong in ({"n": -1}, {"noise": -1.0}, {"n": True}, {"train": 200}):
        with pytest.raises(ArgumentError):
            make(**wrong)


def test_moons_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = sklearn.make_moons(4000, noise=0.0, random_state=0)
    moons = two_moons(n=4000, noise=0.0)
    for c in (0, 1):
        ours, theirs = moons.data[moons.targets == c], x[y == c]
        assert ours.amin(0).tolist() == pytest.approx(theirs.min(0).tolist(), abs=0.01)
        assert ours.amax(0).tolist() == pytest.approx(theirs.max(0).tolist(), abs=0.01)


def test_help_topics() -> None:
    train, test = HelpTopics(context=20), HelpTopics(train=False, context=20)
    assert 7 < len(train) / len(test) < 11 and len(train) > 300_000
    assert train.vocabulary.tokens == test.vocabulary.tokens and len(train.vocabulary) < 300
    x, y = train[100]
    assert train.vocabulary.decode(x) == train.text[100:120] and train.vocabulary.decode(y) == train.text[101:121]
    assert train[-1][1].tolist() == train.targets[-20:].tolist()
    with pytest.raises(IndexError):
        train[len(train)]
    same_either_way(train)
    batch = next(iter(DataLoader(train, 8, shuffle=True)))
    assert batch[0].shape == batch[1].shape == (8, 20) and batch[0][:, 1:].tolist() == batch[1][:, :-1].tolist()
    with pytest.raises(ArgumentError, match="one character"):
        HelpTopics(context=0)


def test_a_split_is_drawn_and_fixed() -> None:
    train, test = split(1000, 800, True), split(1000, 800, False)
    assert sorted(train + test) == list(range(1000)) and train != sorted(train) and train[:4] == [402, 993, 40, 186]


def test_misuse_is_told() -> None:
    with pytest.raises(ArgumentError, match="first argument is root"):
        MNIST(None, 1)  # type: ignore[arg-type]
    with pytest.raises(FetchError, match="download=True"):
        MNIST("no/such/folder", download=False)


# ------------------------------------------------------------------------------------- files of the right form, made here
def lay(root: Path, monkeypatch: pytest.MonkeyPatch, source: str, files: dict[str, bytes]) -> None:
    """Put these files where the source's are kept, and pin them."""
    import hashlib
    pinned = SOURCES[source]
    monkeypatch.setitem(SOURCES, source, pinned._replace(members={name: hashlib.sha256(data).hexdigest() for name, data in files.items()}))
    for name, data in files.items():
        path = root.joinpath(f"{pinned.package}-{pinned.version}", *name.replace("!", "/").split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_reviews_that_are_there_twice_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = [{"t": f"review {i % 40}", "s": int(i % 40 > 20)} for i in range(50)]
    lay(tmp_path, monkeypatch, "imdb", {"package/reviews.json": json.dumps(reviews).encode()})
    data = IMDB(tmp_path)
    assert sorted(data.data) == sorted({r["t"] for r in reviews}) and counts(data) == [21, 19]
    assert data[0] == (data.data[0], data.targets[0].item())
    for wrong in (b"[", b"[1]", b'[{"t": "x"}]', b'[{"t": "x", "s": 7}]', b'[{"t": 1, "s": 1}]', b"\xff"):
        lay(tmp_path, monkeypatch, "imdb", {"package/reviews.json": wrong})
        with pytest.raises(FileError, match="reviews.json"):
            IMDB(tmp_path)


def test_images_of_another_form_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = "package/data/train-"
    lay(tmp_path, monkeypatch, "mnist", {start + "images-idx3-ubyte": idx((2, 2, 2), bytes(8)), start + "labels-idx1-ubyte": idx((2,), b"\3\1")})
    data = MNIST(tmp_path)
    assert data.data.shape == (2, 2, 2) and data.targets.tolist() == [3, 1] and f"Root location: {tmp_path}" in repr(data)
    for images, labels in ((idx((2, 2), bytes(4)), idx((2,), b"\3\1")), (idx((2, 2, 2), bytes(8)), idx((3,), b"\3\1\2")),
                           (idx((2, 2, 2), bytes(8)), idx((2,), b"\3\12"))):
        lay(tmp_path, monkeypatch, "mnist", {start + "images-idx3-ubyte": images, start + "labels-idx1-ubyte": labels})
        with pytest.raises(FileError):
            MNIST(tmp_path)


def photographs(n: int = 3) -> dict[str, bytes]:
    """The files of CIFAR-10's binary version, n records each: the class, then red, green and blue pixels that say where they are."""
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    return {name: b"".join(bytes([(part + i) % 10]) + bytes([part]) * 1024 + bytes([i]) * 1024 + bytes(range(256)) * 4 for i in range(n))
            for part, name in enumerate(names)}


@pytest.mark.parametrize("form", ["archive", "folder", "inside"])
def test_photographs(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    if form == "archive":
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tar({f"{folder.name}/{k}": v for k, v in photographs().items()}))
    else:
        folder.mkdir()
        for name, content in photographs().items():
            (folder / name).write_bytes(content)
    train, test = (CIFAR10(folder if form == "inside" else tmp_path, train=part) for part in (True, False))
    assert train.data.shape == (15, 3, 32, 32) and test.data.shape == (3, 3, 32, 32) and train.data.dtype == ta.uint8
    assert train.targets.tolist() == [(part + i) % 10 for part in range(5) for i in range(3)] and train.targets.dtype == ta.int64
    image, label = train[7]
    assert image.dtype == ta.float32 and label == 3 == train.class_to_idx["cat"]
    assert image[0].unique().tolist() == pytest.approx([2 / 255]) and image[1].unique().tolist() == pytest.approx([1 / 255])
    assert image[2, 1].tolist() == pytest.approx([i / 255 for i in range(32, 64)]), "row by row"
    same_either_way(train)


def test_photographs_that_are_not_there_or_of_another_form_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="binary version.*cs.toronto.edu"):
        CIFAR10(tmp_path, download=True)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    with pytest.raises(FileError, match="a pickle, which is not read"):
        CIFAR10(tmp_path)
    archive, whole = tmp_path / "cifar-10-binary.tar.gz", photographs()
    name = "test_batch.bin"
    for wrong, said in ((b"", "0 bytes"), (whole[name][:-1], "no whole number"), (b"\12" + whole[name][1:], "class 10")):
        archive.write_bytes(tar({f"cifar-10-batches-bin/{k}": v for k, v in (whole | {name: wrong}).items()}))
        assert len(CIFAR10(tmp_path)) == 15
        with pytest.raises(FileError, match=said):
            CIFAR10(tmp_path, train=False)
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(FileError, match="cut short"):
        CIFAR10(tmp_path, train=False)
    (tmp_path / "cifar-10-batches-bin").mkdir()
    with pytest.raises(FileError, match="no data_batch_1.bin and no"):
        CIFAR10(tmp_path)


# ---------------------------------------------------------------------------------------------- the real ones, fetched
def test_spoken_digits() -> None:
    train, test = had(SpokenDigits)
    assert (len(train), len(test)) == (2400, 600) and min(counts(train)) > 200
    frames, digit = train[0]
    assert frames.ndim == 2 and frames.shape[1] == 13 and frames.dtype == ta.float32 and 0 <= digit < 10
    x, lengths, y = next(iter(DataLoader(train, 16, shuffle=True, collate_fn=pad_collate)))
    assert x.shape == (16, max(lengths.tolist()), 13) and y.shape == (16,)


def test_movielens() -> None:
    train, test = had(MovieLens100k)
    assert (len(train), len(test)) == (90_000, 10_000) and train.titles[0] == "Toy Story" and len(train.titles) == train.films
    pairs = ta.cat([train.data, test.data])
    assert pairs.amin(0).tolist() == [0, 0] and pairs.amax(0).tolist() == [942, 1681]
    assert sorted(set(train.targets.tolist())) == [1.0, 2.0, 3.0, 4.0, 5.0] and train.targets.dtype == ta.float32
    x, y = next(iter(DataLoader(train, 8)))
    assert x.shape == (8, 2) and x.dtype == ta.int64 and y.dtype == ta.float32
    mean = train.targets.mean()
    assert (test.targets - mean).pow(2).mean().sqrt().item() == pytest.approx(1.12, abs=0.02), "what the mean alone reaches"


@pytest.mark.parametrize("make", [MNIST, FashionMNIST])
def test_large_images(make: Any) -> None:
    train, test = had(make, fetched=False)
    assert train.data.shape == (60_000, 28, 28) and test.data.shape == (10_000, 28, 28) and train.data.dtype == ta.uint8
    assert sum(counts(train)) == 60_000 and len(counts(train)) == 10 == len(train.classes)
    assert test.targets[:5].tolist() == ([7, 2, 1, 0, 4] if make is MNIST else [9, 2, 1, 1, 6])
    same_either_way(test)


def test_texts() -> None:
    train, test = had(FilmSnippets, fetched=False)
    assert (len(train), len(test)) == (8500, 2105) and train.ratings.shape == (8500,)
    assert ((train.ratings > 0).long() == train.targets).all().item() and -4 <= train.ratings.min().item() < 0
    train, test = had(IMDB, fetched=False)
    assert (len(train), len(test)) == (25_000, 24_582) and not set(train.data) & set(test.data)
    assert all(12_000 < n < 13_000 for n in counts(train) + counts(test))
