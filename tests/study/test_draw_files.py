"""Pictures of graphs as files, in a notebook, and where no program lays them out."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import FileError, MissingPackageError

pytest.importorskip("graphviz")
from tinygrad_act.study import Picture, draw
from tinygrad_act.study.drawing import layout
from tinygrad_act.study.drawing.theme import THEMES

from .networks import small_network

can_lay_out = pytest.mark.skipif(layout.find_program() is None, reason="neither dot nor graphviz-pure is installed")
SVG = "{http://www.w3.org/2000/svg}"


@can_lay_out
@pytest.mark.parametrize("kind", ["svg", "png", "pdf", "dot"])
def test_a_picture_comes_out(kind: str, tmp_path: Path) -> None:
    if kind == "pdf":
        pytest.importorskip("matplotlib")
    model, x = small_network()
    path = draw(model(x).sum(), tmp_path / "new" / f"graph.{kind}", names=model)
    content = path.read_bytes()
    assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "svg": b"<svg"}[kind])
    if kind == "svg":
        texts = {t.text for t in ET.fromstring(content).iter(f"{SVG}text")}
        assert {"tanh", "0.weight", "tanh x"} <= texts and any(t and t.strip() == "5×4 float32" for t in texts)
    assert [p.name for p in path.parent.iterdir()] == [path.name]                  # nothing half-written is left


@can_lay_out
@pytest.mark.parametrize("theme", sorted(THEMES))
def test_an_svg_has_a_title_and_a_sentence_for_each_node(theme: str) -> None:
    model, x = small_network()
    picture = draw(model, x, theme=theme, title='A & "B"')
    root = ET.fromstring(picture.svg)
    assert root.get("role") == "img"
    title = root.find(f"{SVG}title")
    assert title is not None and title.text and title.text.startswith('A & "B"')
    said = [g.get("aria-label") or "" for g in root.iter(f"{SVG}g") if g.get("class") == "node"]
    assert len(said) == 10 and all(said)
    assert "activation tanh, 1: Tanh, tanh x; in 1: Tanh in Sequential" in said
    assert "parameter weight, 4×3 float32; in 0: Linear in Sequential" in said


@can_lay_out
def test_a_picture_shows_itself_in_a_notebook() -> None:
    picture = draw(ta.ones(2, requires_grad=True).tanh())
    assert isinstance(picture, Picture)
    bundle = picture._repr_mimebundle_()
    assert bundle["image/svg+xml"] == picture._repr_svg_() == picture.svg
    assert picture.svg.startswith("<svg") and json.dumps(bundle)
    assert picture.png.startswith(b"\x89PNG")


def test_without_a_layout_program_the_dot_text_is_saved_and_the_error_says_what_to_install(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_program", lambda: None)
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(MissingPackageError, match="graphviz-pure"):
        draw(x.exp(), tmp_path / "graph.svg")
    assert "exp" in (tmp_path / "graph.dot").read_text()
    picture = draw(x.exp())
    assert picture._repr_svg_() is None and "digraph" in picture._repr_mimebundle_()["text/plain"]


def test_graphviz_pure_stands_in_where_dot_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "dot" else which(name))
    if layout.find_program() is None:
        pytest.skip("graphviz-pure is not installed")
    assert Path(layout.find_program() or "").name == "graphviz-pure"
    assert draw(ta.tensor(1.0, requires_grad=True).exp(), tmp_path / "graph.svg").is_file()


def test_a_program_that_fails_leaves_the_dot_text_and_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_program", lambda: "dot")
    monkeypatch.setattr(layout.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, b"", b"no such format"))
    with pytest.raises(FileError, match="no such format"):
        draw(ta.tensor(1.0, requires_grad=True).exp(), tmp_path / "graph.svg")
    assert (tmp_path / "graph.dot").is_file()
