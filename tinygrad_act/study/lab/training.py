"""Networks that the experiments train, and on what: the same loop for all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ... import _functions as ops
from ... import nn, optim
from ...errors import ArgumentError
from ...grad_mode import no_grad
from ...nn import init
from ...ops.random import manual_seed
from ...tensor import Tensor
from ..watching.statistics import watch
from .activation import Choice
from .registry import Progress


class Data(NamedTuple):
    """Inputs and classes, to train on and to test on."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.y.max().item()) + 1


class Trained(NamedTuple):
    """What a training run gave: the loss of each step, the loss on all training data, the share of test data that is right."""

    losses: list[float]
    loss: float
    accuracy: float


def _digits() -> Data:
    from ...datasets import Digits  # with what reads archives and fetches: only when they are wanted

    train, test = Digits(), Digits(train=False)
    flat = [(d.data.float() / 8 - 1).reshape(-1, 64) for d in (train, test)]
    return Data(flat[0], train.targets, flat[1], test.targets)


def _points(name: str) -> Data:
    from ...datasets import toys

    train, test = (getattr(toys, name)(train=t) for t in (True, False))
    return Data(train.data, train.targets, test.data, test.targets)


DATA: dict[str, Callable[[], Data]] = {"digits": _digits, "two_moons": lambda: _points("two_moons"), "spirals": lambda: _points("spirals")}


def data_of(given: Any) -> Data:
    """By a name, or (inputs, classes), of which every fifth is tested on."""
    if isinstance(given, str) and given in DATA:
        return DATA[given]()
    if isinstance(given, (tuple, list)) and len(given) == 2 and all(isinstance(t, Tensor) for t in given) and len(given[0]) == len(given[1]) >= 10:
        x, y = given[0].reshape(len(given[0]), -1), given[1]
        fifth = ops.arange(len(x), device=x.device) % 5 == 0
        return Data(x[~fifth], y[~fifth], x[fifth], y[fifth])
    raise ArgumentError("lab", f"data={given!r}" if isinstance(given, str) else f"data: a {type(given).__name__}", "it is a name, or (inputs, classes)",
                        f"choose from {', '.join(DATA)}")


def network(activation: Choice, data: Data, layers: int, width: int, batch_norm: bool = False) -> Any:
    """Hidden layers of Linear, BatchNorm1d if it is wanted, and the activation; at the end a Linear for the classes."""
    parts: list[Any] = []
    size = data.x.shape[1]
    for _ in range(layers):
        parts += [nn.Linear(size, width), *([nn.BatchNorm1d(width)] if batch_norm else []), activation.make()]
        with no_grad():
            size = parts[-1].eval()(ops.zeros(2, width)).shape[-1]                # gated ones give half as many
        parts[-1].train()
    return nn.Sequential(*parts, nn.Linear(size, data.classes)).to(data.x.device)


def linears(net: Any) -> list[Any]:
    """The Linear layers, first to last."""
    return [m for m in net if isinstance(m, nn.Linear)]


@no_grad()
def kaiming(net: Any, activation: Choice) -> None:
    """Weights with the activation's gain, biases of 0, where the catalogue knows it; else they stay as they are."""
    if activation.record is None:
        return
    for layer in linears(net)[:-1]:
        init.kaiming_normal_(layer.weight, nonlinearity=activation.record.name)
        layer.bias.zero_()


def train(net: Any, data: Data, steps: int, lr: float, *, batch: int = 64, adam: bool = True,
          before_step: Callable[[int], None] | None = None, after_backward: Callable[[int], None] | None = None) -> Trained:
    """Cross-entropy on shuffled batches. A loss that is no number ends it: there is nothing more to learn."""
    optimizer: Any = optim.Adam(net.parameters(), lr=lr) if adam else optim.SGD(net.parameters(), lr=lr)
    losses, order = list[float](), ops.randperm(len(data.x)).to(data.x.device)
    batch = min(batch, len(data.x))
    per_epoch = len(data.x) // batch
    for step in range(steps):
        if step % per_epoch == 0:
            order = ops.randperm(len(data.x)).to(data.x.device)
        rows = order[(step % per_epoch) * batch:(step % per_epoch + 1) * batch]
        if before_step is not None:
            before_step(step)
        x, y = data.x[rows], data.y[rows]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        if after_backward is not None:
            after_backward(step)
        optimizer.step()
        losses.append(float(loss.item()))
        if not math.isfinite(losses[-1]):
            break
    return Trained(losses, *_evaluated(net, data))


def over_seeds(progress: Progress, given: Sequence[Choice], data: Data, prepare: Callable[[Choice], Any], *, epochs: int, batch: int, lr: float,
               seeds: int, seed: int) -> dict[str, list[Trained]]:
    """By activation the trainings of what `prepare` makes of it, one a seed: those of a seed begin with the same weights and have the same batches."""
    steps = epochs * max(1, len(data.x) // min(batch, len(data.x)))
    runs: dict[str, list[Trained]] = {each.name: [] for each in given}
    for number, each in progress.over([(k, c) for k in range(seeds) for c in given], lambda item: f"{item[1].name}, seed {item[0] + seed}"):
        manual_seed(seed + number)
        runs[each.name].append(train(prepare(each), data, steps, lr, batch=batch))
    return runs


def step_seconds(nets: list[Any], data: Data, batch: int = 64, rounds: int = 15) -> list[float]:
    """The quickest of several steps (forward and backward) of each network, measured in turns, so that what else the machine does hits all."""
    x, y = data.x[:batch], data.y[:batch]
    best = [math.inf] * len(nets)
    for _ in range(rounds):
        for i, net in enumerate(nets):
            net.zero_grad()
            began = time.perf_counter()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            loss.item()                                                       # waits for a GPU
            best[i] = min(best[i], time.perf_counter() - began)
    return best


@no_grad()
def _evaluated(net: Any, data: Data) -> tuple[float, float]:
    net.eval()
    loss = float(nn.functional.cross_entropy(net(data.x), data.y).item())
    accuracy: float = float((net(data.x_test).argmax(1) == data.y_test).float().mean().item())
    net.train()
    return loss, accuracy


@no_grad()
def dead_share(net: Any, x: Tensor) -> float:
    """The share of hidden units that are dead on all of x, as `study.watch` counts them."""
    with watch(net, histograms=False) as layers:
        net(x)
    counted = [layer for layer in layers if layer.dead is not None]
    dead, units = (sum(getattr(layer, of) for layer in counted) for of in ("dead", "units"))
    return float(dead / max(units, 1))


def smooth(losses: list[float], window: int = 10) -> list[float]:
    """The mean of each step's and the steps' before it."""
    return [math.fsum(losses[max(0, i - window + 1):i + 1]) / len(losses[max(0, i - window + 1):i + 1]) for i in range(len(losses))]
