"""BERT's tokenizer: a text as the numbers of its words and parts of words (Wu et al. 2016, arXiv:1609.08144; Devlin et al.
2018, arXiv:1810.04805).

It gives what the library `tokenizers` gives, for all characters that Unicode had in 2015: that library goes by the
tables of that year, this one by Python's.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, FileError, MissingKeyError
from ..tensor import Tensor
from .files import read_json

LONGEST = 100                                            # characters of a word; a longer one is unknown
CACHED = 100_000                                         # words whose pieces are remembered
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
       (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


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


class _Characters(dict[int, str]):
    """What becomes of each character, for str.translate; found out when the character is first met."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        super().__init__()
        self.rule = rule

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self.rule(chr(code)))


def _clean(c: str) -> str:
    """Control characters go, every kind of space is one, and a Chinese character is a word of its own."""
    kind = unicodedata.category(c)
    if c in "\t\n\r" or kind in ("Zs", "Zl", "Zp"):
        return " "
    if c in "\0\ufffd" or kind in ("Cc", "Cf", "Co", "Cs"):
        return ""
    return f" {c} " if any(low <= ord(c) <= high for low, high in CJK) else c


def _divide(c: str) -> str:
    """A punctuation mark is a word of its own."""
    other = c.isascii() and c.isprintable() and not c.isalnum() and c != " "        # $, +, < ... count too
    return f" {c} " if other or unicodedata.category(c).startswith("P") else c


