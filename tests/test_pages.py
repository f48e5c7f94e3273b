"""The examples on the pages of the docs run, in order, and print what the pages show.

The pages of the lessons and the laboratory are tested in tests/study/test_lessons.py, where figures may differ a little; those of
the activations in tests/study/test_gallery.py.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLE = re.compile(r"```python\n(.*?)```\n(?:\n```\n(.*?)\n```)?", re.S)
SHOWN = ["tutorial", "tuning", "interop", "pytorch", "study/stepper", "study/explain", "study/why"]
# Their figures are times, addresses and the like, or what they show is a picture.
RUN = ["study/draw", "study/rules", "study/memory", "study/profile", "study/lockstep"]


def examples(page: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = EXAMPLE.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("page", [*SHOWN, *RUN])
def test_the_page_shows_what_comes_out(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("safetensors")
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names: dict[str, Any] = {}
    shown = 0
    with ta.backend.use("numpy"):
        for code, said in examples(page):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "example.py", "exec"), names)
            if said and page in SHOWN:
                assert out.getvalue().rstrip() == said
                shown += 1
    assert shown or page in RUN


def test_a_tuned_model_takes_under_thirty_lines() -> None:
    code = [line for line in examples("tuning")[0][0].splitlines() if line.strip()]
    assert len(code) < 30
