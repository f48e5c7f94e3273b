"""DOT text to a picture: by Graphviz's `dot` where it is installed, else by the PyPI package graphviz-pure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ...errors import ArgumentError, FileError, MissingPackageError
from ...files import write_aside

FORMATS = {"svg", "png", "pdf", "dot"}


def find_program() -> str | None:
    """The path of a program that understands `dot`'s flags, or None."""
    beside_python = Path(sys.executable).parent / "graphviz-pure"
    return (shutil.which("dot") or shutil.which("graphviz-pure")
            or (str(beside_python) if beside_python.is_file() else None))


def render(dot: str, path: str | os.PathLike[str], content: Callable[[], bytes] | None = None) -> Path:
    """Write the picture of `dot` at `path`, whose ending (.svg, .png, .pdf, .dot) chooses the format; `content` makes it.

    The file is written aside and moved in. Where the layout fails, the DOT text is saved beside it and the error says so.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ArgumentError("draw", str(path), f"no picture of kind {kind!r}", f"end the name in {sorted(FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "dot":
        return write_aside(path, dot.encode())
    try:
        made = content() if content else lay_out(dot, kind)
    except (MissingPackageError, FileError) as error:
        saved = write_aside(path.with_suffix(".dot"), dot.encode())
        raise type(error)("draw", str(path), f"{error.cause} (the DOT text is in {saved})", error.remedy) from None
    return write_aside(path, made)


def lay_out(dot: str, kind: str) -> bytes:
    """The picture of `dot` as a file of that kind."""
    program = find_program()
    if program is None:
        raise MissingPackageError("draw", "", "no layout program was found",
                                  "pip install 'tinygrad-act[draw]' (it brings graphviz-pure), or install Graphviz, which brings `dot`")
    if kind == "pdf" and Path(program).stem == "graphviz-pure":
        from .pdf import paint

        return paint(json.loads(run(program, dot, "json")))
    return run(program, dot, kind)


def run(program: str, dot: str, kind: str) -> bytes:
    """What the program writes for that format."""
    done = subprocess.run([program, f"-T{kind}"], input=dot.encode(), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise FileError("draw", "", f"{Path(program).name} -T{kind} failed: {done.stderr.decode(errors='replace').strip()[:300]}",
                        "choose .svg or .png, or install Graphviz")
    return done.stdout
