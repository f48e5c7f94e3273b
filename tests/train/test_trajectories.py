"""Whole networks, trained from the same weights on the same batches, take PyTorch's path: every loss and the last weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta

torch = pytest.importorskip("torch")

STEPS = 25


def mlp(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.BatchNorm1d(16), nn.Linear(16, 8), nn.SELU(), nn.LayerNorm(8), nn.Linear(8, 3))


def cnn(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding="same", groups=2), nn.GroupNorm(2, 8), nn.Mish(), nn.AvgPool2d(2),
        nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def recurrent(lib: Any) -> Any:
    class Net(lib.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = lib.nn.Embedding(11, 5, padding_idx=0)
            self.lstm = lib.nn.LSTM(5, 6, num_layers=2, batch_first=True, bidirectional=True)
            self.gru = lib.nn.GRU(12, 4, batch_first=True)
            self.out = lib.nn.Linear(4, 3)

        def forward(self, words: Any) -> Any:
            lengths = (words != 0).sum(1).cpu()
            packed = lib.nn.utils.rnn.pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
            both, _ = self.lstm(packed)
            _, last = self.gru(both)
            return self.out(last[-1])

    return Net()


def transformer(lib: Any) -> Any:
    class Net(lib.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = lib.nn.Embedding(11, 8)
            layer = lib.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
            self.encoder = lib.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = lib.nn.Linear(8, 3)

        def forward(self, words: Any) -> Any:
            mask = lib.nn.Transformer.generate_square_subsequent_mask(words.shape[1]).to(self.out.weight.dtype)
            return self.out(self.encoder(self.embedding(words), mask=mask.to(words.device), is_causal=True).mean(1))

    return Net()


def vectors(rng: Any) -> np.ndarray:
    return rng.standard_normal((12, 6))


def images(rng: Any) -> np.ndarray:
    return rng.standard_normal((6, 2, 8, 8))


def words(rng: Any) -> np.ndarray:
    found = rng.integers(1, 11, (6, 7))
    for i, length in enumerate(rng.integers(1, 8, 6)):
        found[i, length:] = 0
    return found


NETWORKS: list[tuple[Callable[[Any], Any], Callable[[Any], np.ndarray]]] = [
    (mlp, vectors), (cnn, images), (recurrent, words), (transformer, words)]
# Not those that go by the sign of a gradient: where it is 0 but for rounding (a bias before a norm, a key's bias) they follow the rounding.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "Adam": {"lr": 1e-2}, "AdamW": {"lr": 1e-2, "amsgrad": True},
    "RMSprop": {"lr": 1e-2, "momentum": 0.5}, "NAdam": {"lr": 1e-2}}


def trained(lib: Any, model: Any, optimizer: Any, batches: list[tuple[Any, Any]]) -> list[float]:
    """The loss of each step, with clipping and a schedule."""
    loss_of = lib.nn.CrossEntropyLoss(label_smoothing=0.1)
    options = optimizer.param_groups[0]
    scheduler = lib.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options["lr"], total_steps=STEPS,
                                                  cycle_momentum="betas" in options or "momentum" in options)
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        lib.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("network", "data"), NETWORKS, ids=[n.__name__ for n, _ in NETWORKS])
def test_training_takes_pytorchs_path(network: Callable[[Any], Any], data: Callable[[Any], np.ndarray], optimizer: str) -> None:
    torch.manual_seed(0)
    rng, device = np.random.default_rng(1), ta.backend.current_device()
    theirs, ours = network(torch).double(), network(ta).double().to(device)
    ours.load_state_dict({name: ta.tensor(t.numpy()) for name, t in theirs.state_dict().items()})
    batches = [(x, rng.integers(0, 3, len(x))) for x in (data(rng) for _ in range(STEPS))]
    expected = trained(torch, theirs, getattr(torch.optim, optimizer)(theirs.parameters(), **OPTIMIZERS[optimizer]),
                       [(torch.tensor(x), torch.tensor(y)) for x, y in batches])
    found = trained(ta, ours, getattr(ta.optim, optimizer)(ours.parameters(), **OPTIMIZERS[optimizer]),
                    [(ta.tensor(x, device=device), ta.tensor(y, device=device)) for x, y in batches])
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    for name, t in theirs.state_dict().items():
        np.testing.assert_allclose(ta.backend.to_host(ours.state_dict()[name].array), t.numpy(), rtol=1e-6, atol=1e-9, err_msg=name)
