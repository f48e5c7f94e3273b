"""Train a small network on 1,797 real handwritten digits and look at what happened.

    python examples/digits.py            # or: make demo

Leaves in out/: the computation graph of one training step (SVG and PNG), the loss and accuracy curves, a table of what
each layer does (saturated and dead units), and the weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from sklearn.datasets import load_digits

import tinygrad_act as ta
from tinygrad_act import nn, optim, study
from tinygrad_act.utils.data import DataLoader, TensorDataset, random_split

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 30
BATCH = 32
LEARNING_RATE = 2e-3
HELD_OUT = 360                      # of 1,797
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--out", type=Path, default=OUT)
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
console = Console()
ta.manual_seed(SEED)

# ---- data: 8x8 pixels of 0..16, scaled to 0..1 ---------------------------------------------------------------
digits = load_digits()
pixels = ta.tensor(digits.data / 16, dtype=ta.float32)         # (1797, 64)
labels = ta.tensor(digits.target)                              # (1797,)
data = TensorDataset(pixels, labels)
train, held_out = random_split(data, [len(data) - HELD_OUT, HELD_OUT])
batches = DataLoader(train, batch_size=BATCH, shuffle=True)
test_pixels, test_labels = next(iter(DataLoader(held_out, batch_size=HELD_OUT)))

# ---- the network ---------------------------------------------------------------------------------------------
model = nn.Sequential(
    nn.Linear(64, 128), nn.GELU(),
    nn.Linear(128, 64), nn.ReLU(),
    nn.Linear(64, 32), nn.Tanh(),
    nn.Linear(32, 10),
)
loss_of = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)


def accuracy() -> float:
    """The share of held-out digits that are recognised."""
    with ta.no_grad():
        return (model(test_pixels).argmax(dim=1) == test_labels).float().mean().item()


# ---- training, every step by hand ----------------------------------------------------------------------------
losses, accuracies = [], [accuracy()]
columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
           TextColumn("loss {task.fields[loss]:.4f}  held out {task.fields[held_out]:.1%}"))
with Progress(*columns, console=console) as progress:
    task = progress.add_task("training", total=settings.epochs * len(batches), loss=float("nan"), held_out=accuracies[0])
    for _ in range(settings.epochs):
        for x, y in batches:                                   # (32, 64), (32,)
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            progress.update(task, advance=1, loss=losses[-1])
        accuracies.append(accuracy())
        progress.update(task, held_out=accuracies[-1])

# ---- one more step, watched: the graph and what each layer does ---------------------------------------------
x, y = next(iter(batches))
with study.Tape() as tape:
    loss = loss_of(model(x), y)
pictures = [study.draw(loss, settings.out / f"graph.{kind}", names=model, tape=tape) for kind in ("svg", "png")]

with study.watch(model) as layers:
    for x, y in batches:
        loss_of(model(x), y).backward()
model.zero_grad()
table = Table(title="what each layer does, over one pass through the training digits")
for heading in layers[0].row():
    table.add_column(heading, justify="left" if heading in ("layer", "module", "output") else "right")
for layer in layers:
    table.add_row(*layer.row().values())
console.print(table)
(settings.out / "layers.json").write_text(json.dumps([layer.row() for layer in layers], indent=2, ensure_ascii=False))
with (settings.out / "layers.txt").open("w") as file:
    Console(file=file, width=120).print(table)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.plot(losses, linewidth=0.8, color="#4269d0")
left.set(title="loss of each step", xlabel="step", ylabel="cross-entropy", yscale="log")
right.plot(accuracies, marker=".", color="#3a7d44")
right.set(title="held-out digits recognised", xlabel="epoch", ylabel="share", ylim=(0, 1.02))
right.axhline(0.97, color="#999999", linewidth=0.8, linestyle="--")
right.annotate("97 %", (0, 0.975), color="#666666")
figure.savefig(settings.out / "curves.png", dpi=150)

ta.save(model.state_dict(), settings.out / "weights.safetensors")

console.print(f"\n[bold]{accuracies[-1]:.1%}[/bold] of {HELD_OUT} held-out digits recognised. In {settings.out}/:")
for path in (*pictures, settings.out / "curves.png", settings.out / "layers.txt", settings.out / "layers.json",
             settings.out / "weights.safetensors"):
    console.print(f"  {path}")
