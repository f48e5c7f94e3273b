"""The picture of the graph: it shows every node, tells kinds apart, carries shapes, and always comes out or says why."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, FileError, GraphError, MissingPackageError

pytest.importorskip("graphviz")
from tinygrad_act.study import Tape, draw, layout, to_dot

can_lay_out = pytest.mark.skipif(layout.find_program() is None, reason="neither dot nor graphviz-pure is installed")


def small_network() -> tuple[nn.Module, ta.Tensor]:
    ta.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.ReLU())
    return model, ta.ones(5, 3)


def test_every_op_and_leaf_is_there_with_its_shape() -> None:
    model, x = small_network()
    with Tape() as tape:
        loss = model(x).sum()
    dot = to_dot(loss, names=model, tape=tape)
    for text in ("0.weight\\n4×3", "2.bias\\n2", "input\\n5×3", "linear", "tanh", "relu", "label=\"5×4\"", "result\\nscalar"):
        assert text in dot, text
    assert dot.count("linear") == 2


def test_without_a_tape_the_shapes_come_from_a_sweep_that_keeps_the_graph() -> None:
    model, x = small_network()
    loss = model(x).sum()
    assert 'label="5×4"' in to_dot(loss, names=model)
    loss.backward()                                            # the sweep freed nothing
    with pytest.raises(GraphError, match="freed"):
        to_dot(loss)


def test_activations_parameters_inputs_and_results_differ_in_shape_as_well_as_colour() -> None:
    model, x = small_network()
    with Tape() as tape:
        loss = model(x).sum()
    dot = to_dot(loss, names=model, tape=tape)
    looks = {name: re.search(rf"label=\"?{name}.*?shape=(\w+)", dot) for name in ("tanh", r"0\.weight", "input", "result")}
    assert {k: m and m[1] for k, m in looks.items()} == {
        "tanh": "box", r"0\.weight": "cylinder", "input": "ellipse", "result": "doubleoctagon"}
    assert "bold" in dot[dot.index("tanh"):dot.index("tanh") + 200]


def test_the_graph_of_a_gradient_draws() -> None:
    x = ta.tensor([0.5, 1.0], requires_grad=True)
    (g,) = ta.autograd.grad(ta.tanh(x).sum(), x, create_graph=True)
    assert "tanh" in to_dot(g.sum())


def test_several_results_of_one_op_show_as_one_node() -> None:
    x = ta.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    values, _ = x.max(dim=1)
    assert "pick" not in to_dot(values.sum())


@can_lay_out
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture_comes_out(kind: str, tmp_path: Path) -> None:
    model, x = small_network()
    path = draw(model(x).sum(), tmp_path / "new" / f"graph.{kind}", names=model)
    content = path.read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
    else:
        texts = [t.text for t in ET.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
        assert {"tanh", "0.weight", "5×4"} <= set(texts)
    assert [p.name for p in path.parent.iterdir()] == [path.name]                  # nothing half-written is left


def test_without_a_layout_program_the_dot_text_is_saved_and_the_error_says_what_to_install(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_program", lambda: None)
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(MissingPackageError, match="graphviz-pure"):
        draw(x.exp(), tmp_path / "graph.svg")
    assert "exp" in (tmp_path / "graph.dot").read_text()


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


def test_misuse_is_told() -> None:
    with pytest.raises(GraphError, match="no graph"):
        draw(ta.ones(2), "out.svg")
    with pytest.raises(ArgumentError, match="jpg"):
        draw(ta.tensor(1.0, requires_grad=True).exp(), "out.jpg")
    y = x = ta.tensor(1.0, requires_grad=True)
    for _ in range(2001):
        y = y + x
    with pytest.raises(GraphError, match="2,001"):
        to_dot(y)
