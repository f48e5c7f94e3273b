"""C made into functions: by the system's compiler, kept in the user's cache folder, loaded with ctypes.

A library's name is the hash of all that decides what is in it: the text, the compiler, its flags and the processor. It is
written aside and moved into its place, so several processes may do so at once. Behind its last byte, where no loader looks, stands
the digest of its name and content: what is not as it was written (a disk that was full) would end the process, so it is made again.
Nothing is loaded from where another user could have put it: the folder and those above it must belong to this user or to
root, and nobody else may write to them.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import stat
import tempfile
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import user_place
from .config import config

# NaN and infinities stay what they are and nothing is reordered or contracted; what is given up is C's errno and its
# floating-point exceptions. The third line keeps the compiler from computing a part in one branch only, which no vector can.
FLAGS = ("-O2", "-ftree-vectorize", "-march=native", "-fopenmp-simd", "-fPIC", "-shared", "-w",
         "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off",
         "-fno-tree-sink", "-fno-tree-pre", "-fno-thread-jumps", "-fno-builtin-sinf", "-fno-builtin-cosf")
LIBRARIES = ("-lmvec", "-lm")                  # glibc's functions on vectors
PATIENCE = 60                                  # seconds for one library
SEAL = hashlib.sha256().digest_size            # bytes of the digest; it takes 40 µs for 60 kB


class CompileError(Exception):
    """There is no compiler here, or it does not take this text."""


@functools.cache
def compiler() -> str | None:
    """Where the system's C compiler is: CC, cc, gcc or clang."""
    if os.name != "posix":
        return None
    return next((path for name in (os.environ.get("CC", ""), "cc", "gcc", "clang") if name and (path := shutil.which(name))), None)


@functools.cache
def _identity() -> bytes:
    """The compiler, its flags, and the processor that `native` stands for."""
    path = Path(compiler() or "").resolve()
    at = path.stat()
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().split("\n\n", 1)[0].splitlines() if cpu.exists() else [platform.processor()]
    processor = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))] or lines
    return repr((str(path), at.st_size, at.st_mtime_ns, FLAGS, LIBRARIES, platform.machine(), platform.libc_ver(), processor)).encode()


def mine(path: Path) -> bool:
    """Could nobody but this user (and root) have written what is at that path?"""
    here = path.lstat()
    if here.st_uid != os.getuid() or here.st_mode & 0o022 or stat.S_ISLNK(here.st_mode):
        return False
    above = [p.stat() for p in path.resolve().parents]
    return all(p.st_uid in (0, os.getuid()) and (not p.st_mode & 0o022 or p.st_mode & stat.S_ISVTX) for p in above)


@functools.cache
def _temporary() -> Path:
    """A folder of this process's own, where the cache folder will not do."""
    import atexit
    folder, owner = Path(tempfile.mkdtemp(prefix="tinygrad_act-")), os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder


def folder() -> Path:
    """Where libraries are kept: the cache folder if it is this user's alone, else one for this process."""
    path, wrong = _in_cache()
    if not wrong:
        return path
    _tell(path, wrong)
    return _temporary()


def _in_cache() -> tuple[Path, str]:
    """The cache's folder of libraries, and why none can be kept there; "" if they can."""
    path = Path(config.cache, "kernels")
    try:
        path = path.expanduser()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not mine(path):
            return path, "another user could write to it, or to a folder above it"
        return path, "" if os.access(path, os.W_OK) else "this user may not write to it"
    except (OSError, RuntimeError, ValueError) as error:              # RuntimeError: there is no home; ValueError: no path
        return path, str(error)


_told: set[tuple[Path, str]] = set()


def _tell(path: Path, wrong: str) -> None:
    """Warn once, at the user's line; where warnings are errors, too: from then on there is work to do."""
    if (path, wrong) in _told:
        return
    _told.add((path, wrong))
    file, line, _ = user_place()
    warnings.warn_explicit(f"compiled kernels cannot be kept in {path}: {wrong}; they are compiled anew in each process. Set TINYGRAD_ACT_CACHE to "
                           "a folder that is yours alone", UserWarning, file, line)


def kept() -> str:
    """Where libraries are kept, how many, and what is wrong with that, for `python -m tinygrad_act doctor`."""
    try:
        here, (path, wrong) = folder(), _in_cache()
        found = sorted(here.glob("*.so"))
    except OSError as error:
        return f"no folder: {error}"
    bad = sum(not _content(p) for p in found)
    return (f"{here}: {len(found)} there{f', {bad} damaged: made again when next needed' if bad else ''}"
            f"{f' (for this process only; not in {path}: {wrong})' if wrong else ''}")


def known(source: str) -> bool:
    """Is the library of that text there already?"""
    try:
        return compiler() is not None and _place(source).exists()
    except OSError:                                    # not even a folder for this process
        return False


def library(source: str, vector: Collection[str] = ()) -> Any:
    """The library of that text, compiled now if it is not there. CompileError if that cannot be, or if it calls one of the
    `vector` functions number by number after all.
    """
    if compiler() is None:
        raise CompileError("there is no C compiler")
    try:
        path = _place(source)
        if path.exists() and not mine(path):
            raise CompileError(f"{path} may have been written by another user")
        content = _content(path)
        if not content:
            _build(source, path)
            content = _content(path)
        if not content:
            raise CompileError(f"{path} is not as it was written")
        names = content.split(b"\0")
        if called := [name for name in vector if name.encode() in names]:
            raise CompileError(f"{compiler()} calls {', '.join(called)} number by number")
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CompileError(str(error)) from error


def _content(path: Path) -> bytes:
    """The library at that path; nothing if it is not there as it was written: damaged, or under another's name."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return b""
    return found[:-SEAL] if found[-SEAL:] == _seal(path.name, found[:-SEAL]) else b""


def _seal(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + content).digest()


@functools.cache
def complaint() -> str:
    """What is wrong with the compiler, if it cannot make even a small library."""
    try:
        library("int tinygrad_act_works(void) { return 1; }\n")
    except CompileError as error:
        return str(error)
    return ""


def _place(source: str) -> Path:
    return folder() / (hashlib.sha256(_identity() + source.encode()).hexdigest()[:40] + ".so")


def _build(source: str, target: Path) -> None:
    import subprocess
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="aside-", ignore_cleanup_errors=True) as aside:
        text, made = Path(aside, "kernel.c"), Path(aside, "kernel.so")
        text.write_text(source)
        libraries = LIBRARIES if vector_functions() else LIBRARIES[1:]
        command = [str(compiler()), *FLAGS, "-o", str(made), str(text), *libraries]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, stdin=subprocess.DEVNULL)
        except subprocess.SubprocessError as error:
            raise CompileError(str(error)) from error
        if done.returncode:
            raise CompileError(done.stderr.strip() or f"{command[0]} ends with {done.returncode}")
        with made.open("ab") as file:
            file.write(_seal(target.name, made.read_bytes()))
        made.chmod(0o700)
        made.replace(target)


@functools.cache
def vector_functions() -> frozenset[str]:
    """The functions that glibc computes on vectors: `exp` stands for `expf` too."""
    names = "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc pow atan2 hypot"
    if platform.machine() != "x86_64":
        return frozenset()
    try:
        library = ctypes.CDLL("libmvec.so.1")
    except OSError:
        return frozenset()
    return frozenset(n for n in names.split() if hasattr(library, f"_ZGVbN4v{'v' * (n in ('pow', 'atan2', 'hypot'))}_{n}f"))
