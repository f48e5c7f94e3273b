"""What is said of a step that is not replayed, with what to write instead; and what of it is replayed after all."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import GraphError

from .test_guards import many


def trained(end: Any, retain: bool = False) -> tuple[Any, Any]:
    """A step of training that ends as `end(loss, x)` says, and its argument."""
    ta.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = ta.optim.SGD(net.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        loss = net(x).square().sum()
        optimizer.zero_grad()
        loss.backward(retain_graph=retain)
        optimizer.step()
        return end(loss, x)
    return step, ta.ones(3, 2)


COUNTED = nn.Embedding(4, 2)


@pytest.mark.parametrize(("end", "retain", "said"), [
    (lambda loss, x: loss, True, r"graph is still there: .*without retain_graph=True, or return loss\.detach\(\)"),
    (lambda loss, x: loss.item(), False, r"eagerly: return the loss, and call \.item\(\) outside: a number is read at test_reasons.py:\d+ .*after SGD\.step"),
    (lambda loss, x: x * float(loss), False, r"eagerly: return the loss, and call \.item\(\) outside"),
    (lambda loss, x: x if loss > 1e9 else loss, False, r"eagerly: decide before SGD\.step, or outside"),
    (lambda loss, x: ta.equal(loss, loss), False, r"eagerly: equal reads a number at test_reasons.py:\d+ in .*after SGD\.step"),
    (lambda loss, x: nn.functional.one_hot(loss.long()), False, r"eagerly: one_hot reads a number at test_reasons.py:\d+ in .*after SGD\.step"),
])
def test_what_comes_after_backward_and_an_optimizers_step_is_told_with_its_remedy(end: Any, retain: bool, said: str) -> None:
    step, x = trained(end, retain)
    compiled = ta.compile(step)
    with pytest.warns(UserWarning, match=said):
        many(compiled, x, n=5)


def test_a_loss_whose_graph_was_retained_is_replayed_once_it_is_detached() -> None:
    step, x = trained(lambda loss, x: loss.detach(), True)
    compiled = ta.compile(step, fullgraph=True)
    many(compiled, x)
    assert compiled.counts["replayed"] == 2


def test_an_embedding_of_computed_rows_after_an_optimizers_step_is_replayed_and_still_refuses_wrong_ones() -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("about the CPU: elsewhere nobody looks")
    step, x = trained(lambda loss, x: COUNTED((x[:, 0] * 3).long()).detach())
    compiled = ta.compile(step, fullgraph=True)
    for k in (1.0, 1.0, 0.0, 1.0):
        assert compiled(x * k).tolist() == [COUNTED.weight[int(3 * k)].tolist()] * 3
    assert compiled.counts == {"replayed": 2, "recorded": 2, "eager": 0}
    with pytest.raises(IndexError, match="the index 6: .*out of range"):
        compiled(x * 2)


def test_clipping_that_refuses_what_is_not_finite_is_replayed_and_refuses_it() -> None:
    layer = nn.Linear(2, 1)

    def value(x: Any) -> Any:
        layer.zero_grad()
        layer(x).square().sum().backward()
        return nn.utils.clip_grad_norm_(layer.parameters(), 1.0, error_if_nonfinite=True)
    step = ta.compile(value, fullgraph=True)
    for k in range(1, 7):
        assert step(ta.ones(3, 2) * k).item() == value(ta.ones(3, 2) * k).item()
    assert step.counts == {"replayed": 4, "recorded": 2, "eager": 0}
    with pytest.raises(GraphError, match="not finite"):
        step(ta.full((3, 2), float("inf")))


def test_a_number_that_an_op_reads_for_itself_is_said_to_be_that_ops() -> None:
    step = ta.compile(lambda x: nn.functional.one_hot(x.long()).sum())
    with pytest.warns(UserWarning, match=r"the number that one_hot reads at test_reasons.py:\d+ in .*is another at each step \(.*call one_hot outside"):
        for k in range(1, 14):
            step(ta.arange(4) * k)


@pytest.mark.filterwarnings("ignore:.*is deprecated in favor of:FutureWarning")
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_the_older_norms_of_weights_are_refused_with_what_is_replayed_in_their_place(name: str) -> None:
    layer = getattr(nn.utils, name)(nn.Linear(2, 2))
    with pytest.raises(GraphError, match=rf"hook of nn\.utils\.{name}: .*use nn\.utils\.parametrizations\.{name}, which is replayed"):
        ta.compile(lambda x: layer(x).sum().backward())(ta.ones(1, 2))
    layer.register_forward_hook(lambda *_: None)
    with pytest.raises(GraphError, match="Linear with hooks"):
        ta.compile(lambda x: layer(x).sum().backward())(ta.ones(1, 2))


def test_the_report_says_of_each_recording_that_the_last_cannot_be_replayed() -> None:
    step, x = trained(lambda loss, x: loss.item())
    compiled = ta.compile(step)
    compiled(x)
    assert "the first call\n  not replayed so far: return the loss" in compiled.report()
    with pytest.warns(UserWarning, match="runs eagerly"):
        many(compiled, x)
    report = compiled.report()
    assert (report.count("the first call"), report.count("again, as what was recorded cannot be replayed"), report.count("runs eagerly")) == (1, 2, 1)
