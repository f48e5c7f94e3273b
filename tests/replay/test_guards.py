"""What a replay depends on is looked at each time: it is recorded again, or runs eagerly with the reason said, and is never wrong."""

from __future__ import annotations

import threading
import types
import weakref
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, GraphError

FACTOR = 2.0
HIDDEN = nn.Linear(2, 2)
TICKS: list[int] = []


def many(step: Any, *args: Any, n: int = 4) -> Any:
    return [step(*args) for _ in range(n)][-1]


def test_shapes_dtypes_and_numbers_among_the_arguments_have_recordings_of_their_own() -> None:
    step = ta.compile(lambda x, k: (x * k).sum())
    for x in (ta.ones(3), ta.ones(2, 2), ta.ones(3, dtype=ta.float64), ta.ones(6)[::2]):
        for k in (1.0, 2):
            assert many(step, x, k).item() == k * x.sum().item()
            assert many(step, x, k).dtype == x.dtype
    assert step.counts == {"replayed": 48, "recorded": 16, "eager": 0}
    assert step(ta.ones(3), k=2).item() == 6


def test_one_tensor_passed_twice_is_not_two() -> None:
    step = ta.compile(lambda x, y: x * 2 + y)
    a, b = ta.ones(2), ta.zeros(2)
    assert many(step, a, a).tolist() == [3, 3]
    assert many(step, a, b).tolist() == [2, 2]


def test_modes_of_modules_and_of_gradients() -> None:
    layer = nn.Dropout(0.5)
    step = ta.compile(lambda x: layer(x))
    x = ta.ones(64)
    assert (many(step, x) == 0).any()
    layer.eval()
    assert not (many(step, x) == 0).any()
    layer.train()
    layer.p = 0.0
    assert many(step, x).sum().item() == 64
    assert step.counts["recorded"] == 6
    assert "it was" in step.report()


def test_random_numbers_are_drawn_anew_and_in_order() -> None:
    step = ta.compile(lambda x: x + ta.rand(3, device=x.device))
    x = ta.zeros(3)
    ta.manual_seed(1)
    ours = [step(x).tolist() for _ in range(5)]
    ta.manual_seed(1)
    assert ours == [ta.rand(3, device=x.device).tolist() for _ in range(5)]
    ta.manual_seed(1)
    assert step(x).tolist() == ours[0]


def test_numbers_and_tensors_that_a_step_finds_by_itself() -> None:
    global FACTOR
    scale, w = 3.0, ta.ones(2)
    held = {"w": ta.full((2,), 5.0)}

    def value(x: Any) -> Any:
        return x * scale * FACTOR + w + held["w"]
    step, x = ta.compile(value), ta.ones(2)
    assert many(step, x).tolist() == [12, 12]
    scale = 4.0
    assert many(step, x).tolist() == [14, 14]
    FACTOR = 1.0
    assert many(step, x).tolist() == [10, 10]
    FACTOR = 2.0
    w = ta.zeros(2)
    assert many(step, x).tolist() == [13, 13]
    held["w"] = ta.zeros(2)
    assert many(step, x).tolist() == [8, 8]
    w += 1                                    # in place: the same tensor
    before = step.counts["recorded"]
    assert many(step, x).tolist() == [9, 9]
    assert step.counts["recorded"] == before


def test_parameters_changed_in_place_replaced_and_frozen() -> None:
    layer = nn.Linear(2, 1, bias=False)

    def value(x: Any) -> Any:
        layer.zero_grad()
        out = layer(x).sum()
        out.backward()
        return out
    step, x = ta.compile(value), ta.ones(1, 2)
    layer.load_state_dict({"weight": ta.tensor([[1.0, 2.0]])})
    assert many(step, x).item() == 3
    layer.load_state_dict({"weight": ta.tensor([[2.0, 2.0]])})
    assert step(x).item() == 4
    assert step.counts["recorded"] == 2
    layer.weight = nn.Parameter(ta.tensor([[5.0, 5.0]]))
    assert many(step, x).item() == 10
    layer.weight.data = ta.tensor([[6.0, 6.0]])
    assert many(step, x).item() == 12
    layer.to(ta.float64)
    assert many(step, x.double()).dtype == ta.float64


