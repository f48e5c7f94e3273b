"""Two toys that no straight line divides, learnt with four activations: where each network draws its boundary.

    python examples/toys.py

Two moons and three spiral arms; the same two-layer network each time, only the activation differs. Its form is what
the boundary is made of: corners with ReLU, smooth bends with tanh and GELU, waves with a sine.
Leaves in out/: toys_curves.png, and toys.png with the boundaries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rich.progress import Progress

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.datasets import spirals, two_moons

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 600                        # each is one step on all points
LEARNING_RATE = 0.02
HIDDEN = 24
FINE = 160                          # points along each side of the pictures
TARGET = 0.95
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="30 epochs, coarse pictures")
settings = parser.parse_args()
if settings.short:
    settings.epochs, FINE = 30, 40
settings.out.mkdir(parents=True, exist_ok=True)


class Sine(nn.Module):
    """sin(2x): an activation of one's own is a function of tensors, and its gradient comes by itself."""

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        return ta.sin(2 * x)


ACTIVATIONS = {"ReLU": nn.ReLU, "tanh": nn.Tanh, "GELU": nn.GELU, "sine": Sine}
TOYS = {"two moons": (two_moons(n=300, noise=0.15), two_moons(train=False, n=1000, noise=0.15)),
        "spirals": (spirals(n=300), spirals(train=False, n=999))}
COLOURS = ["#4269d0", "#c1602c", "#3a7d44"]


def network(activation: type[nn.Module], classes: int) -> nn.Sequential:
    """Two coordinates in, (N, 2); a number for each class out, (N, classes)."""
    return nn.Sequential(nn.Linear(2, HIDDEN), activation(), nn.Linear(HIDDEN, HIDDEN), activation(), nn.Linear(HIDDEN, classes))


def draw(ax: plt.Axes, model: nn.Sequential, points: ta.datasets.Points) -> None:
    """The class that the network gives to each place, the paler the less certain, and the points it learnt from."""
    low, high = (points.data.amin(0) - 0.3).tolist(), (points.data.amax(0) + 0.3).tolist()
    x, y = ta.linspace(low[0], high[0], FINE), ta.linspace(low[1], high[1], FINE)
    places = ta.stack([x.repeat(FINE), y.repeat_interleave(FINE)], dim=1)            # (FINE * FINE, 2), rows from below
    with ta.no_grad():
        shares = model(places).softmax(dim=1)                                        # (FINE * FINE, classes)
    hues = ta.tensor([matplotlib.colors.to_rgb(c) for c in COLOURS])[:len(points.classes)]
    picture = (0.55 * shares @ hues + 0.45).reshape(FINE, FINE, 3)
    ax.imshow(picture.tolist(), origin="lower", extent=(low[0], high[0], low[1], high[1]), interpolation="bilinear", aspect="auto")
    winner = shares.argmax(dim=1).reshape(FINE, FINE)
    for number, colour in enumerate(COLOURS[:len(points.classes)]):
        here = (winner == number).float()
        if 0 < here.mean().item() < 1:
            ax.contour(x.tolist(), y.tolist(), here.tolist(), levels=[0.5], colors="black", linewidths=0.7)
        own = points.data[points.targets == number]
        ax.scatter(own[:, 0].tolist(), own[:, 1].tolist(), s=13, color=colour, edgecolors="white", linewidths=0.4)
    ax.set(xticks=[], yticks=[])


# ---- training, every step by hand ----------------------------------------------------------------------------
loss_of = nn.CrossEntropyLoss()
found: dict[tuple[str, str], float] = {}
boundaries, panels = plt.subplots(2, 4, figsize=(13, 6.4), layout="constrained")
curves, plots = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
with Progress() as progress:
    task = progress.add_task("training", total=len(TOYS) * len(ACTIVATIONS) * settings.epochs)
    for row, plot, (toy, (train, test)) in zip(panels, plots, TOYS.items(), strict=True):
        for ax, (name, activation) in zip(row, ACTIVATIONS.items(), strict=True):
            ta.manual_seed(settings.seed)
            model = network(activation, len(train.classes))
            optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
            losses = []
            for _ in range(settings.epochs):
                loss = loss_of(model(train.data), train.targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                progress.update(task, advance=1, description=f"{toy}, {name}: loss {losses[-1]:.3f}")
            with ta.no_grad():
                found[toy, name] = (model(test.data).argmax(dim=1) == test.targets).float().mean().item()
            draw(ax, model, train)
            ax.set_title(f"{toy}, {name}: {found[toy, name]:.1%}")
            plot.plot(losses, label=name, linewidth=1)
        plot.set(title=toy, xlabel="epoch", ylabel="cross-entropy", yscale="log")
        plot.legend()
boundaries.suptitle("where each network draws its boundary, and the share of new points on the right side of it")
boundaries.savefig(settings.out / "toys.png", dpi=85)
curves.savefig(settings.out / "toys_curves.png", dpi=110)

worst = min(found, key=lambda key: found[key])
print(f"The least of the eight networks ({worst[0]}, {worst[1]}) knows {found[worst]:.1%} of new points (wanted: {TARGET:.0%}). "
      f"Pictures: {settings.out}/toys*.png")
