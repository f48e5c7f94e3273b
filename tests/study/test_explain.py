"""The chain rule worked out is the gradient: every number in it is recomputed; and the contributions of paths add up."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.errors import ArgumentError, GraphError, IndexingError
from tinygrad_act.study import Tape, explain, paths
from tinygrad_act.study.values import count_text, host, number

Made = tuple[ta.Tensor, ta.Tensor]


def mlp() -> Made:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return nn.functional.cross_entropy(m(ta.randn(5, 3)), ta.tensor([0, 1, 0, 1, 1])), m[0].weight


def cell() -> Made:
    m = nn.LSTMCell(2, 2)
    h, c = m(ta.randn(2, 2))
    h, c = m(ta.randn(2, 2), (h, c))
    return (h * c).sum(), m.weight_hh


def lstm() -> Made:
    m = nn.LSTM(2, 2)
    out, _ = m(ta.randn(4, 1, 2))
    return out.square().sum(), m.weight_hh_l0


def transformer_block() -> Made:
    m = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
    return m(ta.randn(1, 3, 4)).square().sum(), m.linear1.weight


def shared() -> Made:
    layer = nn.Linear(2, 2)
    x = ta.randn(2, 2)
    return layer(layer(x).relu() + x).square().sum(), layer.weight


def broadcast() -> Made:
    b = ta.randn(3, requires_grad=True)
    return ((ta.randn(2, 3) + b) * b).tanh().sum(), b


def several_outputs() -> Made:
    x = ta.randn(3, 4, requires_grad=True)
    values, _ = x.max(1)
    a, b = x.split(2, dim=1)
    return (values * a[:, 0]).sum() + (b * b).sum(), x


def second_order() -> Made:
    x = ta.tensor([0.3, -0.8], requires_grad=True)
    (g,) = ta.autograd.grad((x.tanh() * x).sum(), x, create_graph=True)
    return (g * g).sum(), x


def in_place() -> Made:
    x = ta.randn(4, requires_grad=True)
    y = x * 2
    y[1:3] *= 3
    return y.exp().sum(), x


def half() -> Made:
    x = ta.randn(3, requires_grad=True, dtype=ta.float16)
    return (x.sigmoid() * x).sum(), x


def scalar() -> Made:
    a = ta.tensor(2.0, requires_grad=True)
    return (a * a).sin() / a, a


MAKERS: list[Callable[[], Made]] = [mlp, cell, lstm, transformer_block, shared, broadcast, several_outputs, second_order, in_place, half, scalar]


def gradient_of(loss: ta.Tensor, wrt: ta.Tensor) -> ta.Tensor:
    (g,) = ta.autograd.grad(loss, wrt, retain_graph=True)
    assert g is not None
    return g


def close(a: Any, b: Any, dtype: Any) -> bool:
    tolerance = 2e-2 if dtype == ta.float16 else 1e-4
    a, b = host(a), host(b)
    return bool((abs(a - b) <= tolerance * (1e-3 + abs(b).max())).all())


# ------------------------------------------------------------------------------------------------------- explain
@pytest.mark.parametrize("make", MAKERS)
def test_each_step_is_incoming_times_local_and_the_last_ones_add_up(make: Callable[[], Made]) -> None:
    ta.manual_seed(0)
    loss, wrt = make()
    found = explain(loss, wrt, names={"w": wrt})
    g = gradient_of(loss, wrt)
    assert ta.equal(found.gradient, g) and wrt.grad is None
    last = [host(step.value) for step in found.steps if step.input == "w"]
    assert close(sum(last[1:], last[0]), g, wrt.dtype)
    for step in found.steps:
        if step.lines and step.local is not None:
            product = sum(line.product for line in step.lines)
            assert math.isclose(product, float(host(step.value).sum()), rel_tol=2e-2, abs_tol=1e-3), step.name
    assert close(found.paths.sum(), g, wrt.dtype)


@pytest.mark.parametrize("make", MAKERS)
def test_one_element_is_followed_to_its_derivative(make: Callable[[], Made]) -> None:
    ta.manual_seed(0)
    loss, wrt = make()
    g = host(gradient_of(loss, wrt))
    top = int(abs(g).argmax())
    at = tuple(int(i) for i in divmod(top, g.shape[1])) if g.ndim == 2 else (top,) * g.ndim
    found = explain(loss, wrt, at=at, names={"w": wrt})
    assert found.value == pytest.approx(float(g[at]))
    lines = [line for step in found.steps if step.input == "w" for line in step.lines]
    if lines:
        assert sum(line.product for line in lines) == pytest.approx(float(g[at]), rel=2e-2, abs=1e-5)
    assert make in (transformer_block, lstm) or lines
    for step in found.steps:                                  # every line is what the gradient has at its place
        for line in step.lines if not isinstance(step.value, list) else ():
            place = tuple(map(int, re.findall(r"\d+", line.place)))
            if step.local is None or host(step.value).shape == host(step.gradient).shape:
                assert line.product == pytest.approx(float(host(step.value)[place]), rel=2e-2, abs=1e-5), step.name


def test_worked_by_hand() -> None:
    """loss = -log(sigmoid(w·x + b)) at w = (0.5, -0.3), x = (2, 1), b = 0.1: its slope is x · (sigmoid(0.8) - 1)."""
    w, b = ta.tensor([0.5, -0.3], requires_grad=True), ta.tensor(0.1, requires_grad=True)
    x = ta.tensor([2.0, 1.0])
    loss = ((w * x).sum() + b).sigmoid().log().neg()
    found = explain(loss, w, at=0, names={"w": w, "b": b, "x": x})
    s = 1 / (1 + math.exp(-0.8))
    assert found.value == pytest.approx(2 * (s - 1), abs=1e-6)
    said = {step.name: step.lines[0] for step in found.steps}
    assert said["neg"].local.text == "-1" and said["log"].product == pytest.approx(-1 / s, abs=1e-6)
    assert said["log"].local.text == f"1 / {s:.4g} = {1 / s:.4g}"
    assert said["sigmoid"].product == pytest.approx(s - 1, abs=1e-6)
    assert said["mul"].incoming == f"{s - 1:.4g}" and said["mul"].local.text == "2"
    assert [str(p.way()) for p in found.paths] == ["w → mul → sum → add → sigmoid → log → neg"]
    assert "w * x" in repr(found) and "∂neg/∂w = ∂neg/∂log · ∂log/∂sigmoid" in repr(found).replace("\n", " ")


def test_the_rules_are_the_ops_own() -> None:
    """A user's op with a rule of its own, right or wrong, is explained by that rule."""
    odd = ta.Elementwise("odd", lambda F, x: x * x, lambda F, g, x: g * (7 * x))
    x = ta.tensor([3.0], requires_grad=True)
    (step,) = explain(odd(x), x, names={"x": x}, gradient=ta.ones(1)).steps
    assert step.local is not None and step.local.text == "7 * x" and step.lines[0].local.text == "7 * 3 = 21"
    assert step.formula.text == "x * x" and step.rule.text == "g * 7 * x"


