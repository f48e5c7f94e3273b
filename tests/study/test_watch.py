"""Histograms and figures over the steps, of anything that trains."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
import tinygrad_act.nn.functional as F
from tinygrad_act import nn, train
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study import watch
from tinygrad_act.study.watching.histogram import SAMPLE, Histogram, bounded_edges, magnitude_edges, sample, value_edges


class Functional(nn.Module):
    """Activations that are called as functions, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return F.relu(self.b(F.relu(self.a(x))))


def train_a_little(model: Any, steps: int, width: int = 3) -> None:
    opt = ta.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        opt.zero_grad()
        model(ta.randn(8, width)).square().mean().backward()
        opt.step()


@pytest.mark.parametrize("edges", [value_edges(), bounded_edges(-1.0, 1.0)])
def test_every_value_is_in_the_bin_whose_edges_are_around_it(edges: tuple[float, ...]) -> None:
    values = [-5e5, -3.0, -0.7, 0.0, 1e-9, 0.013, 0.99, 1.0, 42.0]
    for v in values:
        h = Histogram(edges)
        h.add(ta.tensor([v], dtype=ta.float64))
        (i,) = [i for i, n in enumerate(h.counts) if n]
        assert (edges[i] <= v or i == 0) and (v < edges[i + 1] or i == len(edges) - 2)


def test_magnitudes_are_by_powers_of_ten_and_what_has_none_is_apart() -> None:
    h = Histogram(magnitude_edges(), True)
    h.add(ta.tensor([0.0, -0.0, 2e-3, -2e-3, 1e-40, 1e30, ta.nan, ta.inf], dtype=ta.float64))
    assert (h.zeros, h.bad, sum(h.counts), h.total) == (2, 2, 4, 8)
    assert (h.counts[0], h.counts[-1]) == (1, 1)
    state = Histogram(magnitude_edges(), True)
    state.add(ta.tensor([2e-3] * 3))
    assert state.state()["counts"] == [3]
    low, high = state.state()["edges"]
    assert 10**low <= 2e-3 < 10**high
    assert state.median() == pytest.approx(2e-3, rel=0.4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_histograms_of_all_element_types(dtype: str) -> None:
    h = Histogram(value_edges())
    h.add(ta.tensor([[-ta.inf, ta.nan], [0.5, -0.5]], dtype=dtype))
    assert (h.bad, sum(h.counts)) == (2, 2)
    assert h.counts == h.counts[::-1]


def test_a_sample_of_a_large_tensor_meets_every_column() -> None:
    x = ta.arange(128).float().repeat(512, 1)
    found = sample(x, SAMPLE)
    assert SAMPLE // 2 < len(found) <= SAMPLE
    assert len(found.unique()) == 128


def test_activations_called_as_functions_are_layers_too() -> None:
    model = Functional()
    with ta.no_grad():
        model.b.bias.copy_(ta.tensor([-100.0, 2.0, 2.0, 2.0]))               # one is off and three are on, whatever the weights
    with watch(model) as layers:
        train_a_little(model, 3)
    assert [layer.name for layer in layers] == ["a", "relu", "b", "relu_1"]
    assert (layers["relu_1"].dead, layers["relu_1"].units, len(layers["relu_1"].steps)) == (1, 4, 3)
    assert layers["relu"].gradient_count == 3 * 8 * 4


def test_every_other_step_evaluation_apart() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    with watch(model, every=2) as layers:
        for _ in range(3):
            train_a_little(model, 2)
            model.eval()
            with ta.no_grad():
                model(ta.randn(8, 3))
            model.train()
    assert [s.step for s in layers[1].steps] == [0, 2, 4]
    assert layers[1].count == 3 * 24


def test_parts_that_are_called_one_after_the_other_make_one_step() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 2), "decoder": nn.Linear(2, 3)})
    with watch(model) as layers:
        for _ in range(3):
            model["decoder"](model["encoder"](ta.randn(4, 3)))
    assert [[s.step for s in layer.steps] for layer in layers] == [[0, 1, 2]] * 2


def test_long_training_keeps_a_bounded_number_of_steps() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    with watch(model, most=8) as layers:
        train_a_little(model, 50)
    steps = [s.step for s in layers[0].steps]
    assert len(steps) <= 8
    assert {b - a for a, b in itertools.pairwise(steps)} == {8}


def test_the_figures_of_the_whole_are_those_of_the_steps_together() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
    with watch(model) as layers:
        train_a_little(model, 4)
    for layer in layers:
        assert layer.count == sum(s.count for s in layer.steps)
        assert layer.values.counts == [sum(c) for c in zip(*(s.values.counts for s in layer.steps), strict=True)]
        assert layer.gradients.total == sum(s.gradients.total for s in layer.steps)
    assert layers[1].dead <= min(s.dead for s in layers[1].steps)


def test_several_results_lengths_that_differ_and_empty_batches() -> None:
    lstm = nn.LSTM(3, 4, batch_first=True)
    with watch(lstm) as layers:
        lstm(ta.randn(2, 5, 3))[0].sum().backward()
    assert (layers[0].shape, layers[0].gradient_rms) == ((2, 5, 4), pytest.approx(1.0))
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with watch(model) as layers:
        for n in (5, 7, 0):
            model(ta.randn(2 if n else 0, n, 3)).sum().backward()
    assert layers[1].units in (7 * 4, 5 * 4)


def test_training_is_the_same_watched_or_not() -> None:
    ends = []
    for watched in (False, True):
        ta.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 4), nn.RReLU(), nn.Dropout(0.5), nn.Linear(4, 1))
        with watch(model if watched else nn.Identity()):
            train_a_little(model, 5)
        ends.append([p.tolist() for p in model.parameters()])
    assert ends[0] == ends[1]


