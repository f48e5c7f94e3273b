"""ta.save and ta.load: what goes in comes out, a failure leaves what was there, and a bad file is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.errors import ArgumentError, FileError, MissingPackageError

pytest.importorskip("safetensors")
DTYPES = ["float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"]


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, ta.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            same(a[k], b[k])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3), (), (0, 4)])
def test_tensors(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    t = ta.tensor(np.arange(np.prod(shape)).reshape(shape), dtype=dtype)
    ta.save({"t": t, "flipped": t.flip(0) if t.ndim else t}, tmp_path / "a")
    back = ta.load(tmp_path / "a")
    same(back["t"], t)
    back["t"].zero_()                                               # it can be written to
    assert ta.load(str(tmp_path / "a"), map_location="cpu")["t"].device == "cpu"


def test_views_are_written_as_they_look(tmp_path: Path) -> None:
    x = ta.arange(12).reshape(3, 4)
    ta.save({"a": x.T, "b": x[:, ::2], "c": x[1].expand(2, 4)}, tmp_path / "a")
    back = ta.load(tmp_path / "a")
    assert back["a"].tolist() == x.T.tolist() and back["b"].tolist() == x[:, ::2].tolist() and back["c"].shape == (2, 4)


def test_structures(tmp_path: Path) -> None:
    obj = {"epoch": 3, "best": float("inf"), "worst": float("nan"), "done": False, "name": "run", "none": None, 7: {"x": ta.ones(2)},
           "list": [1, (2, ta.zeros(1)), []], "$tensor": {"$dict": "text"}, "7.x": ta.zeros(3), 1.5: True, "np": np.float64(2.5)}
    ta.save(obj, tmp_path / "a")
    same(ta.load(tmp_path / "a"), {**obj, "np": 2.5})
    ta.save(ta.ones(2), tmp_path / "a")
    same(ta.load(tmp_path / "a"), ta.ones(2))
    ta.save({}, tmp_path / "a")
    assert ta.load(tmp_path / "a") == {}


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.9), lambda p: optim.Adam(p, amsgrad=True), lambda p: optim.SGD(p)])
def test_training_goes_on_where_it_stopped(tmp_path: Path, make: Any) -> None:
    x, y = ta.randn(8, 3), ta.randn(8, 1)

    def train(net: Any, optimizer: Any, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x), y).backward()
            optimizer.step()
    net = nn.Linear(3, 1)
    optimizer = make(net.parameters())
    train(net, optimizer, 3)
    ta.save({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "run")
    train(net, optimizer, 3)
    again = nn.Linear(3, 1)
    other = make(again.parameters())
    saved = ta.load(tmp_path / "run")
    again.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    train(again, other, 3)
    assert again.weight.tolist() == net.weight.tolist() and again.bias.tolist() == net.bias.tolist()


def test_files_of_others_and_for_others(tmp_path: Path) -> None:
    from safetensors import numpy

    net = nn.Sequential(nn.Linear(2, 3), nn.PReLU())
    ta.save(net.state_dict(), tmp_path / "ours")
    theirs = numpy.load_file(tmp_path / "ours")
    assert set(theirs) == {"0.weight", "0.bias", "1.weight"} and theirs["0.weight"].shape == (3, 2)
    numpy.save_file({"w": np.ones((2, 2), np.float32)}, tmp_path / "theirs", metadata={"format": "np"})
    assert ta.load(tmp_path / "theirs")["w"].tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(("obj", "says"), [
    ({"a": {"b": [1, object()]}}, r"a.b.1: object"), ({"f": len}, "f: builtin"), ({(1, 2): 3}, "the key"), (nn.Linear(1, 1), "state_dict"),
])
def test_what_a_file_cannot_hold(tmp_path: Path, obj: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        ta.save(obj, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    ta.save({"t": ta.ones(1)}, path)

    def fail(*_: Any) -> None:
        raise OSError("disk full")
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        ta.save({"t": ta.zeros(1)}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and ta.load(path)["t"].item() == 1.0


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    ta.save({"t": ta.ones(100), "n": 3}, path)
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:8 + size])

    def rewritten(structure: str) -> bytes:
        text = json.dumps({**header, "__metadata__": {"tinygrad_act": structure}}).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + whole[8 + size:]
    bad = [b"", b"short", whole[:-1], whole[:40], b"\xff" * 8 + whole[8:], b"PK" + whole, whole[:20] + b"\x00" + whole[21:],
           rewritten("{"), rewritten('{"$tensor": "gone"}'), rewritten('{"$odd": 1}'), rewritten("[" * 5000 + "]" * 5000)]
    for data in bad:
        path.write_bytes(data)
        with pytest.raises(FileError, match=str(path.name)):
            ta.load(path)
    with pytest.raises(FileNotFoundError):
        ta.load(tmp_path / "none")


@pytest.mark.parametrize("shape", [[0, 1 << 62], [0, (1 << 64) - 1], [1] * 100, [0] * 65])
def test_shapes_that_no_tensor_has(tmp_path: Path, shape: list[int]) -> None:
    size = 0 if 0 in shape else 4
    text = json.dumps({"t": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    for load in (ta.load, ta.interop.load_safetensors, lambda path: ta.load(path, mmap=True)):
        with pytest.raises(FileError, match="no tensor has"):
            load(tmp_path / "a")


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ta.save({}, tmp_path / "a")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: ta.save({}, tmp_path / "a"), lambda: ta.load(tmp_path / "a")):
        with pytest.raises(MissingPackageError, match=r"tinygrad-act\[safetensors\]"):
            call()
