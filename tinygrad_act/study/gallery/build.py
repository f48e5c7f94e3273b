"""The pages into a folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ... import backend
from ...errors import ArgumentError, FileError
from ..bar import Step
from . import markdown, page
from .cost import Cost, conditions
from .cost import cost as cost_of
from .figure import figure
from .groups import Group, chosen, grouped
from .sheet import Sheet

INDEX = {"html": "index.html", "markdown": "README.md"}
MARKS = ('content="tinygrad_act gallery"', markdown.MADE)            # in the index of a folder that is a gallery


def write(names: Sequence[str] | str, out: str | os.PathLike[str], format: str, cost: bool, progress: Step | None) -> Path:
    """What `study.gallery` does."""
    if format not in INDEX:
        raise ArgumentError("gallery", f"format={format!r}", "there is no such format", f"choose from {', '.join(INDEX)}")
    groups = grouped(chosen([names] if isinstance(names, str) else names))
    sheets = {r.name: Sheet(r) for group in groups for r in group.records}
    step: Step = progress or (lambda name, done, count: None)
    with backend.use("numpy"), _moved_in(Path(out)) as folder:
        files = _markdown(groups, sheets, step) if format == "markdown" else _html(groups, sheets, step, cost)
        for name, text in files:
            (folder / name).write_text(text, encoding="utf-8")
    return Path(out) / INDEX[format]


def _html(groups: Sequence[Group], sheets: dict[str, Sheet], step: Step, measure: bool) -> Iterator[tuple[str, str]]:
    names = list(sheets)
    costs: dict[str, Cost] = {}
    how = conditions() if measure else ""
    for i, (name, sheet) in enumerate(sheets.items()):
        step(name, i, len(names))
        if measure:
            costs[name] = cost_of(sheet.record)
        before, after = names[i - 1] if i else "", names[i + 1] if i + 1 < len(names) else ""
        yield f"{name}.html", page.page(sheet, before, after, costs.get(name), how)
    step("index", len(names), len(names))
    yield "index.html", page.index(groups, sheets, costs, how)
    yield "gallery.css", page.style()
    yield "gallery.js", page.script()


def _markdown(groups: Sequence[Group], sheets: dict[str, Sheet], step: Step) -> Iterator[tuple[str, str]]:
    for i, (name, sheet) in enumerate(sheets.items()):
        step(name, i, len(sheets))
        yield f"{name}.md", markdown.page(sheet)
        yield f"{name}.svg", figure(sheet.curves, name, alone=True)
    step("README", len(sheets), len(sheets))
    yield "README.md", markdown.index(groups, sheets)


@contextmanager
def _moved_in(out: Path) -> Iterator[Path]:
    """A folder to write into, which then takes the place of `out`; if anything fails, `out` is as it was."""
    _check(out)
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=parent))
    try:
        yield aside
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o777 & ~mask)                       # mkdtemp's own mode keeps others out
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=parent))
            out.rename(old / "gallery")
            try:
                aside.rename(out)
            except OSError:
                (old / "gallery").rename(out)
                raise
            finally:
                shutil.rmtree(old, ignore_errors=True)
        else:
            aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check(out: Path) -> None:
    """Nothing that is not a gallery is replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise FileError("gallery", str(out), "it is there, and is no folder", "choose another name")
    if out.is_dir() and any(out.iterdir()) and not any(_is_gallery(out / name) for name in INDEX.values()):
        raise FileError("gallery", str(out), "the folder holds something that is not a gallery, and is left alone", "choose another name")


def _is_gallery(index: Path) -> bool:
    return index.is_file() and any(mark in index.read_text(encoding="utf-8", errors="replace")[:2000] for mark in MARKS)