def test_names_like_those_in_rules_do_no_harm() -> None:
    g = ta.tensor([3.0], requires_grad=True)
    y = ta.tensor([5.0], requires_grad=True)
    found = explain((g * y).sum(), g, names={"g": g, "y": y})
    assert [(s.name, s.local.text) for s in found.steps if s.local] == [("mul", "y")]
    assert found.steps[-1].lines[0].local.text == "5" and found.value == 5.0
    assert explain((g.tanh() * y).sum(), g, names={"g": g, "y": y}).value == pytest.approx(5 / math.cosh(3) ** 2)


def test_products_of_a_matrix_rule_are_shown() -> None:
    w = ta.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = ta.tensor([[5.0, 6.0], [7.0, 8.0]])
    found = explain((w @ x).sum(), w, at=(0, 1), names={"w": w})
    (line,) = found.steps[-1].lines
    assert line.local.text == "1·7 + 1·8" and line.product == 15.0
    assert found.steps[-1].rule.text == "g @ const.T"


def test_an_element_is_followed_past_ops_that_it_does_not_reach() -> None:
    """loss = log(Σ exp w²) · sin(w₁w₂): w[1] does not go into getitem_2, and the numbers of its own ways are there all the same."""
    pytest.importorskip("rich")
    w = ta.tensor([0.3, -1.2, 2.0], requires_grad=True, dtype=ta.float64)
    loss = (w * w).exp().sum().log() * (w[1] * w[2]).sin()
    found = explain(loss, w, at=1, names={"w": w})
    total, inner = sum(math.exp(v * v) for v in (0.3, -1.2, 2.0)), -1.2 * 2.0
    by_sum = 2 * -1.2 * math.exp(1.44) / total * math.sin(inner)
    by_product = math.log(total) * math.cos(inner) * 2.0
    assert found.value == pytest.approx(by_sum + by_product)
    said = {step.name: step.lines[0] for step in found.steps if step.name in ("sin", "mul_2")}
    assert said["sin"].product == pytest.approx(math.log(total) * math.cos(inner)) and said["mul_2"].product == pytest.approx(by_product)
    assert all(step.lines for step in found.steps)
    rows = [line.split() for line in found.text(150).splitlines() if line.strip().startswith("w →")]
    assert sorted(float(row[-2]) for row in rows) == pytest.approx(sorted([by_product, 0, by_sum / 2, by_sum / 2]), rel=1e-3)
    assert sorted(float(row[-1].rstrip("%")) for row in rows) == pytest.approx(
        sorted(100 * v / found.value for v in (by_product, 0, by_sum / 2, by_sum / 2)), abs=0.06)


