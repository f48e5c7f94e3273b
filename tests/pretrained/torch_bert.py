"""BERT in plain PyTorch, with the checkpoints' names: what ours is compared with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

ACTIVATIONS = {"gelu": nn.GELU(), "gelu_new": nn.GELU(approximate="tanh"), "relu": nn.ReLU()}


def parts(**modules: nn.Module) -> nn.Module:
    """A module with these parts."""
    whole = nn.Module()
    for name, part in modules.items():
        whole.add_module(name, part)
    return whole


class TorchEmbeddings(nn.Module):
    def __init__(self, c: Any, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(c.vocab_size, width, padding_idx=c.pad_token_id)
        self.position_embeddings = nn.Embedding(c.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(c.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=c.layer_norm_eps)
        self.dropout = nn.Dropout(c.hidden_dropout_prob)

    def forward(self, ids: Any, types: Any = None) -> Any:
        places = torch.arange(ids.shape[1], device=ids.device)
        types = torch.zeros_like(ids) if types is None else types
        x = self.word_embeddings(ids) + self.token_type_embeddings(types) + self.position_embeddings(places)
        return self.dropout(self.LayerNorm(x))


def attend(q: Any, k: Any, v: Any, heads: int, mask: Any, dropout: float) -> Any:
    """Attention as the equation has it."""
    n, length, width = q.shape
    q, k, v = (x.view(n, length, heads, width // heads).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / (width // heads) ** 0.5
    if mask is not None:
        scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
    weights = nn.functional.dropout(scores.softmax(-1), dropout)
    return (weights @ v).transpose(1, 2).reshape(n, length, width)


class TorchLayer(nn.Module):
    def __init__(self, c: Any) -> None:
        super().__init__()
        h, f = c.hidden_size, c.intermediate_size

        def output(features: int) -> nn.Module:
            return parts(dense=nn.Linear(features, h), LayerNorm=nn.LayerNorm(h, eps=c.layer_norm_eps))

        self.attention = parts(self=parts(query=nn.Linear(h, h), key=nn.Linear(h, h), value=nn.Linear(h, h)), output=output(h))
        self.intermediate, self.output = parts(dense=nn.Linear(h, f)), output(f)
        self.act, self.heads, self.p = ACTIVATIONS[c.hidden_act], c.num_attention_heads, c.attention_probs_dropout_prob
        self.dropout = nn.Dropout(c.hidden_dropout_prob)

    def forward(self, x: Any, mask: Any) -> Any:
        a, out = self.attention.self, self.attention.output
        y = attend(a.query(x), a.key(x), a.value(x), self.heads, mask, self.p if self.training else 0.0)
        x = out.LayerNorm(self.dropout(out.dense(y)) + x)
        y = self.act(self.intermediate.dense(x))
        return self.output.LayerNorm(self.dropout(self.output.dense(y)) + x)


class TorchBert(nn.Module):
    def __init__(self, c: Any) -> None:
        super().__init__()
        self.embeddings = TorchEmbeddings(c, c.hidden_size)
        self.encoder = parts(layer=nn.ModuleList([TorchLayer(c) for _ in range(c.num_hidden_layers)]))

    def forward(self, ids: Any, mask: Any = None, types: Any = None) -> Any:
        x = self.embeddings(ids, types)
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x


def pooled(hidden: Any, mask: Any) -> Any:
    """The mean of the tokens' vectors, of length 1."""
    m = mask[..., None].to(hidden.dtype)
    return nn.functional.normalize((hidden * m).sum(1) / m.sum(1).clamp(min=1e-9), dim=-1)
