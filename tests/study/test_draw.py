"""Pictures of graphs: every node is there, kinds are told apart, figures are right, what is folded is said, and it always comes out or says why."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, GraphError

pytest.importorskip("graphviz")
from tinygrad_act.activations import catalogue
from tinygrad_act.study import Picture, Tape, draw, to_dot
from tinygrad_act.study.drawing.theme import SHAPES, THEMES
from tinygrad_act.study.explaining.plain import readable

from .networks import Block, Shared, small_network

SVG = "{http://www.w3.org/2000/svg}"


def nodes(dot: str) -> dict[str, dict[str, str]]:
    """{key: {attribute: value}} of the nodes in a DOT text; the label as plain lines."""
    found = {}
    for key, body in re.findall(r"^\s*(n\d+) \[(.*)\]$", dot, re.M):
        label = re.search(r"label=<(.*?)> \w+=|label=<(.*)>$", body)
        text = (label[1] or label[2]) if label else ""
        plain = re.sub(r"<[^>]+>", "", text.replace('<br align="center"/>', "\n")).strip()
        found[key] = {**dict(re.findall(r"(shape|fillcolor|style)=\"?([^\" ]+)", body)), "label": plain}
    return found


def names(picture: Picture) -> list[str]:
    return [n["label"].split("\n")[0] for n in nodes(picture.dot).values()]


def edges(picture: Picture) -> list[tuple[str, str, str]]:
    labels = {k: n["label"].split("\n")[0] for k, n in nodes(picture.dot).items()}
    return [(labels[a], labels[b], text.strip()) for a, b, text in re.findall(r"(n\d+) -> (n\d+) \[label=\"([^\"]*)\"", picture.dot)]


# ----------------------------------------------------------------------------------------------------- what is shown
def test_every_op_and_leaf_is_there_and_edges_carry_shapes_and_dtypes() -> None:
    model, x = small_network()
    picture = draw(model, x)
    assert sorted(names(picture)) == ["bias", "bias", "input", "linear", "linear", "relu", "result", "tanh", "weight", "weight"]
    assert ("linear", "tanh", "5×4 float32") in edges(picture)
    assert ("relu", "result", "5×2 float32") in edges(picture)
    for box in ("Sequential", "0: Linear", "2: Linear"):
        assert f">{box}<" in picture.dot
    assert "1: Tanh" in picture.dot                             # a module of one op is a line in its node


def test_half_precision_shows_on_the_edges() -> None:
    x = ta.ones(2, 3, dtype=ta.float16, requires_grad=True)
    assert ("x", "exp", "2×3 float16") in edges(draw(x.exp(), names={"x": x}))


def test_kinds_differ_in_shape_as_well_as_colour() -> None:
    model, x = small_network()
    picture = draw(lambda x: model(x) * ta.tensor([1.0, 2.0]), x, names=dict(model.named_parameters()))
    looks = {n["label"].split("\n")[0]: n["shape"] for n in nodes(picture.dot).values()}
    assert {"0.weight": "cylinder", "x": "ellipse", "linear": "box", "tanh": "box", "constant": "note", "result": "doubleoctagon"}.items() <= looks.items()
    assert "bold" in picture.dot[picture.dot.index("<b>tanh</b>"):].split("\n")[0]
    kinds = [(SHAPES[k]["shape"], SHAPES[k].get("style")) for k in SHAPES]
    assert len(set(kinds)) == len(kinds)
    for theme in THEMES.values():
        assert set(theme.fills) == set(SHAPES)


def test_a_large_graph_of_many_long_links_is_folded_until_they_can_be_followed() -> None:
    ta.manual_seed(0)
    made = [ta.ones(3, requires_grad=True)]
    for i in range(1500):
        y = (made[-1].tanh(), made[-1].sin(), made[-1] * 0.9)[i * 7919 % 3]
        made.append(y + made[i * 104729 % len(made)] if i % 5 == 0 else y)
    picture = draw(made[-1].sum())
    assert len(names(picture)) <= 12 and len(edges(picture)) < 60 and "folded to" in picture.notes[0]


def test_what_came_of_an_input_without_a_record_is_an_input() -> None:
    """A batch wants no gradient, so its permutation and its slices are no nodes; they are drawn as what they are all the same."""
    def steps(x: ta.Tensor, w: ta.Tensor) -> ta.Tensor:
        h = ta.zeros(2, 4)
        for t in range(2):
            h = (x[:, t] + h) @ w
        return h
    found = names(draw(nn.LSTM(3, 4, batch_first=True), ta.ones(2, 5, 3)))
    assert "from input" in found and "h0" in found and "constant" not in found
    assert sorted(names(draw(steps, ta.ones(2, 2, 4), ta.eye(4).requires_grad_()))) == ["add", "from x", "from x", "mm", "mm", "result", "w"]


def test_constants_are_named_by_what_they_are_for_and_show_what_is_in_them() -> None:
    x = ta.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with Tape() as tape:
        (g,) = ta.autograd.grad((x * x).sum(), x, create_graph=True)
    text = nodes(draw(g, tape=tape).dot).values()
    assert any(n["shape"] == "note" and "all 1" in n["label"] for n in text)


def test_activations_carry_their_formula_and_settings() -> None:
    picture = draw(nn.Sequential(nn.ELU(0.5), nn.Softplus()), ta.ones(3))
    labels = [n["label"] for n in nodes(picture.dot).values()]
    assert any("x if x &gt; 0 else α (eˣ − 1)" in text and "alpha=0.5" in text for text in labels)
    assert any("ln(1 + e" in text for text in labels)


@pytest.mark.parametrize("name", sorted(catalogue))
def test_every_formula_reads_without_latex(name: str) -> None:
    for text in (readable(catalogue[name].formula), readable(catalogue[name].derivative)):
        assert text and not re.search(r"[\\{}$]", text), text
        assert text.count("(") == text.count(")")


def test_python_numbers_in_an_op_are_shown() -> None:
    x = ta.ones(2, requires_grad=True)
    with Tape() as tape:
        y = 3.0 - x
    assert "b = 3" in to_dot(y, tape=tape)


def test_several_results_of_one_op_show_as_one_node_with_each_edge_its_shape() -> None:
    x = ta.ones(6, 2, requires_grad=True)
    a, b = ta.split(x, [2, 4])
    picture = draw(a.sum() + b.sum(), names={"x": x})
    assert len([n for n in names(picture) if n.startswith("split")]) == 1 and "pick" not in picture.dot
    assert {text for _, end, text in edges(picture) if end == "sum"} == {"2×2 float32", "4×2 float32"}


def test_show_says_values_gradients_norms_bytes_times_and_lines() -> None:
    w = ta.tensor([3.0, 4.0], requires_grad=True)
    picture = draw(lambda w: (w * w).sum(), w, show="all")
    text = "\n".join(n["label"] for n in nodes(picture.dot).values())
    for said in ("value [3, 4]", "value [9, 16]", "value 25", "gradient [6, 8]", "‖gradient‖ 10", "keeps a 2, b 2 (16 B)", "test_draw.py:", "µs"):
        assert said in text, said
    assert any("backward() has not run" in note for note in picture.notes)
    assert w.grad is None


def test_gradients_come_from_the_tape_where_backward_ran_under_it() -> None:
    w = ta.tensor([3.0, 4.0], requires_grad=True)
    with Tape(gradients=True) as tape:
        loss = (w * w).sum()
        (10 * loss).backward()
    picture = draw(loss, show="gradients", tape=tape, names={"w": w})
    assert "gradient [60, 80]" in picture.dot                  # those of what was differentiated
    assert "starts: 10" in draw(loss, backward=True, tape=tape).dot
    assert not any("has not run" in note for note in picture.notes)


def test_gradients_that_are_zero_or_unknown_are_explained() -> None:
    w = ta.tensor([3.0, 4.0], requires_grad=True)
    (w * w).sum().backward()
    assert w.grad is not None
    w.grad.zero_()
    loss = (w * w).sum()
    assert any("every .grad is zero" in note for note in draw(loss, show="gradients").notes)
    loss.backward()
    freed = draw(loss, show="gradients")                       # the structure is drawn all the same
    assert any("freed" in note for note in freed.notes) and "mul" in names(freed)


def test_drawing_frees_nothing_runs_no_hook_and_changes_no_gradient() -> None:
    model, x = small_network()
    loss = model(x).sum()
    called: list[Any] = []
    loss.register_hook(called.append)
    draw(loss, names=model, show="norms", backward=True)
    assert not called and all(p.grad is None for p in model.parameters())
    loss.backward()
    assert len(called) == 1


def test_drawing_a_model_leaves_its_buffers_and_the_random_numbers_alone() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    ta.manual_seed(0)
    expected = ta.rand(1).item()
    ta.manual_seed(0)
    draw(model, ta.randn(4, 3).detach())
    ta.manual_seed(0)
    before = {k: v.tolist() for k, v in model.named_buffers()}
    draw(model, ta.ones(4, 3))
    assert {k: v.tolist() for k, v in model.named_buffers()} == before
    assert ta.rand(1).item() == expected


def test_a_function_around_a_model_is_drawn_with_the_modules_if_it_is_told_them() -> None:
    model, x = small_network()
    picture = draw(lambda x: model(x).sum(), x, names=model)
    assert "0: Linear" in picture.dot and names(picture).count("sum") == 1
    assert "x" not in names(draw(lambda x: model(x).sum(), x, names=model, backward=True))      # it wants no gradient


# --------------------------------------------------------------------------------------------- backward, higher orders
def test_the_way_back_shows_the_rules_and_what_flows() -> None:
    x = ta.tensor([0.5], requires_grad=True)
    picture = draw(lambda x: (x * x.sigmoid()).sum(), x, backward=True, show="norms")
    labels = {n["label"].split("\n")[0]: n["label"] for n in nodes(picture.dot).values()}
    assert set(labels) == {"gradient of result", "sum backward", "mul backward", "sigmoid backward", "x.grad"}
    assert "a ← g·b" in labels["mul backward"] and "b ← g·a" in labels["mul backward"]
    assert "f′ = σ(x) σ(−x)" in labels["sigmoid backward"]
    flows = [(a, b) for a, b, _ in edges(picture)]
    assert ("gradient of result", "sum backward") in flows and ("sigmoid backward", "x.grad") in flows
    expected = 1 / (1 + 2.718281828 ** -0.5)
    assert any(b == "x.grad" and f"{expected:.3g}" in text for a, b, text in edges(picture))


def test_inputs_without_a_gradient_are_not_on_the_way_back() -> None:
    model, x = small_network()
    assert "input" not in names(draw(model, x, backward=True))


def test_the_graph_of_a_third_derivative_says_whose_rule_each_op_is_of() -> None:
    x = ta.tensor([0.5, 1.0], requires_grad=True)
    with Tape() as tape:
        g = x * x.tanh()
        for _ in range(3):
            (g,) = ta.autograd.grad(g.sum(), x, create_graph=True)
    picture = draw(g, tape=tape, names={"x": x})
    for said in ("first derivative, rule of mul", "second derivative, rule of", "third derivative, rule of", "third derivative, sum of parts"):
        assert said in picture.dot, said
    assert "tanh" in to_dot(g)                                 # without a tape too


# ------------------------------------------------------------------------------------------------------------ folding
def test_a_module_folds_to_one_node_by_name_class_or_depth() -> None:
    model, x = small_network()
    assert names(draw(model, x, fold="0")).count("linear") == 1
    by_class = names(draw(model, x, fold=["Linear"]))
    assert {"0: Linear", "2: Linear", "tanh"} <= set(by_class) and "linear" not in by_class
    assert sorted(names(draw(model, x, depth=0))) == ["Sequential", "input", "result"]
    assert "4 ops, 4 parameters (26 numbers)" in draw(model, x, depth=0).dot
    with pytest.raises(ArgumentError, match="those that did: 0, 1"):
        draw(model, x, fold="conv*")


def test_blocks_that_repeat_are_drawn_once_and_counted() -> None:
    model = nn.Sequential(nn.Linear(3, 5), *[Block(5) for _ in range(6)], nn.Linear(5, 1))
    picture = draw(model, ta.ones(2, 3))
    assert names(picture).count("gelu") == 1 and "×6, one after another" in picture.dot
    assert any("1 … 6: Block: 6 alike" in note for note in picture.notes)
    flows = [(a, b) for a, b, _ in edges(picture)]
    assert flows.count(("linear", "gelu")) == 1 and flows.count(("gelu", "add")) == 1 and ("add", "linear") in flows
    assert names(draw(model, ta.ones(2, 3), repeats=False)).count("gelu") == 6
    assert names(draw(nn.Sequential(Block(5), Block(5)), ta.ones(2, 5))).count("gelu") == 2
    assert names(draw(nn.Sequential(Block(5), Block(5)), ta.ones(2, 5), repeats=2)).count("gelu") == 1
    assert "Block  ×6" in draw(model, ta.ones(2, 3), depth=1).dot


def test_blocks_that_differ_are_all_drawn() -> None:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(n, n + 1), nn.ReLU()) for n in range(2, 7)])
    assert names(draw(model, ta.ones(1, 2))).count("relu") == 5
    blocks = [Block(4) for _ in range(5)]
    dense = draw(lambda x: sum_of_all(blocks, x), ta.ones(1, 4), limit=10)        # each reads all before: no simple chain
    assert len(names(dense)) <= 10


def sum_of_all(blocks: list[Block], x: ta.Tensor) -> ta.Tensor:
    seen = [x]
    for block in blocks:
        seen.append(block(sum(seen[1:], seen[0])))
    return seen[-1]


def test_calls_of_a_shared_module_are_two_boxes_and_share_the_parameters() -> None:
    picture = draw(Shared(), ta.ones(2, 4), ta.ones(2, 4))
    assert "encoder: Sequential<" in picture.dot and "encoder: Sequential, call 2<" in picture.dot
    assert names(picture).count("encoder.0.weight") == 1 and {"a", "b"} <= set(names(picture))
    folded = draw(Shared(), ta.ones(2, 4), ta.ones(2, 4), fold="encoder")
    assert [n for n in names(folded) if n.startswith("encoder: ")] == ["encoder: Sequential", "encoder: Sequential, call 2"]


def test_an_unrolled_cell_is_drawn_as_its_first_steps() -> None:
    cell = nn.RNNCell(3, 4)

    def unroll(x: ta.Tensor) -> ta.Tensor:
        h = ta.zeros(2, 4)
        for t in range(len(x)):
            h = cell(x[t], h)
        return h

    with Tape(cell) as tape:
        h = unroll(ta.ones(20, 2, 3))
    picture = draw(h, tape=tape, names=cell)
    assert "RNNCell  ×20, one after another" in picture.dot and len(names(picture)) == 8


@pytest.mark.parametrize("kind", ["chain", "loop", "mixed", "leaves", "modules"])
def test_ten_thousand_nodes_draw_in_seconds_and_the_picture_says_what_was_folded(kind: str) -> None:
    x = w = ta.tensor([0.5, 1.5], requires_grad=True)
    y, tape = x, None
    if kind == "modules":
        model = nn.Sequential(*[nn.Sequential(nn.Linear(2 + i * i % 7, 2 + (i + 1) * (i + 1) % 7), nn.SiLU()) for i in range(3334)])
        with Tape(model) as tape:
            y = model(ta.ones(1, 2))
    for i in range(0 if kind == "modules" else 10_000 if kind == "chain" else 5_000):
        if kind == "chain":
            y = y.sin()
        elif kind == "loop":
            y = (y * w).tanh()
        elif kind == "leaves":
            y = y * ta.ones(2, requires_grad=True) + 1.0
        else:                                                  # no pattern: bits of a quadratic residue
            y = y * w if i * i % 1009 % 2 else y.sin().tanh()
    begin = time.perf_counter()
    picture = draw(y.sum(), tape=tape)
    assert time.perf_counter() - begin < 8
    assert len(names(picture)) <= 150
    assert any("too many to read" in note or "alike" in note for note in picture.notes)
    assert all(note.split(";")[0].replace("&", "&amp;") in picture.dot for note in picture.notes)


# ------------------------------------------------------------------------------------------------------ misuse, odd tensors
@pytest.mark.parametrize(("problem", "kind", "said"), [
    (lambda x: draw(ta.ones(2), "out.svg"), GraphError, "no graph"),
    (lambda x: draw([]), GraphError, "no graph"),
    (lambda x: draw(x.exp(), "out.jpg"), ArgumentError, "jpg"),
    (lambda x: draw(x.exp(), show="colour"), ArgumentError, "values"),
    (lambda x: draw(x.exp(), theme="blue"), ArgumentError, "dark"),
    (lambda x: draw(x.exp(), direction="up"), ArgumentError, "right"),
    (lambda x: draw(x.exp(), limit=2), ArgumentError, "limit"),
    (lambda x: draw(x.exp(), depth=-1), ArgumentError, "depth"),
    (lambda x: draw(x.exp(), x), ArgumentError, "model"),
    (lambda x: draw(x.exp(), names="x"), ArgumentError, "mapping"),
    (lambda x: draw(3), ArgumentError, "neither a tensor nor a model"),
])
def test_misuse_is_told(problem: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        problem(ta.tensor(1.0, requires_grad=True))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,)])
def test_scalars_and_empty_tensors_draw(shape: tuple[int, ...]) -> None:
    x = ta.ones(shape, requires_grad=True)
    assert len(names(draw((x * 2).sum(), show=("values", "gradients", "norms", "saved")))) == 4


def test_changes_in_place_draw_as_the_ops_they_are() -> None:
    x = ta.ones(3, requires_grad=True)
    y = x * 2
    y[0] = 5.0
    y.add_(1)
    assert {"mul", "add"} <= set(names(draw(y.sum())))


def test_a_parameter_is_drawn_as_one_without_its_model() -> None:
    layer = nn.Linear(2, 1)
    text = to_dot(layer(ta.randn(3, 2)).sum())
    assert text.count("cylinder") == 2 and "weight" in text and "bias" in text
