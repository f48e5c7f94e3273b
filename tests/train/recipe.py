"""A run that draws on everything a checkpoint must hold: shuffling, dropout, running means, momentum, a schedule, averages.

As a command, `python recipe.py FOLDER`, it trains with checkpoints in FOLDER, going on from what is there, and prints
a hash of the weights and figures that it ends with.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import tinygrad_act as ta
from tinygrad_act import nn, optim, train
from tinygrad_act.utils.data import DataLoader, TensorDataset

EPOCHS, EVERY = 4, 5


class Net(nn.Module):
    """Two layers with dropout and a buffer that training moves."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.act, self.drop, self.out = nn.Linear(6, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 3)
        self.register_buffer("seen", ta.zeros(1))

    def forward(self, x: Any) -> Any:
        if self.training:
            self.seen += x.detach().mean()
        return self.out(self.drop(self.act(self.hidden(x))))


def parts(batch: int = 8, shuffle: bool = True) -> dict[str, Any]:
    """The arguments of `fit`, the same each time."""
    ta.manual_seed(3)
    x = ta.randn(100, 6)
    y = (x[:, :3] * 2).argmax(1)
    model = Net().to(ta.backend.current_device())
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    data = TensorDataset(x, y)
    return {"model": model, "data": DataLoader(data, batch_size=batch, shuffle=shuffle), "loss": nn.CrossEntropyLoss(), "optimizer": optimizer,
            "epochs": EPOCHS, "validation": DataLoader(data, batch_size=50), "metrics": ["accuracy"], "accumulate": 2, "clip_norm": 1.0,
            "scheduler": optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.7), "scheduler_every": "step", "progress": False}


def digest(model: Any, history: train.History) -> str:
    """A hash of every weight's bits and every figure but the time."""
    figures = [{k: v for k, v in row.items() if k != "seconds"} for row in [*history, *history.steps]]
    found = hashlib.sha256(json.dumps(figures).encode())
    for name, t in sorted(model.state_dict().items()):
        found.update(name.encode() + json.dumps([float(v).hex() for v in t.double().flatten().tolist()]).encode())
    return found.hexdigest()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    given = parts()
    history = train.fit(**given, callbacks=[train.Checkpoint(folder, every_steps=1), train.JSONLog(folder / "log.jsonl")], resume=folder)
    sys.stdout.write(digest(given["model"], history) + "\n")
