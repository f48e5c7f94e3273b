"""Saving and loading, as safetensors files: numbers and names, and nothing that can run.

A dict of named tensors is written as any safetensors file is. Anything else (an optimizer's state_dict: numbers for
names, lists, options) is written with its structure as JSON in the file's metadata, under the key `tinygrad_act`, and
comes back as it was.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .. import backend, dtypes
from ..errors import ArgumentError, FileError, MissingPackageError
from ..files import aside
from ..tensor import Tensor, wrap
from .index import INDEX, SAFE, read_index, weights_in
from .nesting import rebuilt, structure
from .placing import Place, placing
from .source import Source, is_shape, opened

KEY = "tinygrad_act"
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
          "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64"}


def save(obj: Any, f: Any) -> None:
    """Write tensors to a safetensors file: a state_dict, or dicts, lists and tuples of Tensors, numbers, texts and None.

    Whatever the file is called, this is its format: `ta.load` reads it, and so does every reader of safetensors files.
    (PyTorch's is written by `ta.interop.save_torch`.) The file is written beside the path `f` and moved there when it is
    whole: what stood there before survives a failure. `f` may also be a file opened with "wb", or an io.BytesIO.

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
    _library("save")
    if isinstance(obj, Mapping) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in obj.items()):
        _write("save", obj, {}, f)
    else:
        tensors: dict[str, Tensor] = {}
        described = json.dumps(structure(obj, "", tensors))
        _write("save", tensors, {KEY: described}, f)


