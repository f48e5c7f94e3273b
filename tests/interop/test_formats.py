"""Files by their content: .npz, safetensors one tensor at a time and in several files, whatever they are called."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import interop
from tinygrad_act.errors import ArgumentError, FileError

NUMBERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


def npz(compressed: bool = False, **arrays: Any) -> io.BytesIO:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    file.seek(0)
    return file


# ----------------------------------------------------------------------------------------------------------------- .npz
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["<", ">", "F"])
def test_numpys_archives(compressed: bool, order: str) -> None:
    arrays: dict[str, Any] = {name: np.arange(6).astype(name).reshape(2, 3) for name in NUMBERS}
    arrays |= {"scalar": np.array(2.5), "none": np.zeros((0, 3))}
    arrays = {k: np.asfortranarray(a) if order == "F" and a.ndim else a.astype(a.dtype.newbyteorder(order)) if order != "F" else a for k, a in arrays.items()}
    file = npz(compressed, **arrays)
    for load in (ta.load, interop.load_npz):
        file.seek(0)
        loaded = load(file)
        assert list(loaded) == list(arrays)
        for name, a in arrays.items():
            assert loaded[name].shape == a.shape and loaded[name].tolist() == a.tolist() and loaded[name].dtype == a.dtype.newbyteorder("=")


def test_archives_for_numpy(tmp_path: Path) -> None:
    state = {name: ta.arange(6).reshape(2, 3).to(dtype=ta.empty(0, dtype=name).dtype) for name in NUMBERS if name not in ("uint16", "uint32", "uint64")}
    state |= {"a.b": ta.tensor(1.5), "layer/kernel:0": ta.ones(3, 2).T, "none": ta.zeros(0, 2), "long" * 30: ta.ones(2)}
    interop.save_npz(state, tmp_path / "a.npz")
    back = interop.load_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        theirs = dict(file)
    for name, t in state.items():
        assert back[name].tolist() == theirs[name].tolist() == t.tolist() and back[name].dtype == theirs[name].dtype == t.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    wide = interop.load_npz(tmp_path / "a.npz", dtype=ta.float64)
    assert wide["float16"].dtype == ta.float64 and wide["int8"].dtype == ta.int8
    for wrong in ({"a": 3}, {1: ta.ones(1)}, [ta.ones(1)]):
        with pytest.raises(ArgumentError, match="save_npz"):
            interop.save_npz(wrong, tmp_path / "b.npz")
    pytest.importorskip("ml_dtypes")
    with pytest.raises(ArgumentError, match="no such element type"):
        interop.save_npz({"a": ta.ones(1, dtype=ta.bfloat16)}, tmp_path / "b.npz")


# ---------------------------------------------------------------------------------------------------------- safetensors
def test_tensors_are_read_one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "model"
    interop.save_safetensors({"a": ta.arange(6).float().reshape(2, 3), "h": ta.ones(3, dtype=ta.float16), "n": ta.tensor(4)}, path, {"format": "pt"})
    for mmap in (False, True):
        file = interop.SafeFile(path, mmap=mmap)
        assert set(file) == {"a", "h", "n"} and len(file) == 3 and "a" in file and file.metadata == {"format": "pt"}
        assert file.shape("a") == (2, 3) and file.dtype("h") == ta.float16
        assert file["a"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] and file["n"].item() == 4
    wide = interop.load_safetensors(path, dtype=ta.float32)
    assert wide["h"].dtype == ta.float32 and wide["n"].dtype == ta.int64
    assert ta.load(path, dtype="float64")["h"].dtype == ta.float64
    file_object = io.BytesIO(path.read_bytes())
    assert interop.load_safetensors(file_object)["n"].item() == 4
    with pytest.raises(KeyError):
        file["none"]
    before = path.read_bytes()
    with ta.no_grad():
        interop.load_safetensors(path, mmap=True)["a"].zero_()
    assert path.read_bytes() == before


def test_bfloat16_is_kept_or_widened(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    pytest.importorskip("ml_dtypes")
    interop.save_safetensors({"b": ta.tensor([1.5, -2.0], dtype=ta.bfloat16)}, tmp_path / "b")
    assert ta.load(tmp_path / "b")["b"].dtype == ta.bfloat16
    wide = ta.load(tmp_path / "b", dtype=ta.float32)["b"]
    assert wide.dtype == ta.float32 and wide.tolist() == [1.5, -2.0]


def sharded(folder: Path, weight_map: Any, **parts: Any) -> Path:
    for name, state in parts.items():
        interop.save_safetensors(state, folder / f"{name}.safetensors")
    path = folder / "model.safetensors.index.json"
    path.write_text(weight_map if isinstance(weight_map, str) else json.dumps({"metadata": {}, "weight_map": weight_map}))
    return path


def test_a_model_in_several_files(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    where = {"b": "two.safetensors", "a": "one.safetensors", "c": "one.safetensors"}
    index = sharded(tmp_path, where, one={"a": ta.ones(2), "c": ta.zeros(1)}, two={"b": ta.tensor(3.0)})
    for load, path in ((ta.load, index), (interop.load_safetensors, index), (interop.load_safetensors, tmp_path), (interop.SafeFile, tmp_path)):
        loaded = load(path)
        assert list(loaded) == ["b", "a", "c"] and loaded["b"].item() == 3.0 and loaded["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("weight_map", "says"), [
    ({"a": "one.safetensors", "b": "../two.safetensors"}, "outside"), ({"a": "/etc/passwd"}, "outside"), ({"a": "x\\y"}, "outside"), ({"a": ".."}, "outside"), ({"a": ""}, "outside"), ({"a": "c:x"}, "outside"),
    ({"a": "one.safetensors", "b": "gone.safetensors"}, "1 of its 2 files are missing: gone"), ({"a": "one.safetensors", "b": "one.safetensors"}, "has no tensor 'b'"),
    ({"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}, "has no tensor 'c'"), ({"b": "two.safetensors", "a": "two.safetensors"}, "has no tensor 'a'"),
    ({"a": "one.safetensors", "b": "both.safetensors"}, "puts elsewhere or nowhere"), ('{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}', "two entries 'a'"),
    ({"a": 3}, "no weight_map"), ("[1]", "no weight_map|begins with"), ("{", "damaged"), ("{" * 100_000, "damaged"), ('{"weight_map": ' + "[" * 100_000, "damaged"), ({}, None),
])
def test_an_index_that_does_not_fit_its_files(tmp_path: Path, weight_map: Any, says: str | None) -> None:
    pytest.importorskip("safetensors")
    index = sharded(tmp_path, weight_map, one={"a": ta.ones(2)}, two={"b": ta.ones(1)}, both={"a": ta.ones(2), "b": ta.ones(1)})
    for load in (ta.load, interop.load_safetensors):
        if says is None:
            assert load(index) == {}
            continue
        with pytest.raises(FileError, match=says if load is ta.load or says != "no weight_map|begins with" else "no weight_map"):
            load(index)


def test_metadata_and_names_are_texts(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    for state, metadata in (({1: ta.ones(1)}, None), ({"a": 3}, None), ([], None), ({"a": ta.ones(1)}, {"n": 3})):
        with pytest.raises(ArgumentError, match="save_safetensors"):
            interop.save_safetensors(state, tmp_path / "a", metadata)       # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    state = {"a": ta.ones(2)}
    ta.save(state, tmp_path / "a.pt")
    interop.save_npz(state, tmp_path / "b.safetensors")
    for name in ("a.pt", "b.safetensors"):
        assert ta.load(tmp_path / name)["a"].tolist() == [1.0, 1.0]
