"""The Stepper ends where backward does, to the bit; before the end it has changed nothing; and it stops where it is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, GraphError, MissingPackageError
from tinygrad_act.study import Stepper, Tape, norm_above, norm_below, not_finite

Made = tuple[ta.Tensor, list[ta.Tensor]]
NETWORKS: dict[str, Callable[[], Made]] = {}


def network(make: Callable[[], Made]) -> Callable[[], Made]:
    NETWORKS[make.__name__] = make
    return make


@network
def mlp() -> Made:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 2))
    return nn.functional.cross_entropy(m(ta.randn(5, 3)), ta.tensor([0, 1, 0, 1, 1])), list(m.parameters())


@network
def lstm() -> Made:
    m = nn.LSTM(3, 4, num_layers=2)
    out, (h, c) = m(ta.randn(6, 2, 3))
    return (out * out).sum() + h.sum() - c.mean(), list(m.parameters())


@network
def transformer_block() -> Made:
    m = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return m(ta.randn(2, 5, 8)).square().mean(), list(m.parameters())


@network
def shared_layers() -> Made:
    layer = nn.Linear(4, 4)
    x = ta.randn(3, 4, requires_grad=True)
    y = layer(layer(layer(x).relu()) + x)
    return (y * y).sum(), [x, *layer.parameters()]


@network
def second_and_third_order() -> Made:
    x = ta.tensor([0.3, -0.8], requires_grad=True)
    (g,) = ta.autograd.grad((x.tanh() * x).sum(), x, create_graph=True)
    (h,) = ta.autograd.grad((g * g).sum(), x, create_graph=True)
    return h.sum(), [x]


@network
def several_outputs() -> Made:
    x = ta.randn(4, 6, requires_grad=True)
    values, _ = x.max(1)
    a, b, c = x.split(2, dim=1)
    return (values * a[:, 0]).sum() + (b * c).sum() + x.sort(1)[0][:, 0].sum(), [x]


@network
def changed_in_place() -> Made:
    x = ta.randn(4, requires_grad=True)
    y = x * 2
    y[1:3] *= 3
    y.add_(1)
    y[0] = 5.0
    return y.exp().sum(), [x]


@network
def scalars() -> Made:
    a, b = ta.tensor(2.0, requires_grad=True), ta.tensor(-1.0, requires_grad=True)
    return a * b + a.sin() / b, [a, b]


@network
def empty() -> Made:
    x = ta.zeros(0, 3, requires_grad=True)
    return (x * 2).sum(), [x]


@network
def halves() -> Made:
    x = ta.randn(4, 3, requires_grad=True, dtype=ta.float16)
    return (x.sigmoid() * x).sum(), [x]


def same(a: ta.Tensor | None, b: ta.Tensor | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and a.dtype == b.dtype and ta.equal(a, b))


@pytest.mark.parametrize("twice", [False, True], ids=["None", "added up"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_end_is_that_of_backward_to_the_bit(name: str, twice: bool) -> None:
    ta.manual_seed(0)
    loss, leaves = NETWORKS[name]()
    ta.manual_seed(0)
    theirs, their_leaves = NETWORKS[name]()
    if twice:
        loss.backward(retain_graph=True)
        theirs.backward(retain_graph=True)
    theirs.backward()
    stepper = Stepper(loss)
    count = sum(1 for _ in stepper)
    assert stepper.finished and count == len(stepper.stops) <= stepper.total
    assert all(map(same, [t.grad for t in leaves], [t.grad for t in their_leaves]))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stop_shows_and_until_the_end_nothing_has_changed(name: str) -> None:
    pytest.importorskip("rich")
    ta.manual_seed(0)
    loss, leaves = NETWORKS[name]()
    stepper = Stepper(loss)
    while stepper.position < stepper.total and (stop := stepper.step()):
        assert stop.name in repr(stop) and len(stop.rules) >= 1 and "<table" in stop._repr_html_()
        assert all(len(line) <= 80 for line in stop.text(80).splitlines())
        assert all(t.grad is None for t in leaves)
    loss.backward()                                            # abandoned: the graph is whole
    assert all(t.grad is not None for t in leaves)


def test_going_back_gives_the_leaves_what_they_had_and_forward_again_the_same() -> None:
    ta.manual_seed(0)
    loss, leaves = shared_layers()
    loss.backward(retain_graph=True)
    handles, before = [t.grad for t in leaves], [t.grad.clone() for t in leaves if t.grad is not None]
    stepper = Stepper(loss)
    assert stepper.run() is None and stepper.finished
    after = [t.grad.clone() for t in leaves if t.grad is not None]
    assert stepper.back() is stepper.stops[-1] and not stepper.finished
    assert all(map(same, [t.grad for t in leaves], before))
    assert all(t.grad is h for t, h in zip(leaves, handles, strict=True))
    assert stepper.back(3) is stepper.stops[-4]
    first = stepper.stops[-3]
    assert stepper.step() is first, "a stop was computed again"
    assert stepper.run() is None
    assert all(map(same, [t.grad for t in leaves], after))
    stepper.reset()
    assert stepper.stop is None and all(map(same, [t.grad for t in leaves], before))


def test_later_backward_passes_leave_the_stops_alone() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    stepper = Stepper(loss)
    stepper.run()
    shown = repr(stepper.stops[-1])
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    assert x.grad is not None and x.grad.tolist() == [6.0, 12.0] and repr(stepper.stops[-1]) == shown
    loss.backward()
    assert "freed" in repr(stepper.stops[-1])


def test_hooks_and_retained_gradients_are_those_of_backward() -> None:
    def make() -> tuple[ta.Tensor, ta.Tensor, ta.Tensor, list[str]]:
        x = ta.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        y.register_hook(lambda g: g * 10)
        seen: list[str] = []
        x.register_hook(lambda g: seen.append("leaf"))
        x.register_post_accumulate_grad_hook(lambda t: seen.append("after"))
        return x, y, (y * y).sum(), seen

    x, y, loss, seen = make()
    stepper = Stepper(loss)
    stepper.step(2)
    assert y.grad is None and not seen, "half-done"
    stepper.run()
    theirs = make()
    theirs[2].backward()
    assert same(x.grad, theirs[0].grad) and same(y.grad, theirs[1].grad) and seen == theirs[3] == ["leaf", "after"]
    stepper.back()
    assert x.grad is None and y.grad is None
    loss.backward()                                            # the hook of retain_grad is in its place again
    assert same(y.grad, theirs[1].grad)


def test_a_loss_with_a_gradient_given_and_one_that_is_a_leaf() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    g = ta.tensor([1.0, 10.0])
    Stepper(x * x, gradient=g).run()
    assert x.grad is not None and x.grad.tolist() == [2.0, 40.0]
    w = ta.tensor(3.0, requires_grad=True)
    assert Stepper(w).step() is None
    assert w.grad is not None and w.grad.item() == 1.0


# ------------------------------------------------------------------------------------------------- breakpoints
def taped() -> tuple[nn.Module, ta.Tensor, Tape, ta.Tensor]:
    ta.manual_seed(0)
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 1))
    with Tape(m) as tape:
        h = m(ta.randn(5, 3))
        loss = h.square().mean()
    return m, h, tape, loss


@pytest.mark.parametrize("until, name", [
    ("tanh", "tanh"), ("linear_2", "linear_2"), ("2", "relu"), ("2.0", "linear_2"), ("2.0.weight", "linear_2"), (4, "relu"),
    (lambda stop: stop.number == 2, "square"),
])
def test_it_stops_where_it_is_told(until: Any, name: str) -> None:
    m, _, tape, loss = taped()
    stop = Stepper(loss, tape, m).run(until)
    assert stop is not None and stop.name == name


def test_it_stops_at_tensors() -> None:
    m, h, tape, loss = taped()
    stop = Stepper(loss, tape, m).run(until=h)
    assert stop is not None and stop.node is h.grad_fn
    stop = Stepper(loss, tape, m).run(until=m[0].weight)
    assert stop is not None and stop.name == "linear_1"
    stop = Stepper(loss, tape, m).run(until=h.grad_fn)
    assert stop is not None and stop.node is h.grad_fn


def test_breakpoints_stay_and_back_passes_them() -> None:
    m, _, tape, loss = taped()
    stepper = Stepper(loss, tape, m)
    stepper.break_at("relu")
    stepper.break_at("tanh")
    assert [stop.name if (stop := stepper.run()) else None for _ in range(3)] == ["relu", "tanh", None]
    stepper.reset()
    assert (stop := stepper.run()) and stop.name == "relu"


def test_ready_made_conditions() -> None:
    x = ta.tensor([1e-3, 1.0], requires_grad=True)
    stop = Stepper((1 / (x * 2)).sum()).run(until=norm_above(1e4))
    assert stop is not None and stop.name == "div" and stop.norm < 2 < 1e4
    stop = Stepper((x * 30 + 60).sigmoid().sum()).run(until=norm_below(1e-9))
    assert stop is not None and stop.name == "sigmoid"
    z = ta.tensor([0.0, 1.0], requires_grad=True)
    stop = Stepper(z.abs().sqrt().sum()).run(until=not_finite())
    assert stop is not None and stop.name == "sqrt"
    assert Stepper((z * 2).sum()).run(until=not_finite()) is None


def test_a_stop_tells_rules_saved_arrays_and_sums() -> None:
    x = ta.tensor([1.0, -2.0], requires_grad=True)
    y = x.exp()
    stepper = Stepper((y * y + y).sum(), names={"x": x, "y": y})
    stops = list(stepper)
    by_name = {stop.name: stop for stop in stops}
    assert by_name["y"].formula == "exp(x)" and by_name["y"].rules == {"x": "g * y"}
    assert set(by_name["y"].saved) == {"y"}
    (_, first, _), (_, second, total) = by_name["mul"].accumulated
    assert (first, second) == (1, 2), "the sum of add came first"
    assert ta.equal(ta.as_tensor(total), ta.as_tensor(by_name["y"].gradient))
    assert "part 3, sum" in repr(by_name["mul"])
    assert by_name["sum"].line == by_name["sum"].module == ""


def test_lines_and_modules_come_from_the_tape() -> None:
    m, _, tape, loss = taped()
    stop = Stepper(loss, tape, m).run("relu")
    assert stop is not None and stop.module == "2.1" and "test_stepper.py" in stop.line and "in 2.1" in repr(stop)


def test_a_tape_sees_the_sweep() -> None:
    x = ta.tensor([1.0], requires_grad=True)
    loss = (x * x).sum()
    with Tape(gradients=True) as tape:
        Stepper(loss).run()
    assert len(tape.sweeps) == 2


# ------------------------------------------------------------------------------------------------- the session
def session(commands: list[str]) -> tuple[str, Stepper, ta.Tensor]:
    pytest.importorskip("rich")
    x = ta.tensor([0.5, -1.0], requires_grad=True)
    out = io.StringIO()
    stepper = Stepper((x * x).tanh().sum(), names={"x": x})
    stepper.interact(commands, out)
    return out.getvalue(), stepper, x


def test_the_session_in_a_terminal() -> None:
    text, stepper, x = session(["n", "", "b", "r x", "g", "w", "r", "b", "q", "n"])
    for part in ("1/3  sum", "2/3  tanh", "3/3  mul", "for x: [", "the end: 3 nodes", "Stepper: at 3 of 3"):
        assert part in text, part
    assert stepper.position == 3 and x.grad is None, "q came before the last n"
    assert "breakpoints: tanh" in session(["k tanh", "r"])[0]


def test_the_session_survives_mistakes() -> None:
    text, _, _ = session(["r nonsense", "what", "b", "r 77", "g"])
    assert "no op, leaf or module" in text and "q         quit" in text and "before the first node" in text


def test_the_session_reads_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\nr\n"))
    x = ta.tensor([0.5, -1.0], requires_grad=True)
    out = io.StringIO()
    Stepper((x * x).sum()).interact(file=out)
    assert "the end" in out.getvalue() and x.grad is not None


def test_without_rich_pages_are_markdown_and_the_session_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    stepper = Stepper(ta.tensor(1.0, requires_grad=True).exp())
    assert repr(stepper.step()).startswith("### 1/1  exp")
    with pytest.raises(MissingPackageError, match="study"):
        stepper.interact([])


def test_a_graph_of_ten_thousand_nodes() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(5000):
        y = (y * 0.999).tanh()
    stepper = Stepper(y)
    assert stepper.run(until=9990) is not None and stepper.run() is None
    ours, x.grad = x.grad, None
    y.backward()
    assert same(ours, x.grad)


def test_misuse_is_told() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="scalar"):
        Stepper(x * 2)
    with pytest.raises(GraphError, match="does not require"):
        Stepper(ta.ones(()))
    with pytest.raises(ArgumentError):
        Stepper(3.0)
    stepper = Stepper((x * 2).sum())
    with pytest.raises(ArgumentError, match="study.Tape"):
        stepper.run(until="layer1")
    with pytest.raises(ArgumentError, match="never comes"):
        stepper.run(until=ta.ones(1))
    with pytest.raises(ArgumentError, match="none of the things"):
        stepper.run(until=1.5)
    for count in (-1, 1.5):
        with pytest.raises(ArgumentError, match="whole number"):
            stepper.step(count)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="whole number"):
            stepper.back(count)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="mapping"):
        Stepper((x * 2).sum(), names="x")
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(GraphError, match="freed"):
        Stepper(loss).step()
