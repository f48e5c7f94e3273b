"""What tokenizers have in common: special tokens, batches with padding, pairs, cutting what is too long, and the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, MissingKeyError
from ..tensor import Tensor


class Tokens(NamedTuple):
    """A batch as a network takes it: `encoder(*tokens)`. Each is an int64 tensor (texts, length).

    Attributes:
        input_ids: the numbers, filled up with padding.
        attention_mask: 1 where there is a token, 0 at padding.
        token_type_ids: 0 for the first text of a pair, 1 for the second.
    """

    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor


class Tokenizer:
    """Texts to numbers and back, by a vocabulary. A subclass says in `split` what the tokens of a text are.

    Args:
        vocabulary: the tokens, in the order of their numbers.
        unknown, separator, padding, begin, mask: the special tokens. Where a text has one, it is that token.

    Attributes:
        tokens, numbers: the vocabulary, and the number of each.
        unknown, separator, padding, begin, mask: the numbers of the special tokens; mask is None if there is none.

    Raises:
        MissingKeyError: the vocabulary has not the special tokens.
    """

    def __init__(self, vocabulary: Sequence[str], *, unknown: str = "[UNK]", separator: str = "[SEP]", padding: str = "[PAD]",
                 begin: str = "[CLS]", mask: str = "[MASK]") -> None:
        self.tokens = tuple(vocabulary)
        self.numbers = {token: i for i, token in enumerate(self.tokens)}
        special = {"unknown": unknown, "separator": separator, "padding": padding, "begin": begin, "mask": mask}
        for name, token in special.items():
            if token not in self.numbers and name != "mask":
                raise MissingKeyError(type(self).__name__, f"{name}={token!r}", "the vocabulary has no such token",
                                      f"pass {name}= the one that it has")
        self.unknown, self.separator, self.padding, self.begin = [self.numbers[t] for t in (unknown, separator, padding, begin)]
        self.mask = self.numbers.get(mask)
        self._special = re.compile("(" + "|".join(re.escape(t) for t in special.values() if t in self.numbers) + ")")

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, text: str) -> list[str]:
        """The tokens of a text without special ones."""
        raise NotImplementedError(f"{type(self).__name__} has no split(): define it")

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, without those at its ends."""
        if not isinstance(text, str):
            raise ArgumentError(type(self).__name__, f"a {type(text).__name__}", "a text is a str", "pass a list of them for a batch")
        found: list[str] = []
        for i, part in enumerate(self._special.split(text)):
            found += [part] if i % 2 else self.split(part)
        return found

    def encode(self, text: str, pair: str | None = None, max_length: int | None = None) -> list[int]:
        """The numbers: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP], cut to `max_length`, the longer of the two first."""
        return self._encoded(text, pair, max_length)[0]

    def _encoded(self, text: str, pair: str | None, max_length: int | None) -> tuple[list[int], int]:
        """The numbers, and how many of them are the first text's."""
        first, second = [[self.numbers.get(t, self.unknown) for t in self.tokenize(part)] for part in (text, pair or "")]
        if max_length is not None:
            room = max_length - (2 if pair is None else 3)
            if room < 0:
                raise ArgumentError(type(self).__name__, f"max_length={max_length}", "the special tokens alone are more")
            sizes = _cut(len(first), len(second), room)
            first, second = first[:sizes[0]], second[:sizes[1]]
        found = [self.begin, *first, self.separator]
        return (found, len(found)) if pair is None else ([*found, *second, self.separator], len(found))

    def decode(self, numbers: Any) -> str:
        """The text of these numbers, without what stands at its ends and in place of nothing."""
        numbers = numbers.tolist() if isinstance(numbers, Tensor) else list(numbers)
        special = {self.padding, self.begin, self.separator}
        return self.join([self.tokens[n] for n in numbers if n not in special])

    def join(self, tokens: Sequence[str]) -> str:
        """The text of these tokens."""
        return "".join(tokens)

    # -------------------------------------------------------------------------------------------------- a batch
    def __call__(self, texts: Sequence[str], pairs: Sequence[str] | None = None, max_length: int | None = None, *,
                 device: Any = None) -> Tokens:
        """A batch of texts, or of pairs of texts, as long as the longest of them, but not longer than `max_length`."""
        if isinstance(texts, str):
            raise ArgumentError(type(self).__name__, "one text", "a batch is a list of texts", "write [text]")
        if pairs is not None and (isinstance(pairs, str) or len(pairs) != len(texts)):
            raise ArgumentError(type(self).__name__, "texts and pairs of different number", "each text goes with one other")
        rows = [self._encoded(text, pair, max_length)
                for text, pair in zip(texts, [None] * len(texts) if pairs is None else pairs, strict=True)]
        return self.batch([row for row, _ in rows], [n for _, n in rows], device)

    def batch(self, rows: Sequence[Sequence[int]], firsts: Sequence[int] | None = None, device: Any = None) -> Tokens:
        """Numbers of texts as a batch; `firsts` says how many of each row are the first text's."""
        longest = max(map(len, rows), default=0)
        firsts = [len(row) for row in rows] if firsts is None else firsts
        ids = [[*row, *[self.padding] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        types = [[0] * n + [1] * (len(row) - n) + [0] * (longest - len(row)) for row, n in zip(rows, firsts, strict=True)]
        return Tokens(*[ops.tensor(values, dtype=dtypes.int64, device=device).reshape(len(rows), longest)
                        for values in (ids, mask, types)])


def _cut(first: int, second: int, room: int) -> tuple[int, int]:
    """How long two texts may be together: the longer one is cut, or both to halves."""
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short, long = room // 2, room // 2 + room % 2
    return (short, long) if first <= second else (long, short)
