"""What digits teach about clothes: a CNN that learned MNIST goes on to Fashion-MNIST, with few examples and with more.

    python examples/mnist_to_fashion.py

Four ways with the same examples: a new last layer on all that the digits taught; new dense layers on frozen convolutions; the same,
the convolutions tuned too; and from scratch. Leaves in out/: mnist_to_fashion.png, how right each is by the number of examples,
and how the loss falls.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim, pretrained, tune
from tinygrad_act.utils.data import DataLoader, TensorDataset

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
SIZES = (50, 200, 800, 3_200)       # examples to learn from
STEPS = 200                         # of each run, whatever the number of examples
BATCH = 32
LEARNING_RATE = {"last layer": 1e-2, "frozen": 2e-3, "tuned": 2e-3, "from scratch": 2e-3}
TEST = 2_000
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="two sizes, ten steps")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
sizes, steps, tests = ((50, 200), 10, 200) if settings.short else (SIZES, STEPS, TEST)

# ---- data: as the network was given its digits ---------------------------------------------------------------
train, test = (ta.datasets.FashionMNIST(train=part) for part in (True, False))
prepare = pretrained.mnist_cnn().prepare
images, labels = prepare(train.data[:max(sizes)]), train.targets[:max(sizes)]          # (N, 1, 28, 28), (N,)
test_images, test_labels = prepare(test.data[:tests]), test.targets[:tests]


@ta.no_grad()
def accuracy(model: nn.Module) -> float:
    model.eval()
    scores = ta.cat([model(part) for part in test_images.split(500)])                  # (N, 10)
    return (scores.argmax(dim=1) == test_labels).float().mean().item()


def network(way: str) -> nn.Module:
    """The network as it goes into training."""
    if way == "from scratch":
        return pretrained.DigitCNN()
    model = pretrained.mnist_cnn()
    head = tune.new_head(model, "classifier.2", 10)
    if way == "last layer":
        tune.freeze(model)
        tune.unfreeze(model, head)
    else:
        tune.new_head(model, "classifier.0", 128)                      # what it makes of the features is about digits
    if way == "frozen":
        tune.freeze(model, "features")
    return model


reached: dict[str, list[float]] = {}
losses: dict[str, list[float]] = {}
for way, rate in LEARNING_RATE.items():
    for n in sizes:
        ta.manual_seed(settings.seed)
        model = network(way)
        before = accuracy(model)
        data = DataLoader(TensorDataset(images[:n], labels[:n]), BATCH, shuffle=True)
        epochs = -(-steps // len(data))
        optimizer = optim.AdamW(tune.parameter_groups(model, lr=rate))
        schedule = tune.warmup_cosine(optimizer, steps // 10, epochs * len(data))
        history = ta.train.fit(model, data, nn.CrossEntropyLoss(), optimizer, epochs=epochs, scheduler=schedule, scheduler_every="step",
                               log_every=1, trainable=n == sizes[0], progress=False)
        reached.setdefault(way, []).append(accuracy(model))
        losses[way] = [step["loss"] for step in history.steps]         # the last is of the most examples
        print(f"{way:12} {n:5,} examples: {before:6.1%} -> {reached[way][-1]:6.1%}", flush=True)

# ---- pictures ------------------------------------------------------------------------------------------------
looks = {"last layer": ("#999999", "the digits' network frozen, a new last layer"), "frozen": ("#4269d0", "its convolutions frozen, new dense layers"),
         "tuned": ("#3a7d44", "the same, convolutions tuned too"), "from scratch": ("#c1602c", "from scratch")}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
for way, shares in reached.items():
    colour, label = looks[way]
    left.plot(sizes, shares, "o-", color=colour, label=label)
    smooth = ta.tensor(losses[way]).unfold(0, 9, 1).mean(dim=1).tolist() if len(losses[way]) > 9 else losses[way]
    right.plot(smooth, color=colour, linewidth=1.2)
left.set(title=f"{tests:,} test images of clothes: the share that is right", xlabel="examples to learn from", xscale="log")
left.set_xticks(sizes, [f"{n:,}" for n in sizes])
left.minorticks_off()
left.legend()
right.set(title=f"loss, {sizes[-1]:,} examples (mean of 9 steps)", xlabel="step", yscale="log")
figure.savefig(settings.out / "mnist_to_fashion.png", dpi=100)

few, most = [", ".join(f"{way} {shares[i]:.1%}" for way, shares in reached.items()) for i in (0, -1)]
print(f"{sizes[0]} examples: {few}; {sizes[-1]:,}: {most}. Picture: {settings.out}/mnist_to_fashion.png")
