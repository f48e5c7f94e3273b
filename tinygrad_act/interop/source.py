"""A file to read from, never trusted: every read is held to what the file has."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

from ..errors import ArgumentError, FileError

LINE = 1024                                              # bytes that a line of a pickle may have
AXES, HUGE = 64, 1 << 62                                 # axes and bytes that no array has more of


def is_shape(sizes: Sequence[int], itemsize: int) -> bool:
    """Can an array have these sizes? NumPy bounds also what has no elements, as if a 0 among them were a 1."""
    return len(sizes) <= AXES and min(sizes, default=0) >= 0 and math.prod(max(n, 1) for n in sizes) * itemsize < HUGE


class Source:
    """An open file, from where it stood to its end: its name for messages, its size, and bytes of it by place.

    Places count from where the file stood when it was given, which is where PyTorch reads from, too.
    """

    def __init__(self, file: IO[bytes], name: str, op: str = "load", path: Path | None = None) -> None:
        self.file, self.name, self.op, self.path = file, name, op, path
        try:
            self.start = file.tell()
            self.size = max(file.seek(0, os.SEEK_END) - self.start, 0)
            file.seek(self.start)
            text = isinstance(file.read(0), str)
        except (AttributeError, TypeError, ValueError, OSError) as error:
            raise ArgumentError(op, type(file).__name__, f"a file to load from can be read and sought in ({error})",
                                "give a path, a file opened with 'rb', or an io.BytesIO") from None
        if text:
            raise ArgumentError(op, name, "the file is opened as text", "open it with 'rb'")
        self.at = 0
        self.map: memoryview | None = None

    def refuse(self, cause: str, remedy: str = "get a whole copy, or save it anew") -> NoReturn:
        """Raise the FileError that names this file."""
        raise FileError(self.op, self.name, cause, remedy)

    def seek(self, place: int) -> None:
        """Go to a place."""
        if not 0 <= place <= self.size:
            self.refuse(f"it is cut short: byte {place} is asked for, and it has {self.size}")
        self.file.seek(self.start + place)
        self.at = place

    def read(self, n: int) -> bytes:
        """The next `n` bytes, all of them."""
        if n > self.size - self.at:
            self.refuse(f"it is cut short: {n} bytes are said to be at byte {self.at}, and {self.size - self.at} are left")
        data = self.file.read(n)
        if len(data) != n:
            self.refuse("it changed while it was read", "wait until it is written")
        self.at += n
        return data

    def line(self) -> bytes:
        """The next line, without its end."""
        data = self.file.readline(LINE)
        if not data.endswith(b"\n"):
            self.refuse(f"it is cut short or damaged: at byte {self.at} should be a line")
        self.at += len(data)
        return data[:-1]

    def mapped(self, place: int, n: int) -> memoryview | bytearray:
        """The `n` bytes at `place` as memory that the system fills when it is looked at, where the file can be mapped.

        What is written to it stays in memory; the file does not change.
        """
        if not 0 <= place <= self.size - n:
            self.refuse(f"it is cut short: {n} bytes are said to be at byte {place}, and it has {self.size}")
        if self.map is None:
            try:
                self.map = memoryview(mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY))
            except (AttributeError, OSError, ValueError):     # no file on a disk
                return self.block(place, n)
        return self.map[self.start + place:self.start + place + n]

    def block(self, place: int, n: int) -> bytearray:
        """The `n` bytes at `place`, in memory of their own."""
        self.seek(place)
        if n > self.size - place:
            self.refuse(f"it is cut short: {n} bytes are said to be at byte {place}, and {self.size - place} are left")
        data, got = bytearray(n), 0
        with memoryview(data) as view:
            while got < n:
                part = self._into(view[got:])
                if not part:
                    self.refuse("it changed while it was read", "wait until it is written")
                got += part
        self.at += n
        return data

    def _into(self, view: memoryview) -> int:
        if hasattr(self.file, "readinto"):
            return int(self.file.readinto(view) or 0)
        part = self.file.read(min(len(view), 1 << 20))
        view[:len(part)] = part
        return len(part)


@contextmanager
def opened(path_or_file: Any, op: str = "load") -> Iterator[Source]:
    """A Source for a path or an open file; a file that was given open stays open.

    Raises:
        FileNotFoundError: there is none.
        ArgumentError: it is neither a path nor a file of bytes.
    """
    if isinstance(path_or_file, (str, os.PathLike)):
        path = Path(path_or_file)
        if path.is_dir():
            raise FileError(op, str(path), "it is a folder", "name the file in it; a sharded model's is the .index.json")
        if path.exists() and not path.is_file():         # opening a pipe would wait for whoever writes to it
            raise FileError(op, str(path), "it is no file but a pipe or a device", "copy what it gives into a file")
        with path.open("rb") as file:
            yield Source(file, str(path), op, path)
    elif hasattr(path_or_file, "read"):
        name = getattr(path_or_file, "name", None)
        yield Source(path_or_file, name if isinstance(name, str) else type(path_or_file).__name__, op)
    else:
        raise ArgumentError(op, type(path_or_file).__name__, "that is neither a path nor a file", "give a path, a file opened with 'rb', or an io.BytesIO")
