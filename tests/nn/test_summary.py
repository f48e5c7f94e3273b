"""nn.summary: shapes, parameters, what the graph keeps, multiply-adds; the model is left as it was."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError
from tinygrad_act.graph import Watcher, watchers
from tinygrad_act.nn.summarise import COSTS


def test_figures_of_a_small_network_by_hand() -> None:
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    found = nn.summary(model, (64, 784))
    assert [row.outputs for row in found] == [[(64, 10)], [(64, 128)], [(64, 128)], [(64, 10)]]
    assert [row.parameters for row in found] == [101_770, 100_480, 0, 1290]
    assert found.multiply_adds == 64 * (784 * 128 + 128 * 10)
    assert found.kept == 64 * 128 * 4, "relu's output, which the next layer keeps too, counts once"
    assert found.trainable == found.parameters
    assert found.weight_bytes == 4 * 101_770


def test_convolution_counts_its_window() -> None:
    model = nn.Conv2d(3, 8, 3, padding=1, groups=1)
    found = nn.summary(model, (2, 3, 10, 12))
    assert found.multiply_adds == 2 * 8 * 10 * 12 * 3 * 9
    back = nn.summary(nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 5))
    assert back.multiply_adds == 4 * 5 * 5 * 6 * 4


def test_recurrent_and_attention_layers_are_counted() -> None:
    lstm = nn.summary(nn.LSTM(5, 7, num_layers=2), (11, 3, 5))
    assert lstm.multiply_adds == 11 * 3 * 4 * 7 * (5 + 7 + 7 + 7)
    encoder = nn.summary(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (3, 5, 8))
    attention = 2 * 3 * 5 * 5 * 8
    assert encoder.multiply_adds == 3 * 5 * (4 * 8 * 8 + 2 * 8 * 16) + attention


def test_nothing_of_the_model_changes() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    before, position = {k: v.tolist() for k, v in model.state_dict().items()}, ta.get_rng_state()
    nn.summary(model, (8, 4))
    assert {k: v.tolist() for k, v in model.state_dict().items()} == before
    assert (ta.get_rng_state() == position).all()
    assert model.training
    assert not model._hooks


def test_frozen_shared_and_unused_modules() -> None:
    shared = nn.Linear(4, 4)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.spare = shared, nn.Linear(2, 2)

        def forward(self, x: ta.Tensor) -> ta.Tensor:
            return self.a(self.a(x))

    model = Net()
    model.spare.requires_grad_(False)
    found = nn.summary(model, ta.ones(1, 4))
    text = str(found)
    assert "×2" in text
    assert "(not used)" in text
    assert (found.parameters, found.trainable) == (26, 20)
    assert len(nn.summary(model, (1, 4), depth=0)) == 1


def test_it_wants_an_input() -> None:
    with pytest.raises(ArgumentError, match="a shape such as"):
        nn.summary(nn.Linear(1, 1))


def test_the_layers_run_ops_whose_cost_is_known() -> None:
    names: set[str] = set()

    class Names(Watcher):
        def forward(self, op: Any, *_: Any) -> None:
            names.add(op.name)

    watchers.append(Names())
    try:
        for n in (1, 2, 3):
            for kind in ("Conv", "ConvTranspose"):
                getattr(nn, f"{kind}{n}d")(2, 3, 2)(ta.ones(1, 2, *[4] * n))
        for layer in (nn.LSTM(2, 3), nn.GRU(2, 3), nn.RNN(2, 3), nn.RNN(2, 3, nonlinearity="relu"), nn.TransformerEncoderLayer(4, 2, 4)):
            layer(ta.ones(2, 1, 4 if isinstance(layer, nn.TransformerEncoderLayer) else 2))
        for cell in (nn.LSTMCell(2, 3), nn.GRUCell(2, 3), nn.RNNCell(2, 3), nn.RNNCell(2, 3, nonlinearity="relu")):
            cell(ta.ones(1, 2))
        nn.Bilinear(2, 2, 2)(ta.ones(1, 2), ta.ones(1, 2))
        a = ta.ones(2, 2)
        a @ a, a @ a[0], a[0] @ a[0], a[None] @ a, ta.bmm(a[None], a[None]), ta.addmm(a, a, a)
        ta.baddbmm(a[None], a[None], a[None]), ta.einsum("ij,jk->ik", a, a)
    finally:
        watchers.pop()
    assert COSTS.keys() <= names