def test_decisions_by_numbers_have_a_variant_each() -> None:
    w = ta.zeros(1)

    def value(x: Any) -> Any:
        global FACTOR
        with ta.no_grad():
            w.add_(1)                         # before the decision: it must not be done twice
        noise = ta.rand(1, device=x.device)
        return (x * 2 if x.sum() > 0 else x * 3), noise
    step = ta.compile(value)
    ta.manual_seed(2)
    noise = []
    for i, k in enumerate([1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0, -1.0, 1.0]):
        out, n = step(ta.full((2,), k))
        assert out.tolist() == [2 * k] * 2 if k > 0 else [3 * k] * 2
        assert w.item() == i + 1
        noise.append(n.item())
    ta.manual_seed(2)
    assert noise == [ta.rand(1, device=w.device).item() for _ in noise]
    assert step.counts["recorded"] == 4
    assert step.counts["replayed"] == 5


def test_the_way_that_the_last_step_went_is_tried_first() -> None:
    step = ta.compile(lambda x: x * 2 if x.sum() > 0 else x * 3)
    for k in (1.0, -1.0, 1.0):
        assert many(step, ta.full((2,), k)).tolist() == [2 * k if k > 0 else 3 * k] * 2
        (way,) = step.ways.values()
        tried: list[Any] = []
        for variant in way.variants:
            variant.replay = lambda tensors, variant=variant, tried=tried: tried.append(variant) or type(variant).replay(variant, tensors)
        step(ta.full((2,), k))
        assert tried == way.variants[:1]


def test_a_number_that_is_read_as_an_array_and_stays_the_same() -> None:
    step = ta.compile(lambda x: x * 2 if (x > 0).all().cpu().numpy() else x)
    assert [many(step, ta.ones(3)).tolist(), many(step, -ta.ones(3)).tolist()] == [[2] * 3, [-1] * 3]
    assert step.counts == {"replayed": 4, "recorded": 4, "eager": 0}


def test_a_number_that_is_read_each_time_ends_in_eager_mode() -> None:
    step = ta.compile(lambda x: x * x.sum().item())
    with pytest.warns(UserWarning, match="runs eagerly"):
        for k in range(1, 14):
            assert step(ta.full((2,), float(k))).tolist() == [2 * k * k] * 2
    assert step.counts == {"replayed": 0, "recorded": 4, "eager": 9}
    assert "v1" not in step.report()


@pytest.mark.parametrize(("body", "said"), [
    (lambda x: x * 2 if x.sum().item() > 3 else x, r"number read at test_guards.py:\d+ in <lambda> is another at each step \(.*compare the Tensor itself"),
    (lambda x: x[x > 3].sum(), r"at test_guards.py:\d+ in <lambda> has another shape at each step .*mask"),
    (lambda x: x * TICKS.pop(), r"mul at test_guards.py:\d+ in <lambda> is given a number that is another at each step|TICKS"),
    (float, r"number read at test_guards.py:\d+ in .* is another at each step"),
])
def test_it_is_said_in_which_line_and_what_to_write_instead(body: Any, said: str) -> None:
    step, x = ta.compile(lambda x: body(x.sum()) if body is float else body(x)), ta.arange(20.0)
    TICKS[:] = range(40)
    with pytest.warns(UserWarning, match=said):
        for i in range(12):
            step(x * 0.1 * (i + 1))
    assert step.counts["recorded"] <= 6


LOSSES = {
    "classes": lambda z, t: nn.functional.cross_entropy(z, t[:, 0]), "classes in a row": lambda z, t: nn.functional.cross_entropy(z.view(-1, 3), t[:, :1].view(-1)),
    "probabilities": lambda z, t: nn.functional.binary_cross_entropy(ta.sigmoid(z), (t > 1).float()),
    "variances": lambda z, t: nn.functional.gaussian_nll_loss(z, t.float(), z * z)}


