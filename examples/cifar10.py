"""What is on the photograph? A network of two convolutions, as courses print it, on CIFAR-10.

    python examples/cifar10.py --data FOLDER       # the one with cifar-10-binary.tar.gz, or what it unpacks to

The archive is at https://www.cs.toronto.edu/~kriz/cifar.html ("CIFAR-10 binary version", 162 MB); no package registry has it.
Without it, `--short` runs on made-up images of the same form: a colour for each class, under noise.
Leaves in out/: cifar10_curves.png, and cifar10.png with photographs and what they are taken for.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
import tinygrad_act.nn.functional as F
from tinygrad_act import nn, optim
from tinygrad_act.datasets import CIFAR10
from tinygrad_act.utils.data import DataLoader, Subset

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 5
BATCH = 64
LEARNING_RATE = 1e-3
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, help="the folder that has cifar-10-binary.tar.gz or cifar-10-batches-bin")
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 1,000 images, made up unless --data is given")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)


# ---- data: (3, 32, 32) each, from 0 to 1, and the class -------------------------------------------------------
def make_up(folder: Path, records: int = 200) -> None:
    """Write files of CIFAR-10's form: records of one byte, the class, and 3072, the red, green and blue pixels."""
    colours = ta.randint(50, 200, (10, 3, 1))                                        # of each class
    (folder / CIFAR10.folder).mkdir()
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        labels = ta.randint(0, 10, (records, 1))
        images = (colours[labels[:, 0]] + ta.randint(-50, 50, (records, 3, 32 * 32))).reshape(records, -1)
        content = ta.cat([labels, images], dim=1).flatten().tolist()                 # (records * 3073,)
        (folder / CIFAR10.folder / name).write_bytes(bytes(content))


if settings.short and settings.data is None:
    with tempfile.TemporaryDirectory() as folder:
        make_up(Path(folder))
        train, test = (CIFAR10(folder, train=part) for part in (True, False))
    images_are = "made-up images"
else:
    train, test = (CIFAR10(settings.data, train=part) for part in (True, False))
    images_are = "photographs"
classes = train.classes
if settings.short:
    train, test, settings.epochs = Subset(train, range(1_000)), Subset(test, range(200)), 1
batches = DataLoader(train, BATCH, shuffle=True)
test_batches = DataLoader(test, 500)


# ---- the network ---------------------------------------------------------------------------------------------
class Net(nn.Module):
    """Two convolutions of 3 x 3 without padding, each followed by ReLU and pooling; then two linear layers, tanh between."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(64 * 6 * 6, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: ta.Tensor) -> ta.Tensor:                      # (N, 3, 32, 32)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)                     # (N, 32, 30, 30) -> (N, 32, 15, 15)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)                     # (N, 64, 13, 13) -> (N, 64, 6, 6)
        x = F.tanh(self.fc1(x.flatten(1)))                             # (N, 2304) -> (N, 128)
        return self.fc2(x)                                             # (N, 10)


model = Net()
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
history = ta.train.fit(model, batches, nn.CrossEntropyLoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=["accuracy"])

# ---- pictures ------------------------------------------------------------------------------------------------
history.plot(settings.out / "cifar10_curves.png", title=f"CIFAR-10 ({images_are})")
images, labels = next(iter(test_batches))                              # (500, 3, 32, 32), (500,)
model.eval()
with ta.no_grad():
    certainty, taken_for = model(images).softmax(dim=1).max(dim=1)
figure, axes = plt.subplots(4, 10, figsize=(14, 6.4), layout="constrained")
for number, column in enumerate(axes.T):
    own = (labels == number).nonzero()[:, 0].tolist()
    for ax in column:
        ax.axis("off")
    for ax, i in zip(column, own, strict=False):
        ax.imshow(images[i].permute(1, 2, 0).tolist())
        right = taken_for[i].item() == number
        ax.set_title(f"{classes[taken_for[i].item()]} {certainty[i].item():.0%}", fontsize=9, color="#3a7d44" if right else "#c1602c")
figure.suptitle(f"a column for each class ({', '.join(classes)}), and what each image is taken for", fontsize=11)
figure.savefig(settings.out / "cifar10.png", dpi=80)

print(f"{history[-1]['val_accuracy']:.1%} of {len(test):,} {images_are} recognised (chance: 10 %). "
      f"Pictures: {settings.out}/cifar10*.png")
