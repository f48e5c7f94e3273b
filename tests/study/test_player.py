"""The player: its data are the tape's numbers in the order of the passes, bounded in size, and harmless whatever things are called."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.backend import to_host
from tinygrad_act.errors import ArgumentError, GraphError
from tinygrad_act.study import Player, Tape, player
from tinygrad_act.study.drawing import layout

pytest.importorskip("graphviz")
if layout.find_program() is None:
    pytest.skip("neither dot nor graphviz-pure is installed", allow_module_level=True)

from tinygrad_act.study.player.arrays import NAN, PLUS, TOP, record

pages = sys.modules["tinygrad_act.study.player.page"]      # study.player is the function
F = nn.functional
Case = tuple[Player, ta.Tensor, Tape]


def network() -> tuple[nn.Module, ta.Tensor]:
    ta.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), ta.randn(5, 3)


def trained(path: Any = None, keep: bool = True) -> Case:
    """A network, both of whose passes ran under a tape."""
    model, x = network()
    with Tape(model, values=True, gradients=True) as tape:
        loss = F.cross_entropy(model(x), ta.tensor([0, 1, 0, 1, 1]))
        loss.backward(retain_graph=keep)
    return player(loss, path=path, tape=tape, names={"x": x}), loss, tape


def data(page: Player) -> dict[str, Any]:
    """What the page itself holds."""
    found: dict[str, Any] = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.S)[1])  # type: ignore[index]
    return found


def item(page: Player, name: str) -> dict[str, Any]:
    return next(i for i in page.data["items"].values() if i["name"] == name)


def numbers(page: Player, number: int) -> Any:
    """An array of the page, which must be small enough to be given in full, read back as its element type."""
    array = data(page)["arrays"][number]
    return read_back([float(x) for x in array["numbers"]], array["dtype"])


def read_back(found: list[float], dtype: str = "float32") -> list[float]:
    return flat(ta.tensor(found, dtype=getattr(ta, dtype)))


def flat(x: Any) -> list[float]:
    array = x.array if isinstance(x, ta.Tensor) else x
    return [float(v) for v in to_host(array).reshape(-1).tolist()]


def names(page: Player, phase: str) -> list[str]:
    return [page.data["items"][s["item"]]["name"] for s in page.data["steps"] if s["phase"] == phase]


# ---------------------------------------------------------------------------------------------------------- the data
def test_forward_goes_in_the_order_of_creation_and_backward_in_that_of_the_sweep() -> None:
    page, _, tape = trained()
    assert [s["phase"] for s in page.data["steps"]] == ["start", *["forward"] * 4, "turn", *["backward"] * 4, "end"]
    assert names(page, "forward") == ["linear_1", "tanh", "linear_2", "cross_entropy"]
    assert [page.data["items"][s["item"]]["op"] for s in page.data["steps"] if s["phase"] == "backward"] == [n.op.name for n in tape.sweeps]


def test_values_and_gradients_are_the_tapes_to_the_last_digit() -> None:
    page, _, tape = trained()
    for node, name in zip(tape.results, ["linear_1", "tanh", "linear_2", "cross_entropy"], strict=True):
        shown, sweep = item(page, name), tape.sweeps[node]
        assert numbers(page, shown["values"][0]["value"]) == flat(tape.results[node].value)
        assert numbers(page, shown["arrived"][0]["gradient"]) == flat(sweep.gradient)
        made = [row for row in shown["out"] if row["part"] is not None]
        assert [numbers(page, row["part"]) for row in made] == [flat(g) for g in sweep.gradients if g is not None]


def test_a_node_shows_its_formula_rules_saved_arrays_and_the_users_line() -> None:
    page, _, _ = trained()
    tanh = item(page, "tanh")
    assert (tanh["computes"], tanh["formula"]) == ("tanh(linear_1)", "tanh x") and tanh["derivative"].startswith("f′ = 1 − tanh² x")
    assert tanh["where"] == ["Sequential", "1: Tanh"]
    assert tanh["line"]["place"].startswith("test_player.py:") and tanh["line"]["code"].startswith("loss = F.cross_entropy")
    kept, gone = item(page, "linear_2"), item(trained(keep=False)[0], "tanh")
    assert kept["out"][1]["rule"] == "g.T @ tanh" and kept["saved"][0]["name"] == "tanh" and not kept["freed"]
    assert gone["freed"] and gone["out"][0]["rule"] == "g·f′"


def test_parts_that_add_up_are_numbered_and_summed() -> None:
    x = ta.tensor([0.5, -1.0], requires_grad=True)
    with Tape(values=True) as tape:
        loss = (x * x + x.tanh()).sum()
    page = player(loss, tape=tape, names={"x": x})
    loss.backward()
    assert x.grad is not None
    shown = item(page, "x")
    assert shown["of"] == 3 and [a["number"] for a in shown["arrivals"]] == [1, 2, 3]
    steps = [a["step"] for a in shown["arrivals"]]
    assert steps == sorted(steps)
    assert numbers(page, shown["arrivals"][-1]["sum"]) == flat(x.grad) == numbers(page, shown["arrived"][0]["gradient"])
    assert [p["name"] for p in shown["arrived"][0]["parts"]] == ["tanh", "mul", "mul"]
    assert [(row["number"], row["of"]) for row in item(page, "mul")["out"]] == [(2, 3), (3, 3)]
    text = next(s["text"] for s in page.data["steps"] if s["phase"] == "backward" and ": mul gets" in s["text"])
    assert "part 3 of 3, added up" in text


def test_a_function_is_run_once_with_its_inputs_and_a_bare_loss_says_what_is_not_known() -> None:
    model, x = network()
    page = player(lambda x: model(x).tanh().sum(), x, names=model)
    assert all(v["value"] is not None for i in page.data["items"].values() for v in i["values"])
    assert not page.data["notes"] and all(p.grad is None for p in model.parameters())
    bare = player((model(x) * 2 + 1).sum(), names=model)
    assert any("not known" in note for note in bare.data["notes"])
    assert numbers(bare, item(bare, "linear_1")["values"][0]["value"]) == flat(nn.functional.linear(x, *model[0].parameters()))  # a rule keeps it


def test_the_page_frees_nothing_runs_no_hook_and_sets_no_gradient() -> None:
    model, x = network()
    loss, called = model(x).sum(), []
    loss.register_hook(called.append)
    page = player(loss, names=model)
    assert not called and all(p.grad is None for p in model.parameters()) and any("hooks" in note for note in page.data["notes"])
    loss.backward()
    assert called


def test_a_result_of_several_numbers_starts_with_ones_or_what_is_given() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    page = player(x * x, names={"x": x})
    assert numbers(page, item(page, "x")["arrived"][0]["gradient"]) == [2, 4] and any("sum" in note for note in page.data["notes"])
    page = player(x * x, names={"x": x}, gradient=ta.tensor([1.0, 10.0]))
    assert numbers(page, item(page, "x")["arrived"][0]["gradient"]) == [2, 40]


def test_gradients_of_gradients_say_whose_rule_each_op_is_of() -> None:
    x = ta.tensor([0.5, 1.0], requires_grad=True)
    with Tape(values=True) as tape:
        (g,) = ta.autograd.grad((x * x.tanh()).sum(), x, create_graph=True)
        loss = (g * g).sum()
    page = player(loss, tape=tape, names={"x": x})
    assert "first derivative, rule of tanh" in page.html
    loss.backward()
    assert x.grad is not None
    assert numbers(page, item(page, "x")["arrived"][0]["gradient"]) == flat(x.grad)


def test_an_op_of_several_results_is_one_node_with_a_value_and_a_gradient_for_each() -> None:
    x = ta.randn(6, 2, requires_grad=True)
    with Tape(values=True) as tape:
        a, b = x.split([2, 4])
        loss = a.sum() + (b * b).sum()
    shown = item(player(loss, tape=tape, names={"x": x}), "split_sizes")
    assert [v["name"] for v in shown["values"]] == ["split_sizes[0]", "split_sizes[1]"]
    assert [g["name"] for g in shown["arrived"]] == ["g[0]", "g[1]"] and len(shown["out"]) == 1


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 3)

    def forward(self, a: ta.Tensor, b: ta.Tensor) -> ta.Tensor:
        return (self.encoder(a).tanh() * self.encoder(b)).sum()


@pytest.mark.parametrize("model, shapes", [
    (Shared(), [(2, 3), (2, 3)]), (nn.LSTM(3, 4, num_layers=2), [(5, 2, 3)]), (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), [(2, 3, 8)]),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()), [(2, 1, 6, 6)])], ids=lambda v: type(v).__name__)
def test_networks_play_and_leave_the_gradients_of_backward(model: nn.Module, shapes: list[tuple[int, ...]]) -> None:
    inputs = [ta.randn(*shape) for shape in shapes]

    def loss(*inputs: ta.Tensor) -> ta.Tensor:
        y = model(*inputs)
        return ((y[0] if isinstance(y, tuple) else y) ** 2).mean()

    model.zero_grad()
    page = player(loss, *inputs, names=model)
    loss(*inputs).backward()
    arrays = data(page)["arrays"]
    for name, p in model.named_parameters():
        shown = arrays[item(page, name)["arrived"][0]["gradient"]]
        g = flat(p.grad)
        assert float(shown["norm"]) == pytest.approx(math.sqrt(sum(v * v for v in g)), rel=1e-4, abs=1e-9)
    assert {s["item"] for s in page.data["steps"] if s["phase"] == "forward"} == {s["item"] for s in page.data["steps"] if s["phase"] == "backward"}


def test_ten_thousand_nodes_are_folded_in_seconds_to_a_small_page_that_says_so() -> None:
    x, w = ta.randn(8, requires_grad=True), ta.randn(8, requires_grad=True)
    with Tape(values=True) as tape:
        y = x
        for _ in range(5000):
            y = (y * w).tanh()
        loss = y.sum()
    start = time.perf_counter()
    page = player(loss, tape=tape, names={"x": x, "w": w})
    assert time.perf_counter() - start < 20
    assert len(page.html.encode()) < 1_000_000 and any("too many to read" in note for note in page.data["notes"])
    loss.backward()
    assert numbers(page, item(page, "w")["arrived"][0]["gradient"]) == flat(w.grad)
    first = page.data["items"][page.data["steps"][1]["item"]]
    assert first["ops"] > 100 and [op["name"] for op in first["inside"][:3]] == ["mul_1", "tanh_1", "mul_2"] and first["name"].startswith("mul_1 … ")
    assert [held["name"] for held in first["held"]] == ["x"] and numbers(page, first["held"][0]["gradient"]) == flat(x.grad)


def test_modules_fold_when_asked() -> None:
    model, x = network()
    page = player(lambda x: model(x).sum(), x, names=model, fold="0")
    folded = item(page, "0: Linear")
    assert folded["ops"] == 1 and [h["name"] for h in folded["held"]] == ["0.weight", "0.bias"] and folded["values"][0]["value"] is not None


# ------------------------------------------------------------------------------------------------------------ arrays
def test_figures_are_exact_and_a_large_array_is_a_heat_map_of_what_is_farthest_from_zero() -> None:
    a = ta.arange(10000, dtype=ta.float32).reshape(100, 100) / 10000
    a[7, 50] = -3.0
    found = record(a.array)
    assert (found["shape"], found["min"], found["max"], found["top"]) == ([100, 100], "-3", "0.9999", 3.0) and "numbers" not in found
    levels = base64.b64decode(found["levels"])
    assert len(levels) == found["rows"] * found["columns"] <= 24 * 32
    row, column = 7 // found["step"][0], 50 // found["step"][1]
    assert levels[row * found["columns"] + column] == 0 and levels.count(0) == 1
    assert levels[-1] == round(0.9999 / 3 * TOP) + TOP


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_are_given_so_that_they_can_be_read_back(dtype: str) -> None:
    x = ta.tensor([0.1, 1 / 3, 1e-7, -6e4], dtype=getattr(ta, dtype))
    assert read_back([float(v) for v in record(x.array)["numbers"]], dtype) == flat(x)


def test_what_is_no_number_is_counted_and_marked() -> None:
    found = record(ta.tensor([[math.nan, math.inf], [-math.inf, 2.0]]).array)
    assert (found["nan"], found["plus"], found["minus"], found["min"], found["max"]) == (1, 1, 1, "2", "2")
    assert list(base64.b64decode(found["levels"]))[:2] == [NAN, PLUS] and found["numbers"] == ["nan", "inf", "-inf", "2"]
    assert "min" not in record(ta.tensor([math.nan]).array)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (3,), (2, 3, 4), (2, 1, 3, 5), (65,)])
def test_arrays_of_any_shape_are_recorded(shape: tuple[int, ...]) -> None:
    found = record(ta.ones(shape).array)
    assert found["size"] == math.prod(shape) and json.dumps(found, allow_nan=False)
    if found["size"] > 1:
        assert found["rows"] * found["columns"] >= min(found["size"], 24)


def test_empty_arrays_float16_and_infinities_play() -> None:
    x = ta.tensor([[0.0, 4.0], [1e30, -1.0]], requires_grad=True)
    with Tape(values=True) as tape:
        loss = (x.sqrt() + (x * x).log()).sum() + x.half().exp().sum().float() + x[:, :0].sum()
    page = player(loss, tape=tape, names={"x": x})
    assert {"float16", "float32"} <= {a["dtype"] for a in data(page)["arrays"]}
    assert any("NaN" in s["text"] for s in page.data["steps"])


def test_the_page_stays_under_its_bound_by_coarser_heat_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ta.randn(200, 200, requires_grad=True)
    loss = (x.tanh() * x).sum()
    whole = player(loss)
    assert len(whole.html.encode()) < pages.MOST_BYTES
    monkeypatch.setattr(pages, "MOST_BYTES", len(whole.html.encode()) - 2000)
    assert max(a.get("columns", 0) for a in data(player(loss))["arrays"]) <= 16


# ------------------------------------------------------------------------------------------------- files, misuse, harm
def test_the_page_is_written_whole_and_shows_itself_in_a_notebook(tmp_path: Path) -> None:
    page, _, _ = trained(tmp_path / "new" / "page.html")
    assert page.path is not None and page.path.read_text(encoding="utf-8") == page.html
    assert [p.name for p in page.path.parent.iterdir()] == ["page.html"]
    assert "iframe" in page._repr_html_() and "<script" not in page._repr_html_() and "11 steps" in repr(page)


def test_the_page_asks_for_nothing() -> None:
    page, _, _ = trained()
    assert "default-src 'none'" in page.html
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[^\s\"'<)]*", re.sub(r"//.*?\n", "", page.html)))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


EVIL = "</script><b>x</b><img src=x onerror=alert(1)>"


class Hostile(nn.Module):
    """A module whose name is a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module(EVIL.replace(".", ""), nn.Linear(2, 2))

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        return next(iter(self.children()))(x).sum()


