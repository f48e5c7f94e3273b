"""Checkpoints put together by hand, operation by operation: what torch.save would write, and what nobody should."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from typing import Any

STOP, MAGIC = b".", 0x1950A86A20F9469CFC6C


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def plain(value: Any) -> bytes:
    """A number, text, None, or a tuple of what are already operations."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(plain, value)) + b"t"
    if value is None:
        return b"N"
    if value is True or value is False:
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"\x8a" + bytes([data_length(value)]) + value.to_bytes(data_length(value), "little", signed=True)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def data_length(value: int) -> int:
    return value.bit_length() // 8 + 1


def call(function: str, *args: Any) -> bytes:
    return name(function) + plain(tuple(args)) + b"R"


def storage(kind: str = "FloatStorage", key: Any = "0", numel: Any = 4, location: Any = "cpu", tag: Any = "storage", legacy: bool = False) -> bytes:
    more = (None,) if legacy else ()
    return plain((tag, name(f"torch.{kind}"), key, location, numel, *more)) + b"Q"


def tensor(offset: Any = 0, size: Any = (2, 2), stride: Any = (2, 1), **of: Any) -> bytes:
    return call("torch._utils._rebuild_tensor_v2", storage(**of), offset, size, stride, False, call("collections.OrderedDict"))


def state(*values: bytes) -> bytes:
    return b"}(" + b"".join(plain(f"t{i}") + value for i, value in enumerate(values)) + b"u"


def archive(pickled: bytes, members: dict[str, bytes] | None = None, **how: Any) -> bytes:
    """The zip around a pickle; storage 0 has sixteen bytes unless `members` says otherwise."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **how) as out:
        for member, data in {"data.pkl": b"\x80\x02" + pickled + STOP, "data/0": struct.pack("<4f", 1, 2, 3, 4), **(members or {})}.items():
            out.writestr(f"archive/{member}", data)
    return file.getvalue()


def legacy(pickled: bytes, keys: Any = ("0",), storages: bytes | None = None) -> bytes:
    """The older format around a pickle."""
    first = b"".join(pickle.dumps(part, protocol=2) for part in (MAGIC, 1001, {"little_endian": True}))
    data = struct.pack("<q4f", 4, 1, 2, 3, 4) if storages is None else storages
    return first + b"\x80\x02" + pickled + STOP + pickle.dumps(list(keys), protocol=2) + data
