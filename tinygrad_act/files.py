"""Writing a file so that nobody ever finds half of it."""

from __future__ import annotations

import errno
import os
import tempfile
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
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write into", str(path.parent))
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(aside).chmod(0o666 & ~mask)                  # mkstemp's own mode keeps others out
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return path