def test_names_cannot_break_out_of_the_page() -> None:
    page = player(Hostile(), ta.ones(3, 2), title="</title><script>alert(2)</script>")
    assert "<b>x" not in page.html and "<img" not in page.html and "<script>alert" not in page.html
    assert page.html.count("</script>") == 2 and EVIL.replace(".", "") in json.dumps(data(page))


@pytest.mark.parametrize("call, error, words", [
    (lambda x: player(x), GraphError, "no recorded op"), (lambda x: player(3.0), ArgumentError, "neither a tensor nor a function"),
    (lambda x: player((x * x).sum(), "page.svg"), ArgumentError, "html"), (lambda x: player(x.sum(), x), ArgumentError, "as it is"),
    (lambda x: player(lambda x: (x * 2, x * 3), x), ArgumentError, "one result"), (lambda x: player(x * x, limit=2), ArgumentError, "limit >= 8"),
    (lambda x: player(x * x, direction="up"), ArgumentError, "down or right"), (lambda x: freed(x), GraphError, "freed")])
def test_misuse_is_told(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(ta.ones(2, requires_grad=True))


def freed(x: ta.Tensor) -> Player:
    loss = (x * x).sum()
    loss.backward()
    return player(loss)


def test_the_page_about_it_shows_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "study" / "player.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)\n```", text, re.S).groups()  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with ta.backend.use("numpy"), contextlib.redirect_stdout(out):
        exec(compile(code, "example.py", "exec"), {})
    assert out.getvalue().rstrip() == shown
