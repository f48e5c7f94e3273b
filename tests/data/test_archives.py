"""Archives are not trusted: what is hostile, damaged or too large is an error that says so."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_act.datasets.archives import copy_members
from tinygrad_act.datasets.readers import read_idx, read_lines, read_npz
from tinygrad_act.errors import FileError

from .archive_makers import deb, idx, link, lying_zip, tar, zipped


def take(tmp_path: Path, data: bytes, member: str = "a", limit: int = 1 << 20) -> bytes:
    path = tmp_path / "archive"
    path.write_bytes(data)
    out = io.BytesIO()
    copy_members(path, {member: out}, limit)
    return out.getvalue()


@pytest.mark.parametrize("make", [zipped, tar, deb, lambda m: tar(m, bz2.compress), lambda m: tar(m, bytes)])
def test_a_member_comes_out_as_it_went_in(tmp_path: Path, make: Any) -> None:
    content = bytes(range(256)) * 500
    assert take(tmp_path, make({"first": b"x", "a": content, "b/c": b""})) == content
    assert take(tmp_path, make({"b/c": b""}), "b/c") == b""
    within = make({"inner": tar({"d/e": zipped({"a": content})})})
    assert take(tmp_path, within, "inner!d/e!a") == content


def test_several_members_are_had_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(tar({"a": b"1", "in.tgz": tar({"x": b"2", "y": b"3"}), "b": b"4"}))
    out = {name: io.BytesIO() for name in ("b", "in.tgz!y", "a", "in.tgz!x")}
    copy_members(path, out)
    assert [f.getvalue() for f in out.values()] == [b"4", b"3", b"1", b"2"]


def test_a_debian_package_names_its_files_from_a_dot(tmp_path: Path) -> None:
    assert take(tmp_path, deb({"./usr/share/a": b"x"}), "usr/share/a") == b"x"
    assert take(tmp_path, deb({"usr/a": b"x", "usr/b": link("a")}), "usr/a") == b"x", "a link that stays within is none of our business"


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "b/../c", "\\windows", "..\\a", "C:/a", "C:\\a"])
@pytest.mark.parametrize("make", [zipped, tar, deb])
def test_a_place_outside_is_refused(tmp_path: Path, make: Any, name: str) -> None:
    for members in ({name: b"x", "a": b"y"}, {"a": b"y", name: b"x"}):
        with pytest.raises(FileError, match="place outside itself"):
            take(tmp_path, make(members))


@pytest.mark.parametrize(("target", "kind"), [("/etc/passwd", tarfile.SYMTYPE), ("../../x", tarfile.SYMTYPE), ("../x", tarfile.LNKTYPE),
                                              ("/x", tarfile.LNKTYPE)])
def test_a_link_that_leads_outside_is_refused(tmp_path: Path, target: str, kind: bytes) -> None:
    with pytest.raises(FileError, match="leads to"):
        take(tmp_path, tar({"d/link": link(target, kind), "a": b"y"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_what_is_wanted_must_be_a_plain_file(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(FileError, match="no plain file"):
        take(tmp_path, tar({"b": b"x", "a": link("b" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "", kind)}))
    info = zipfile.ZipInfo("a")
    info.create_system, info.external_attr = 3, 0o120777 << 16               # a link, as zip has it
    with pytest.raises(FileError, match="no plain file"):
        take(tmp_path, zipped({info: b"/etc/passwd"}))  # type: ignore[dict-item]


def test_bombs_and_lies_are_refused(tmp_path: Path) -> None:
    many = b"\0" * 3_000_000
    for bomb in (zipped({"a": many}), tar({"a": many}), deb({"a": many}), tar({"b": many, "a": b"x"}), zipped({"b": many, "a": b"x"})):
        with pytest.raises(FileError, match="unpacks to"):
            take(tmp_path, bomb)
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 9_000_000               # a name that is to be read into memory
    with pytest.raises(FileError, match="unpacks to more than"):
        take(tmp_path, gzip.compress(name.tobuf() + b"a" * 9_000_000))
    for declared in (50, 5000):
        with pytest.raises(FileError, match="damaged|declares"):
            take(tmp_path, lying_zip(b"x" * 1000, declared))
    huge = tarfile.TarInfo("a")
    huge.size = 1 << 40
    with pytest.raises(FileError, match="unpacks to"):
        take(tmp_path, gzip.compress(huge.tobuf() + b"x" * 512))


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    data = gzip.decompress(tar({"a": b"good"}))[:1024] + gzip.decompress(tar({"a": b"evil"}))
    with pytest.raises(FileError, match="two members a"):
        take(tmp_path, data)


@pytest.mark.parametrize("make", [zipped, tar, deb])
def test_an_archive_cut_short_anywhere_is_told(tmp_path: Path, make: Any) -> None:
    whole = make({"b": bytes(range(256)) * 20, "a": bytes(range(256)) * 40})
    for end in sorted({0, 1, 3, 7, 8, 30, 67, 68, 69, 100, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 30}):
        with pytest.raises(FileError, match="archive|damaged|cut short|no file"):
            assert take(tmp_path, whole[:end]) != bytes(range(256)) * 40
    assert take(tmp_path, whole) == bytes(range(256)) * 40


@pytest.mark.parametrize("make", [zipped, tar, deb])
def test_a_damaged_archive_never_raises_anything_else(tmp_path: Path, make: Any) -> None:
    whole = make({"b": bytes(range(256)) * 20, "a": bytes(range(256)) * 40})
    draw = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for place in draw.integers(0, len(data), 4):
            data[place] = draw.integers(256)
        try:
            take(tmp_path, bytes(data))                                      # without a checksum, damage may go unseen here
        except FileError:
            continue


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file a"):
        take(tmp_path, zipped({"b": b""}))
    with pytest.raises(FileError, match="no file x"):
        take(tmp_path, tar({"a": zipped({"b": b""})}), "a!x")
    with pytest.raises(FileError):
        take(tmp_path, b"a web page that asks for a password")


# ------------------------------------------------------------------------------------------------------------ formats
def test_idx_files(tmp_path: Path) -> None:
    path = tmp_path / "images"
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(idx((2, 2, 3), bytes(range(12)))))
        assert read_idx(path, 3).tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


@pytest.mark.parametrize("data", [b"", b"\0\0", idx((2, 2), bytes(4)), idx((2, 2, 3), bytes(11)), idx((2, 2, 3), bytes(13)),
                                  idx((2, 2, 3), bytes(12), b"\0\0\x0d"), idx((2**31, 2**31, 4), bytes(12)), b"\0\0\x08\x03\0\0",
                                  gzip.compress(idx((2, 2, 3), bytes(12)), mtime=0)[:-4], b"\x1f\x8bnonsense"])
def test_malformed_idx_files_are_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "images"
    path.write_bytes(data)
    with pytest.raises(FileError, match="images"):
        read_idx(path, 3)


def test_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for array in (np.arange(6.0).reshape(2, 3), np.arange(3), np.float32([1.5]), np.zeros((0, 2), np.uint8)):
        for save in (np.savez, np.savez_compressed):
            save(path, X=array)
            assert read_npz(path, "X").tolist() == array.tolist() and read_npz(path, "X").dtype == array.dtype


def test_npz_files_that_would_run_something_or_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=np.array([{}, print], dtype=object))
    with pytest.raises(FileError, match="holds '|O'"):
        read_npz(path, "X")
    np.savez(path, X=np.arange(3))
    good = zipfile.ZipFile(path).read("X.npy")
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"
    assert header in good
    for wrong in (good[:-1], good[:20], b"", good.replace(b"(3,)", b"(9,)"), good.replace(b"<i8", b">i8"), good.replace(b"False", b"True "),
                  good.replace(header, b"__import__('os').getcwd()".ljust(len(header))), good.replace(b"(3,)", b"'xx'")):
        path.write_bytes(zipped({"X.npy": wrong}))
        with pytest.raises(FileError):
            read_npz(path, "X")


def test_tables_of_text(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes("a\tb\r\nc\té\r\n".encode())
    assert read_lines(path, 2) == [["a", "b"], ["c", "é"]]
    for wrong in (b"a\tb\nc\n", b"a\t\xff\n"):
        path.write_bytes(wrong)
        with pytest.raises(FileError, match="table"):
            read_lines(path, 2)