def test_it_renders_everywhere() -> None:
    pytest.importorskip("rich")
    ta.manual_seed(0)
    loss, wrt = mlp()
    found = explain(loss, wrt, at=(1, 2), names={"w": wrt})
    for width in (60, 80, 120):
        assert all(len(line) <= width for line in found.text(width).splitlines())
    assert "| node |" in found.markdown() and "<table" in found.html() and found.html() == found._repr_html_()
    latex = found.latex()
    for opened, closed in (("{", "}"), (r"\begin", r"\end")):
        assert latex.replace(r"\{", "").count(opened) == latex.replace(r"\}", "").count(closed)
    assert r"\frac{\partial" in latex


@pytest.mark.parametrize("make", MAKERS)
def test_the_latex_is_latex(make: Callable[[], Made]) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    ta.manual_seed(0)
    loss, wrt = make()
    found = explain(loss, wrt, names={"w": wrt})
    parser = mathtext.MathTextParser("path")
    for step in found.steps:
        for f in (step.formula, step.local, *[line.local for line in step.lines[:2]]):
            if f is not None and r"\texttt" not in f.latex:
                known = f.latex.replace(r"\le ", r"\leq ").replace(r"\ge ", r"\geq ").replace(r"\lvert", "|").replace(r"\rvert", "|")
                known = known.replace(r"\begin{aligned}", "").replace(r"\end{aligned}", "").replace("&", "")
                for line in known.split(r"\\"):
                    parser.parse(f"${line}$")        # matplotlib knows no \le, and one line


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "gelu_tanh", "softplus"])
def test_a_long_rule_is_printed_line_by_line_and_its_numbers_lead_to_the_derivative(name: str) -> None:
    pytest.importorskip("rich")
    for at, start in enumerate((-1.25, 0.5)):
        x = ta.tensor([-1.25, 0.5], dtype=ta.float64, requires_grad=True)
        found = explain(ta.activations.catalogue[name](x).sum(), x, at=at, names={"x": x})
        long = found.steps[-1].long
        assert long is not None and long.closed is not None and long.closed.text.startswith("in closed form: ")
        names = [line for line, _ in long.lines]
        assert names[-1] == "" and names[:-1] == sorted(set(names[:-1])) and not {"e", "g", "x"} & set(names)
        assert long.values({"x": start})[-1] == pytest.approx(found.value, rel=1e-14)
        rows = long.table(["[0]"], [{"x": start}]).rows
        assert rows[-2][-1] == number(found.value)
        for width in (80, 120):
            text = found.text(width)
            assert all(len(line) <= width for line in text.splitlines()) and f"{name}'(x)" in text
        for text in (found.markdown(), found.html()):
            assert html.escape(rows[0][1].text) in text or rows[0][1].text in text
        assert rows[0][1].latex in found.latex()


