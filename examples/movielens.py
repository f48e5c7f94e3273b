"""Which film will somebody like? Matrix factorisation and a small network with GELU, on 100,000 ratings of 1,682 films.

    python examples/movielens.py

Leaves in out/: movielens_curves.png, and movielens.png with what is predicted for each rating, and which films the
network takes for good and for bad ones, whoever looks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.utils.data import DataLoader, Subset

# ---- settings ------------------------------------------------------------------------------------------------
SEED = 0
EPOCHS = 10
BATCH = 256
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-4                 # the square of what is learned, as a part of the loss
DROPOUT = 0.1
FEATURES = 64                       # numbers that describe a user, and as many that describe a film
TARGET = 0.92
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="one epoch of 5,000 ratings")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- data: (user, film) and a rating from 1 to 5 ---------------------------------------------------------------
ratings, test = (ta.datasets.MovieLens100k(train=part) for part in (True, False))
mean = ratings.targets.mean().item()
if settings.short:
    settings.epochs = 1
batches = DataLoader(Subset(ratings, range(5_000)) if settings.short else ratings, BATCH, shuffle=True)
test_batches = DataLoader(test, 2_000)


# ---- the network ---------------------------------------------------------------------------------------------
class Ratings(nn.Module):
    """The mean, what user and film add to it, how well their features fit, and what a network sees in both."""

    def __init__(self, users: int, films: int) -> None:
        super().__init__()
        self.user, self.film = nn.Embedding(users, FEATURES), nn.Embedding(films, FEATURES)
        self.user_bias, self.film_bias = nn.Embedding(users, 1), nn.Embedding(films, 1)
        self.mlp = nn.Sequential(nn.Linear(2 * FEATURES, 64), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(64, 1))
        self.dropout = nn.Dropout(DROPOUT)
        for table in (self.user, self.film, self.user_bias, self.film_bias):
            nn.init.normal_(table.weight, std=0.01)

    def forward(self, pairs: ta.Tensor) -> ta.Tensor:
        user, film = pairs[:, 0], pairs[:, 1]                          # (N,), (N,)
        p, q = self.dropout(self.user(user)), self.dropout(self.film(film))      # (N, 64), (N, 64)
        added = self.user_bias(user) + self.film_bias(film) + self.mlp(ta.cat([p, q], dim=1))
        return mean + added.squeeze(1) + (p * q).sum(dim=1)            # (N,)


model = Ratings(ratings.users, ratings.films)
optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
history = ta.train.fit(model, batches, nn.MSELoss(), optimizer, epochs=settings.epochs, validation=test_batches,
                       metrics=["rmse"], scheduler=scheduler)

# ---- pictures ------------------------------------------------------------------------------------------------
history.plot(settings.out / "movielens_curves.png", title="MovieLens: matrix factorisation, GELU")
model.eval()
with ta.no_grad():
    predicted = ta.cat([model(pairs) for pairs, _ in test_batches])    # (10000,)
    users = ta.arange(ratings.users)
    films = [film for film, count in enumerate(ratings.data[:, 1].bincount().tolist()) if count >= 50]
    liked = ta.stack([model(ta.stack([users, ta.full_like(users, film)], dim=1)).mean() for film in films])

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained", width_ratios=(1, 1.2))
stars = range(1, 6)
left.violinplot([predicted[test.targets == rating].tolist() for rating in stars], stars, showmedians=True, widths=0.8)
left.plot([1, 5], [1, 5], color="#999999", linewidth=0.8, linestyle="--")
left.set(title="10,000 held-out ratings", xlabel="given", ylabel="predicted", xticks=stars)
order = liked.argsort().tolist()
shown = order[:10] + order[-10:]
values = [liked[i].item() for i in shown]
right.barh(range(20), values, color=["#c1602c"] * 10 + ["#3a7d44"] * 10)
right.set_yticks(range(20), [ratings.titles[films[i]][:34] for i in shown], fontsize=8)
right.set(title="the mean of what is predicted for all users", xlabel="rating", xlim=(1, 5))
figure.savefig(settings.out / "movielens.png", dpi=110)

rmse = history[-1]["val_rmse"]
always_mean = ta.train.rmse.finish(ta.train.rmse(ta.full_like(test.targets, mean), test.targets).item())
print(f"RMSE {rmse:.3f} on {len(test):,} held-out ratings (wanted: at most {TARGET}; always the mean: {always_mean:.3f}). "
      f"Pictures: {settings.out}/movielens*.png")
