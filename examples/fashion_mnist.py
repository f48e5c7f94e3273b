"""Which article of clothing is it? The network of mnist.py on harder images: 60,000 to learn from, gone through once.

    python examples/fashion_mnist.py

Leaves in out/: fashion_mnist_curves.png, and fashion_mnist.png with what is taken for what.
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
BATCH = 32
LEARNING_RATE = 5e-3                # the highest: it rises to this, and falls to nothing
TARGET = 0.88
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 2,000 images")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: images from 0 to 1, (1, 28, 28) each, and their classes --------------------------------------------
train, test = (ta.datasets.FashionMNIST(train=part) for part in (True, False))
classes = test.classes
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
losses = [step["loss"] for step in history.steps]
smooth = [sum(part) / len(part) for part in (losses[max(0, i - 25):i + 25] for i in range(len(losses)))]
axes.plot(range(1, len(smooth) + 1), losses, color="#4269d0", alpha=0.3, linewidth=0.5)
axes.plot(range(1, len(smooth) + 1), smooth, color="#4269d0", label="training, the mean of 50 steps")
axes.plot(history["step"], history["val_loss"], "o--", color="#c1602c", label="test, after each epoch")
axes.set(title="Fashion-MNIST: a CNN with two convolutions", xlabel="step", ylabel="cross-entropy", ylim=(0, 1.5))
axes.legend()
figure.savefig(settings.out / "fashion_mnist_curves.png", dpi=110)

confusion = ta.zeros(10, 10, dtype=ta.int64)                           # what it is, what it is taken for
mistakes = []                                                          # (certainty, image, class, taken for)
model.eval()
with ta.no_grad():
    for images, labels in test_batches:                                # (500, 1, 28, 28), (500,)
        certainty, taken_for = model(images).softmax(dim=1).max(dim=1)
        confusion += (labels * 10 + taken_for).bincount(minlength=100).reshape(10, 10)
        for i in (taken_for != labels).nonzero()[:, 0].tolist():
            mistakes.append((certainty[i].item(), images[i, 0], labels[i].item(), taken_for[i].item()))
mistakes.sort(key=lambda mistake: -mistake[0])

figure = plt.figure(figsize=(14, 5.6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.05, 1))
axes = left.subplots()
axes.imshow(confusion.float().sqrt().tolist(), cmap="Blues")           # the root, so that the mistakes can be seen
for i, row in enumerate(confusion.tolist()):
    for j, count in enumerate(row):
        if count:
            axes.text(j, i, count, ha="center", va="center", fontsize=8, color="white" if i == j else "black")
axes.set(title=f"{len(test):,} test images", xlabel="taken for", ylabel="what it is", xticks=range(10), yticks=range(10))
axes.set_xticklabels(classes, rotation=45, ha="right")
axes.set_yticklabels(classes)
for ax in (grid := right.subplots(4, 5)).flat:
    ax.axis("off")
for ax, (certainty, image, label, taken) in zip(grid.flat, mistakes, strict=False):
    ax.imshow(image.tolist(), cmap="gray_r")
    ax.set_title(f"{classes[label]},\n{classes[taken]}? {certainty:.0%}", fontsize=8)
right.suptitle("its mistakes, the most certain first")
figure.savefig(settings.out / "fashion_mnist.png", dpi=90)

print(f"{history[-1]['val_accuracy']:.1%} of {len(test):,} test images recognised (wanted: {TARGET:.0%}). "
      f"Pictures: {settings.out}/fashion_mnist*.png")
