"""DOT text to a picture: by Graphviz's `dot` where it is installed, else by the PyPI package graphviz-pure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import ArgumentError, FileError, MissingPackageError
from ..files import write_aside

FORMATS = {"svg", "png", "pdf", "dot"}


def find_program() -> str | None:
    """The path of a program that understands `dot`'s flags, or None."""
    beside_python = Path(sys.executable).parent / "graphviz-pure"
    return (shutil.which("dot") or shutil.which("graphviz-pure")
            or (str(beside_python) if beside_python.is_file() else None))


def render(dot: str, path: str | os.PathLike[str]) -> Path:
    """Lay out `dot` and write it at `path`, whose suffix (.svg, .png, .pdf, .dot) chooses the format.

    The file is written aside and moved in. Without a layout program the DOT text is saved beside it and the error
    says what to install.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise ArgumentError("draw", str(path), f"no picture of kind {kind!r}", f"end the name in {sorted(FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "dot":
        return write_aside(path, dot.encode())
    program = find_program()
    if program is None:
        saved = write_aside(path.with_suffix(".dot"), dot.encode())
        raise MissingPackageError("draw", str(path), f"no layout program was found (the DOT text is in {saved})",
                                  "pip install graphviz-pure, or install Graphviz, which brings `dot`")
    done = subprocess.run([program, f"-T{kind}"], input=dot.encode(), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        saved = write_aside(path.with_suffix(".dot"), dot.encode())
        raise FileError("draw", str(path), f"{Path(program).name} -T{kind} failed: {done.stderr.decode(errors='replace').strip()[:300]} "
                        f"(the DOT text is in {saved})", "choose .svg or .png, or install Graphviz")
    return write_aside(path, done.stdout)