def twice(loss: Any) -> Any:
    """A network, and a step of two losses with an optimizer's step between, as adversaries and actors with critics have it."""
    ta.manual_seed(0)
    net = nn.Linear(2, 3)
    optimizer = ta.optim.SGD(net.parameters(), lr=0.1)

    def step(x: Any, t: Any) -> Any:
        for _ in range(2):
            optimizer.zero_grad()
            value = loss(net(x), t)
            value.backward()
            optimizer.step()
        return value
    return net, step


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_looks_at_after_an_optimizers_step_is_no_reason_to_run_eagerly(name: str) -> None:
    (eager, step), (net, plain) = twice(LOSSES[name]), twice(LOSSES[name])
    compiled = ta.compile(plain, fullgraph=True)
    for i in range(6):
        ta.manual_seed(i)
        x, t = ta.randn(4, 2), ta.randint(0, 3, (4, 3))
        assert compiled(x, t).item() == step(x, t).item()
    assert compiled.counts["replayed"] >= 3
    assert all((a == b).all() for a, b in zip(eager.parameters(), net.parameters(), strict=True))


def test_a_replay_raises_what_the_eager_step_raises_after_an_optimizers_step() -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("about the CPU: elsewhere nobody looks")
    net, step = twice(lambda z, t: nn.functional.binary_cross_entropy(z, t))
    with ta.no_grad():
        net.weight.fill_(0)
        net.bias.fill_(0.5)
    compiled, x = ta.compile(step, fullgraph=True), ta.zeros(4, 2)
    for _ in range(6):
        compiled(x, ta.full((4, 3), 0.5))
    before = dict(compiled.counts)
    with pytest.raises(ArgumentError, match="not within 0 and 1"):
        compiled(x, ta.ones(4, 3) * 9)
    assert compiled.counts == before                        # neither recorded again nor run eagerly
    assert (net.bias > 1).all()                             # moved by the first of its two steps


def test_a_network_on_several_processes_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = types.SimpleNamespace(name="alone", device=ta.backend.current_device().type, rank=0, size=1, send=lambda array, src: array)
    monkeypatch.setattr(ta.distributed.group, "_link", alone)
    layer = nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    with pytest.raises(GraphError, match=r"DistributedDataParallel: its hooks .*\.function"):
        ta.compile(lambda x: layer(x).sum().backward())(ta.ones(1, 2))


def test_a_gradient_scaler_is_given_up_soon() -> None:
    layer = nn.Linear(2, 1)
    optimizer, scaler = ta.optim.SGD(layer.parameters(), lr=0.1), ta.amp.GradScaler("cpu")

    def value(x: Any) -> Any:
        optimizer.zero_grad()
        loss = layer(x).sum()
        scaler.scale(loss).backward()
        return loss
    step = ta.compile(value)
    with pytest.warns(UserWarning, match="scaler._scale is another Tensor than it was"):
        for _ in range(9):
            step(ta.ones(1, 2))
            scaler.step(optimizer)
            scaler.update()
    assert step.counts["recorded"] <= 5


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def step(self, x: Any) -> Any:
        self.count += 1
        return x * 2


def side_effect() -> Any:
    counter = Counter()
    return counter.step, (ta.ones(2),), "count"


def iterator() -> Any:
    numbers = iter(range(100))
    return (lambda x: x * next(numbers)), (ta.ones(2),), "takes from an iterator"


def graph_left() -> Any:
    layer = nn.Linear(2, 2)
    return (lambda x: layer(x)), (ta.ones(2),), "graph"


def hidden_tensor() -> Any:
    reference = weakref.ref(HIDDEN)
    return (lambda x: x + reference().bias), (ta.ones(2),), "pass it as an argument"


def state_of_generator() -> Any:
    return (lambda x: x + ta.get_rng_state().sum().item() * 0), (ta.ones(2),), "generator"


def second_gradient() -> Any:
    w = nn.Parameter(ta.ones(2))

    def step(x: Any) -> None:
        w.grad = None
        (w * w * x).sum().backward(create_graph=True)
    return step, (ta.ones(2),), "graph of its own"


@pytest.mark.parametrize("make", [side_effect, iterator, graph_left, hidden_tensor, state_of_generator, second_gradient])
def test_what_cannot_be_replayed_runs_eagerly_and_says_why(make: Any) -> None:
    function, args, reason = make()
    step = ta.compile(function)
    with pytest.warns(UserWarning, match=reason):
        many(step, *args, n=6)
    assert step.counts["eager"] > 0
    assert step.counts["replayed"] == 0
    function, args, reason = make()
    with pytest.raises(GraphError, match=reason):
        many(ta.compile(function, fullgraph=True), *args, n=6)