def test_a_long_wrong_rule_is_shown_as_it_is() -> None:
    def wrong(F: Any, g: Any, x: Any) -> Any:
        a = F.exp(-F.abs(x)) + F.tanh(x) * F.sin(x)
        return g * g * a / (1 + a * a)

    x = ta.tensor(0.5, requires_grad=True)
    step = explain(study.using("gelu", wrong)(x), x, names={"x": x}).steps[-1]
    assert step.rule.text == "a = exp(-abs(x)) + tanh(x) * sin(x)\ngelu'(x) = g * g * a / (1 + a * a)"


def test_large_tensors_are_told_in_figures() -> None:
    ta.manual_seed(0)
    m = nn.Linear(100, 50)
    found = explain(m(ta.randn(64, 100)).tanh().mean(), m.weight, names=m)
    assert found.value is None and all(not step.lines for step in found.steps) and len(repr(found)) < 6000


def test_the_tape_gives_lines_and_constants() -> None:
    x = ta.tensor(2.0, requires_grad=True)
    with Tape() as tape:
        y = x + 3
    found = explain(y, x, tape=tape, names={"x": x})
    assert found.steps[0].formula.text == "x + 3" and "test_explain.py" in found.steps[0].line


def test_a_long_chain_takes_seconds_and_shows_its_ends() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3500):
        y = (y * 0.999 + 0.1 * x).tanh()
    found = explain(y, x)
    assert "more …" in repr(found) and found.paths.count == 3501
    assert close(found.paths.sum(), gradient_of(y, x), ta.float32)


def test_misuse_is_told() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    other = ta.tensor(1.0, requires_grad=True)
    loss = (x * x).sum()
    with pytest.raises(IndexingError, match="an index for each axis"):
        explain(loss, x, at=2)
    with pytest.raises(IndexingError, match="whole numbers"):
        explain(loss, x, at="a")  # type: ignore[arg-type]
    with pytest.raises(GraphError, match=r"study\.why"):
        explain(loss, other)
    with pytest.raises(GraphError, match=r"study\.why"):
        paths(loss, other)
    with pytest.raises(ArgumentError, match="limit"):
        paths(loss, x, limit=0)
    with pytest.raises(GraphError, match="scalar"):
        explain(x * 2, x)
    loss.backward()
    with pytest.raises(GraphError, match="freed"):
        paths(loss, x)


# --------------------------------------------------------------------------------------------------------- paths
@pytest.mark.parametrize("limit", [1, 2, 5, 32])
@pytest.mark.parametrize("make", MAKERS)
def test_the_parts_add_up_whatever_is_merged(make: Callable[[], Made], limit: int) -> None:
    ta.manual_seed(0)
    loss, wrt = make()
    found = paths(loss, wrt, limit=limit)
    assert close(found.sum(), gradient_of(loss, wrt), wrt.dtype)
    assert len(found) <= limit and sum(p.count for p in found) == found.count
    assert sum(p.share for p in found) == pytest.approx(1, abs=1e-2)


def test_paths_worked_by_hand() -> None:
    x = ta.tensor(3.0, requires_grad=True)
    found = paths(x * x * x + x.exp(), x, names={"x": x})
    assert found.count == 4 and sorted(round(p.value.item(), 3) for p in found) == [9.0, 9.0, 9.0, 20.086]
    assert found[0].way() == "x → exp → add" and found[0].share == pytest.approx(20.0855 / 47.0855, abs=1e-4)


