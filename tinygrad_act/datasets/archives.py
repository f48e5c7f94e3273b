"""Taking single files out of archives that nobody need trust: zip (wheels), tar (npm, sources), ar (Debian), and archives within.

Nothing is ever unpacked to where a member's name says: the wanted members are streams, read up to the size they declare.
An archive that declares more than `LIMIT`, or that names a place outside itself, is refused as a whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

from ..errors import FileError, MissingPackageError, TinygradActError

LIMIT = 1 << 30                                          # bytes that an archive may unpack to
MEMBERS = 100_000                                        # and how many members it may have
CHUNK = 1 << 20


def copy_members(archive: Path, wanted: Mapping[str, IO[bytes]], limit: int = LIMIT) -> None:
    """Write the members of these paths to these files; `outer.tar.gz!inner/path` is a member of an archive within.

    Raises:
        FileError: the archive is cut short, damaged, too large or hostile, or has not each of them once.
    """
    with archive.open("rb") as file, _damage(archive.name):
        _copy(file, archive.name, wanted, limit)


def _copy(file: IO[bytes], name: str, wanted: Mapping[str, IO[bytes]], limit: int) -> None:
    within: dict[str, dict[str, IO[bytes]]] = {}         # the member here -> those in it, "" for itself
    for path, to in wanted.items():
        member, _, rest = path.partition("!")
        within.setdefault(member, {})[rest] = to
    missing = set(within)
    for member, stream, size in _files(file, name, set(within), limit):
        if member not in missing:
            _refuse(name, f"it has two members {member}")
        missing.remove(member)
        inner = dict(within[member])
        if to_itself := inner.pop("", None):
            _drain(stream, size, to_itself, f"{name}!{member}")
        elif inner:
            content = io.BytesIO()
            _drain(stream, size, content, f"{name}!{member}")
            content.seek(0)
            _copy(content, f"{name}!{member}", inner, limit)
    if missing:
        _refuse(name, f"it has no file {', '.join(sorted(missing))}")


def _drain(stream: IO[bytes], size: int, to: IO[bytes], name: str) -> None:
    """Copy as many bytes as were declared, and be sure that there are no fewer and no more."""
    left = size
    while left and (part := stream.read(min(CHUNK, left))):
        try:
            to.write(part)
        except OSError as error:                         # the disk is full, say: no fault of the archive's
            raise FileError("archive", name, f"its content cannot be written ({error})", "make room for it") from error
        left -= len(part)
    if left or stream.read(1):
        _refuse(name, f"it declares {size} bytes and has {'fewer' if left else 'more'}")


# ------------------------------------------------------------------------ the wanted files of an archive, as they come
Files = Iterator[tuple[str, IO[bytes], int]]


def _files(file: IO[bytes], name: str, wanted: set[str], limit: int) -> Files:
    """(member, content, size) of each that is wanted, by what the archive's first bytes say it is."""
    head = file.read(8)
    file.seek(0)
    kind = _zip_files if head[:4] == b"PK\3\4" else _deb_files if head == b"!<arch>\n" else _tar_files
    return kind(file, name, wanted, limit)


def _zip_files(file: IO[bytes], name: str, wanted: set[str], limit: int) -> Files:
    with zipfile.ZipFile(file) as archive:
        guard = Guard(name, limit)
        for entry in archive.infolist():
            guard.admit(entry.filename, entry.file_size)
        for entry in archive.infolist():
            if entry.filename in wanted:
                if entry.is_dir() or stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                    _refuse(name, f"{entry.filename} is no plain file")
                with archive.open(entry) as stream:
                    yield entry.filename, stream, entry.file_size


def _tar_files(file: IO[bytes], name: str, wanted: set[str], limit: int) -> Files:
    """In the order of the archive, each checked before what comes after it is read."""
    with _decompressed(file, limit) as plain, tarfile.open(fileobj=plain, mode="r:") as archive:
        guard = Guard(name, limit)
        for entry in archive:
            guard.admit(entry.name, entry.size)
            folder = len(_parts(entry.name)) - 1 if entry.issym() else 0         # a hard link is from the root
            if (entry.issym() or entry.islnk()) and _outside(entry.linkname, folder):
                _refuse(name, f"its link {entry.name!r} leads to {entry.linkname!r}, outside itself")
            member = entry.name.removeprefix("./")
            if member in wanted:
                if not entry.isreg():
                    _refuse(name, f"{member} is no plain file" + (f" but a link to {entry.linkname}" if entry.linkname else ""))
                stream = archive.extractfile(entry)
                assert stream is not None
                yield member, stream, entry.size