def test_a_side_effect_happens_each_time_all_the_same() -> None:
    counter = Counter()
    step = ta.compile(counter.step)
    with pytest.warns(UserWarning, match="count"):
        many(step, ta.ones(2), n=7)
    assert counter.count == 7


def test_hooks_and_listeners_are_refused() -> None:
    layer, x = nn.Linear(2, 2), ta.ones(1, 2)

    def value(x: Any) -> Any:
        layer.zero_grad()
        layer(x).sum().backward()
    step = ta.compile(value)
    many(step, x)
    with pytest.raises(GraphError, match="detect_anomaly is listening"), ta.autograd.detect_anomaly():
        step(x)
    with pytest.raises(GraphError, match=r"autocast around the call.*put `with ta.autocast.*inside the step"), ta.autocast("cpu"):
        step(x)
    handle = layer.register_forward_hook(lambda m, i, o: None)
    with pytest.raises(GraphError, match="hooks"):
        step(x)
    handle.remove()
    many(step, x)
    layer.weight.register_hook(lambda g: g * 2)
    with pytest.raises(GraphError, match="hooks"):
        step(x)


def test_errors_of_a_step_are_those_of_eager_mode() -> None:
    loss = nn.CrossEntropyLoss()
    step = ta.compile(lambda x, y: loss(x, y))
    x = ta.zeros(2, 3)
    many(step, x, ta.tensor([0, 2]))
    if ta.backend.current() == "numpy":
        with pytest.raises(ta.errors.IndexingError, match="out of range"):
            step(x, ta.tensor([0, 3]))
    assert round(step(x, ta.tensor([0, 2])).item(), 4) == 1.0986


def test_results_are_new_each_time_and_gradients_the_last_ones() -> None:
    w = nn.Parameter(ta.ones(2))
    optimizer = ta.optim.SGD([w], lr=0.0)

    def value(x: Any) -> Any:
        optimizer.zero_grad()
        out = (w * x).sum()
        out.backward()
        optimizer.step()
        return out
    step = ta.compile(value)
    results = [step(ta.full((2,), float(k))) for k in range(6)]
    assert [r.item() for r in results] == [0, 2, 4, 6, 8, 10]
    assert w.grad.tolist() == [5, 5]
    with pytest.raises(GraphError, match="second backward"):
        results[-1].backward()


def test_a_gradient_that_is_given_another_array() -> None:
    w = nn.Parameter(ta.ones(2))
    optimizer = ta.optim.SGD([w], lr=1.0)

    def value(x: Any) -> Any:
        optimizer.zero_grad()
        (x * w).sum().backward()
        w.grad.data = w.grad.data * 0.5
        optimizer.step()
    step = ta.compile(value)
    x = ta.tensor([2.0, 4.0])
    many(step, x)
    assert step.counts["replayed"] == 2
    assert w.grad.tolist() == [1, 2]
    assert w.tolist() == [-3, -7]


def test_one_recording_at_a_time() -> None:
    inside, outside = threading.Event(), threading.Event()

    def slow(x: Any) -> Any:
        inside.set()
        outside.wait(10)
        return x * 2
    first, second = ta.compile(slow), ta.compile(lambda x: x * 3)
    thread = threading.Thread(target=first, args=(ta.ones(2),))
    thread.start()
    inside.wait(10)
    w = nn.Parameter(ta.ones(2))
    (second(w.detach()) * w).sum().backward()
    outside.set()
    thread.join()
    assert w.grad is not None
    assert w.grad.tolist() == [3, 3]
    assert second.counts["recorded"] == 0
    assert many(second, ta.ones(2)).tolist() == [3, 3]
    assert many(first, ta.ones(2)).tolist() == [2, 2]


def test_a_call_that_failed_was_no_recording() -> None:
    step = ta.compile(lambda x: x.reshape(99))
    with pytest.raises(ta.errors.ShapeError):
        step(ta.ones(3))
    assert step.report().count("recorded:") == 0


def test_a_step_that_finds_other_tensors_each_time_says_so() -> None:
    box = [ta.ones(2)]
    step = ta.compile(lambda: box[0] * 2)
    with pytest.warns(UserWarning, match=r"recorded 4 times; box\.0 is another Tensor than it was"):
        for i in range(10):
            box[0] = ta.full((2,), float(i))
            assert step().tolist() == [2.0 * i] * 2
