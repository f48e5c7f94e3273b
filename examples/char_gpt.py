"""A small GPT that writes like Python's own help, a character at a time.

    python examples/char_gpt.py

Prints what it writes before and after training. Leaves in out/: char_gpt_curves.png, and char_gpt.png with what one of
its heads attends to, and where in a text it is surprised.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import tinygrad_act as ta
import tinygrad_act.nn.functional as F
from tinygrad_act import nn, optim

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 4                          # of STEPS batches each, drawn anywhere in the text
STEPS = 150
BATCH = 32
CONTEXT = 64                        # characters it sees
WIDTH, HEADS, LAYERS = 96, 4, 3
LEARNING_RATE = 3e-3
HELD_OUT = 256                      # places in the held-out text
PROMPT = "The "
SENTENCE = "A class is a kind of object, and an instance is one of that kind."       # to look at: not from the text
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 12 batches")
settings = parser.parse_args()
if settings.short:
    STEPS, HELD_OUT, settings.epochs = 12, 32, 1
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: (the characters from a place on, the same one place on) --------------------------------------------
train, test = (ta.datasets.HelpTopics(train=part, context=CONTEXT) for part in (True, False))
characters = train.vocabulary
held_out = test.gather(ta.arange(0, len(test), len(test) // HELD_OUT)[:HELD_OUT])  # (256, 64), (256, 64)


# ---- the network ---------------------------------------------------------------------------------------------
class Block(nn.Module):
    """Attention to what came before, then a network for each place; each adds to what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(approximate="tanh"), nn.Linear(4 * WIDTH, WIDTH))   # as GPT-2

    def heads(self, x: ta.Tensor) -> list[ta.Tensor]:
        """Queries, keys and values, (N, heads, T, width / heads) each."""
        n, t, _ = x.shape
        return [part.view(n, t, HEADS, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)]

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        seen = F.scaled_dot_product_attention(*self.heads(x), is_causal=True)      # (N, 4, T, 24)
        x = x + self.out(seen.transpose(1, 2).reshape(x.shape))                    # (N, T, 96)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """(N, T) characters -> (N, T, characters): for each place, what may come next."""

    def __init__(self) -> None:
        super().__init__()
        self.character = nn.Embedding(len(characters), WIDTH)
        self.place = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.next = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(characters)))
        for table in (self.character, self.place):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        return self.next(self.blocks(self.character(x) + self.place(ta.arange(x.shape[1]))))

    def write(self, prompt: str, length: int) -> str:
        """The prompt, and what might follow, drawn character by character."""
        text = characters(prompt)
        with ta.no_grad():
            for _ in range(length):
                chances = self(text[-CONTEXT:].unsqueeze(0))[0, -1].softmax(dim=-1)
                text = ta.cat([text, ta.multinomial(chances, 1)])
        return characters.decode(text)


def bits(x: ta.Tensor, y: ta.Tensor, reduction: str = "mean") -> ta.Tensor:
    """The loss in bits: how many yes-or-no questions the next character still takes."""
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction=reduction) / math.log(2)


model = GPT()
optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=settings.epochs * STEPS, pct_start=0.1)
parameters = sum(p.numel() for p in model.parameters())
print(f"{parameters:,} parameters, {len(train.text):,} characters to learn from.\nBefore training it writes:\n")
print(model.write(PROMPT, 200 if not settings.short else 40))

# ---- training, every step by hand ----------------------------------------------------------------------------
with ta.no_grad():
    losses, tested = [], [bits(*held_out).item()]
columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
           TextColumn("{task.fields[loss]:.2f} bits a character, held out {task.fields[held_out]:.2f}"))
with Progress(*columns) as progress:
    task = progress.add_task("", total=settings.epochs * STEPS, loss=tested[0], held_out=tested[0])
    for _ in range(settings.epochs):
        for _ in range(STEPS):
            x, y = train.gather(ta.randint(0, len(train), (BATCH,)))               # (32, 64), (32, 64)
            loss = bits(x, y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
            progress.update(task, advance=1, loss=losses[-1])
        with ta.no_grad():
            tested.append(bits(*held_out).item())
        progress.update(task, held_out=tested[-1])

# ---- what it writes, and pictures ----------------------------------------------------------------------------
print("\nAfter training it writes:\n")
print(model.write(PROMPT, 500 if not settings.short else 40))

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(losses, linewidth=0.6, color="#4269d0", label="training")
axes.plot(range(0, len(losses) + 1, STEPS), tested, "--", marker=".", color="#c1602c", label="held out")
axes.set(title="bits a character", xlabel="step", ylim=(0, None))
axes.legend()
figure.savefig(settings.out / "char_gpt_curves.png", dpi=110)

sentence = characters(SENTENCE[:CONTEXT + 1])
x, y = sentence[:-1].unsqueeze(0), sentence[1:].unsqueeze(0)                       # (1, 64), (1, 64)
letters = list(SENTENCE[:CONTEXT])
with ta.no_grad():
    surprise = bits(x, y, reduction="none").tolist()
    q, k, _ = model.blocks[0].heads(model.character(x) + model.place(ta.arange(len(letters))))
    hidden = ta.ones(len(letters), len(letters)).triu(1).bool()
    weights = (q @ k.transpose(-2, -1) / math.sqrt(WIDTH / HEADS)).masked_fill(hidden, -math.inf).softmax(dim=-1)[0]
figure, (left, right) = plt.subplots(2, 1, figsize=(10, 13), height_ratios=(5, 1), layout="constrained")
left.imshow(weights[0].tolist(), cmap="viridis")
left.set(title="first layer, first head: what each character looks back at")
left.set_xticks(range(len(letters)), letters, family="monospace", fontsize=7)
left.set_yticks(range(len(letters)), letters, family="monospace", fontsize=7)
right.bar(range(1, len(letters)), surprise[:-1], color="#c1602c")
right.set_xticks(range(len(letters)), letters, family="monospace", fontsize=7)
right.set(title="surprise at each character, in bits", xlim=(-0.5, len(letters) - 0.5))
figure.savefig(settings.out / "char_gpt.png", dpi=80)

print(f"\n{tested[-1]:.2f} bits a character on held-out text, after {tested[0]:.2f} before training "
      f"(drawing characters blindly: {math.log2(len(characters)):.2f}). Pictures: {settings.out}/char_gpt*.png")
