"""A regression with bare parameters and a loop made by hand: two layers, and GELU written out as its formula.

    python examples/regression.py

No modules, no optimizer: tensors that require a gradient, a forward pass, `backward()`, and a step down the slope, with momentum.
Leaves in out/: regression_curves.png, and regression.png with the fit.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rich.progress import track

import tinygrad_act as ta
import tinygrad_act.nn.functional as F

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 3_000
LEARNING_RATE = 0.01
MOMENTUM = 0.9
HIDDEN = 32
POINTS = 200
NOISE = 0.1                         # the deviation of the points from the curve: no fit's error is below it
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="200 epochs")
settings = parser.parse_args()
settings.epochs = 200 if settings.short else settings.epochs
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)


def gelu(x: ta.Tensor) -> ta.Tensor:
    """GELU's tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))  (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""
    return 0.5 * x * (1 + ta.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# ---- the formula beside F.gelu: values and gradients ----------------------------------------------------------
grid = ta.linspace(-5, 5, 1001)
written_out, built_in = grid.clone().requires_grad_(True), grid.clone().requires_grad_(True)
ours, theirs = gelu(written_out), F.gelu(built_in, approximate="tanh")
ours.sum().backward()
theirs.sum().backward()
apart = (ours - theirs).abs().max().item()
gradients_apart = (written_out.grad - built_in.grad).abs().max().item()
exact = (theirs - F.gelu(grid)).abs().max().item()

# ---- data: points about a curve --------------------------------------------------------------------------------
def curve(x: ta.Tensor) -> ta.Tensor:
    """What is to be found."""
    return ta.sin(2 * x) + 0.3 * x


x = 6 * ta.rand(POINTS, 1) - 3                                         # (200, 1), from -3 to 3
y = curve(x) + NOISE * ta.randn(POINTS, 1)                             # (200, 1)

# ---- the parameters ------------------------------------------------------------------------------------------
w1 = ta.randn(1, HIDDEN, requires_grad=True)                           # (1, 32)
b1 = (2 * ta.randn(HIDDEN)).requires_grad_(True)                       # (32,): the bends, spread over where the points are
w2 = (ta.randn(HIDDEN, 1) / math.sqrt(HIDDEN)).requires_grad_(True)    # (32, 1)
b2 = ta.zeros(1, requires_grad=True)                                   # (1,)
parameters = [w1, b1, w2, b2]
velocities = [ta.zeros_like(p) for p in parameters]


def model(x: ta.Tensor) -> ta.Tensor:
    return gelu(x @ w1 + b1) @ w2 + b2                                 # (N, 1) -> (N, 32) -> (N, 1)


# ---- training ------------------------------------------------------------------------------------------------
losses = []
for _ in track(range(settings.epochs), "training"):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    with ta.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v *= MOMENTUM
            v -= LEARNING_RATE * p.grad
            p += v
            p.grad = None
    losses.append(loss.item())

# ---- pictures ------------------------------------------------------------------------------------------------
figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
axes.plot(losses, color="#4269d0")
axes.axhline(NOISE**2, color="#999999", linestyle="--", linewidth=0.8)
axes.annotate("the noise", (0, NOISE**2 * 1.1), color="#666666")
axes.set(title="mean squared error", xlabel="epoch", yscale="log")
figure.savefig(settings.out / "regression_curves.png", dpi=110)

with ta.no_grad():
    line = ta.linspace(-3, 3, 300).reshape(-1, 1)                      # (300, 1)
    fit, truth = model(line).squeeze(1), curve(line).squeeze(1)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
at = line.squeeze(1).tolist()
left.scatter(x.tolist(), y.tolist(), s=8, color="#999999", label="points")
left.plot(at, truth.tolist(), "--", color="#3a7d44", label="sin 2x + 0.3 x")
left.plot(at, fit.tolist(), color="#c1602c", label="the fit")
left.legend()
left.set(title="the fit", xlabel="x")
for values, label, color in ((ours, "GELU", "#4269d0"), (written_out.grad, "its gradient", "#3a7d44")):
    right.plot(grid.tolist(), values.tolist(), color=color, label=f"{label}, the formula written out")
for values, label in ((theirs, "F.gelu"), (built_in.grad, "the gradient of F.gelu")):
    right.plot(grid[::40].tolist(), values[::40].tolist(), "o", markersize=4, color="#c1602c", fillstyle="none", label=label)
right.legend()
right.set(title="backward() finds the formula's gradient by itself", xlabel="x", xlim=(-4, 3), ylim=(-0.5, 3))
figure.savefig(settings.out / "regression.png", dpi=110)

off = ((fit - truth) ** 2).mean().sqrt().item()
print(f"GELU written out differs from F.gelu(approximate='tanh') by at most {apart:.1e}, its gradient by {gradients_apart:.1e} "
      f"(float32);\nthe tanh form differs from the exact one by at most {exact:.1e}.")
print(f"mean squared error {losses[-1]:.4f} after {settings.epochs:,} epochs (the noise alone: {NOISE**2:.4f}); "
      f"the fit is {off:.3f} off the curve. Pictures: {settings.out}/regression*.png")
