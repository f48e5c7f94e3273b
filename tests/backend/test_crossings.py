"""A step of training on a GPU neither waits for it nor sends it anything but the batch.

`strict` arrays count what crosses. The steps run on them, and, in a process of its own, on CuPy's double, where kernels take the
place of some rules.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.backend import strict

from .double import passes

nn, f = ta.nn, ta.nn.functional
ta.backend.load("strict")


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    return "cuda" if request.config.getoption("--backend") == "cupy" else "strict"


class Recurrent(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.embedding, self.rnn, self.out = nn.Embedding(11, 6, padding_idx=0), kind(6, 5, 2, batch_first=True), nn.Linear(5, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.rnn(self.embedding(x))[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.encoder(self.embedding(x), src_key_padding_mask=x == 0).mean(1))


def mlp() -> Any:
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Dropout(0.2), nn.LayerNorm(8), nn.Linear(8, 4))


def cnn() -> Any:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4),
                         nn.SiLU(), nn.AvgPool2d(2, 1, 1), nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d((3, 2)),
                         nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Dropout1d(0.1), nn.Linear(16, 4))


MODELS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "mlp": (mlp, lambda: ta.randn(5, 6)), "cnn": (cnn, lambda: ta.randn(5, 1, 9, 9)),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda: ta.randint(0, 11, (5, 7))), "gru": (lambda: Recurrent(nn.GRU), lambda: ta.randint(0, 11, (5, 7))),
    "encoder": (Encoder, lambda: ta.randint(0, 11, (5, 7)))}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9}, "Adam": {}, "AdamW": {}, "NAdam": {}, "RAdam": {}, "Adamax": {}, "RMSprop": {}, "Adagrad": {}, "Adadelta": {},
    "ASGD": {}, "Rprop": {}, "Lion": {}, "LAMB": {}, "LARS": {}}


def on_cpu(make: Callable[[], Any]) -> Any:
    with ta.backend.use("numpy"):
        return make()


def crossings(step: Callable[[], Any], warm: int = 2) -> dict[str, int]:
    """What crosses in a step, after the first ones, which set things up."""
    for _ in range(warm):
        step()
    strict.transfers.clear()
    step()
    return dict(strict.transfers)


def training(device: str, make: Callable[[], Any], data: Callable[[], Any], optimizer: str = "Adam", **settings: Any) -> Callable[[], Any]:
    model = on_cpu(make).to(device)
    x, target = on_cpu(data).to(device), on_cpu(lambda: ta.randint(0, 4, (5,))).to(device)
    adam = getattr(ta.optim, optimizer)(model.parameters(), lr=0.01, **settings)

    def step() -> Any:
        adam.zero_grad()
        loss = f.cross_entropy(model(x), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        return loss
    return step


@pytest.mark.parametrize("name", MODELS)
def test_a_step_crosses_nothing(device: str, name: str) -> None:
    assert crossings(training(device, *MODELS[name])) == {}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_crosses(device: str, name: str) -> None:
    assert crossings(training(device, *MODELS["mlp"], optimizer=name, **OPTIMIZERS[name])) == {}


@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits", "soft_margin_loss"])
def test_no_pointwise_loss_crosses(device: str, loss: str) -> None:
    model = on_cpu(mlp).to(device)
    x, target = on_cpu(lambda: ta.randn(5, 6)).to(device), on_cpu(lambda: ta.rand(5, 4)).to(device)
    assert crossings(lambda: getattr(f, loss)(model(x), target).backward()) == {}


def test_the_scaler_reads_one_number_a_step_whether_to_step(device: str) -> None:
    """As PyTorch's does: the optimizer's step is left out where a gradient overflowed, and Python must know."""
    model = on_cpu(mlp).to(device)
    x, target = on_cpu(lambda: ta.randn(5, 6)).to(device), on_cpu(lambda: ta.randint(0, 4, (5,))).to(device)
    optimizer, scaler = ta.optim.SGD(model.parameters(), lr=0.1), ta.amp.GradScaler("cuda" if device == "cuda" else "cpu", init_scale=8.0)

    def step() -> None:
        optimizer.zero_grad()
        loss = f.cross_entropy(model(x), target)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    assert crossings(step) == {"to_host": 1}


def test_a_batch_crosses_as_its_tensors(device: str) -> None:
    with ta.backend.use("numpy"):
        loader = ta.utils.data.DataLoader(ta.utils.data.TensorDataset(ta.randn(20, 6), ta.randint(0, 4, (20,))), batch_size=5, shuffle=True)
        batches = iter(list(loader))
    model = on_cpu(mlp).to(device)
    optimizer = ta.optim.AdamW(model.parameters())
    schedule = ta.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)

    def step() -> None:
        x, target = (t.to(device) for t in next(batches))
        optimizer.zero_grad()
        f.cross_entropy(model(x), target).backward()
        optimizer.step()
        schedule.step()
    assert crossings(step) == {"to_device": 2}


def test_averaging_a_model_crosses_nothing(device: str) -> None:
    model = on_cpu(mlp).to(device)
    for average in (None, ta.optim.swa_utils.get_ema_multi_avg_fn(0.9)):
        averaged = ta.optim.swa_utils.AveragedModel(model, multi_avg_fn=average)
        assert crossings(lambda a=averaged: a.update_parameters(model)) == {}


def test_gradient_accumulation_and_autocast_cross_nothing(device: str) -> None:
    model = on_cpu(mlp).to(device)
    x, target = on_cpu(lambda: ta.randn(5, 6)).to(device), on_cpu(lambda: ta.randint(0, 4, (5,))).to(device)

    def step() -> None:
        for _ in range(2):
            with ta.autocast("cuda" if device == "cuda" else "cpu", dtype=ta.float16):
                loss = f.cross_entropy(model(x), target)
            loss.backward()
    assert crossings(step) == {}


def test_all_this_on_the_double_of_cupy(request: pytest.FixtureRequest) -> None:
    passes(request, Path(__file__))
