"""NumPy's .npz: arrays by name, in a zip archive. Arrays of objects, which would have to be unpickled, are refused."""

from __future__ import annotations

import ast
import io
import math
import struct
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError
from ..files import aside
from ..tensor import Tensor, wrap
from .archive import Archive
from .placing import placing
from .source import Source, is_shape, opened

MAGIC = b"\x93NUMPY"
TYPES = {"b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64",
         "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128"}
CODES = {name: code for code, name in TYPES.items()}
HEADER = 10_000                                          # bytes: enough for any array of numbers


def load_npz(path: Any, map_location: Any = None, *, dtype: Any = None) -> dict[str, Tensor]:
    """The arrays of a file of numpy.savez (or savez_compressed), by name. Nothing in it is unpickled, whatever it holds.

    Args:
        path: a path, a file opened with "rb", or an io.BytesIO.
        map_location: where the tensors go, as for `ta.load`.
        dtype: convert floating tensors to it.

    Raises:
        FileError: it is damaged or cut short, holds objects or texts, or unpacks to far more than it is.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_npz({"weight": ta.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> load_npz(file)
    {'weight': tensor([1., 1.])}
    """
    with opened(path, "load_npz") as source:
        return read(source, map_location, dtypes.as_dtype(dtype))


def read(source: Source, map_location: Any = None, dtype: Any = None) -> dict[str, Tensor]:
    """The same of an open source."""
    archive, place = Archive(source), placing(map_location)
    tensors = {}
    for member in archive.members:
        if not member.endswith(".npy"):
            source.refuse(f"its member {member!r} is no array of NumPy's", "save arrays alone: numpy.savez(path, **arrays)")
        array = _array(source, member, archive.content(member))
        if dtype is not None and dtypes.is_floating(array.dtype):
            array = backend.asarray(array, dtype)
        tensors[member.removesuffix(".npy")] = wrap(place(array, "cpu"))
    return tensors


def _array(source: Source, member: str, data: bytearray) -> Any:
    """The array of an .npy file: a header, which is a dict written in Python, and the numbers."""
    if data[:6] != MAGIC or len(data) < 12 or data[6] not in (1, 2, 3):
        source.refuse(f"its member {member!r} does not begin as an array of NumPy's does")
    width = "<H" if data[6] == 1 else "<I"
    (length,), begin = struct.unpack_from(width, data, 8), 8 + struct.calcsize(width)
    try:
        if length > HEADER:
            raise ValueError(f"{length} bytes of header")
        header = ast.literal_eval(data[begin:begin + length].decode("latin1"))
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        if type(shape) is not tuple or not all(type(n) is int for n in shape) or not is_shape(shape, 16) or type(fortran) is not bool:
            raise ValueError(f"the shape {shape!r}")
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        source.refuse(f"its member {member!r} has a damaged header ({error})")
    kind = TYPES.get(descr[1:]) if type(descr) is str else None
    if kind is None:
        objects = "objects, which would have to be unpickled, and a pickle can run anything" if "O" in str(descr) else f"the type {descr!r}, which no tensor has"
        source.refuse(f"its member {member!r} holds {objects}", "save arrays of numbers alone")
    dtype = dtypes.as_dtype(kind)
    body = memoryview(data)[begin + length:]
    if math.prod(shape) * dtype.itemsize != len(body):
        source.refuse(f"its member {member!r} is said to be {shape} of {kind}, and has {len(body)} bytes")
    swap = {"<": "little", ">": "big"}.get(descr[0], sys.byteorder) != sys.byteorder
    array = backend.from_bytes(body, dtype, shape[::-1] if fortran else shape, swap=swap)
    return array.T if fortran else array


def save_npz(state: Mapping[str, Tensor], path: Any) -> None:
    """Write named tensors as numpy.savez does, whole or not at all: `numpy.load(path)` reads them.

    Raises:
        ArgumentError: something is no tensor, or of bfloat16, which NumPy does not have.

    >>> import io
    >>> save_npz(ta.nn.Linear(2, 1).state_dict(), io.BytesIO())
    """
    if not isinstance(state, Mapping):
        raise ArgumentError("save_npz", type(state).__name__, "such a file holds tensors by name", "give a state_dict")
    for name, t in state.items():
        if not isinstance(name, str) or not isinstance(t, Tensor):
            raise ArgumentError("save_npz", f"{name!r}: {type(t).__name__}", "such a file holds tensors by name", "give a state_dict")
        if t.dtype.name not in CODES:
            raise ArgumentError("save_npz", f"{name}: {t.dtype}", "NumPy has no such element type", "convert it: .float()")
    if hasattr(path, "write"):
        _write(state, path)
    else:
        with aside(path) as part, part.open("wb") as file:
            _write(state, file)


def _write(state: Mapping[str, Tensor], file: Any) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, t in state.items():
            array = backend.to_host(t.array)
            content = io.BytesIO()
            content.write(_head(t))
            content.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getbuffer())


def _head(t: Tensor) -> bytes:
    code = CODES[t.dtype.name]
    order = "|" if t.dtype.itemsize == 1 else "<"
    text = f"{{'descr': '{order}{code}', 'fortran_order': False, 'shape': {t.shape!r}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return MAGIC + bytes((1, 0)) + struct.pack("<H", len(text)) + text.encode("latin1")