@pytest.mark.parametrize("mode", [ta.no_grad, ta.inference_mode])
def test_values_and_slopes_are_seen_without_gradients_too(mode: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU())
    with watch(model) as layers, mode():
        model(ta.randn(5, 3))
    assert [layer.count for layer in layers] == [20] * 4
    assert (layers[1].saturated, layers[1].gradient_count, layers[3].units) == (0.0, 0, 4)


def test_a_module_used_twice_and_checkpoints() -> None:
    from tinygrad_act.utils.checkpoint import checkpoint

    shared = nn.Tanh()
    model = nn.Sequential(nn.Linear(3, 3), shared, nn.Linear(3, 3), shared)
    with watch(model) as layers:
        model(ta.randn(5, 3)).sum().backward()
    assert [(layer.name, layer.count, layer.gradient_count) for layer in layers] == [("0", 15, 15), ("1", 30, 30), ("2", 15, 15)]
    with watch(model) as layers:
        checkpoint(model, ta.randn(5, 3, requires_grad=True), use_reentrant=False).sum().backward()
    assert (layers[0].count, layers[0].gradient_count, len(layers[0].steps)) == (15, 15, 1)


def test_what_a_checkpoint_runs_again_is_no_step_and_no_other_layer() -> None:
    from tinygrad_act.utils.checkpoint import checkpoint

    model = nn.Sequential(Functional(), nn.Linear(4, 3))
    x, seen = ta.randn(5, 3), []
    for inner in (lambda x: model[0](x), lambda x: checkpoint(model[0], x, use_reentrant=False)):
        with watch(model) as layers:
            for _ in range(2):
                model[1](inner(x)).sum().backward()
        seen.append([(layer.name, layer.count, layer.gradient_count, layer.gradient_rms, layer.dead, len(layer.steps)) for layer in layers])
    assert seen[0] == seen[1]


def test_nothing_listens_after_an_error() -> None:
    from tinygrad_act.graph import watchers

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with pytest.raises(ta.errors.TinygradActError), watch(model):
        model(ta.ones(2, 7))
    assert not watchers
    with watch(model) as layers:
        for x in (ta.ones(2, 7), ta.ones(2, 3)):
            try:
                model(x)
            except ta.errors.TinygradActError:
                assert not watchers
    assert layers[1].count == 8


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_element_types(dtype: str) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid()).to(dtype)
    with watch(model) as layers:
        model(ta.ones(2, 3, dtype=dtype)).sum().backward()
    assert (layers[1].count, layers[1].saturated, layers[1].gradients.bad) == (8, 0.0, 0)


def test_json_and_table_say_what_was_seen(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    with watch(model) as layers:
        train_a_little(model, 2)
    state = json.loads(layers.json())
    assert [s["step"] for s in state[1]["steps"]] == [0, 1]
    assert sum(state[1]["values"]["counts"]) == 64
    assert json.loads(layers.save(tmp_path / "layers.json").read_text()) == state
    assert "Tanh" in layers.table(80)
    assert "| layer |" in layers.markdown()
    assert max(map(len, layers.table(80).splitlines())) <= 80
    with pytest.raises(ArgumentError, match="the layers are"):
        layers["nobody"]


def test_the_figure_has_a_row_a_layer(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    model = Functional()
    with watch(model) as layers:
        train_a_little(model, 3)
    figure = layers.figure(path=tmp_path / "layers.png")
    assert len(figure.axes) == 4 * 3
    assert (tmp_path / "layers.png").stat().st_size > 1000
    assert len(layers.figure(layers=["relu"]).axes) == 3
    with pytest.raises(ArgumentError), watch(model, histograms=False) as none:
        none.figure()


@pytest.mark.parametrize("settings", [{"every": 0}, {"every": 1.5}, {"most": 1}, {"every": True}])
def test_misuse_is_said(settings: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="number of steps"):
        watch(nn.ReLU(), **settings)
    with pytest.raises(ArgumentError, match="watches a module"):
        watch(F.relu)


def test_training_by_fit_is_watched_and_its_rows_are_kept_over_a_restart(tmp_path: Path) -> None:
    x = ta.randn(40, 3)
    data = ta.utils.data.DataLoader(ta.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=10)

    def go(epochs: int, *more: train.Callback) -> tuple[Any, Any]:
        ta.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        statistics = train.Statistics(every=3, histograms=True)
        with watch(model) as layers:
            train.fit(model, data, nn.MSELoss(), ta.optim.SGD(model.parameters(), lr=0.01), epochs=epochs, validation=data, progress=False,
                      callbacks=[statistics, train.JSONLog(tmp_path / "log.jsonl"), train.Checkpoint(tmp_path, every_steps=1), *more], resume=tmp_path)
        return layers, statistics

    layers, first = go(1)
    assert len(layers[0].steps) == 4
    _, second = go(2)
    assert second.rows[:len(first.rows)] == first.rows
    assert sorted({row["step"] for row in second.rows}) == [1, 4, 7]
    assert {row["kind"] for row in second.rows} == {"layers", "parameters", "histograms"}
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row for row in logged if row["kind"] != "epoch"] == second.rows


def test_tensorboard_has_the_histograms(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    data = [(ta.randn(4, 3), ta.randn(4, 4))] * 2
    train.fit(model, data, nn.MSELoss(), ta.optim.SGD(model.parameters(), lr=0.01), progress=False,
              callbacks=[train.Statistics(every=1, histograms=True), train.TensorBoard(tmp_path)])
    events = accumulator.EventAccumulator(str(tmp_path), size_guidance={"histograms": 0})
    events.Reload()
    assert {"1/values", "0/gradients (log10)"} <= set(events.Tags()["histograms"])
    assert [round(e.histogram_value.num) for e in events.Histograms("1/values")] == [16, 16]
