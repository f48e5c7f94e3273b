"""A replayed step gives, bit for bit, what the eager step gives: networks, optimizers, what changes from step to step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn

STEPS = 12
Batch = tuple[Any, ...]


class Net(nn.Module):
    """A text's classes by an LSTM over a packed sequence, or not."""

    def __init__(self, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.lstm, self.out = nn.LSTM(4, 6, 2, batch_first=True, dropout=0.2), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        if self.packed:
            x = nn.utils.rnn.pack_padded_sequence(x, [5, 4, 4, 2][:len(x)], batch_first=True)
        _, (h, _) = self.lstm(x)
        return self.out(h[-1])


class Text(nn.Module):
    """A transformer over token numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.encoder(self.embedding(x)).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Dropout(0.3), nn.LayerNorm(8), nn.Linear(8, 3))


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(),
                         nn.Flatten(), nn.Dropout(0.2), nn.Linear(20, 3))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (6,)), "cnn": (cnn, (2, 8, 8)), "lstm": (lambda: Net(False), (5, 4)), "packed lstm": (lambda: Net(True), (5, 4)),
    "transformer": (Text, (7,))}


def batches(shape: tuple[int, ...], sizes: list[int], whole: bool = False) -> list[Batch]:
    generator = ta.Generator(ta.backend.current_device()).manual_seed(3)
    x = {True: lambda n: ta.randint(0, 11, (n, *shape), generator=generator, device=ta.backend.current_device()),
         False: lambda n: ta.randn(n, *shape, generator=generator, device=ta.backend.current_device())}[whole]
    return [(x(n), ta.randint(0, 3, (n,), generator=generator, device=ta.backend.current_device())) for n in sizes]


def numbers(x: Any) -> Any:
    """All that training leaves behind, as bytes."""
    if isinstance(x, ta.Tensor):
        return x.detach().cpu().numpy().tobytes()
    if isinstance(x, dict):
        return {k: numbers(v) for k, v in x.items()}
    return [numbers(v) for v in x] if isinstance(x, (list, tuple)) else x


def trained(model: nn.Module, data: list[Batch], compiled: bool, make_step: Callable[[Any], Any], between: Any = None) -> tuple[Any, Any]:
    """What each step returns and what is left at the end; and the step."""
    ta.manual_seed(5)
    model = copy.deepcopy(model)
    step, optimizer, *others = make_step(model)
    if compiled:
        step = ta.compile(step)
    seen = []
    for i, batch in enumerate(data):
        seen.append(numbers(step(*batch)))
        if between is not None:
            seen.append(numbers(between(i, model, optimizer, *others)))
        seen.append([None if p.grad is None else numbers(p.grad) for p in model.parameters()])
    return (seen, numbers(model.state_dict()), numbers(optimizer.state_dict())), step


def alike(model: nn.Module, data: list[Batch], make_step: Callable[[Any], Any], between: Any = None, least: int = 1) -> Any:
    """Train eagerly and replayed, and compare all bits."""
    eager, _ = trained(model, data, False, make_step, between)
    replayed, step = trained(model, data, True, make_step, between)
    assert replayed == eager
    assert step.counts["replayed"] >= least, step.report()
    return step


def plain(make_optimizer: Callable[[Any], Any] = lambda p: ta.optim.SGD(p, lr=0.1)) -> Callable[[Any], Any]:
    def make_step(model: Any) -> Any:
        loss, optimizer = nn.CrossEntropyLoss(), make_optimizer(model.parameters())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            out = loss(model(x), y)
            out.backward()
            optimizer.step()
            return out
        return step, optimizer
    return make_step


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    make, shape = NETWORKS[name]
    ta.manual_seed(0)
    step = alike(make(), batches(shape, [4] * STEPS, name == "transformer"), plain(lambda p: ta.optim.Adam(p, lr=0.01)), least=STEPS - 3)
    assert step.counts["eager"] == 0


OPTIMIZERS = sorted(n for n, c in vars(ta.optim).items() if isinstance(c, type) and issubclass(c, ta.optim.Optimizer)
                    and n not in ("Optimizer", "LBFGS", "SparseAdam"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    ta.manual_seed(0)
    make = plain(lambda p: getattr(ta.optim, name)([q for q in p if name != "Muon" or q.ndim == 2], lr=0.01))
    alike(mlp(), batches((6,), [4] * STEPS), make, least=STEPS - 3)


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "momentum": lambda p: ta.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "amsgrad": lambda p: ta.optim.AdamW(p, lr=0.01, amsgrad=True),
    "one by one": lambda p: ta.optim.Adam(p, lr=0.01, foreach=False),
    "groups": lambda p: (lambda q: ta.optim.SGD([{"params": q[:2], "lr": 0.5}, {"params": q[2:]}], lr=0.1))(list(p)),
    "lr as a tensor": lambda p: ta.optim.SGD(p, lr=ta.tensor(0.1))}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_optimizers(name: str) -> None:
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), plain(SETTINGS[name]), least=STEPS - 3)


@pytest.mark.parametrize("inside", [True, False])
def test_schedulers_within_the_step_and_outside(inside: bool) -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)
        scheduler = ta.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if inside:
                scheduler.step()
            return loss
        return step, optimizer, scheduler
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, lambda i, m, o, s: None if inside else s.step(), least=STEPS - 3)


def test_gradients_that_are_clipped_and_frozen_parameters() -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model[0].requires_grad_(False)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return {"loss": loss, "norm": norm}
        return step, optimizer
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, least=STEPS - 3)


@pytest.mark.parametrize("form", ["two steps", "in one"])
def test_gradients_that_are_added_up(form: str) -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)

        def part(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(model(x), y) / 2
            loss.backward()
            return loss

        def whole(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            losses = [part(x[:2], y[:2]), part(x[2:], y[2:])]
            optimizer.step()
            return losses
        return (part if form == "two steps" else whole), optimizer

    def between(i: int, model: Any, optimizer: Any) -> None:
        if form == "two steps" and i % 2:
            optimizer.step()
            optimizer.zero_grad()
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, between, least=4)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_short_last_batches_evaluation_and_loading_in_between(name: str) -> None:
    make, shape = NETWORKS[name]
    saved: list[Any] = []

    def between(i: int, model: Any, optimizer: Any) -> Any:
        if i % 4 == 1:
            model.eval()
            with ta.no_grad():
                out = model(batches(shape, [3])[0][0])
            model.train()
            return out
        if i == 6:
            saved[:] = [copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())]
        if i == 9:
            model.load_state_dict(saved[0])
            optimizer.load_state_dict(saved[1])
        return None
    ta.manual_seed(0)
    alike(make(), batches(shape, [4, 4, 4, 2] * 4), plain(lambda p: ta.optim.Adam(p, lr=0.01)), between, least=8)


def test_fifty_steps() -> None:
    ta.manual_seed(0)
    step = alike(cnn(), batches((2, 8, 8), [4] * 50), plain(lambda p: ta.optim.SGD(p, lr=0.05, momentum=0.9)), least=44)
    assert step.counts["eager"] == 0
