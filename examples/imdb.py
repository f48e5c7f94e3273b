"""Is a film review positive or negative? The mean of its words' vectors, and a small network with GELU.

    python examples/imdb.py

Leaves in out/: imdb_curves.png, and imdb.png with the words that speak most for and against a film.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.datasets import IMDB, Vocabulary
from tinygrad_act.utils.data import DataLoader

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 3
BATCH = 64
LEARNING_RATE = 2e-3
VOCABULARY = 20_000                 # words; the rarer ones are all <unk>
FEATURES = 64
HELD_OUT = 5_000
COMMON = 3_000                      # the words among which the most telling are shown
TARGET = 0.873
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 1,000 reviews")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: each review as the numbers of its words, (length,) -------------------------------------------------
train, test = IMDB(train=True), IMDB(train=False)
n, held_out = (1_000, 500) if settings.short else (len(train), HELD_OUT)
settings.epochs = 1 if settings.short else settings.epochs
print(f"making numbers of the words of {n + held_out:,} reviews ...", flush=True)
vocabulary = Vocabulary.of(train.data[:n], VOCABULARY)
samples, test_samples = ([(vocabulary(text), label) for text, label in zip(data.data[:size], data.targets[:size], strict=True)]
                         for data, size in ((train, n), (test, held_out)))


def one_after_the_other(batch: list[tuple[ta.Tensor, ta.Tensor]]) -> tuple[ta.Tensor, ta.Tensor, ta.Tensor]:
    """(all words of the batch, where each review begins, labels): no padding."""
    reviews, labels = zip(*batch, strict=True)
    lengths = ta.tensor([len(review) for review in reviews])
    return ta.cat(reviews), lengths.cumsum(dim=0) - lengths, ta.stack(labels).float()


batches = DataLoader(samples, BATCH, shuffle=True, collate_fn=one_after_the_other)
test_batches = DataLoader(test_samples, 500, collate_fn=one_after_the_other)


# ---- the network ---------------------------------------------------------------------------------------------
class Reviewer(nn.Module):
    """The mean of the words' vectors, and two layers on it; one number comes out, above 0 for a positive review."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.EmbeddingBag(len(vocabulary), FEATURES, mode="mean")
        self.mlp = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 64), nn.GELU(), nn.Dropout(0.3), nn.Linear(64, 1))

    def forward(self, review: ta.Tensor, offsets: ta.Tensor) -> ta.Tensor:
        return self.mlp(self.mean(review, offsets)).squeeze(1)         # (N, 64) -> (N,)


model = Reviewer()
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
history = ta.train.fit(model, batches, nn.BCEWithLogitsLoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=["accuracy"])

# ---- pictures ------------------------------------------------------------------------------------------------
history.plot(settings.out / "imdb_curves.png", title="IMDB reviews: mean of embeddings, GELU")
common = ta.arange(2, min(COMMON, len(vocabulary)))                     # numbers go by frequency, after <pad> and <unk>
model.eval()
with ta.no_grad():                                                     # what is a review of this one word worth?
    verdicts = model(common, ta.arange(len(common)))
order = verdicts.argsort().tolist()
shown = order[:20] + order[-20:]
figure, axes = plt.subplots(figsize=(7, 8), layout="constrained")
values = [verdicts[i].item() for i in shown]
axes.barh(range(len(shown)), values, color=["#c1602c" if v < 0 else "#3a7d44" for v in values])
axes.set_yticks(range(len(shown)), [vocabulary.decode(common[i:i + 1]) for i in shown])
axes.axhline(19.5, color="#999999", linewidth=0.8)
axes.set(title="a review of this one word: how positive it is", xlabel="the network's output (log-odds)", ylim=(-1, len(shown)))
figure.savefig(settings.out / "imdb.png", dpi=100)

print(f"{history[-1]['val_accuracy']:.1%} of {held_out:,} held-out reviews judged right (wanted: {TARGET:.1%}). "
      f"Pictures: {settings.out}/imdb*.png")
