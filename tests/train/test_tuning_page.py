"""The examples on the page of fine-tuning give what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import tinygrad_act as ta

PAGE = Path(__file__).parents[2] / "docs" / "tuning.md"


def examples() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.S)
    return found


def test_the_page_shows_what_comes_out() -> None:
    names: dict[str, Any] = {}
    assert len(examples()) == 2
    with ta.backend.use("numpy"):
        for code, shown in examples():
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "example.py", "exec"), names)
            assert out.getvalue().rstrip() == shown


def test_a_tuned_model_takes_under_thirty_lines() -> None:
    code = [line for line in examples()[0][0].splitlines() if line.strip()]
    assert len(code) < 30
