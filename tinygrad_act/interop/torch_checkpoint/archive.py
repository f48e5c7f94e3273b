"""The archive that torch.save writes: a zip whose members stand in it as they are, neither compressed nor encrypted."""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import backend
from ...errors import TinygradActError
from ..source import Source
from .tensors import Storage

LOCAL = "<4s2H3H3I2H"                                     # the header before a member
HEADER = struct.calcsize(LOCAL)
MEMBERS = 1_000_000
PLAIN = 0b1000_0000_1000                                 # flags: names in UTF-8, sizes after the data (and in the directory)


class Archive:
    """The members of a zip, by name: where each begins and how long it is. They may not overlap, repeat, or lie about it.

    Raises:
        FileError: it is damaged, cut short or not such an archive.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.members: dict[str, tuple[int, int, int]] = {}          # name -> place, size, checksum
        with self._damage(), zipfile.ZipFile(_Window(source)) as directory:     # type: ignore[arg-type]
            entries = directory.infolist()
        if len(entries) > MEMBERS:
            source.refuse(f"it has {len(entries)} members")
        end = 0
        for entry in sorted(entries, key=lambda e: e.header_offset):
            name = entry.orig_filename
            if ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
                source.refuse(f"its member {name!r} is a place outside itself")
            if name in self.members:
                source.refuse(f"it has two members {name}")
            if entry.flag_bits & ~PLAIN or entry.compress_type or entry.compress_size != entry.file_size:
                source.refuse(f"its member {name} is compressed or encrypted, which torch.save writes none of")
            place = self._place(entry)
            if entry.header_offset < end or place + entry.file_size > source.size:
                source.refuse(f"its member {name} lies over another or beyond the end")
            self.members[name] = place, entry.file_size, entry.CRC
            end = place + entry.file_size
        self.checked = any(crc for _, _, crc in self.members.values())          # PyTorch can leave the checksums out

    def _place(self, entry: zipfile.ZipInfo) -> int:
        self.source.seek(entry.header_offset)
        magic, _, _, _, _, _, _, _, _, name, extra = struct.unpack(LOCAL, self.source.read(HEADER))
        if magic != b"PK\3\4" or self.source.read(name) != entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
            self.source.refuse(f"it is damaged: at byte {entry.header_offset} its member {entry.orig_filename} should begin")
        return int(entry.header_offset + HEADER + name + extra)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Whatever zipfile stumbles over is the file's fault."""
        try:
            yield
        except TinygradActError:
            raise
        except Exception as error:
            self.source.refuse(f"it is cut short or damaged ({error})")

    def content(self, name: str) -> bytearray:
        """The bytes of a member, held to its checksum."""
        place, size, checksum = self.members[name]
        data = self.source.block(place, size)
        if self.checked and zlib.crc32(data) != checksum:
            self.source.refuse(f"its member {name} is damaged: its checksum is another")
        return data

    def numbers(self, storage: Storage, name: str, order: str) -> Any:
        """The numbers of a storage, in memory of their own."""
        if name not in self.members:
            self.source.refuse(f"its storage {storage.key} is missing: it has no member {name}")
        if self.members[name][1] != storage.nbytes:
            self.source.refuse(f"its storage {storage.key} is said to have {storage.nbytes} bytes, and its member {name} has {self.members[name][1]}")
        return backend.from_bytes(self.content(name), storage.dtype, (storage.numel,), swap=order != sys.byteorder)


class _Window:
    """The part of a file that a Source is, as zipfile reads it."""

    def __init__(self, source: Source) -> None:
        self.source, self.at = source, 0

    def seek(self, to: int, whence: int = 0) -> int:
        self.at = to + (0, self.at, self.source.size)[whence]
        if self.at < 0:
            raise OSError("before the beginning")
        return self.at

    def tell(self) -> int:
        return self.at

    def seekable(self) -> bool:
        return True

    def read(self, n: int = -1) -> bytes:
        left = max(self.source.size - self.at, 0)
        n = left if n < 0 else min(n, left)
        if not n:
            return b""
        self.source.seek(self.at)
        self.at += n
        return self.source.read(n)
