"""ta.load: whatever a file of tensors is called, what it holds says how it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, FileError
from ..tensor import Tensor
from . import npz, safetensors, torch_checkpoint
from .archive import Archive
from .index import INDEX, read_index
from .kinds import what_it_is
from .source import Source, opened

HEAD = 16


def load(f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool | None = True, mmap: bool | None = False,
         dtype: Any = None) -> Any:
    """Read what `ta.save` or `torch.save` wrote, or any file of tensors: safetensors, PyTorch's checkpoints, NumPy's .npz.

    The content says which it is, not the name. Nothing in a file is ever run: see `ta.interop.load_torch`.

    Args:
        f: a path, a file opened with "rb", or an io.BytesIO. Of a model in several files: its `.index.json`.
        map_location: where the tensors go: a device, {where they were: a device}, or a function of a tensor on the host
            and of where it was, that returns it (or it moved, or None). By default where new tensors are made.
        weights_only: True; objects other than tensors and Python's plain types cannot be read.
        mmap: leave the numbers in the file until they are looked at, where its format allows it; it must then stay as it is.
        dtype: convert floating tensors to it.

    Raises:
        FileError: the file is damaged, cut short, hostile, or of no format that is known; it says which.
        FileNotFoundError: there is none.

    >>> import io
    >>> file = io.BytesIO()
    >>> ta.save({"weight": ta.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> ta.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if weights_only is False or pickle_module is not None:
        raise ArgumentError("load", f"weights_only={weights_only}" if pickle_module is None else f"pickle_module={pickle_module!r}",
                            "that would run whatever the file says, which this library never does",
                            "leave it out, and save tensors: torch.save(model.state_dict(), path)")
    dtype = dtypes.as_dtype(dtype)
    with opened(f) as source:
        head = source.read(min(HEAD, source.size))
        source.seek(0)
        if head.startswith(b"PK"):
            return _zip(source, map_location, dtype, bool(mmap))
        if head.startswith(b"\x80\x02"):
            return torch_checkpoint.read(source, map_location, dtype, bool(mmap))
        if head[4:9] == b"\0\0\0\0{":                     # the length of a header, in eight bytes, and the header
            return safetensors.read(source, map_location, dtype, bool(mmap))
        if head.startswith(b"{") and isinstance(f, (str, os.PathLike)):
            return _sharded(Path(f), map_location, dtype, bool(mmap))
        return source.refuse(*what_it_is(source))


def _zip(source: Source, map_location: Any, dtype: Any, mmap: bool) -> Any:
    names = list(Archive(source).members)
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return torch_checkpoint.read(source, map_location, dtype, mmap)
    if not names or all(name.endswith(".npy") for name in names):
        return npz.read(source, map_location, dtype)
    if "model.weights.h5" in names:
        source.refuse("it is a model of Keras's", "read its model.weights.h5 with h5py; ta.interop.keras puts the arrays into PyTorch's layouts")
    return source.refuse(f"it is a zip archive, but neither torch.save's nor NumPy's: it holds {', '.join(map(repr, names[:3]))}", "")


def _sharded(path: Path, map_location: Any, dtype: Any, mmap: bool) -> dict[str, Tensor]:
    """A model in several files, of safetensors or PyTorch's."""
    listed = read_index(path)
    if all(shard.endswith(".safetensors") for shard in listed.values()):
        return safetensors.load_safetensors(path, map_location, dtype=dtype, mmap=mmap) if path.name.endswith(INDEX) else \
            _refuse(path, f"its name does not end in {INDEX}")
    found: dict[str, Tensor] = {}
    for shard in dict.fromkeys(listed.values()):
        with opened(path.parent / shard) as source:      # of a file, not of a path: an index of an index would be one
            part = load(source.file, map_location, mmap=mmap, dtype=dtype)
        names = {name for name, of in listed.items() if of == shard}
        if not isinstance(part, dict) or set(part) != names:
            _refuse(path, f"it does not fit its files: {shard} has other tensors than it says")
        found |= part
    return {name: found[name] for name in listed}


def _refuse(path: Path, cause: str) -> Any:
    raise FileError("load", str(path), cause, "get all of them anew, of one version")
