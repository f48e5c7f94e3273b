"""Reading the formats that data come in: idx (the MNIST family's), NumPy's npy, and tables of text. Nothing that is read can run."""

from __future__ import annotations

import ast
import gzip
import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import backend, dtypes
from ..errors import FileError, TinygradActError
from ..tensor import Tensor, wrap
from .archives import LIMIT, Bounded, copy_members

NUMBERS = {"|u1": "uint8", "|i1": "int8", "<i2": "int16", "<i4": "int32", "<i8": "int64", "<f4": "float32", "<f8": "float64"}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a reader stumbles over is a damaged file."""
    try:
        yield
    except TinygradActError:
        raise
    except Exception as error:
        raise FileError("datasets", str(path), f"it is damaged or not of the format it should be ({type(error).__name__}: {error})",
                        "delete it, and it will be fetched anew") from error


def read_idx(path: Path, ndim: int) -> Tensor:
    """An idx file of bytes, compressed by gzip or not, as a uint8 tensor of `ndim` axes.

    Raises:
        FileError: it has another magic number or number of axes, or not as many bytes as its header says.
    """
    with reading(path), path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        data = Bounded(gzip.GzipFile(fileobj=file), LIMIT).read() if packed else file.read()
        if len(data) < 4 or data[:3] != b"\0\0\x08" or data[3] != ndim:
            raise FileError("datasets", str(path), f"it begins with {data[:4].hex()}, and an idx file of bytes with {ndim} axes with "
                            f"000008{ndim:02x}", "delete it, and it will be fetched anew")
        shape = struct.unpack_from(f">{ndim}I", data, 4)
        body = memoryview(data)[4 + 4 * ndim:]
        if len(body) != math.prod(shape):
            raise FileError("datasets", str(path), f"its header says {shape}, {math.prod(shape)} bytes, and it has {len(body)}",
                            "delete it, and it will be fetched anew")
        return tensor(bytearray(body), "uint8", shape)


def read_npz(path: Path, name: str) -> Tensor:
    """An array of numbers from a file of numpy.savez; arrays of objects, which would be unpickled, are refused."""
    content = io.BytesIO()
    copy_members(path, {f"{name}.npy": content})
    data = content.getvalue()
    with reading(path):
        if data[:6] != b"\x93NUMPY" or data[6] not in (1, 2, 3):
            raise ValueError(f"{name}.npy has no magic number of NumPy's")
        width = "<H" if data[6] == 1 else "<I"
        (length,) = struct.unpack_from(width, data, 8)
        start = 8 + struct.calcsize(width)
        header = ast.literal_eval(data[start:start + min(length, 10_000)].decode("latin-1"))
        body, shape = memoryview(data)[start + length:], tuple(int(n) for n in header["shape"])
        if header["descr"] not in NUMBERS or header["fortran_order"]:
            raise ValueError(f"{name}.npy holds {header['descr']!r}; numbers in C order are read, and nothing else")
        dtype = NUMBERS[header["descr"]]
        if any(n < 0 for n in shape) or math.prod(shape) * dtypes.as_dtype(dtype).itemsize != len(body):
            raise ValueError(f"{name}.npy says {shape} of {dtype} and has {len(body)} bytes")
        return tensor(bytearray(body), dtype, shape)


def read_lines(path: Path, parts: int) -> list[list[str]]:
    """The lines of a table of text whose columns tabs divide: `parts` of them in every line."""
    with reading(path):
        rows = [line.rstrip("\r").split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
        for number, row in enumerate(rows, 1):
            if len(row) != parts:
                raise ValueError(f"line {number} has {len(row)} columns, not {parts}")
        return rows


def tensor(data: bytearray, dtype: str, shape: Any) -> Tensor:
    """These bytes as a tensor where new ones are made."""
    host = backend.from_bytes(data, dtypes.as_dtype(dtype), shape)
    return wrap(backend.asarray(host, device=backend.current_device()))
