"""Search by meaning: a few hundred sentences of Python's own help, and questions that share hardly a word with the answers.

    python examples/semantic_search.py ["your own question" ...]

MiniLM makes a vector of each sentence, and near vectors mean alike. Before: search by the words that are shared. Leaves in
out/: semantic_search.png, a map of the sentences, and how often neighbours are from the same page.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import pretrained
from tinygrad_act.nn.functional import normalize

# ---- settings ------------------------------------------------------------------------------------------------
PAGES = ("formatstrings", "attribute-access", "comparisons", "debugger", "naming", "function", "assignment", "try", "import", "strings",
         "for")
LONGEST = 30                        # sentences of a page
QUESTIONS = ("What if something goes wrong?", "How do I hunt a bug?", "repeat it again and again", "Which of two things is bigger?",
             "put a value into a piece of text")
SHOWN = 2                           # answers to each
MAP_STEPS = 400
HEAT = 0.1                          # how wide a neighbourhood is, as a difference of cosines
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("questions", nargs="*", default=QUESTIONS)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="eight sentences of a page")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)


# ---- data: the sentences of the pages that are prose -----------------------------------------------------------
def sentences(page: str) -> list[str]:
    prose = [" ".join(part.split()) for part in page.split("\n\n") if re.match(r"\w", part) and "::=" not in part]
    return [s for part in prose for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", part) if 40 <= len(s) <= 200 and s.endswith(".")]


texts, pages = [], []
for name in PAGES:
    some = sentences(topics.get(name, ""))[:8 if settings.short else LONGEST]
    texts += some
    pages += [name] * len(some)
labels = ta.tensor([PAGES.index(name) for name in pages])
n = len(texts)

# ---- before: the share of words, rare ones counting more; after: MiniLM ----------------------------------------
rarity = Counter(word for text in texts for word in set(ta.datasets.words(text)))
places = {word: i for i, word in enumerate(rarity)}
weights = (n / ta.tensor([float(rarity[word]) for word in places])).log()


def by_words(strings: list[str]) -> ta.Tensor:
    rows = ta.zeros(len(strings), len(places))
    for row, text in zip(rows, strings, strict=True):
        row[ta.tensor([places[w] for w in set(ta.datasets.words(text)) if w in places], dtype=ta.int64)] = 1.0
    return normalize(rows * weights)                                   # (N, words)


encoder = pretrained.minilm()
questions = list(settings.questions)
ways = {"shared words": by_words, "MiniLM": encoder.encode}            # each: texts to vectors of length 1
vectors = {way: embed(texts) for way, embed in ways.items()}
for question in questions:
    print(f"\n{question}")
    for way, embed in ways.items():
        best = (vectors[way] @ embed([question])[0]).topk(SHOWN)
        for likeness, i in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            print(f"  {way:12} {likeness:.2f}  [{pages[i]}] {texts[i]}")

# ---- how many of a sentence's k nearest are from its own page? -------------------------------------------------
alike = {}
for way, x in vectors.items():
    near = (x @ x.T).fill_diagonal_(-1.0).argsort(dim=1, descending=True)[:, :10]                 # (N, 10)
    alike[way] = (labels[near] == labels.unsqueeze(1)).float().mean(dim=0).tolist()
    alike[way] = [sum(alike[way][:k]) / k for k in range(1, 11)]
chance = (labels.unsqueeze(0) == labels.unsqueeze(1)).float().mean().item()

# ---- a map: points in the plane that are neighbours where the vectors are (t-SNE: van der Maaten and Hinton 2008) ---------
x = vectors["MiniLM"]
likeness = (x @ x.T / HEAT).fill_diagonal_(-ta.inf).softmax(dim=1)     # how much each is another's neighbour, (N, N)
likeness = (likeness + likeness.T) / (2 * n)
others = 1 - ta.eye(n)
axes = x[:2]
centred = x - x.mean(dim=0)
for _ in range(30):                                                    # to the two principal axes, by power iteration
    axes = normalize(axes @ centred.T @ centred)
    axes = ta.stack([axes[0], normalize(axes[1] - (axes[1] @ axes[0]) * axes[0], dim=0)])
points = (centred @ axes.T).requires_grad_()                           # (N, 2): where the map starts from
optimizer = ta.optim.Adam([points], lr=0.5)
for step in range(20 if settings.short else MAP_STEPS):
    distance = (points.unsqueeze(0) - points.unsqueeze(1)).square().sum(dim=-1)                    # (N, N)
    closeness = others / (1 + distance)                                # nothing is its own neighbour
    shown = closeness / closeness.sum() + 1e-12
    pull = 4.0 if step < MAP_STEPS // 4 else 1.0                       # clusters form first
    loss = -(pull * likeness * shown.log()).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# ---- pictures ------------------------------------------------------------------------------------------------
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.2), layout="constrained", width_ratios=(2, 1))
colours = plt.get_cmap("tab20")
for i, name in enumerate(PAGES):
    own = points.detach()[labels == i]                                 # (sentences, 2)
    left.scatter(*own.T.tolist(), s=16, color=colours(i))
    left.text(*own.median(dim=0).values.tolist(), name, fontsize=10, ha="center", weight="bold", color=colours(i),
              bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1})
left.set(title=f"{n} sentences: near where they mean alike (colour: the page, which the map was not told)", xticks=(), yticks=())
for way, colour in (("shared words", "#999999"), ("MiniLM", "#4269d0")):
    right.plot(range(1, 11), alike[way], "o-", color=colour, label=way)
right.axhline(chance, color="#999999", linestyle=":", label="chance")
right.set(title="share of the k nearest that are of the same page", xlabel="k", ylim=(0, 1))
right.legend()
figure.savefig(settings.out / "semantic_search.png", dpi=90)

print(f"\nThe nearest other sentence is from the same page for {alike['MiniLM'][0]:.0%} of {n}; by shared words for "
      f"{alike['shared words'][0]:.0%}, by chance {chance:.0%}. Picture: {settings.out}/semantic_search.png")
