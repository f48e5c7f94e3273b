"""Writing what torch.load reads: dicts, lists and tuples of tensors, numbers and texts, in PyTorch's zip format."""

from __future__ import annotations

import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ... import backend
from ...errors import ArgumentError
from ...files import aside
from ...nn.parameter import Parameter
from ...tensor import Tensor
from .tensors import STORAGES

CLASSES = {dtype: name for name, dtype in STORAGES.items() if name != "UntypedStorage"}
ORDERED = b"ccollections\nOrderedDict\n)R"
ALIGNED = 64                                             # PyTorch maps storages into memory


def save_torch(obj: Any, path: Any) -> None:
    """Write what PyTorch's `torch.load(path)` reads: a state_dict, or dicts, lists and tuples of Tensors, numbers, texts and None.

    Tensors are written one by one as they look: views become tensors of their own. The file is whole or not there.

    Raises:
        ArgumentError: something that such a file cannot hold, named by where it is.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_torch({"weight": ta.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> ta.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    tensors: list[Tensor] = []
    pickled = b"\x80\x02" + b"".join(_written(obj, "", tensors)) + b"."
    if hasattr(path, "write"):
        _archive(path, pickled, tensors)
    else:
        with aside(path) as part, part.open("wb") as file:
            _archive(file, pickled, tensors)


def _archive(file: Any, pickled: bytes, tensors: list[Tensor]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("data.pkl", pickled), ("byteorder", sys.byteorder.encode())):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
        for i, t in enumerate(tensors):
            entry = zipfile.ZipInfo(f"archive/data/{i}")
            begin = archive.fp.tell() + 30 + len(entry.filename) + 4 if archive.fp else 0
            padding = -begin % ALIGNED
            entry.extra = b"FB" + struct.pack("<H", padding) + bytes(padding)
            archive.writestr(entry, backend.to_host(t.array).tobytes())
        archive.writestr(zipfile.ZipInfo("archive/version"), b"3\n")


def _written(obj: Any, at: str, tensors: list[Tensor]) -> list[bytes]:
    """The operations of a pickle that make `obj`."""
    if isinstance(obj, Tensor):
        return [_tensor(obj, at, tensors)]
    if isinstance(obj, Mapping):
        parts = [part for k, v in obj.items() for part in (*_written(k, f"{at}: its key", tensors), *_written(v, f"{at}.{k}".strip("."), tensors))]
        return [ORDERED if isinstance(obj, OrderedDict) else b"}", b"(", *parts, b"u"]
    if type(obj) in (list, tuple):
        parts = [part for i, v in enumerate(obj) for part in _written(v, f"{at}.{i}".strip("."), tensors)]
        return [b"](", *parts, b"e"] if type(obj) is list else [b"(", *parts, b"t"]
    if hasattr(obj, "item") and getattr(obj, "ndim", 1) == 0:                    # a NumPy scalar
        obj = obj.item()
    if obj is None or type(obj) is bool:
        return [{None: b"N", True: b"\x88", False: b"\x89"}[obj]]
    if type(obj) is int and (n := obj.bit_length() // 8 + 1) < 256:
        return [b"J" + struct.pack("<i", obj) if n <= 4 else b"\x8a" + bytes([n]) + obj.to_bytes(n, "little", signed=True)]
    if type(obj) is float:
        return [b"G" + struct.pack(">d", obj)]
    if type(obj) is str:
        return [_text(obj)]
    raise ArgumentError("save_torch", f"{at or 'the object'}: {type(obj).__name__}", "a file holds tensors, numbers, texts, None, and dicts, lists and tuples of them",
                        "save its state_dict(), or convert it with ta.tensor(...)")


def _tensor(t: Tensor, at: str, tensors: list[Tensor]) -> bytes:
    """A storage of its own, and a tensor that is all of it."""
    if t.dtype.name not in CLASSES:
        raise ArgumentError("save_torch", f"{at}: {t.dtype}", "PyTorch's files have no such element type", "convert it")
    strides: list[int] = []
    n = 1
    for size in reversed(t.shape):
        strides.insert(0, n)
        n *= max(size, 1)
    storage = b"((" + _text("storage") + f"ctorch\n{CLASSES[t.dtype.name]}\n".encode() + _text(str(len(tensors))) + _text("cpu") + _number(0 if 0 in t.shape else n) + b"tQ"
    tensors.append(t)
    wanted = b"\x88" if t.requires_grad else b"\x89"
    rest = b"K\x00(" + b"".join(map(_number, t.shape)) + b"t(" + b"".join(map(_number, strides)) + b"t" + (b"\x89" if isinstance(t, Parameter) else wanted) + ORDERED + b"tR"
    built = b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + rest
    return b"ctorch._utils\n_rebuild_parameter\n(" + built + wanted + ORDERED + b"tR" if isinstance(t, Parameter) else built


def _number(n: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", n)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data
