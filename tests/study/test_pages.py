"""The examples on the pages of the stepper, explain and why give what the pages show."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta

PAGES = Path(__file__).parents[2] / "docs" / "study"


@pytest.mark.parametrize("page", ["stepper", "explain", "why"])
def test_the_page_shows_what_comes_out(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "100")
    names: dict[str, Any] = {}
    found = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)\n```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.S)
    assert found
    with ta.backend.use("numpy"):
        for code, shown in found:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "example.py", "exec"), names)
            assert out.getvalue().rstrip() == shown
