"""Zip archives of numbers, read without trust: torch.save's, whose members stand in them as they are, and NumPy's, which may be deflated."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..errors import TinygradActError
from .source import Source

LOCAL = "<4s2H3H3I2H"                                     # the header before a member
HEADER = struct.calcsize(LOCAL)
MEMBERS = 1_000_000
PLAIN = 0b1000_0000_1000                                 # flags: names in UTF-8, sizes after the data (and in the directory)
FREE, RATIO = 1 << 30, 100                               # what may come of a small archive, and how many times the size of a large one


class Member(NamedTuple):
    """Where a member's bytes begin, how many there are and what they unpack to, and the checksum of that."""

    place: int
    stored: int
    size: int
    deflated: bool
    checksum: int


class Archive:
    """The members of a zip, by name. They may not overlap, repeat, be encrypted, or unpack to far more than they are.

    Raises:
        FileError: it is damaged, cut short, or more than an archive of numbers is.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.members: dict[str, Member] = {}
        with self._damage(), zipfile.ZipFile(_Window(source)) as directory:
            entries = directory.infolist()
        if len(entries) > MEMBERS:
            source.refuse(f"it has {len(entries)} members", "")
        end = 0
        for entry in sorted(entries, key=lambda e: e.header_offset):
            name = entry.orig_filename
            self._admit(entry, name)
            place = self._place(entry)
            if entry.header_offset < end or place + entry.compress_size > source.size:
                source.refuse(f"it is damaged: its member {name!r} lies over another or beyond the end")
            end = place + entry.compress_size
            self.members[name] = Member(place, entry.compress_size, entry.file_size, bool(entry.compress_type), entry.CRC)
        if (total := sum(m.size for m in self.members.values())) > max(FREE, RATIO * source.size):
            source.refuse(f"its {source.size} bytes are said to unpack to {total}", "it is not what it should be; do not trust it")
        self.checked = any(m.checksum for m in self.members.values())           # PyTorch can leave the checksums out

    def _admit(self, entry: zipfile.ZipInfo, name: str) -> None:
        if ".." in name.split("/") or name.startswith("/") or "\\" in name or "\0" in name:
            self.source.refuse(f"its member {name!r} is a place outside itself", "it is not what it should be; do not trust it")
        if name in self.members:
            self.source.refuse(f"it has two members {name!r}")
        if entry.flag_bits & ~PLAIN:
            self.source.refuse(f"its member {name!r} is encrypted or patched (flags {entry.flag_bits:#x})", "unpack and save it anew")
        if entry.compress_type not in (0, 8) or (entry.compress_type == 0 and entry.compress_size != entry.file_size):
            self.source.refuse(f"its member {name!r} is compressed in a way that is not read", "unpack and save it anew")

    def refuse_deflated(self) -> None:
        """Refuse an archive whose members do not stand in it as they are."""
        for name, member in self.members.items():
            if member.deflated:
                self.source.refuse(f"its member {name!r} is compressed, which torch.save does with none", "unpack and save it anew")

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
        """The bytes of a member, held to its size and its checksum."""
        member = self.members[name]
        data = self.source.block(member.place, member.stored)
        if member.deflated:
            data = self._inflated(data, name, member.size)
        if self.checked and zlib.crc32(data) != member.checksum:
            self.source.refuse(f"its member {name!r} is damaged: its checksum is another")
        return data

    def _inflated(self, data: bytearray, name: str, size: int) -> bytearray:
        engine, out = zlib.decompressobj(-15), bytearray()
        try:
            out += engine.decompress(data, size + 1)
        except zlib.error as error:
            self.source.refuse(f"its member {name!r} is damaged ({error})")
        if len(out) != size or not engine.eof:
            self.source.refuse(f"its member {name!r} is said to unpack to {size} bytes, and has {'more' if len(out) > size else 'fewer'}")
        return out

    def mapped(self, name: str) -> memoryview | bytearray:
        """The bytes of a member as it stands in the file, mapped into memory and not held to its checksum."""
        return self.source.mapped(self.members[name].place, self.members[name].stored)


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
