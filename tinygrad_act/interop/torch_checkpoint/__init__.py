"""Reading PyTorch's checkpoints, of both formats, without PyTorch and without running anything in them."""

from __future__ import annotations

import io
import sys
from typing import Any

from ... import backend, dtypes
from ..archive import Archive
from ..placing import Place, placing
from ..kinds import what_it_is
from ..source import Source, opened
from .machine import SAVE, Machine
from .structure import check
from .tensors import Builder, Storage

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001           # what begins the older format


def load_torch(path: Any, map_location: Any = None, *, dtype: Any = None, mmap: bool = False) -> Any:
    """Read what `torch.save` wrote, with what `torch.load(path, weights_only=True)` gives: dicts and lists of tensors and numbers.

    Both of PyTorch's formats are read, by a reader that runs nothing: a pickle that asks for anything but tensors and
    Python's plain types is refused by name. Dtypes, strides and shared memory are as they were. `torch.Size` becomes a
    tuple, `torch.device` a `ta.device`; attributes that Python code had set on a tensor are left out.

    Args:
        path: a path, or a file opened with "rb" (read from where it stands), or an io.BytesIO.
        map_location: where the tensors go: a device, {where they were: a device}, or a function of a flat tensor on the
            host and of where it was, that returns it (or it moved, or None). By default where new tensors are made.
        dtype: convert floating tensors to it; those that share memory still do.
        mmap: leave the numbers in the file until they are looked at, where its format (the zip) allows it; the file must
            then stay as it is, and its checksums are not looked at.

    Raises:
        FileError: the file is damaged, cut short, hostile or none of PyTorch's; it says which.
        FileNotFoundError: there is none.
    """
    with opened(path, "load_torch") as source:
        return read(source, map_location, dtypes.as_dtype(dtype), mmap)


def read(source: Source, map_location: Any = None, dtype: Any = None, mmap: bool = False) -> Any:
    """The same of an open source."""
    source.seek(0)
    head = source.read(min(2, source.size))
    source.seek(0)
    builder, place = Builder(source), placing(map_location)
    return _zip(source, builder, place, dtype, mmap) if head == b"PK" else _legacy(source, builder, place, dtype)


def _zip(source: Source, builder: Builder, place: Place, dtype: Any, mmap: bool) -> Any:
    archive = Archive(source)
    found = [name for name in archive.members if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)]
    folder = found[0].removesuffix("data.pkl") if len(found) == 1 else ""
    if any(name.startswith(f"{folder}code/") or name == f"{folder}constants.pkl" for name in archive.members):
        source.refuse("it is a TorchScript archive (of torch.jit.save), a program with its weights",
                      "in PyTorch: torch.save(torch.jit.load(path).state_dict(), other_path)")
    archive.refuse_deflated()
    if len(found) != 1:
        source.refuse(f"it is a zip archive with {len(found) or 'no'} data.pkl, so it is none that torch.save wrote", "")
    order = bytes(archive.content(f"{folder}byteorder")).decode("latin1") if f"{folder}byteorder" in archive.members else "little"
    if order not in ("little", "big"):
        source.refuse(f"its byte order is said to be {order!r}")
    pickle = Source(io.BytesIO(archive.content(found[0])), source.name, source.op)
    tree = Machine(pickle, builder.named, builder.stored, builder.is_key).run()
    check(tree, source, pickle.size)

    def numbers(storage: Storage) -> Any:
        name = f"{folder}data/{storage.key}"
        size = archive.members[name].size if name in archive.members else -1
        if size != storage.nbytes:
            source.refuse(f"its storage {storage.key!r} is said to have {storage.nbytes} bytes, and " +
                          ("is not there" if size < 0 else f"its member {name!r} has {size}"))
        data = archive.mapped(name) if mmap else archive.content(name)
        return backend.from_bytes(data, storage.dtype, (storage.numel,), swap=order != sys.byteorder)
    builder.finish(numbers, place, dtype)
    return tree


def _legacy(source: Source, builder: Builder, place: Place, dtype: Any) -> Any:
    """Five pickles (what it is, its version, the machine it was written on, the object, the storages' keys), then the storages."""
    def plain(what: str) -> Any:
        return Machine(source, builder.named, lambda pid: source.refuse(f"it is damaged: a storage among {what}"), builder.is_key).run()

    if source.size < 2 or source.read(2) != b"\x80\x02":
        source.refuse(*what_it_is(source))
    source.seek(0)
    if plain("its first numbers") != MAGIC:
        source.refuse("it is a pickle, but not one of torch.save's", SAVE)
    if (version := plain("its first numbers")) != PROTOCOL:
        source.refuse(f"its format is {version!r}; {PROTOCOL} is read")
    plain("facts of the machine")
    begin = source.at
    tree = Machine(source, builder.named, builder.stored, builder.is_key).run()
    check(tree, source, source.at - begin)
    keys = plain("the keys of the storages")
    if type(keys) is not list or not all(type(key) is str for key in keys) or sorted(keys) != sorted(builder.storages):
        source.refuse("it is damaged: the storages that follow are not those that its tensors are views of")
    places = {}
    for key in keys:
        storage = builder.storages[key]
        numel = int.from_bytes(source.read(8), "little", signed=True)
        if numel != storage.numel:
            source.refuse(f"its storage {key} is said to have {storage.numel} elements, and has {numel}")
        places[key] = source.at
        source.seek(source.at + storage.nbytes)
    end = source.at

    def numbers(storage: Storage) -> Any:
        data = source.block(places[storage.key], storage.nbytes)
        return backend.from_bytes(data, storage.dtype, (storage.numel,), swap=sys.byteorder == "big")
    builder.finish(numbers, place, dtype)
    source.seek(end)                                     # where the next object begins, if the file has several
    return tree
