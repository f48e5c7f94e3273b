"""Times add up to the step's, every op is there forward and backward, and the trace is one that viewers read."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.errors import ArgumentError


def step_of(model: nn.Module) -> object:
    x, optimizer = ta.randn(16, 8), ta.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
    return step


def test_every_op_is_timed_forward_and_backward_within_the_step() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    found = study.profile(step_of(model), 3, model)  # type: ignore[arg-type]
    assert len(found.runs) == len(found.seconds) == 3
    for run, seconds in zip(found.runs, found.seconds, strict=True):
        assert [e.op for e in run] == ["linear", "relu", "linear", "sum", "sum", "linear", "relu", "linear"]
        assert [e.phase for e in run] == ["forward"] * 4 + ["backward"] * 4
        assert [e.module for e in run] == ["0", "1", "2", "", "", "2", "1", "0"]
        assert all(e.seconds > 0 for e in run)
        assert sum(e.seconds for e in run) < seconds
        for before, after in itertools.pairwise(run):
            assert before.start + before.seconds <= after.start + 1e-9
    cost = {c.name: c for c in found.costs()}
    assert (cost["linear"].calls, cost["relu"].calls) == (2, 1)
    assert cost["relu"].bytes == 2 * 16 * 16 * 4
    assert cost["relu"].kept == 16 * 16 * 4
    assert cost["linear"].kept == (16 * 8 + 16 * 16) * 4                 # inputs; weights are parameters
    assert {c.name for c in found.costs("module")} == {"0", "1", "2", "outside modules"}
    assert all(c.name.startswith("test_profile.py:") for c in found.costs("line"))


def test_a_slow_rule_is_seen_where_it_is_slow() -> None:
    def slow(F: object, g: object, x: object) -> object:
        time.sleep(0.01)
        return g

    op = ta.Op("slow", lambda F, x: x * 1, slow)
    x = ta.ones(4, requires_grad=True)
    cost = {c.name: c for c in study.profile(lambda: op(x.tanh()).sum().backward(), 2).costs()}
    assert cost["slow"].backward > 0.01 > cost["slow"].forward
    assert cost["tanh"].backward + cost["sum"].backward < 0.01
    first = {c.name: c for c in study.profile(lambda: op(x).backward(ta.ones(4)), 2).costs()}
    assert 0.02 > first["slow"].backward > 0.01                          # also where it is the first of the sweep


def test_python_between_ops_is_in_no_op() -> None:
    x = ta.ones(4, requires_grad=True)

    def step() -> None:
        y = x.tanh()
        time.sleep(0.01)
        y = y.sum()
        time.sleep(0.01)
        y.backward()
    found = study.profile(step, 2)
    assert found.outside > 0.02
    assert all(c.forward + c.backward < 0.01 for c in found.costs())


def test_the_trace_is_a_chrome_trace(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.Tanh())
    found = study.profile(step_of(model), 2, model)  # type: ignore[arg-type]
    path = found.trace(tmp_path / "trace.json")
    assert [p.name for p in tmp_path.iterdir()] == ["trace.json"]
    trace = json.loads(path.read_text())
    complete = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    assert {e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M"} == {"forward", "backward"}
    assert len(complete) == len(found.runs[-1])
    for e in complete:
        assert set(e) == {"name", "cat", "ph", "pid", "tid", "ts", "dur", "args"}
        assert e["ts"] >= 0 and e["dur"] >= 0 and isinstance(e["pid"], int) and isinstance(e["tid"], int)
    for tid in (1, 2):                                                   # on a thread, events come one after another
        events = sorted((e for e in complete if e["tid"] == tid), key=lambda e: e["ts"])
        assert events
        for before, after in itertools.pairwise(events):
            assert before["ts"] + before["dur"] <= after["ts"] + 0.01
    with pytest.raises(OSError, match="folder"):
        found.trace(tmp_path / "nowhere" / "trace.json")


def test_derivatives_of_derivatives_checkpoints_and_several_results() -> None:
    w = ta.ones(3, 4, requires_grad=True)

    def step() -> None:
        a, b = w.split(2, 1)
        (g,) = ta.autograd.grad((a.tanh() * b).sum(), w, create_graph=True)
        ta.utils.checkpoint.checkpoint(lambda t: t.exp().sin(), g, use_reentrant=False).sum().backward()
    found = study.profile(step, 2)
    names = {e.op for e in found.runs[-1]}
    assert {"tanh", "tanh_grad", "exp", "sin", "checkpoint"} <= names and "pick" not in names
    assert sum(e.seconds for e in found.runs[-1]) < found.seconds[-1]
    assert sum(e.op == "exp" and e.phase == "forward" for e in found.runs[-1]) == 2        # once more on the way back


def test_empty_0d_and_half_and_a_chosen_rule() -> None:
    def step() -> None:
        with study.rules(relu="surrogate"):
            for x in (ta.zeros(0, 3, requires_grad=True), ta.tensor(1.0, dtype=ta.float16, requires_grad=True)):
                ta.relu(x).sum().backward()
    assert "relu [surrogate]" in {c.name for c in study.profile(step, 1).costs()}


def test_the_table_reads_at_80_columns() -> None:
    pytest.importorskip("rich")
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    found = study.profile(lambda: model(ta.randn(2, 3, 8)).sum().backward(), 1, model)
    for by in ("op", "module", "line"):
        lines = found.page(by).text(80).splitlines()
        assert max(map(len, lines)) <= 80 and "outside ops" in lines[-1]


def test_misuse_is_told() -> None:
    with pytest.raises(ArgumentError, match="at least once"):
        study.profile(lambda: None, 0)
    with pytest.raises(ArgumentError, match="op, line, module"):
        study.profile(lambda: None, 1).costs("colour")
