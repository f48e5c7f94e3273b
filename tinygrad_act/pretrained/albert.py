"""ALBERT: a BERT whose layers share one set of weights (Lan et al. 2019, arXiv:1909.11942), with the head that names masked tokens.

The one that is fetched is rxnmapper's, which learned the language of chemical reactions (Schwaller et al. 2021,
doi:10.1126/sciadv.abe4166). The parameters have the names that published checkpoints give them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .. import _functions as ops
from .. import nn
from ..errors import ArgumentError
from ..nn.functional import linear
from ..nn.parameter import Parameter
from ..nn.rest import at_rest
from ..tensor import Tensor
from .bert import BertConfig, Embeddings, act_of, attend, mask_of, start
from .files import filled, heads_of, read_json, read_state
from .smiles import SmilesTokenizer
from .sources import fetched
from .tokenizer import Tokenizer

# What checkpoints of ALBERT also hold: a table of counted positions, the first token's vector for another task, its head.
UNUSED = (r"(albert\.)?embeddings\.(position_ids|token_type_ids)$", r"(albert\.)?pooler\.", r"sop_classifier\.", r"classifier\.")


@dataclasses.dataclass(frozen=True)
class AlbertConfig(BertConfig):
    """The sizes of an ALBERT, as its config.json has them. The defaults are those of ALBERT-xxlarge, as in `transformers`.

    >>> AlbertConfig(hidden_size=256, num_attention_heads=8).embedding_size
    128
    """

    vocab_size: int = 30000
    embedding_size: int = 128
    hidden_size: int = 4096
    num_hidden_groups: int = 1
    inner_group_num: int = 1
    num_attention_heads: int = 64
    intermediate_size: int = 16384
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0

    def numbers(self) -> int:
        """How many numbers such a network has at least."""
        width, blocks = self.hidden_size, self.num_hidden_groups * self.inner_group_num
        return self.embedding_size * (self.vocab_size + self.max_position_embeddings + self.type_vocab_size + width) + \
            blocks * width * (4 * width + 2 * self.intermediate_size)

    @classmethod
    def required(cls) -> dict[str, tuple[Any, ...]]:
        """Others count positions otherwise."""
        return {"model_type": ("albert",), "position_embedding_type": ("absolute",)}


class _Attention(nn.Module):
    """Projections, attention, a projection back, added to the input and normalised."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        heads_of(config)
        width = config.hidden_size
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob
        self.query, self.key, self.value, self.dense = [nn.Linear(width, width) for _ in range(4)]
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.output_dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = attend(self.query(x), self.key(x), self.value(x), self.heads, mask, self.dropout if self.training else 0.0)
        normalised: Tensor = self.LayerNorm(x + self.output_dropout(self.dense(y)))
        return normalised


