"""The page on files: its examples run, and print what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"


def test_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(example, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    for output in re.findall(r"```\n(Seq.*?)```", text, re.DOTALL):
        assert output in printed
    assert 'did you mean "module.0.weight"?' in printed