def _deb_files(file: IO[bytes], name: str, wanted: set[str], limit: int) -> Files:
    """A Debian package is an ar archive, and its files are the tar archive within it that is called data."""
    file.seek(8)
    while header := file.read(60):
        if len(header) < 60 or header[58:] != b"`\n" or not re.fullmatch(rb"\d+ *", header[48:58]):
            _refuse(name, "it is cut short or damaged: a header of its ar archive is none")
        size = int(header[48:58])
        if header.startswith(b"data.tar"):
            content = io.BytesIO(file.read(min(size, limit)))
            if len(content.getbuffer()) < size:
                _refuse(name, "it is cut short")
            yield from _tar_files(content, name, wanted, limit)
            return
        file.seek(size + size % 2, io.SEEK_CUR)
    _refuse(name, "it is cut short, or no Debian package: it has no data")


# ------------------------------------------------------------------------------------------------------ what is refused
class Guard:
    """Counts what an archive declares, and refuses it where that is too much or leads out of it."""

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit, self.members, self.bytes = name, limit, 0, 0

    def admit(self, path: str, size: int) -> None:
        """One more member."""
        self.members, self.bytes = self.members + 1, self.bytes + size
        if self.members > MEMBERS:
            _refuse(self.name, f"it has more than {MEMBERS} members")
        if self.bytes > self.limit:
            _refuse(self.name, f"it unpacks to {self.bytes} bytes or more, and {self.limit} are allowed")
        if ".." in _parts(path) or _outside(path):
            _refuse(self.name, f"its member {path!r} is a place outside itself")


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[/\\]", path) if part not in ("", ".")]


def _outside(path: str, depth: int = 0) -> bool:
    """True if a path from `depth` folders deep in the archive leads out of it."""
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return True
    for part in _parts(path):
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _refuse(name: str, cause: str) -> NoReturn:
    raise FileError("archive", name, cause, "fetch it anew; if that does not help, it is not the archive it should be")


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Whatever a reader stumbles over in an archive is the archive's fault."""
    try:
        yield
    except TinygradActError:
        raise
    except Exception as error:
        raise FileError("archive", name, f"it is cut short or damaged ({type(error).__name__}: {error})", "fetch it anew") from error


# ------------------------------------------------------------------------------------------------------- decompression
class Bounded(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes, or to go there: what a small file that unpacks to a huge one is for."""

    def __init__(self, stream: Any, limit: int) -> None:
        self.stream, self.limit = stream, limit + (limit >> 3) + CHUNK        # headers and padding come on top

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all that are left if negative."""
        left = self.limit - self.stream.tell()
        part: bytes = self.stream.read(size if 0 <= size <= left else left + 1)
        if len(part) > left:
            self._too_far()
        return part

    def seek(self, to: int, whence: int = 0) -> int:
        """Go to a place, within the limit."""
        if whence == io.SEEK_SET and to > self.limit:
            self._too_far()
        return int(self.stream.seek(to, whence))

    def _too_far(self) -> NoReturn:
        _refuse("a compressed file", f"it unpacks to more than {self.limit} bytes")

    def tell(self) -> int:
        """How far it is."""
        return int(self.stream.tell())

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True


@contextmanager
def _decompressed(file: IO[bytes], limit: int) -> Iterator[Any]:
    head = file.read(6)
    file.seek(0)
    openers: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": lambda f: gzip.GzipFile(fileobj=f), b"BZh": bz2.BZ2File, b"\xfd7zXZ\0": _xz}
    for magic, opener in openers.items():
        if head.startswith(magic):
            with opener(file) as stream:
                yield Bounded(stream, limit)
            return
    yield Bounded(file, limit)


def _xz(file: IO[bytes]) -> Any:
    try:
        import lzma
    except ImportError:
        raise MissingPackageError("archive", "xz", "this Python was built without lzma", "use one that was built with it") from None
    return lzma.LZMAFile(file)
