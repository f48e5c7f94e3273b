"""What is timed: each workload written once, over a library `lib` that is tinygrad_act or torch, as a function that does one step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

Step = Callable[[], Any]


class Workload(NamedTuple):
    """A row of the table."""

    what: str
    make: Callable[..., Step]          # make(lib, **sizes) -> step
    goal: float                        # of PyTorch's eager time
    replayed: float | None = None      # the same for a compiled step, where one is timed
    memory: bool = False               # is its peak memory measured too?


WORKLOADS: dict[str, Workload] = {}


def workload(what: str, goal: float, replayed: float | None = None, memory: bool = False) -> Callable[..., Any]:
    """Enter a workload under the function's name."""
    def enter(make: Callable[..., Step]) -> Callable[..., Step]:
        WORKLOADS[make.__name__] = Workload(what, make, goal, replayed, memory)
        return make
    return enter


def training(lib: Any, model: Any, loss: Callable[[], Any], optimizer: Any) -> Step:
    """One step of training."""
    def step() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value
    return step


# ------------------------------------------------------------------------------------------------- overhead
@workload("one more op on 8 numbers, forward and backward (50 of them: multiply, add, tanh)", 0.5)
def small_op(lib: Any, count: int = 50) -> Step:
    x, a, b = (lib.linspace(-1, 1, 8).requires_grad_(True) for _ in range(3))
    seed = lib.ones(8)

    def step() -> None:
        y = x
        for i in range(count):
            y = y * a if i % 3 == 0 else y + b if i % 3 == 1 else lib.tanh(y)
        y.backward(seed)
        x.grad = a.grad = b.grad = None
    return step


# ------------------------------------------------------------------------------------------------- networks
def perceptron(lib: Any, widths: list[int], batch: int, activation: str, optimizer: str, classes: bool) -> Step:
    nn, parts = lib.nn, []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        parts += [getattr(nn, activation)()] * (i > 0) + [nn.Linear(a, b)]
    model = nn.Sequential(*parts)
    x = lib.randn(batch, widths[0])
    y = lib.randint(0, widths[-1], (batch,)) if classes else lib.randn(batch, widths[-1])
    loss = nn.functional.cross_entropy if classes else nn.functional.mse_loss
    return training(lib, model, lambda: loss(model(x), y), getattr(lib.optim, optimizer)(model.parameters(), lr=1e-3))


@workload("MLP 2-16-16-1, tanh, SGD, batch 32", 0.2, replayed=0.1)
def mlp_tiny(lib: Any, batch: int = 32, width: int = 16, depth: int = 2) -> Step:
    return perceptron(lib, [2, *[width] * depth, 1], batch, "Tanh", "SGD", classes=False)


@workload("MLP 784-128-10, ReLU, Adam, batch 64", 0.7, replayed=0.5, memory=True)
def mlp_digits(lib: Any, batch: int = 64, width: int = 128) -> Step:
    return perceptron(lib, [784, width, 10], batch, "ReLU", "Adam", classes=True)


@workload("CNN 3×32×32: conv 32, conv 64, fc 120-84-10, Adam, batch 64", 1.0, replayed=1.0, memory=True)
def cnn(lib: Any, batch: int = 64) -> Step:
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 8 * 8, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                          nn.Linear(84, 10))
    x, y = lib.randn(batch, 3, 32, 32), lib.randint(0, 10, (batch,))
    return training(lib, model, lambda: nn.functional.cross_entropy(model(x), y), lib.optim.Adam(model.parameters()))


@workload("LSTM(40, 120, 3 layers), 100 steps, batch 16, Adam", 1.0, replayed=1.0, memory=True)
def lstm(lib: Any, length: int = 100, batch: int = 16) -> Step:
    nn = lib.nn
    model = nn.ModuleDict({"lstm": nn.LSTM(40, 120, 3), "head": nn.Linear(120, 10)})
    x, y = lib.randn(length, batch, 40), lib.randint(0, 10, (batch,))
    return training(lib, model, lambda: nn.functional.cross_entropy(model["head"](model["lstm"](x)[0][-1]), y),
                    lib.optim.Adam(model.parameters()))


@workload("transformer encoder, 384 wide, 6 layers, GELU, batch 8 of 64, AdamW", 1.0, replayed=1.0, memory=True)
def encoder(lib: Any, batch: int = 8, length: int = 64) -> Step:
    nn = lib.nn
    layer = nn.TransformerEncoderLayer(384, 12, 1536, dropout=0.0, activation="gelu", batch_first=True)
    model = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
    x = lib.randn(batch, length, 384)
    return training(lib, model, lambda: (model(x) ** 2).mean(), lib.optim.AdamW(model.parameters()))


@workload("Adam, a million parameters in 100 tensors", 0.3)
def adam(lib: Any) -> Step:
    parameters = [lib.nn.Parameter(lib.randn(100, 100)) for _ in range(100)]
    for p in parameters:
        p.grad = lib.randn(100, 100)
    step: Step = lib.optim.Adam(parameters).step
    return step


# ------------------------------------------------------------------------------------------------ activations
ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "hardswish", "sigmoid", "tanh")
SIZES = {"10⁴": 10_000, "10⁶": 1_000_000, "10⁷": 10_000_000}


def activation(lib: Any, name: str, size: int) -> Step:
    function = getattr(lib.nn.functional, name)
    x, seed = lib.randn(size).requires_grad_(True), lib.randn(size)

    def step() -> None:
        function(x).backward(seed)
        x.grad = None
    return step


for _name in ACTIVATIONS:
    for _label, _size in SIZES.items():
        WORKLOADS[f"{_name} {_label}"] = Workload(
            f"{_name} on {_label} numbers, forward and backward", lambda lib, name=_name, size=_size: activation(lib, name, size), 1.0)

# --------------------------------------------------------------------------------------------- cost against size
# name -> (workload, its size that varies, the values)
SWEEPS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "MLP 784-128-10: batch": ("mlp_digits", "batch", (1, 4, 16, 64, 256, 1024)),
    "MLP 784-w-10: width": ("mlp_digits", "width", (16, 64, 256, 1024, 4096)),
    "MLP 2-16-…-1: depth": ("mlp_tiny", "depth", (1, 2, 4, 8, 16, 32, 64)),
    "CNN: batch": ("cnn", "batch", (1, 4, 16, 64)),
    "LSTM: length": ("lstm", "length", (5, 10, 25, 50, 100, 200)),
    "encoder: length": ("encoder", "length", (8, 16, 32, 64, 128)),
}
