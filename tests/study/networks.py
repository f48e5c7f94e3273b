"""Networks that several tests draw."""

from __future__ import annotations

import tinygrad_act as ta
from tinygrad_act import nn


def small_network() -> tuple[nn.Module, ta.Tensor]:
    ta.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.ReLU())
    return model, ta.ones(5, 3)


class Block(nn.Module):
    """A residual block: what repeats in a network."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner, self.act = nn.Linear(size, size), nn.GELU()

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        return x + self.act(self.inner(x))


class Shared(nn.Module):
    """One encoder, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(8, 1)

    def forward(self, a: ta.Tensor, b: ta.Tensor) -> ta.Tensor:
        return self.head(ta.cat([self.encoder(a), self.encoder(b)], -1))
