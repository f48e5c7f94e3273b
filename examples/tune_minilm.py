"""A sentence encoder learns to judge films: MiniLM, pretrained, tuned on 2,000 sentences from reviews.

    python examples/tune_minilm.py

Before: a linear head on the frozen encoder. After: all of it tuned, from that head on. Leaves in out/: tune_minilm_curves.png, and
tune_minilm.png with the sentences whose verdict changed.
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
EXAMPLES, UNSEEN = 2_000, 1_500
EPOCHS = 2
BATCH = 16
LEARNING_RATE = 2e-4                # of the head; each layer below learns by LAYER_DECAY slower than the one above
LAYER_DECAY = 0.9
TARGET = 0.82
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 64 sentences")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: sentences, and how many of twenty people like the film, as far as their mean rating tells ----------------------
train, test = (ta.datasets.FilmSnippets(train=part) for part in (True, False))
n, unseen, epochs = (64, 32, 1) if settings.short else (EXAMPLES, UNSEEN, settings.epochs)
texts, shares = train.data[:n], (train.ratings[:n] / 2).sigmoid()                            # n strings, (n,) from 0 to 1
test_texts, test_shares = test.data[:unseen], (test.ratings[:unseen] / 2).sigmoid()


# ---- the network: texts to one number each, above 0 for a positive verdict --------------------------------------
class Judge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = pretrained.minilm()
        self.encoder.normalize = False
        self.head = nn.Linear(384, 1)

    def forward(self, texts: list[str]) -> ta.Tensor:
        return self.head(self.encoder(*self.encoder.tokenize(texts))).squeeze(1)


model, loss = Judge(), nn.BCEWithLogitsLoss()


@ta.no_grad()
def verdicts() -> ta.Tensor:
    """What the network says of the unseen sentences, (unseen,)."""
    return model.head(model.encoder.encode(test_texts)).squeeze(1)


# ---- before: only the head learns, on vectors that are computed once --------------------------------------------
vectors = TensorDataset(model.encoder.encode(texts), shares.unsqueeze(1))                    # (n, 384), (n, 1)
ta.train.fit(model.head, DataLoader(vectors, 100, shuffle=True), loss, optim.Adam(model.head.parameters(), lr=1e-2), epochs=5, progress=False)
scores_before = verdicts()

# ---- after: everything does -----------------------------------------------------------------------------------
order = sorted(range(n), key=lambda i: len(texts[i]))                  # sentences about equally long go together: less padding
groups = [order[i:i + BATCH] for i in range(0, n, BATCH)]
batches = DataLoader([([texts[i] for i in group], shares[group]) for group in groups], batch_size=None, shuffle=True)
optimizer = optim.AdamW(tune.parameter_groups(model, lr=LEARNING_RATE, layer_decay=LAYER_DECAY))
steps = epochs * len(batches)
schedule = tune.warmup_cosine(optimizer, steps // 10, steps)
history = ta.train.fit(model, batches, loss, optimizer, epochs=epochs, scheduler=schedule, scheduler_every="step", clip_norm=1.0,
                       trainable=True, log_every=1)
scores = verdicts()
before, after = (((s > 0) == (test_shares > 0.5)).float().mean().item() for s in (scores_before, scores))

# ---- pictures ------------------------------------------------------------------------------------------------
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
losses = ta.tensor([step["loss"] for step in history.steps])
left.plot(losses.tolist(), color="#4269d0", linewidth=0.5)
if len(losses) > 9:
    left.plot(range(4, len(losses) - 4), losses.unfold(0, 9, 1).mean(dim=1).tolist(), color="#4269d0")
left.set(title="training loss, each step and the mean of nine", xlabel="step", ylabel="binary cross-entropy")
for s, colour, label in ((scores_before, "#999999", f"before: {before:.1%} right"), (scores, "#3a7d44", f"after: {after:.1%} right")):
    order = (s.sigmoid() - 0.5).abs().argsort(descending=True)         # the surest first
    hits = ((s > 0) == (test_shares > 0.5))[order].float().cumsum(dim=0) / ta.arange(1, unseen + 1)
    right.plot([100 * (i + 1) / unseen for i in range(unseen)], hits.tolist(), color=colour, label=label)
right.set(title="of the sentences it is surest of, so many are judged right", xlabel="% of the unseen sentences", ylim=(0.7, 1.01))
right.legend()
figure.savefig(settings.out / "tune_minilm_curves.png", dpi=100)

gain = (scores.sigmoid() - scores_before.sigmoid()) * (test_shares - 0.5).sign()             # towards what people say
shown = [*gain.argsort(descending=True)[:8].tolist(), *gain.argsort()[:4].tolist()]
figure, axes = plt.subplots(figsize=(12, 5.2), layout="constrained")
for row, i in enumerate(shown):
    a, b = scores_before[i].sigmoid().item(), scores[i].sigmoid().item()
    axes.annotate("", (b, row), (a, row), arrowprops={"arrowstyle": "-|>", "color": "#3a7d44" if gain[i] > 0 else "#c1602c", "linewidth": 2})
    axes.plot(test_shares[i].item(), row, "k|", markersize=14, markeredgewidth=2, label="what people say" if row == 0 else None)
axes.axvline(0.5, color="#999999", linewidth=0.8)
axes.set_yticks(range(len(shown)), [test_texts[i] if len(test_texts[i]) < 90 else test_texts[i][:87] + "..." for i in shown], fontsize=8)
axes.set(title="eight verdicts that got better most, four that got worse most", xlabel="how positive: before -> after", xlim=(0, 1),
         ylim=(len(shown) - 0.5, -0.5))
axes.legend(loc="lower right", fontsize="small")
figure.savefig(settings.out / "tune_minilm.png", dpi=90)

print(f"before, a linear head on the frozen encoder: {before:.1%} of {unseen:,} unseen sentences judged right; after, all of it tuned on "
      f"{n:,}: {after:.1%} (wanted: {TARGET:.0%}). Pictures: {settings.out}/tune_minilm*.png")