class AlbertLayer(nn.Module):
    """One Transformer encoder: attention, then two dense layers, each added to its input and normalised."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = _Attention(config)
        self.ffn = nn.Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = act_of(config)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.attention(x, mask)
        y: Tensor = self.full_layer_layer_norm(self.ffn_output(self.activation(self.ffn(x))) + x)
        return y


class _Group(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList([AlbertLayer(config) for _ in range(config.inner_group_num)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.albert_layers:
            x = layer(x, mask)
        return x


class _Encoder(nn.Module):
    """`num_hidden_layers` times a group of layers: the same one, or each of a few for its share of the depth."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        depth, groups = config.num_hidden_layers, config.num_hidden_groups
        self.turns = [i * groups // depth for i in range(depth)]
        self.embedding_hidden_mapping_in = nn.Linear(config.embedding_size, config.hidden_size)
        self.albert_layer_groups = nn.ModuleList([_Group(config) for _ in range(groups)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.embedding_hidden_mapping_in(x)
        for turn in self.turns:
            x = self.albert_layer_groups[turn](x, mask)
        return x


class Albert(nn.Module):
    """Tokens to vectors that know of each other: (texts, length) numbers to (texts, length, hidden_size). Called as `Bert` is.

    >>> config = AlbertConfig(vocab_size=10, embedding_size=4, hidden_size=8, num_attention_heads=2, intermediate_size=16)
    >>> Albert(config)(ta.tensor([[1, 2, 3]])).shape
    (1, 3, 8)
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config, config.embedding_size)
        self.encoder = _Encoder(config)
        start(self, config.initializer_range)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        x: Tensor = self.encoder(self.embeddings(input_ids, token_type_ids), mask_of(attention_mask))
        return x

    @classmethod
    def from_state(cls, state: Mapping[str, Any], config: AlbertConfig | Mapping[str, Any]) -> Self:
        """One with these weights, in evaluation mode. Names may begin with `albert.`; heads are left out."""
        return filled(cls(_config(config).held_by(state)), state, rules=((r"^albert\.", ""),), unused=(*UNUSED, r"predictions\."))

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """From the config.json and the weights of a folder."""
        return cls.from_state(read_state(path), read_json(Path(path) / "config.json"))


class _Head(nn.Module):
    """From hidden vectors to scores of all tokens, whose vectors are the embeddings themselves."""

    def __init__(self, config: AlbertConfig, table: Parameter) -> None:
        super().__init__()
        self.bias = Parameter(ops.zeros(config.vocab_size))
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = nn.Linear(config.hidden_size, config.embedding_size)
        self.activation = act_of(config)
        self.decoder = nn.Linear(config.embedding_size, config.vocab_size)
        self.decoder.weight, self.decoder.bias = table, self.bias

    def forward(self, x: Tensor) -> Tensor:
        return linear(self.LayerNorm(self.activation(self.dense(x))), self.decoder.weight, self.bias)


class AlbertForMaskedLM(nn.Module):
    """An ALBERT that names what is masked: (texts, length) numbers to scores, (texts, length, vocab_size).

    To tune it: `loss = cross_entropy(model(ids, mask).flatten(0, 1), labels.flatten(), ignore_index=-100)`.

    >>> config = AlbertConfig(vocab_size=10, embedding_size=4, hidden_size=8, num_attention_heads=2, intermediate_size=16)
    >>> AlbertForMaskedLM(config)(ta.tensor([[1, 2, 3]])).shape
    (1, 3, 10)
    """

    def __init__(self, config: AlbertConfig, tokenizer: Tokenizer | None = None) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.albert = Albert(config)
        self.predictions = _Head(config, self.albert.embeddings.word_embeddings.weight)
        start(self.predictions.dense, config.initializer_range)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        scores: Tensor = self.predictions(self.albert(input_ids, attention_mask, token_type_ids))
        return scores

    def fill(self, texts: Sequence[str]) -> list[str]:
        """The texts with the likeliest token in place of each mask.

        Raises:
            ArgumentError: there is no tokenizer, or its vocabulary has no mask.
        """
        if self.tokenizer is None or self.tokenizer.mask is None:
            raise ArgumentError("fill", "texts", "there is no tokenizer that knows of masks", "pass tokenizer= when you make it")
        ids, mask, _ = self.tokenizer(texts, max_length=self.config.max_position_embeddings, device=next(self.parameters()).device)
        with at_rest(self):
            best = self(ids, mask).argmax(-1)
        return [self.tokenizer.decode(row) for row in ops.where(ids == self.tokenizer.mask, best, ids)]

    # ------------------------------------------------------------------------------------------------ where from
    @classmethod
    def from_state(cls, state: Mapping[str, Any], config: AlbertConfig | Mapping[str, Any], tokenizer: Tokenizer | None = None) -> Self:
        """One with these weights, in evaluation mode. `config` is an AlbertConfig, or what config.json says.

        Raises:
            ShapeError: names or shapes that do not fit.
        """
        tied = {"predictions.decoder.weight": "albert.embeddings.word_embeddings.weight", "predictions.decoder.bias": "predictions.bias"}
        state = {**{name: state[other] for name, other in tied.items() if other in state}, **state}      # newer files leave them out
        return filled(cls(_config(config).held_by(state), tokenizer), state, unused=UNUSED)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> Self:
        """From the config.json and the weights (model.safetensors or pytorch_model.bin) of a folder.

        Raises:
            FileError: one is not there, or is damaged.
        """
        return cls.from_state(read_state(path), read_json(Path(path) / "config.json"), tokenizer)


def _config(config: AlbertConfig | Mapping[str, Any]) -> AlbertConfig:
    return config if isinstance(config, AlbertConfig) else AlbertConfig.from_dict(config)


def rxnmapper(*, root: Any = None, download: bool = True) -> AlbertForMaskedLM:
    """rxnmapper's ALBERT with its tokenizer: 12 layers of 256 on 591 tokens of SMILES, 0.8 million parameters. By pip (3 MB), once.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    folder = fetched("rxnmapper", root=root, download=download).parent
    return AlbertForMaskedLM.from_folder(folder, SmilesTokenizer.from_folder(folder))
