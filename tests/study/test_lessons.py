"""The lessons, and the pages of the laboratory and of watch: their examples run and give what the pages show.

Words must be the same; numbers that come of training may differ a little from processor to processor. As a command,
`python tests/study/test_lessons.py`, it writes what comes out into the pages, and the pictures into docs/images.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

import tinygrad_act as ta

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs" / "lessons").glob("*.md")), ROOT / "docs" / "study" / "lab.md", ROOT / "docs" / "study" / "watch.md"]
EXAMPLE = re.compile(r"```python\n(.*?)```\n(?:\n```\n(.*?)\n```)?", re.S)
NUMBER = re.compile(r"-?\d[\d.]*(?:e[-+]?\d+)?")


def outputs(page: Path) -> list[str]:
    """What each example of the page prints."""
    names: dict[str, Any] = {}
    found = []
    for code, _ in EXAMPLE.findall(page.read_text(encoding="utf-8")):
        out = io.StringIO()
        with ta.backend.use("numpy"), contextlib.redirect_stdout(out):
            exec(compile(code, page.name, "exec"), names)
        found.append(out.getvalue().rstrip())
    return found


def alike(a: float, b: float) -> bool:
    """Within a third; numbers below a hundredth by their power of ten: what is 1e-9 may not be 1e-3."""
    size = max(abs(a), abs(b))
    if size < 0.01:
        return a == b or (a * b > 0 and abs(math.log10(a / b)) < 0.5)
    return abs(a - b) <= 0.3 * size + 0.05


def words(text: str) -> list[str]:
    return re.sub(r"[─\s]+", " ", NUMBER.sub("#", text)).split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_comes_out(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    shown = [text for _, text in EXAMPLE.findall(page.read_text(encoding="utf-8"))]
    assert shown
    for came, said in zip(outputs(page), shown, strict=True):
        assert [w for w in words(came) if w != "-"] == [w for w in words(said) if w != "-"]
        for a, b in zip(map(float, NUMBER.findall(came)), map(float, NUMBER.findall(said)), strict=True):
            assert alike(a, b), (a, b)
    for made in (tmp_path / "docs" / "images").iterdir():
        kept = ROOT / "docs" / "images" / made.name
        assert kept.exists(), f"python tests/study/test_lessons.py puts {made.name} there"
        assert kept.stat().st_size < 200_000


def write(page: Path) -> None:
    """The page with what comes out now."""
    came = iter(outputs(page))
    text = EXAMPLE.sub(lambda m: f"```python\n{m[1]}```\n" + (f"\n```\n{out}\n```" if (out := next(came)) or m[2] else ""), page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    for each in PAGES:
        write(each)
