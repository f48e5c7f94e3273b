"""The same by LoRA: MiniLM stays as it is, and learns to judge films through 1.5 % as many numbers beside its weights.

    python examples/tune_minilm_lora.py

Saves the adapters alone, loads them into a fresh MiniLM, and checks that it says the same. Leaves in out/: the adapters,
film_judge.safetensors, and tune_minilm_lora.png with the loss, and how much each weight was changed.
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
EPOCHS = 3
BATCH = 16
RANK = 8
ADAPTED = ("query", "key", "value", "*.dense")   # all that is linear in the encoder
LEARNING_RATE = 2e-3
TARGET, TARGET_SHARE = 0.81, 0.02
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


@ta.no_grad()
def verdicts(model: Judge, texts: list[str]) -> ta.Tensor:
    """What the network says of some sentences, (n,)."""
    return model.head(model.encoder.encode(texts)).squeeze(1)


def share_right(scores: ta.Tensor) -> float:
    return ((scores > 0) == (test_shares > 0.5)).float().mean().item()


# ---- before: only the head learns, on vectors that are computed once --------------------------------------------
model, loss = Judge(), nn.BCEWithLogitsLoss()
vectors = TensorDataset(model.encoder.encode(texts), shares.unsqueeze(1))                    # (n, 384), (n, 1)
ta.train.fit(model.head, DataLoader(vectors, 100, shuffle=True), loss, optim.Adam(model.head.parameters(), lr=1e-2), epochs=5, progress=False)
before = share_right(verdicts(model, test_texts))

# ---- after: the adapters and the head ---------------------------------------------------------------------------
injected = tune.lora.inject(model, *ADAPTED, rank=RANK, also=["head"])
print(injected)
batches = DataLoader(list(zip(texts, shares, strict=True)), BATCH, shuffle=True)
optimizer = optim.AdamW(tune.parameter_groups(model, lr=LEARNING_RATE))
steps = epochs * len(batches)
schedule = tune.warmup_cosine(optimizer, steps // 10, steps)
history = ta.train.fit(model, batches, loss, optimizer, epochs=epochs, scheduler=schedule, scheduler_every="step", clip_norm=1.0,
                       log_every=1)
after = share_right(verdicts(model, test_texts))

# ---- the adapters as a file, in a fresh network -----------------------------------------------------------------
path = settings.out / "film_judge.safetensors"
tune.lora.save(model, path)
fresh = Judge()
tune.lora.load(fresh, path)
tune.lora.merge(model)                                                 # as quick as without; the same up to rounding
some = test_texts[:32]
loaded, merged = verdicts(fresh, some), verdicts(model, some)
tune.lora.unmerge(model)
tuned = verdicts(model, some)
assert ta.equal(loaded, tuned), "the loaded adapters say something else"
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB. In a fresh network it gives the same to the bit; merged, the same within "
      f"{(merged - tuned).abs().max().item():.0e}")

# ---- picture: the loss, and the size of each update beside that of its weight -----------------------------------
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
losses = ta.tensor([step["loss"] for step in history.steps])
left.plot(losses.tolist(), color="#4269d0", linewidth=0.5)
if len(losses) > 9:
    left.plot(range(4, len(losses) - 4), losses.unfold(0, 9, 1).mean(dim=1).tolist(), color="#4269d0")
left.set(title="training loss, each step and the mean of nine", xlabel="step", ylabel="binary cross-entropy")
kinds = {"query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value", "projection":
         "attention.output.dense", "widen": "intermediate.dense", "narrow": "output.dense"}
layers = [f"encoder.encoder.layer.{i}." for i in range(6)]
change = []
for layer in layers:
    parts = [model.get_submodule(layer + name) for name in kinds.values()]
    change.append([((p.lora_B["default"] @ p.lora_A["default"]).norm() / p.weight.norm()).item() for p in parts])
image = right.imshow(change, cmap="viridis", aspect="auto")
right.set_xticks(range(len(kinds)), kinds)
right.set(title="size of the update B A beside that of the weight", ylabel="layer")
figure.colorbar(image)
figure.savefig(settings.out / "tune_minilm_lora.png", dpi=100)

share = injected.trainable / injected.parameters
print(f"before, a linear head on the frozen encoder: {before:.1%} of {unseen:,} unseen sentences judged right; after, {share:.2%} of the "
      f"numbers tuned (wanted: {TARGET_SHARE:.0%} at most): {after:.1%} (wanted: {TARGET:.0%}). Picture: {settings.out}/tune_minilm_lora.png")
