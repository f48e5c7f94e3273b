"""Who is speaking? Two people on the telephone, told apart by the features of a pretrained LSTM (Resemblyzer's).

    python examples/speakers.py

Each voice is learned from one turn of its own; every tenth of a second after that is given to the nearer of the two. Before:
the same by the mean spectrum, without the network. Leaves in out/: speakers.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import pretrained
from tinygrad_act.nn.functional import normalize

# ---- settings ------------------------------------------------------------------------------------------------
WINDOW = 130                        # frames of 10 ms: what the network hears at once
STEP = 10                           # frames from one window to the next
KNOWN = ((10.57, 14.49), (14.70, 17.92))   # seconds: a turn of each, in which the other is silent
FROM = 18.0                         # seconds: what comes later is the test
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="a window only every second")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
step = 100 if settings.short else STEP

# ---- data: half a minute at 16,000 samples a second, and who says something when -------------------------------
wave, turns = pretrained.sample_conversation()                         # (480000,), [(from, to, who), ...]
people = sorted({who for *_, who in turns})
encoder = pretrained.resemblyzer()
mel = encoder.mel(pretrained.louder(wave))                             # (frames, 40)
starts = range(0, len(mel) - WINDOW, step)
windows = ta.stack([mel[i:i + WINDOW] for i in starts])                # (N, 130, 40)
middles = [(i + WINDOW / 2) / 100 for i in starts]                     # the second that a window is about
speaking = [{who for a, b, who in turns if a <= t < b} for t in middles]

# ---- features of each window: without the network, and with it -------------------------------------------------
with ta.no_grad():
    spectrum = windows.clamp(min=1e-6).log().mean(dim=1)               # (N, 40)
    features = {"mean spectrum": normalize(spectrum - spectrum.mean(dim=0)),
                "LSTM": ta.cat([encoder(part) for part in windows.split(32)])}      # (N, 256), of length 1


def voices(vectors: ta.Tensor) -> ta.Tensor:
    """What the windows within the known turns have in common: one vector a person, (2, features)."""
    half = WINDOW / 200
    inside = [[i for i, t in enumerate(middles) if a + half <= t <= b - half] for a, b in KNOWN]
    return normalize(ta.stack([vectors[some].mean(dim=0) for some in inside]))


test = [i for i, t in enumerate(middles) if t >= FROM and len(speaking[i]) == 1]    # one person speaks
truth = [people.index(next(iter(speaking[i]))) for i in test]
nearness = {name: vectors @ voices(vectors).mT for name, vectors in features.items()}           # (N, 2)
right = {name: sum(near[i].argmax().item() == who for i, who in zip(test, truth, strict=True)) / len(test)
         for name, near in nearness.items()}

# ---- several recordings, each one vector: are those of one voice nearer? ---------------------------------------
names = ["novel 1", "novel 2", "novel 3", "cards 2", "cards 3", "cards 4", "cards 5"]
prints = ta.stack([encoder.embed(pretrained.louder(pretrained.sample_speech(name))) for name in names])
cosines = prints @ prints.T                                            # (7, 7)
same = [cosines[i, j].item() for i in range(7) for j in range(i) if names[i][0] == names[j][0]]
other = [cosines[i, j].item() for i in range(7) for j in range(i) if names[i][0] != names[j][0]]

# ---- pictures ------------------------------------------------------------------------------------------------
colours = ("#4269d0", "#c1602c")
figure, axes = plt.subplot_mosaic([["said", "matrix"], ["LSTM", "matrix"], ["mean spectrum", "matrix"]], figsize=(13, 6),
                                  layout="constrained", width_ratios=(2, 1), height_ratios=(1.1, 2, 2))
for a, b, who in turns:
    axes["said"].barh(people.index(who), b - a, left=a, color=colours[people.index(who)], height=0.7)
best = nearness["LSTM"].argmax(dim=1).tolist()
axes["said"].scatter([middles[i] for i in test], [2.2] * len(test), c=[colours[best[i]] for i in test], marker="s", s=14)
axes["said"].set(title="who says something; above: whom the LSTM's features hear", yticks=(0, 1, 2.2), yticklabels=("A", "B", "heard"),
                 ylim=(-0.5, 2.7))
for name in nearness:
    for person, curve in enumerate(nearness[name].T.tolist()):
        axes[name].plot(middles, curve, color=colours[person], label=f"to {'AB'[person]}'s voice")
    for person, (a, b) in enumerate(KNOWN):
        axes[name].axvspan(a, b, color=colours[person], alpha=0.15, linewidth=0)
    axes[name].set(title=f"{name}: {right[name]:.0%} right after second {FROM:.0f}", ylabel="cosine")
axes["LSTM"].legend(loc="lower right", fontsize="small", ncols=2)
for name in ("said", *nearness):
    axes[name].set_xlim(turns[0][0] + 1, 30)
axes["mean spectrum"].set_xlabel("second (shaded: the turns that the voices were learned from)")
axes["matrix"].imshow(cosines.tolist(), cmap="magma", vmin=0.4, vmax=1)
axes["matrix"].set_xticks(range(7), names, rotation=45, ha="right")
axes["matrix"].set_yticks(range(7), names)
for i, row in enumerate(cosines.tolist()):
    for j, value in enumerate(row):
        axes["matrix"].text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="black" if value > 0.8 else "white")
axes["matrix"].set_title("recordings of two other voices: their cosines")
figure.savefig(settings.out / "speakers.png", dpi=100)

print(f"before, by the mean spectrum: {right['mean spectrum']:.0%} of {len(test)} moments given to the right one of two speakers")
print(f"after, by the LSTM's features: {right['LSTM']:.0%}. Recordings of one voice have a cosine of {min(same):.2f} or more, of two "
      f"voices {max(other):.2f} or less. Picture: {settings.out}/speakers.png")