def test_exponentially_many_paths_are_merged_and_said_to_be() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(200):
        y = y * 0.4 + y * 0.6
    found = paths(y, x, limit=10)
    assert found.count == 2**200 and len(found) <= 10 and sum(p.count for p in found) == 2**200
    assert found.sum().item() == pytest.approx(1, rel=1e-4)
    assert "were not told apart" in repr(found) and "about 1.6e60" in repr(found)


def test_more_uses_than_rows() -> None:
    w = ta.tensor(0.5, requires_grad=True)
    loss = sum((w * i for i in range(1, 50)), ta.tensor(0.0))
    found = paths(loss, w, limit=4)
    assert len(found) == 4 and found.sum().item() == pytest.approx(49 * 25) and "46 other uses" in repr(found)


def test_a_result_and_the_loss_itself() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    loss = (y * y).sum()
    assert close(paths(loss, y).sum(), ta.tensor([4.0, 8.0]), ta.float32)
    assert paths(loss, loss).count == 1 and paths(loss, loss).sum().item() == 1


def test_what_cancels_and_what_is_not_finite() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    found = paths((x * 3 - x * 3).sum(), x)
    assert [p.value.tolist() for p in found] in ([[3.0, 3.0], [-3.0, -3.0]], [[-3.0, -3.0], [3.0, 3.0]])
    z = ta.tensor([0.0, 1.0], requires_grad=True)
    assert paths(z.sqrt().sum() + z.sum(), z).count == 2 and "inf" in repr(paths(z.sqrt().sum() + z.sum(), z))


def test_hooks_are_left_out_and_left_alone() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 100)
    loss = y.exp().sum()
    assert close(paths(loss, x).sum(), 2 * y.detach().exp(), ta.float32) and y.grad is None
    loss.backward()
    assert close(x.grad, 200 * y.detach().exp(), ta.float32)


def test_large_counts_print() -> None:
    assert [count_text(n) for n in (1, 1234, 2**40, 10**9, 10**5000)] == ["1", "1,234", "about 1.1e12", "about 1.0e9", "about 1.0e5000"]


def test_random_graphs() -> None:
    """Any graph: every op takes any values that are there."""
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    unary: list[Callable[[ta.Tensor], ta.Tensor]] = [
        ta.tanh, ta.sin, ta.relu, lambda t: t * t, lambda t: t.reshape(3, 2).T, lambda t: t.softmax(1), lambda t: t.cumsum(0),
        lambda t: ta.cat([t[1:], t[:1]]), lambda t: t.sort(1)[0], lambda t: t - t.mean(), lambda t: t @ t.T @ t,
        lambda t: t.max(1)[0].unsqueeze(1) + t.split(1, dim=1)[1]]
    binary: list[Callable[[ta.Tensor, ta.Tensor], ta.Tensor]] = [
        lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a / (b * b + 1), lambda a, b: a @ b.T @ a, ta.maximum]
    choice = st.tuples(st.integers(0, len(unary) + len(binary) - 1), st.integers(0, 99), st.integers(0, 99))

    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(st.lists(choice, min_size=1, max_size=14), st.integers(1, 12))
    def check(plan: list[tuple[int, int, int]], limit: int) -> None:
        ta.manual_seed(1)
        x = ta.randn(2, 3, dtype=ta.float64, requires_grad=True)
        values = [x, ta.randn(2, 3, dtype=ta.float64)]
        for op, i, j in plan:
            a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
            made = unary[op](a) if op < len(unary) else binary[op - len(unary)](a, b)
            values.append(made if made.shape == (2, 3) else made.reshape(2, 3) if made.numel() == 6 else made.expand(2, 3))
        loss = (x * 0).sum() + sum(v.sum() for v in values[2:]) / 10
        g = host(gradient_of(loss, x))
        for most in (limit, 64):
            found = paths(loss, x, limit=most)
            off = abs(host(found.sum()) - g).max() if g.size else 0.0
            weight = sum(p.norm for p in found) + 1e-12
            assert off <= 1e-9 * weight or not math.isfinite(weight)
            assert sum(p.count for p in found) == found.count and len(found) <= most

    check()
