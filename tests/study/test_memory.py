"""What `memory` counts is what the graph holds, and what it lets go, and when."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.errors import ArgumentError, GraphError


def mlp(activation: type = nn.Tanh) -> nn.Module:
    return nn.Sequential(nn.Linear(100, 200), activation(), nn.Linear(200, 200), activation(), nn.Linear(200, 10))


def test_an_mlp_by_hand() -> None:
    model, x = mlp(), ta.randn(32, 100)
    with study.Tape(model) as tape:
        loss = model(x).sum()
    ledger = study.memory(loss, tape, model)
    row = 32 * 200 * 4
    assert [(e.op, e.bytes) for e in ledger.entries] == [
        ("linear_1", 32 * 100 * 4), ("tanh_1", row), ("linear_2", row), ("tanh_2", row), ("linear_3", row), ("sum", 0)]
    assert ledger.total == 32 * 100 * 4 + 4 * row
    assert ledger.parameters == (200 * 200 + 200 * 10) * 4             # no rule reads the first weight, or a bias
    assert [e.step for e in ledger.entries] == [6, 5, 4, 3, 2, 1]
    assert [(m.op, m.kept) for m in ledger.moments] == [
        ("sum", ledger.total), ("linear_3", ledger.total), ("tanh_2", ledger.total - row), ("linear_2", ledger.total - 2 * row),
        ("tanh_1", ledger.total - 3 * row), ("linear_1", ledger.total - 4 * row)]
    wide = (32 * 200 + 10 * 200 + 10) * 4 + 32 * 10 * 4               # of linear_3: three gradients made, one came in
    assert ledger.moments[1].gradients == wide


def test_a_shared_array_is_counted_once_and_is_free_when_its_last_reader_is_done() -> None:
    x = ta.ones(100, requires_grad=True)
    h = x * 2
    a, b = h.tanh(), h.sin()
    ledger = study.memory((a + b).sum())
    kept = {e.op: e for e in ledger.entries}
    assert ledger.total == 400
    assert [k.counted for k in kept["tanh"].kept + kept["sin"].kept] == ["here", "at"]
    assert kept["tanh"].freed == kept["tanh"].step > kept["sin"].step       # tanh is older, and so visited later
    assert not ledger.gradients


def test_parameters_are_apart_and_views_hold_all_they_are_views_of() -> None:
    w = ta.ones(10, requires_grad=True)
    big = ta.ones(1000)
    ledger = study.memory((w * big[:10] * w).sum())
    assert ledger.parameters == 40
    assert ledger.total == 4000 + 40


def test_what_it_says_is_kept_is_freed_by_dropping_the_graph() -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("memory is traced on NumPy")
    model, x = mlp(nn.ReLU), ta.randn(256, 100)                       # whose rule needs little room of its own
    with study.Tape(model) as tape:
        loss = model(x).sum()
    ledger = study.memory(loss, tape, model)
    del tape
    model(x).sum().backward()                                         # the first one makes the executor, too
    model.zero_grad()
    gc.collect()
    tracemalloc.start()
    loss = model(x).sum()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = ledger.total - x.array.nbytes                              # x is there anyway, and was not traced
    assert before == pytest.approx(kept, rel=0.05)
    assert 0.6 * ledger.peak < peak + x.array.nbytes < 1.1 * ledger.peak


def test_what_a_checkpoint_would_save_is_what_one_saves() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Dropout(0.1), nn.Linear(256, 64))

        def forward(self, x: ta.Tensor) -> ta.Tensor:
            return x + self.body(x)

    class Twice(nn.Module):
        def __init__(self, checkpointed: bool) -> None:
            super().__init__()
            self.first, self.block, self.checkpointed = nn.Linear(64, 64), Block(), checkpointed

        def forward(self, x: ta.Tensor) -> ta.Tensor:
            x = self.first(x)
            for _ in range(2):
                x = ta.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False) if self.checkpointed else self.block(x)
            return (x * x).sum()

    ta.manual_seed(0)
    plain, saving = Twice(False), Twice(True)
    x = ta.randn(32, 64)
    with study.Tape(plain) as tape:
        loss = plain(x)
    ledger = study.memory(loss, tape, plain)
    row = next(m for m in ledger.modules if m.name == "block")
    assert row.calls == 2
    assert ledger.total - study.memory(saving(x)).total == row.saved > 0
    dropout = next(m for m in ledger.modules if m.name == "block.body.2")
    assert dropout.saved < 0                                          # a checkpoint would keep its input, for a mask


@pytest.mark.parametrize("model", [nn.LSTM(8, 16), nn.GRU(8, 16), nn.TransformerEncoderLayer(8, 2, 16)], ids=lambda m: type(m).__name__)
def test_networks_of_many_results_and_modules(model: nn.Module) -> None:
    with study.Tape(model) as tape:
        y = model(ta.randn(5, 2, 8))
        loss = (y[0] if isinstance(y, tuple) else y).sum()
    ledger = study.memory(loss, tape, model)
    assert 0 < ledger.total <= ledger.peak
    assert ledger.modules[0].name == type(model).__name__
    assert 0 < ledger.modules[0].saved < ledger.total
    seen = json.loads(ledger.json())
    assert seen["total"] == sum(e["bytes"] for e in seen["entries"]) == ledger.total


def test_create_graph_empty_0d_halves_and_custom_functions() -> None:
    class Cube(ta.Function):
        @staticmethod
        def forward(ctx: ta.autograd.function.FunctionCtx, x: ta.Tensor) -> ta.Tensor:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: ta.autograd.function.FunctionCtx, g: ta.Tensor) -> ta.Tensor:
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    w = ta.tensor(2.0, dtype=ta.float16, requires_grad=True)
    with study.Tape() as tape:
        (g,) = ta.autograd.grad((w.tanh() * w).sum(), w, create_graph=True)
    assert study.memory(g * g, tape).total > 0
    empty = ta.zeros(0, 3, requires_grad=True)
    assert study.memory(empty.tanh().sum()).total == 0
    x = ta.ones(4, requires_grad=True)
    assert study.memory(Cube.apply(x * 1).sum()).total == 16


def test_a_long_graph_takes_seconds_and_a_short_table() -> None:
    y = ta.ones(10, requires_grad=True)
    with study.Tape() as tape:
        for _ in range(5000):
            y = y.tanh() * 1.01
    begin = time.perf_counter()
    ledger = study.memory(y.sum(), tape)
    text = ledger.markdown()
    assert time.perf_counter() - begin < 10
    assert ledger.total == 4999 * 40 and ledger.parameters == 40      # the first tanh reads the leaf
    assert len(text.splitlines()) < 50 and "9,971 more" in text


def test_it_reads_at_80_columns_and_without_lines() -> None:
    pytest.importorskip("rich")
    model = mlp()
    with study.Tape(model) as tape:
        loss = model(ta.randn(4, 100)).sum()
    for width in (80, 120):
        lines = study.memory(loss, tape, model).text(width).splitlines()
        assert max(map(len, lines)) <= width
    assert "gradients not counted" in study.memory(loss).text(80).replace("\n", " ")


def test_misuse_is_told() -> None:
    x = ta.ones(3, requires_grad=True)
    with pytest.raises(ArgumentError, match="a Tensor"):
        study.memory([x])  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="no graph"):
        study.memory(ta.ones(3))
    y = x.tanh().sum()
    y.backward()
    with pytest.raises(GraphError, match="before backward"):
        study.memory(y)
