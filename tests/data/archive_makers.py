"""Archives made on the fly for the tests: right ones, and every kind of wrong."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from typing import Any


def tar(members: dict[str, Any], pack: Any = gzip.compress) -> bytes:
    """A tar archive of these members: bytes, or a TarInfo to be put in as it is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return pack(out.getvalue())


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def zipped(members: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def deb(members: dict[str, Any], data: str = "data.tar.xz") -> bytes:
    def part(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)
    return (b"!<arch>\n" + part("debian-binary", b"2.0\n") + part("control.tar.xz", lzma.compress(b"odd"))
            + part(data, tar(members, lzma.compress)))


def lying_zip(content: bytes, declared: int) -> bytes:
    """A zip archive whose directory and header declare another size."""
    data = bytearray(zipped({"a": content}))
    for magic, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        struct.pack_into("<I", data, data.index(magic) + offset, declared)
    return bytes(data)


def idx(shape: tuple[int, ...], body: bytes, magic: bytes = b"\0\0\x08") -> bytes:
    return magic + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body
