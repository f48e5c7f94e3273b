"""An LSTM that reads sentences from film reviews, forwards and backwards, and says whether they praise.

    python examples/snippets_lstm.py

Leaves in out/: snippets_lstm_curves.png, and snippets_lstm.png with what each word of a few sentences does to the verdict.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.datasets import FilmSnippets, Vocabulary, pad_collate, words
from tinygrad_act.nn.utils.rnn import pack_padded_sequence
from tinygrad_act.utils.data import DataLoader

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 6
BATCH = 32
LEARNING_RATE = 4e-3
FEATURES, HIDDEN, DROPOUT = 64, 64, 0.5
OUT = Path("out")
SENTENCES = ("a wonderful film, funny and moving", "a dull film, neither funny nor moving", "the best comedy of the year",
             "an awful mess", "not bad at all", "not good at all", "too long, but beautifully acted")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 640 sentences")
settings = parser.parse_args()
settings.epochs = 1 if settings.short else settings.epochs
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: each sentence as the numbers of its words, (length,), and the share of praise in it ----------------
# Twenty people rated each sentence from -4 to 4; how sure they are is worth learning from, so the target is a share.
train, test = FilmSnippets(train=True), FilmSnippets(train=False)
vocabulary = Vocabulary.of(train.data, min_count=2)
n = 640 if settings.short else len(train)
samples, test_samples = ([(vocabulary(text), share) for text, share in zip(data.data[:size], (data.ratings[:size] / 2).sigmoid(),
                                                                           strict=True)]
                         for data, size in ((train, n), (test, len(test))))
batches = DataLoader(samples, BATCH, shuffle=True, collate_fn=pad_collate)
test_batches = DataLoader(test_samples, 200, collate_fn=pad_collate)


# ---- the network ---------------------------------------------------------------------------------------------
class Reader(nn.Module):
    """An LSTM each way, and a linear layer on both last states; above 0 is praise."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(vocabulary), FEATURES, padding_idx=0)
        self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.verdict = nn.Linear(2 * HIDDEN, 1)

    def forward(self, sentences: ta.Tensor, lengths: ta.Tensor) -> ta.Tensor:
        vectors = self.dropout(self.words(sentences))                  # (N, longest, 64)
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)                              # (2, N, 64): forwards and backwards
        both = ta.cat([state[0], state[1]], dim=1)                     # (N, 128)
        return self.verdict(self.dropout(both)).squeeze(1)             # (N,)


def accuracy(output: ta.Tensor, share: ta.Tensor) -> ta.Tensor:
    """The share of sentences on whose side of the middle the verdict is."""
    return ((output > 0) == (share > 0.5)).float().mean()


model = Reader()
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
history = ta.train.fit(model, batches, nn.BCEWithLogitsLoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=[accuracy], scheduler=scheduler)

# ---- pictures: the verdict on a sentence, less that on the sentence without a word ----------------------------
history.plot(settings.out / "snippets_lstm_curves.png", title="Film snippets: a bidirectional LSTM")
model.eval()
figure, axes = plt.subplots(figsize=(11, 4), layout="constrained")
with ta.no_grad():
    for row, sentence in enumerate(SENTENCES):
        numbers, tokens = vocabulary(sentence), words(sentence)        # (length,)
        versions = [numbers, *(ta.cat([numbers[:i], numbers[i + 1:]]) for i in range(len(tokens)))]
        verdict, *without = model(*pad_collate([(version, 0) for version in versions])[:2]).tolist()
        for i, (token, other) in enumerate(zip(tokens, without, strict=True)):
            color = plt.colormaps["RdYlGn"](0.5 + (verdict - other) / 3)
            axes.text(i + 0.5, row, token, ha="center", va="center", bbox={"facecolor": color, "edgecolor": "none", "pad": 4})
        axes.text(-0.3, row, f"{verdict:+.1f}", ha="right", va="center", color="#3a7d44" if verdict > 0 else "#c1602c")
axes.set(xlim=(-1, 8), ylim=(len(SENTENCES), -1), title="the verdict on a sentence, and what each word adds to it")
axes.axis("off")
figure.savefig(settings.out / "snippets_lstm.png", dpi=100)

print(f"{history[-1]['val_accuracy']:.1%} of {len(test):,} held-out sentences judged right. "
      f"Pictures: {settings.out}/snippets_lstm*.png")
