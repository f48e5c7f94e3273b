"""BERT: a stack of Transformer encoders over tokens (Devlin et al. 2018, arXiv:1810.04805).

The parameters have the names that published checkpoints give them, so their state_dicts fit as they are.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from .. import nn
from ..errors import ShapeError
from ..nn.functional import scaled_dot_product_attention
from ..nn.init import normal_, zeros_
from ..tensor import Tensor
from .files import ACTIVATIONS, Config, filled, heads_of, read_json, read_state

# What checkpoints of BERT also hold: a table of counted positions, and heads that this network does not have.
UNUSED = (r"embeddings\.position_ids$", r"embeddings\.token_type_ids$", r"pooler\.", r"cls\.", r"classifier\.", r"qa_outputs\.")
# Heads' checkpoints call the encoder "bert"; the oldest call a norm's weights gamma and beta.
RENAME = ((r"^bert\.", ""), (r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))


@dataclasses.dataclass(frozen=True)
class BertConfig(Config):
    """The sizes of a BERT, as its config.json has them. The defaults are those of BERT-base.

    >>> BertConfig.from_dict({"hidden_size": 384, "num_attention_heads": 12, "model_type": "bert"}).num_hidden_layers
    12
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    def numbers(self) -> int:
        """How many numbers such a network has at least."""
        width = self.hidden_size
        return width * (self.vocab_size + self.max_position_embeddings + self.type_vocab_size +
                        self.num_hidden_layers * (4 * width + 2 * self.intermediate_size))

    @classmethod
    def required(cls) -> dict[str, tuple[Any, ...]]:
        """Others count positions otherwise, or attend to the past only."""
        return {"model_type": ("bert",), "position_embedding_type": ("absolute",), "is_decoder": (False,)}


class Embeddings(nn.Module):
    """The sum of what a token, its place and its text's place in a pair stand for, normalised. Shared with ALBERT."""

    def __init__(self, config: Any, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        if input_ids.ndim != 2 or input_ids.shape[1] > self.position_embeddings.num_embeddings:
            raise ShapeError("embeddings", f"input_ids of shape {input_ids.shape}", "they are (texts, length), the length at most "
                             f"{self.position_embeddings.num_embeddings}", "cut the texts: tokenizer(texts, max_length=...)")
        places = self.position_embeddings.weight[:input_ids.shape[1]]
        kinds = self.token_type_embeddings
        if token_type_ids is None:                       # one row for all: no table of (texts, length, width)
            x = self.word_embeddings(input_ids) + (places + kinds.weight[0])
        else:
            x = self.word_embeddings(input_ids) + kinds(token_type_ids) + places
        y: Tensor = self.dropout(self.LayerNorm(x))
        return y


def act_of(config: BertConfig) -> nn.Module:
    """The activation that config.json names."""
    return nn.Activation(ACTIVATIONS.get(config.hidden_act, config.hidden_act))


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None, dropout: float) -> Tensor:
    """(N, L, width), all three: attention in several heads, each on its share of the features."""
    split = [x.reshape(*x.shape[:2], heads, x.shape[2] // heads).transpose(1, 2) for x in (query, key, value)]
    y = scaled_dot_product_attention(split[0], split[1], split[2], mask, dropout)
    return y.transpose(1, 2).reshape(query.shape)


def mask_of(attention_mask: Tensor | None) -> Tensor | None:
    """(N, L) with 0 at padding, as the mask that attention takes: (N, 1, 1, L), True where there is a token."""
    return None if attention_mask is None else attention_mask.bool()[:, None, None, :]


class _Heads(nn.Module):
    """`attention.self`: the three projections and what is attended to."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        heads_of(config)
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob
        self.query, self.key, self.value = [nn.Linear(config.hidden_size, config.hidden_size) for _ in range(3)]

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return attend(self.query(x), self.key(x), self.value(x), self.heads, mask, self.dropout if self.training else 0.0)


class _Output(nn.Module):
    """A projection back to the width, added to what the block was given, normalised."""

    def __init__(self, config: BertConfig, features: int) -> None:
        super().__init__()
        self.dense = nn.Linear(features, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        y: Tensor = self.LayerNorm(self.dropout(self.dense(x)) + residual)
        return y


class _Attention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = _Heads(config)
        self.output = _Output(config, config.hidden_size)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y: Tensor = self.output(self.self(x, mask), x)
        return y


class _Intermediate(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_act_fn = act_of(config)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.intermediate_act_fn(self.dense(x))
        return y


class BertLayer(nn.Module):
    """One Transformer encoder: attention, then two dense layers, each added to its input and normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = _Intermediate(config)
        self.output = _Output(config, config.intermediate_size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.attention(x, mask)
        y: Tensor = self.output(self.intermediate(x), x)
        return y


class _Encoder(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList([BertLayer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Bert(nn.Module):
    """Tokens to vectors that know of each other: (texts, length) numbers to (texts, length, hidden_size).

    Call: `bert(input_ids, attention_mask=None, token_type_ids=None)`. The mask is 0 at padding; without one, all are tokens.

    >>> config = BertConfig(vocab_size=10, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    >>> Bert(config)(ta.tensor([[1, 2, 3], [4, 5, 0]]), ta.tensor([[1, 1, 1], [1, 1, 0]])).shape
    (2, 3, 8)
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config, config.hidden_size)
        self.encoder = _Encoder(config)
        start(self, config.initializer_range)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        x: Tensor = self.encoder(self.embeddings(input_ids, token_type_ids), mask_of(attention_mask))
        return x

    @classmethod
    def from_state(cls, state: Mapping[str, Any], config: BertConfig | Mapping[str, Any], **settings: Any) -> Self:
        """One with these weights, in evaluation mode. `config` is a BertConfig, or what config.json says.

        Names may begin with `bert.`; heads of other tasks are left out.

        Raises:
            ShapeError: names or shapes that do not fit.
        """
        if not isinstance(config, BertConfig):
            config = BertConfig.from_dict(config)
        return filled(cls(config.held_by(state), **settings), state, rules=RENAME, unused=UNUSED)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], **settings: Any) -> Self:
        """From the config.json and the weights (model.safetensors or pytorch_model.bin) of a folder.

        Raises:
            FileError: one is not there, or is damaged.
        """
        return cls.from_state(read_state(path), read_json(Path(path) / "config.json"), **settings)


def start(model: nn.Module, spread: float) -> None:
    """Weights as BERT's training starts with them: normal numbers of this spread, zeros for biases and padding."""
    for part in model.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            normal_(part.weight, 0.0, spread)
        if isinstance(part, nn.Linear) and part.bias is not None:
            zeros_(part.bias)
        if isinstance(part, nn.Embedding) and part.padding_idx is not None:
            zeros_(part.weight[part.padding_idx])
