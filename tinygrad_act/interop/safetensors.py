"""Saving and loading, as safetensors files: numbers and names, and nothing that can run.

A dict of named tensors is written as any safetensors file is. Anything else (an optimizer's state_dict: numbers for
names, lists, options) is written with its structure as JSON in the file's metadata, under the key `tinygrad_act`, and
comes back as it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, FileError, MissingPackageError
from ..files import write_aside
from ..tensor import Tensor, wrap

KEY = "tinygrad_act"
TENSOR, DICT, TUPLE = "$tensor", "$dict", "$tuple"
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
          "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"}


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write tensors to a safetensors file: a state_dict, or dicts, lists and tuples of Tensors, numbers, texts and None.

    The file is written beside `path` and moved there when it is whole: what stood there before survives a failure.

    Raises:
        ArgumentError: something in `obj` that such a file cannot hold, named by where it is.
        MissingPackageError: safetensors is not installed.

    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     ta.save({"weight": ta.ones(2)}, path)
    ...     ta.load(path)
    {'weight': tensor([1., 1.])}
    """
    library = _library("save")
    tensors: dict[str, Any] = {}
    metadata = {}
    if isinstance(obj, Mapping) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in obj.items()):
        tensors = {k: _host(v) for k, v in obj.items()}
    else:
        metadata = {KEY: json.dumps(_structure(obj, "", tensors))}
    write_aside(path, library.save(tensors, metadata=metadata or None))


def load(path: str | os.PathLike[str], map_location: Any = None) -> Any:
    """Read what `save` wrote, or any other safetensors file (a dict of named tensors).

    The tensors are made on `map_location`, by default where new tensors are made.

    Raises:
        FileError: the file is cut short, damaged or no safetensors file.
        FileNotFoundError: there is none.
    """
    _library("load")
    import safetensors

    deserialize: Any = safetensors.deserialize            # the package has no types
    data = Path(path).read_bytes()
    try:
        parts = deserialize(data)
        header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise FileError("load", str(path), f"it is damaged, cut short or no safetensors file ({error})",
                        "save it anew, or get a whole copy") from error
    tensors = {name: _tensor(name, spec, map_location) for name, spec in parts}
    structure = header.get("__metadata__", {}).get(KEY)
    if structure is None:
        return {name: tensors[name] for name in header if name in tensors}       # in the order of the file's header
    try:
        return _rebuilt(json.loads(structure), tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError("load", str(path), f"the structure in its metadata does not fit its tensors ({error!r})",
                        "save it anew, or get a whole copy") from error


def _library(op: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingPackageError(op, "", "files of tensors are written and read by the package safetensors, which is not "
                                  "installed", "pip install 'tinygrad-act[safetensors]'") from None
    return safetensors.numpy


def _host(t: Tensor) -> Any:
    """The values as one block of the computer's own memory."""
    array = backend.to_host(t.array)
    return backend.namespace(array).copy(array)


def _tensor(name: str, spec: Mapping[str, Any], device: Any) -> Tensor:
    if spec["dtype"] not in DTYPES:
        raise FileError("load", repr(name), f"its element type {spec['dtype']} has no counterpart here")
    dtype = dtypes.as_dtype(DTYPES[spec["dtype"]])
    host = backend.from_bytes(spec["data"], dtype, spec["shape"])
    return wrap(backend.asarray(host, device=backend.current_device() if device is None else device))


# --------------------------------------------------------------------------------------- structure as JSON
def _structure(obj: Any, path: str, tensors: dict[str, Any]) -> Any:
    """`obj` as JSON, its tensors put into `tensors` under the path that leads to them."""
    if isinstance(obj, Tensor):
        name = path or "tensor"
        while name in tensors:
            name += "'"
        tensors[name] = _host(obj)
        return {TENSOR: name}
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, Mapping):
        return {DICT: [[_key(k, path), _structure(v, _join(path, k), tensors)] for k, v in obj.items()]}
    if type(obj) in (list, tuple):
        parts = [_structure(v, _join(path, i), tensors) for i, v in enumerate(obj)]
        return parts if type(obj) is list else {TUPLE: parts}
    if hasattr(obj, "item") and getattr(obj, "ndim", 1) == 0:                    # a NumPy scalar
        return obj.item()
    raise ArgumentError("save", f"{path or 'the object'}: {type(obj).__name__}", "a file holds tensors, numbers, texts, None, "
                        "and dicts, lists and tuples of them", "save its state_dict(), or convert it with ta.tensor(...)")


def _key(key: Any, path: str) -> Any:
    if type(key) not in (str, int, float, bool):
        raise ArgumentError("save", f"{path or 'the object'}: the key {key!r}", "keys are texts and numbers")
    return key


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _rebuilt(part: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(part, list):
        return [_rebuilt(v, tensors) for v in part]
    if not isinstance(part, dict):
        return part
    ((kind, value),) = part.items()
    if kind == TENSOR:
        return tensors[value]
    if kind == DICT:
        return {k: _rebuilt(v, tensors) for k, v in value}
    if kind == TUPLE:
        return tuple(_rebuilt(v, tensors) for v in value)
    raise KeyError(kind)
