"""An LSTM that hears which digit was said: 3,000 recordings of six speakers, as 13 coefficients of sound a frame.

    python examples/spoken_digits.py

Leaves in out/: spoken_digits_curves.png, and spoken_digits.png with what the network believes while it listens, frame
by frame, and which digits it takes for which.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.nn.utils.rnn import pack_padded_sequence
from tinygrad_act.utils.data import DataLoader, Subset

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 15
BATCH = 32
LEARNING_RATE = 5e-3
HIDDEN = 64
TARGET = 0.97
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 256 recordings")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: recordings of several lengths, (frames, 13) each ---------------------------------------------------
train, test = (ta.datasets.SpokenDigits(train=part) for part in (True, False))
frames = ta.cat(train.data)                                            # (all frames, 13)
mean, std = frames.mean(dim=0), frames.std(dim=0)
train.transform = test.transform = lambda recording: (recording - mean) / std
if settings.short:
    train, settings.epochs = Subset(train, range(256)), 1
batches = DataLoader(train, BATCH, shuffle=True, collate_fn=ta.datasets.pad_collate)
test_batches = DataLoader(test, 200, collate_fn=ta.datasets.pad_collate)


# ---- the network ---------------------------------------------------------------------------------------------
class Listener(nn.Module):
    """An LSTM, and a linear layer that reads a digit off its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(13, HIDDEN, batch_first=True)
        self.digit = nn.Linear(HIDDEN, 10)

    def forward(self, recordings: ta.Tensor, lengths: ta.Tensor) -> ta.Tensor:
        packed = pack_padded_sequence(recordings, lengths, batch_first=True, enforce_sorted=False)
        _, (state, _) = self.lstm(packed)                              # (1, N, 64): each recording's own last frame
        return self.digit(state[-1])                                   # (N, 10)

    def beliefs(self, recording: ta.Tensor) -> ta.Tensor:
        """The probability of each digit after each frame, (frames, 10)."""
        return self.digit(self.lstm(recording)[0]).softmax(dim=-1)


model = Listener()
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
history = ta.train.fit(model, batches, nn.CrossEntropyLoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=["accuracy"], scheduler=scheduler)

# ---- pictures ------------------------------------------------------------------------------------------------
history.plot(settings.out / "spoken_digits_curves.png", title="Spoken digits: an LSTM on 13 coefficients a frame")
with ta.no_grad():
    confusion = ta.zeros(10, 10, dtype=ta.int64)                       # said, heard
    for recordings, lengths, said in test_batches:                     # (N, longest, 13), (N,), (N,)
        heard = model(recordings, lengths).argmax(dim=1)
        confusion += (said * 10 + heard).bincount(minlength=100).reshape(10, 10)
    example = next(i for i in range(len(test)) if test[i][1] == 7)
    recording, said_digit = test[example]
    beliefs = model.beliefs(recording)

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
left.imshow(recording.T.tolist(), aspect="auto", origin="lower", cmap="magma")
left.set(title=f'what it hears: a "{said_digit}"', xlabel="frame", ylabel="coefficient")
for digit, belief in enumerate(beliefs.T.tolist()):
    middle.plot(belief, label=str(digit), linewidth=2.4 if digit == said_digit else 1)
middle.set(title="what it believes after each frame", xlabel="frame", ylabel="probability", ylim=(0, 1.02))
middle.xaxis.get_major_locator().set_params(integer=True)
middle.legend(ncols=2, fontsize="small")
right.imshow(confusion.tolist(), cmap="Blues")
for i, row in enumerate(confusion.tolist()):
    for j, count in enumerate(row):
        if count:
            right.text(j, i, count, ha="center", va="center", fontsize=8, color="white" if i == j else "black")
right.set(title="held-out recordings", xlabel="heard", ylabel="said", xticks=range(10), yticks=range(10))
figure.savefig(settings.out / "spoken_digits.png", dpi=110)

print(f"{history[-1]['val_accuracy']:.1%} of {len(test)} held-out recordings recognised (wanted: {TARGET:.0%}). "
      f"Pictures: {settings.out}/spoken_digits*.png")