class WordPiece:
    """Texts to numbers and back, by a vocabulary of words and of pieces that go on a word, `##` before them.

    Args:
        vocabulary: the tokens, in the order of their numbers.
        lower: lower-case, and without accents.
        strip_accents: leave accents out; by default as `lower`.
        chinese: each Chinese character is a word.
        unknown, separator, padding, begin, mask: the special tokens. Where a text has one, it is that token.

    >>> tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "back", "##prop", "##s", "!"])
    >>> tokenizer.tokenize("Backprops!"), tokenizer.encode("Backprops!")
    (['back', '##prop', '##s', '!'], [2, 5, 6, 7, 8, 3])
    >>> tokenizer(["back", "backprop!"]).input_ids
    tensor([[2, 5, 3, 0, 0],
            [2, 5, 6, 8, 3]])
    """

    def __init__(self, vocabulary: Sequence[str], *, lower: bool = True, strip_accents: bool | None = None, chinese: bool = True,
                 unknown: str = "[UNK]", separator: str = "[SEP]", padding: str = "[PAD]", begin: str = "[CLS]",
                 mask: str = "[MASK]") -> None:
        self.tokens = tuple(vocabulary)
        self.numbers = {token: i for i, token in enumerate(self.tokens)}
        self.lower, self.strip_accents = lower, lower if strip_accents is None else strip_accents
        special = {"unknown": unknown, "separator": separator, "padding": padding, "begin": begin, "mask": mask}
        for name, token in special.items():
            if token not in self.numbers and name != "mask":
                raise MissingKeyError("WordPiece", f"{name}={token!r}", "the vocabulary has no such token",
                                      f"pass {name}= the one that it has")
        self.unknown, self.separator, self.padding, self.begin = [self.numbers[t] for t in (unknown, separator, padding, begin)]
        self.mask = self.numbers.get(mask)
        self._special = re.compile("(" + "|".join(re.escape(t) for t in special.values() if t in self.numbers) + ")")
        self._cleaned = _Characters(_clean if chinese else lambda c: _clean(c).strip(" ") or _clean(c)[:1])
        self._divided = _Characters(lambda c: "" if self.strip_accents and unicodedata.category(c) == "Mn" else _divide(c))
        self._pieces: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """From a checkpoint's vocab.txt and tokenizer_config.json, or from its tokenizer.json.

        Raises:
            FileError: there is neither, or the tokenizer is of another kind.
        """
        folder = Path(path)
        settings = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
        if (folder / "vocab.txt").is_file():
            text = (folder / "vocab.txt").read_text(encoding="utf-8")
            vocabulary: Sequence[str] = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        else:
            vocabulary, found = _from_json(folder / "tokenizer.json")
            settings = {**found, **settings}
        special = {ours: token if isinstance(token, str) else token["content"] for theirs, ours in SPECIAL.items()
                   if (token := settings.get(theirs))}
        return cls(vocabulary, lower=settings.get("do_lower_case", True), strip_accents=settings.get("strip_accents"),
                   chinese=settings.get("tokenize_chinese_chars", True), **special)

    # ------------------------------------------------------------------------------------------------ to tokens
    def words(self, text: str) -> list[str]:
        """The words of a text, cleaned; a punctuation mark is one."""
        text = text.translate(self._cleaned)
        if self.strip_accents:
            text = unicodedata.normalize("NFD", text)
        text = text.translate(self._divided)
        if self.lower:
            text = text.replace("Σ", "σ").lower()        # each character for itself: at a word's end it would be ς
        return text.split()

    def pieces(self, word: str) -> list[str]:
        """A word as the longest pieces that the vocabulary has, from left to right; unknown if one is not there."""
        if (known := self._pieces.get(word)) is not None:
            return known
        found, start = [], 0
        while start < len(word) <= LONGEST:
            lead, end = "##" if start else "", len(word)
            while end > start and lead + word[start:end] not in self.numbers:
                end -= 1
            if end == start:
                break
            found.append(lead + word[start:end])
            start = end
        if start < len(word):
            found = [self.tokens[self.unknown]]
        if len(self._pieces) < CACHED:
            self._pieces[word] = found
        return found

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, without those at its ends."""
        if not isinstance(text, str):
            raise ArgumentError("WordPiece", f"a {type(text).__name__}", "a text is a str", "pass a list of them for a batch")
        found: list[str] = []
        for i, part in enumerate(self._special.split(text)):
            found += [part] if i % 2 else [piece for word in self.words(part) for piece in self.pieces(word)]
        return found

    def encode(self, text: str, pair: str | None = None, max_length: int | None = None) -> list[int]:
        """The numbers: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP], cut to `max_length`, the longer of the two first."""
        return self._encoded(text, pair, max_length)[0]

    def _encoded(self, text: str, pair: str | None, max_length: int | None) -> tuple[list[int], int]:
        """The numbers, and how many of them are the first text's."""
        first, second = [[self.numbers[t] for t in self.tokenize(part)] for part in (text, pair or "")]
        if max_length is not None:
            room = max_length - (2 if pair is None else 3)
            if room < 0:
                raise ArgumentError("WordPiece", f"max_length={max_length}", "the special tokens alone are more")
            sizes = _cut(len(first), len(second), room)
            first, second = first[:sizes[0]], second[:sizes[1]]
        found = [self.begin, *first, self.separator]
        return (found, len(found)) if pair is None else ([*found, *second, self.separator], len(found))

    def decode(self, numbers: Any) -> str:
        """The text of these numbers, its pieces put together."""
        numbers = numbers.tolist() if isinstance(numbers, Tensor) else list(numbers)
        special = {self.padding, self.begin, self.separator}
        return " ".join(self.tokens[n] for n in numbers if n not in special).replace(" ##", "")

    # -------------------------------------------------------------------------------------------------- a batch
    def __call__(self, texts: Sequence[str], pairs: Sequence[str] | None = None, max_length: int | None = None, *,
                 device: Any = None) -> Tokens:
        """A batch of texts, or of pairs of texts, as long as the longest of them, but not longer than `max_length`."""
        if isinstance(texts, str):
            raise ArgumentError("WordPiece", "one text", "a batch is a list of texts", "write [text]")
        if pairs is not None and (isinstance(pairs, str) or len(pairs) != len(texts)):
            raise ArgumentError("WordPiece", "texts and pairs of different number", "each text goes with one other")
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


SPECIAL = {"unk_token": "unknown", "sep_token": "separator", "pad_token": "padding", "cls_token": "begin", "mask_token": "mask"}


def _from_json(path: Path) -> tuple[list[str], Mapping[str, Any]]:
    """The vocabulary and the settings that a file of the library tokenizers holds."""
    file = read_json(path)
    model = file.get("model") or {}
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or model.get("continuing_subword_prefix") != "##" or sorted(vocab.values()) != list(range(len(vocab))):
        raise FileError("WordPiece", str(path), f"it is a tokenizer of the kind {model.get('type') or 'unknown'}, and this one is WordPiece")
    normalizer = file.get("normalizer") or {}
    return sorted(vocab, key=vocab.__getitem__), {
        "do_lower_case": normalizer.get("lowercase", True), "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True)}


def _cut(first: int, second: int, room: int) -> tuple[int, int]:
    """How long two texts may be together: the longer one is cut, or both to halves."""
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short, long = room // 2, room // 2 + room % 2
    return (short, long) if first <= second else (long, short)
