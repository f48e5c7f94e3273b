"""Molecules with a token missing: ALBERT, which learned the language of chemical reactions (rxnmapper's), fills it in.

    python examples/masked_smiles.py

Each token of some molecules and reactions is masked in turn; before: the same network with weights drawn at random, and
what is guessed by frequency alone. Leaves in out/: masked_smiles.png.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import pretrained

# ---- settings ------------------------------------------------------------------------------------------------
MOLECULES = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O", "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "ibuprofen": "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "vanillin": "COc1cc(C=O)ccc1O", "nicotine": "CN1CCCC1c1cccnc1",
    "lidocaine": "CCN(CC)CC(=O)Nc1c(C)cccc1C", "benzocaine": "CCOC(=O)c1ccc(N)cc1", "salbutamol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
}
REACTIONS = {                       # what goes in, >>, what comes out
    "esterification": "CC(=O)O.OCC>>CCOC(C)=O", "acylation": "CC(=O)Cl.Nc1ccccc1>>CC(=O)Nc1ccccc1",
    "Suzuki coupling": "Brc1ccccc1.OB(O)c1ccccc1>>c1ccc(-c2ccccc2)cc1", "reduction": "CC(=O)c1ccccc1>>CC(O)c1ccccc1",
    "ether": "CCBr.Oc1ccccc1>>CCOc1ccccc1",
    "substitution": "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
    "amide": "NCc1ccccc1.O=C(O)c1ccccc1>>O=C(NCc1ccccc1)c1ccccc1",
}
SHOWN = {"aspirin": 8, "caffeine": 14, "esterification": 15, "acylation": 20}   # the token that is masked in the picture
BATCH = 32
SEED = 0
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="four molecules")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

model = pretrained.rxnmapper()
tokenizer = model.tokenizer
untrained = pretrained.AlbertForMaskedLM(model.config, tokenizer).eval()
molecules = MOLECULES | REACTIONS
if settings.short:
    molecules = {name: molecules[name] for name in SHOWN}


def masked_one_by_one(text: str) -> tuple[ta.Tensor, ta.Tensor]:
    """The text once for each of its tokens, that one masked, (n, n + 2); and the numbers of the tokens, (n,)."""
    ids = ta.tensor(tokenizer.encode(text))                            # [CLS] ... [SEP]
    n = len(ids) - 2
    batch = ids.repeat(n, 1)
    batch[ta.arange(n), ta.arange(n) + 1] = tokenizer.mask
    return batch, ids[1:-1]


@ta.no_grad()
def beliefs(network: pretrained.AlbertForMaskedLM, text: str) -> ta.Tensor:
    """For each token, masked: the probability of every token of the vocabulary in its place, (n, 591)."""
    batch, answers = masked_one_by_one(text)
    scores = ta.cat([network(part) for part in batch.split(BATCH)])    # (n, n + 2, 591)
    places = ta.arange(len(answers))
    return scores[places, places + 1].softmax(dim=-1)


def share_right(found: dict[str, ta.Tensor], names: object) -> float:
    """The share of the tokens of these molecules that are likeliest in their own places."""
    hits = ta.cat([found[name].argmax(dim=-1) == answers[name] for name in names if name in found])
    return hits.float().mean().item()


# ---- all of them, before and after ---------------------------------------------------------------------------
answers = {name: masked_one_by_one(text)[1] for name, text in molecules.items()}
frequent = Counter(token for ids in answers.values() for token in ids.tolist()).most_common(1)[0]
total = sum(len(ids) for ids in answers.values())
found = {label: {name: beliefs(network, text) for name, text in molecules.items()}
         for label, network in (("before", untrained), ("after", model))}
for name, place in SHOWN.items():
    top = found["after"][name][place].topk(3)
    tokens = tokenizer.tokenize(molecules[name])
    gap = "".join([*tokens[:place], " _ ", *tokens[place + 1:]])
    print(f"{name:15} {gap}: " + ", ".join(f"{tokenizer.tokens[i]} ({p:.0%})" for p, i in zip(*(t.tolist() for t in top), strict=True))
          + f"; it was {tokens[place]}")

# ---- pictures ------------------------------------------------------------------------------------------------
figure, (left, right_side) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained", width_ratios=(2.6, 1))
for row, (name, text) in enumerate(molecules.items()):
    sure = found["after"][name].gather(1, answers[name].unsqueeze(1))[:, 0].tolist()          # of the token that was there
    for column, (token, p) in enumerate(zip(tokenizer.tokenize(text), sure, strict=True)):
        left.text(column, row, token, ha="center", va="center", fontsize=8 if len(token) < 3 else 5, family="monospace",
                  bbox={"boxstyle": "square,pad=0.15", "facecolor": plt.get_cmap("RdYlGn")(p), "edgecolor": "none", "alpha": 0.6})
left.set(xlim=(-1, max(map(len, answers.values()))), ylim=(len(molecules) - 0.5, -0.5), xticks=(),
         title="each token masked in turn: green where the network is sure of it, red where of another")
left.set_yticks(range(len(molecules)), molecules)
for label, colour in (("before", "#999999"), ("after", "#3a7d44")):    # how often among the k likeliest?
    ranks = ta.cat([(p > p.gather(1, answers[name].unsqueeze(1))).sum(dim=1) for name, p in found[label].items()])
    right_side.plot(range(1, 11), [(ranks < k).float().mean().item() for k in range(1, 11)], "o-", color=colour, label=label)
right_side.axhline(frequent[1] / total, color="#999999", linestyle=":", label=f"always {tokenizer.tokens[frequent[0]]}")
right_side.set(title="the token is among the k likeliest", xlabel="k", ylabel="share", ylim=(0, 1.02))
right_side.legend()
figure.savefig(settings.out / "masked_smiles.png", dpi=90)

before, after = (share_right(found[label], molecules) for label in ("before", "after"))
print(f"{after:.1%} of {total} masked tokens right: {share_right(found['after'], REACTIONS):.1%} in reactions, which it learned from, and "
      f"{share_right(found['after'], MOLECULES):.1%} in molecules that stand alone; {before:.1%} with random weights, "
      f"{frequent[1] / total:.1%} by always saying {tokenizer.tokens[frequent[0]]}. Picture: {settings.out}/masked_smiles.png")
