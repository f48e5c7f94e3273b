"""BERT's tokenizer: a text as the numbers of its words and parts of words (Wu et al. 2016, arXiv:1609.08144; Devlin et al.
2018, arXiv:1810.04805).

It gives what the library `tokenizers` gives, for all characters that Unicode had in 2015: that library goes by the
tables of that year, this one by Python's.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ..errors import FileError
from .files import read_json
from .tokenizer import Tokenizer

LONGEST = 100                                            # characters of a word; a longer one is unknown
CACHED = 100_000                                         # words whose pieces are remembered
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
       (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class _Characters(dict[int, str]):
    """What becomes of each character, for str.translate; found out when the character is first met."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        super().__init__()
        self.rule = rule

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self.rule(chr(code)))


class WordPiece(Tokenizer):
    """Texts to numbers and back, by a vocabulary of words and of pieces that go on a word, `##` before them.

    Args:
        vocabulary: the tokens, in the order of their numbers.
        lower: lower-case, and without accents.
        strip_accents: leave accents out; by default as `lower`.
        chinese: each Chinese character is a word.
        special: the special tokens, if they are other ones: see `Tokenizer`.

    >>> tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "back", "##prop", "##s", "!"])
    >>> tokenizer.tokenize("Backprops!"), tokenizer.encode("Backprops!")
    (['back', '##prop', '##s', '!'], [2, 5, 6, 7, 8, 3])
    >>> tokenizer(["back", "backprop!"]).input_ids
    tensor([[2, 5, 3, 0, 0],
            [2, 5, 6, 8, 3]])
    """

    def __init__(self, vocabulary: Sequence[str], *, lower: bool = True, strip_accents: bool | None = None, chinese: bool = True,
                 **special: str) -> None:
        super().__init__(vocabulary, **special)
        self.lower, self.strip_accents = lower, lower if strip_accents is None else strip_accents
        self.chinese = chinese
        self._cleaned, self._divided = _Characters(self._clean), _Characters(self._divide)
        self._pieces: dict[str, list[str]] = {}

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """From a checkpoint's vocab.txt and tokenizer_config.json, or from its tokenizer.json.

        Raises:
            FileError: there is neither, or the tokenizer is of another kind.
        """
        folder = Path(path)
        settings = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
        if (folder / "vocab.txt").is_file():
            try:
                text = (folder / "vocab.txt").read_text(encoding="utf-8")
            except ValueError as error:
                raise FileError("WordPiece", str(folder / "vocab.txt"), f"it is no text ({error})", "get a whole copy") from error
            vocabulary: Sequence[str] = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        else:
            vocabulary, found = _from_json(folder / "tokenizer.json")
            settings = {**found, **settings}
        special: dict[str, Any] = {ours: token.get("content") if isinstance(token, dict) else token for theirs, ours in SPECIAL.items()
                                   if (token := settings.get(theirs))}
        if not all(isinstance(token, str) for token in special.values()):
            raise FileError("WordPiece", str(folder / "tokenizer_config.json"), f"its special tokens are no texts: {special}", "get a whole copy")
        return cls(vocabulary, lower=settings.get("do_lower_case", True), strip_accents=settings.get("strip_accents"),
                   chinese=settings.get("tokenize_chinese_chars", True), **special)

    # ------------------------------------------------------------------------------------------------ to tokens
    def _clean(self, c: str) -> str:
        """Control characters go, every kind of space is one, and a Chinese character is a word of its own."""
        kind = unicodedata.category(c)
        if c in "\t\n\r" or kind in ("Zs", "Zl", "Zp"):
            return " "
        if c in "\0\ufffd" or kind in ("Cc", "Cf", "Co", "Cs"):
            return ""
        return f" {c} " if self.chinese and any(low <= ord(c) <= high for low, high in CJK) else c

    def _divide(self, c: str) -> str:
        """A punctuation mark is a word of its own, and so is any other sign of ASCII; accents go if they shall."""
        kind = unicodedata.category(c)
        if kind == "Mn" and self.strip_accents:
            return ""
        sign = c.isascii() and c.isprintable() and not c.isalnum() and c != " "
        return f" {c} " if sign or kind[0] == "P" else c

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

    def split(self, text: str) -> list[str]:
        """The pieces of a text's words."""
        return [piece for word in self.words(text) for piece in self.pieces(word)]

    def join(self, tokens: Sequence[str]) -> str:
        """The words of these pieces, a space between them."""
        return " ".join(tokens).replace(" ##", "")


SPECIAL = {"unk_token": "unknown", "sep_token": "separator", "pad_token": "padding", "cls_token": "begin", "mask_token": "mask"}


def _from_json(path: Path) -> tuple[list[str], Mapping[str, Any]]:
    """The vocabulary and the settings that a file of the library tokenizers holds."""
    file = read_json(path)
    model, normalizer = (file.get(part) if isinstance(file.get(part), dict) else {} for part in ("model", "normalizer"))
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not all(type(n) is int for n in vocab.values()) or model.get("continuing_subword_prefix") != "##" or sorted(vocab.values()) != list(range(len(vocab))):
        raise FileError("WordPiece", str(path), f"it is a tokenizer of the kind {model.get('type') or 'unknown'}, and this one is WordPiece")
    return sorted(vocab, key=vocab.__getitem__), {
        "do_lower_case": normalizer.get("lowercase", True), "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True)}
