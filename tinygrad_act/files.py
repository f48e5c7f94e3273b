"""Writing a file so that nobody ever finds half of it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_aside(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write next to `path` and move in: at `path` is all of `content`, or what was there before. Returns the path.

    Raises:
        OSError: it cannot be written; nothing is left behind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_aside(Path(folder) / "a.txt", b"whole").read_bytes()
    b'whole'
    """
    with aside(path) as part:
        part.write_bytes(content)
    return Path(path)


@contextmanager
def aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file next to `path` to write to, which is moved in at the end of the block, and removed if that fails."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write into", str(path.parent))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)                         # mkstemp's own mode keeps others out
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