def save_safetensors(state: Mapping[str, Tensor], path: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors to a safetensors file, whole or not at all, with texts about them if given.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_safetensors({"weight": ta.ones(2)}, file, {"format": "pt"})
    >>> _ = file.seek(0)
    >>> load_safetensors(file)
    {'weight': tensor([1., 1.])}
    """
    if not isinstance(state, Mapping) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise ArgumentError("save_safetensors", type(state).__name__, "such a file holds tensors by name", "give a state_dict, or use ta.save")
    if not all(isinstance(text, str) for pair in (metadata or {}).items() for text in pair):
        raise ArgumentError("save_safetensors", f"the metadata {metadata!r}", "metadata are texts by name", "convert them with str()")
    _write("save_safetensors", state, metadata or {}, path)


def _write(op: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], to: Any) -> None:
    library = _library(op)
    for name, t in tensors.items():
        if t.dtype.name not in DTYPES.values():
            raise ArgumentError(op, f"{name}: {t.dtype}", "safetensors files have no such element type", "convert it")
    arrays = {name: _host(t) for name, t in tensors.items()}
    if hasattr(to, "write"):
        to.write(library.save(arrays, metadata=dict(metadata) or None))
    else:
        with aside(to) as part:
            library.save_file(arrays, part, metadata=dict(metadata) or None)


def _host(t: Tensor) -> Any:
    """The values as one block of the computer's own memory."""
    array = backend.to_host(t.array)
    return array if array.flags.c_contiguous else backend.namespace(array).copy(array)


def load(path: Any, map_location: Any = None) -> Any:
    """Read what `save` wrote, or any other safetensors file (a dict of named tensors).

    The tensors are made on `map_location`, by default where new tensors are made.

    Raises:
        FileError: the file is cut short, damaged or no safetensors file.
        FileNotFoundError: there is none.
    """
    _library("load")
    with opened(path) as source:
        return read(source, map_location)


def read(source: Source, map_location: Any = None, dtype: Any = None, mmap: bool = False) -> Any:
    """The same of an open source."""
    header, metadata = _header(source)
    tensors = {name: _tensor(source, entry, placing(map_location), dtype, mmap) for name, entry in header.items()}
    if KEY not in metadata:
        return tensors
    try:
        return rebuilt(json.loads(metadata[KEY]), tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        source.refuse(f"the structure in its metadata does not fit its tensors ({error!r})")


def load_safetensors(path: Any, map_location: Any = None, *, dtype: Any = None, mmap: bool = False) -> dict[str, Tensor]:
    """All tensors of a safetensors file, by name, in the file's order; or of a model in several files.

    Args:
        path: the file, open or by its path; the `.safetensors.index.json` of a model in several files, or its folder.
        map_location: where the tensors go, as for `ta.load`.
        dtype: convert floating tensors to it: float16 and bfloat16 are widened with `dtype=ta.float32`.
        mmap: leave the numbers in the file until they are looked at; the file must then stay as it is.

    Raises:
        FileError: a file is cut short, damaged or missing, or the files do not fit one another.
    """
    if isinstance(path, (str, os.PathLike)):
        file = SafeFile(path, map_location, dtype=dtype, mmap=mmap)
        return {name: file[name] for name in file}
    with opened(path, "load_safetensors") as source:
        place, dtype = placing(map_location), dtypes.as_dtype(dtype)
        return {name: _tensor(source, entry, place, dtype, mmap) for name, entry in _header(source)[0].items()}


class SafeFile(Mapping[str, Tensor]):
    """A safetensors file, or a model in several, as a mapping from names to Tensors, each read when it is asked for.

    Arguments as `load_safetensors`. `shape(name)` and `dtype(name)` say what a tensor is without reading it, `metadata`
    the texts in the file.

    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     ta.save({"weight": ta.ones(2, 3), "bias": ta.zeros(2)}, path)
    ...     file = SafeFile(path)
    ...     sorted(file), file.shape("weight"), file["bias"]
    (['bias', 'weight'], (2, 3), tensor([0., 0.]))
    """

    def __init__(self, path: str | os.PathLike[str], map_location: Any = None, *, dtype: Any = None, mmap: bool = False) -> None:
        path = Path(path)
        self._place, self._dtype, self._mmap = placing(map_location), dtypes.as_dtype(dtype), mmap
        self._entries: dict[str, tuple[Path, Entry]] = {}
        self._mapped: dict[Path, Source] = {}
        self.metadata: dict[str, str] = {}
        if path.is_dir():
            path = weights_in(path, SAFE)
        if not path.name.endswith(INDEX):
            self._add(path)
            return
        listed = read_index(path)
        for shard in dict.fromkeys(listed.values()):
            self._add(path.parent / shard, {name for name, of in listed.items() if of == shard}, path)
        self._entries = {name: self._entries[name] for name in listed}

    def _add(self, path: Path, names: set[str] | None = None, index: Path | None = None) -> None:
        with opened(path, "load_safetensors") as source:
            header, metadata = _header(source)
        if names is not None and names != set(header):
            missing, more = sorted(names - set(header)), sorted(set(header) - names)
            what = f"{path.name} has no tensor {missing[0]!r}" if missing else f"{path.name} has a tensor {more[0]!r} that the index puts elsewhere or nowhere"
            raise FileError("load_safetensors", str(index), f"it does not fit its files: {what}", "get all of them anew, of one version")
        self._entries |= {name: (path, entry) for name, entry in header.items()}
        self.metadata |= metadata

    def __getitem__(self, name: str) -> Tensor:
        path, entry = self._entries[name]
        if path in self._mapped:
            return _tensor(self._mapped[path], entry, self._place, self._dtype, True)
        with opened(path, "load_safetensors") as source:
            tensor = _tensor(source, entry, self._place, self._dtype, self._mmap)
        if source.map is not None:
            self._mapped[path] = source                  # its file is closed, what it has mapped stays
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<{len(self)} tensors in {len({path for path, _ in self._entries.values()})} files>"

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which is not read."""
        return self._entries[name][1].shape

    def dtype(self, name: str) -> Any:
        """The element type of a tensor in the file, which is not read."""
        return dtypes.as_dtype(DTYPES.get(kind := self._entries[name][1].dtype, kind))


class Entry(NamedTuple):
    """A tensor of a file: the name of its type, its shape, and where it begins and ends."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _header(source: Source) -> tuple[dict[str, Entry], dict[str, str]]:
    """The tensors and the metadata that the file's header speaks of, once the library has found that it holds."""
    with _checked(source):
        source.seek(0)
        start = 8 + int.from_bytes(source.read(8), "little")
        header = json.loads(source.read(start - 8))
        metadata = header.pop("__metadata__", None) or {}
        return {name: Entry(name, spec["dtype"], tuple(spec["shape"]), *(start + at for at in spec["data_offsets"]))
                for name, spec in header.items()}, metadata


@contextmanager
def _checked(source: Source) -> Iterator[None]:
    """Whatever the library finds wrong is the file's fault."""
    _library(source.op)
    import safetensors

    library: Any = safetensors                           # it has no types
    try:
        if source.path is None:
            library.deserialize(bytes(source.block(0, source.size)))
        else:
            with library.safe_open(source.path, framework="np"):
                pass
        yield
    except (library.SafetensorError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, FileError):
            raise
        source.refuse(f"it is damaged, cut short or no safetensors file ({error})")


def _library(op: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingPackageError(op, "", "files of tensors are written and read by the package safetensors, which is not "
                                  "installed", "pip install 'tinygrad-act[safetensors]'") from None
    return safetensors.numpy


def _tensor(source: Source, entry: Entry, place: Place, wanted: Any, mmap: bool) -> Tensor:
    if entry.dtype not in DTYPES:
        source.refuse(f"its tensor {entry.name} is of the element type {entry.dtype}, which has no counterpart here", "convert it in PyTorch first")
    dtype = dtypes.as_dtype(DTYPES[entry.dtype])
    if not is_shape(entry.shape, dtype.itemsize):
        source.refuse(f"its tensor {entry.name} is said to have {len(entry.shape)} axes of the sizes {entry.shape[:8]}, which no tensor has")
    mmap = mmap and entry.begin % dtype.itemsize == 0
    data = (source.mapped if mmap else source.block)(entry.begin, entry.end - entry.begin)
    host = backend.from_bytes(data, dtype, entry.shape, swap=sys.byteorder == "big")
    return wrap(place(host if wanted is None or not dtypes.is_floating(dtype) else backend.asarray(host, wanted), "cpu"))
