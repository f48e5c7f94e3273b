"""A small convolutional network that reads handwritten digits: 60,000 to learn from, gone through once.

    python examples/mnist.py

Leaves in out/: mnist_curves.png, and mnist.png with the first layer's filters and the digits that were misread.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.utils.data import DataLoader, Subset

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 1
BATCH = 64
LEARNING_RATE = 5e-3                # the highest: it rises to this, and falls to nothing
TARGET = 0.985
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 2,000 digits")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: images from 0 to 1, (1, 28, 28) each, and their digits ---------------------------------------------
train, test = (ta.datasets.MNIST(train=part) for part in (True, False))
if settings.short:
    train, test, settings.epochs = Subset(train, range(2_000)), Subset(test, range(500)), 1
batches = DataLoader(train, BATCH, shuffle=True)
test_batches = DataLoader(test, 500)

# ---- the network ---------------------------------------------------------------------------------------------
model = nn.Sequential(                                                 # (N, 1, 28, 28)
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),        # (N, 16, 14, 14)
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),       # (N, 32, 7, 7)
    nn.Flatten(),                                                      # (N, 1568)
    nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),         # (N, 10)
)
optimizer = optim.Adam(model.parameters())
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, epochs=settings.epochs, steps_per_epoch=len(batches))

history = ta.train.fit(model, batches, nn.CrossEntropyLoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=["accuracy"], scheduler=scheduler, scheduler_every="step", log_every=1)

# ---- pictures ------------------------------------------------------------------------------------------------
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot([s["step"] for s in history.steps], [s["loss"] for s in history.steps], color="#4269d0", linewidth=0.6, label="training, each step")
axes.plot(history["step"], history["val_loss"], "o--", color="#c1602c", label="test, after each epoch")
axes.set(title="MNIST: a CNN with two convolutions", xlabel="step", ylabel="cross-entropy", yscale="log")
axes.legend()
figure.savefig(settings.out / "mnist_curves.png", dpi=110)

misread = []                                                           # (image, digit, taken for)
model.eval()
with ta.no_grad():
    for images, digits in test_batches:                                # (500, 1, 28, 28), (500,)
        taken_for = model(images).argmax(dim=1)
        for i in (taken_for != digits).nonzero()[:, 0].tolist():
            misread.append((images[i, 0], digits[i].item(), taken_for[i].item()))

figure, axes = plt.subplots(4, 12, figsize=(12, 4.6), layout="constrained")
for ax in axes.flat:
    ax.axis("off")
filters = model[0].weight.detach()                                     # (16, 1, 3, 3)
for ax, kernel in zip(axes[:, :4].flat, filters[:, 0].tolist(), strict=True):
    ax.imshow(kernel, cmap="RdBu", vmin=-1, vmax=1)
for ax, (image, digit, taken) in zip(axes[:, 4:].flat, misread, strict=False):
    ax.imshow(image.tolist(), cmap="gray_r")
    ax.set_title(f"{digit}, read {taken}", fontsize=9)
figure.suptitle(f"left: the first layer's 16 filters; right: {min(32, len(misread))} of the {len(misread)} test digits misread")
figure.savefig(settings.out / "mnist.png", dpi=100)

print(f"{history[-1]['val_accuracy']:.2%} of {len(test):,} test digits recognised after {settings.epochs} epoch"
      f"{'s' if settings.epochs > 1 else ''} (wanted: {TARGET:.1%}). Pictures: {settings.out}/mnist*.png")
