"""From texts to numbers: words, a vocabulary, and batches of sequences of several lengths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, IndexingError, ShapeError
from ..tensor import Tensor

PAD, UNKNOWN = "<pad>", "<unk>"
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_TAG = re.compile(r"<[a-zA-Z/][^<>]*>")


def words(text: str) -> list[str]:
    """The words and punctuation marks of a text, in small letters; HTML tags are left out.

    >>> words("It's <br /> GOOD, isn't it?")
    ["it's", 'good', ',', "isn't", 'it', '?']
    """
    return _WORD.findall(_TAG.sub(" ", text).lower())


class Vocabulary:
    """A number for each token; those of texts are had by `vocabulary(text)`, so it is a `transform` of a data set.

    Args:
        tokens: in the order of their numbers, which follow those of `specials`.
        tokenize: makes a list of tokens of a text.
        join: what `decode` puts between tokens.
        specials: tokens that come first: `<pad>` is number 0, and every token that is not in the vocabulary is `<unk>`.
            Without `<unk>`, such a token is an error.

    >>> vocabulary = Vocabulary.of(["a good film", "a bad film"], min_count=1)
    >>> len(vocabulary), vocabulary("a good book"), vocabulary.decode(vocabulary("a good book"))
    (6, tensor([2, 5, 1]), 'a good <unk>')
    """

    def __init__(self, tokens: Iterable[str], tokenize: Callable[[str], Iterable[str]] = words, join: str = " ",
                 specials: Sequence[str] = (PAD, UNKNOWN)) -> None:
        self.tokens = [*specials, *tokens]
        self.numbers = {token: i for i, token in enumerate(self.tokens)}
        if len(self.numbers) < len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ArgumentError("Vocabulary", f"{twice[:3]}", "a token can have one number only", "leave out the second one")
        self.tokenize, self.join = tokenize, join

    @classmethod
    def of(cls, texts: Iterable[str], max_size: int | None = None, min_count: int = 1,
           tokenize: Callable[[str], Iterable[str]] = words, join: str = " ",
           specials: Sequence[str] = (PAD, UNKNOWN)) -> Vocabulary:
        """The vocabulary of these texts: the most frequent tokens first, those of one frequency by the alphabet.

        Make it of the texts to train on only. `max_size` counts the specials too.
        """
        counts = Counter(token for text in texts for token in tokenize(text))
        frequent = sorted((token for token, n in counts.items() if n >= min_count and token not in specials),
                          key=lambda token: (-counts[token], token))
        return cls(frequent[:None if max_size is None else max(0, max_size - len(specials))], tokenize, join, specials)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.numbers

    def __getitem__(self, token: str) -> int:
        """The token's number, `<unk>`'s if it has none."""
        number = self.numbers.get(token, self.numbers.get(UNKNOWN))
        if number is None:
            raise ArgumentError("Vocabulary", repr(token), "it is not in the vocabulary, which has no <unk> for such", "add it to "
                                "the tokens, or make the vocabulary with specials=('<unk>',)")
        return number

    def __call__(self, text: str) -> Tensor:
        return self.encode(text)

    def encode(self, text: str) -> Tensor:
        """The numbers of the text's tokens, int64 of shape (length,)."""
        if not isinstance(text, str):
            raise ArgumentError("Vocabulary", type(text).__name__, "it makes numbers of a str", "encode texts one by one")
        return ops.tensor([self[token] for token in self.tokenize(text)], dtype=dtypes.int64)

    def decode(self, numbers: Any) -> str:
        """The tokens of these numbers as a text."""
        listed = numbers.tolist() if isinstance(numbers, Tensor) else list(numbers)
        for number in listed:
            if not 0 <= number < len(self):
                raise IndexingError("Vocabulary.decode", str(number), f"the vocabulary has {len(self)} tokens")
        return self.join.join(self.tokens[number] for number in listed)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens: {', '.join(map(repr, self.tokens[:6]))}, ...)"


def pad_collate(batch: Sequence[Any], padding_value: float = 0) -> tuple[Tensor, Tensor, Any]:
    """A `collate_fn` for samples (sequence, target): sequences of several lengths, filled up to the longest.

    Returns (sequences, lengths, targets): the sequences of shape (N, longest, ...), the lengths int64 of shape (N,) on the
    CPU, as packing wants them, and the targets as `default_collate` makes them.

    Raises:
        ShapeError: the sequences differ in more than their length.

    >>> pad_collate([(ta.tensor([1, 2, 3]), 0), (ta.tensor([4]), 1)])
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]), tensor([0, 1]))
    """
    from ..utils.data import default_collate

    if not batch or any(not isinstance(sequence, Tensor) or not sequence.ndim for sequence, _ in batch):
        raise ArgumentError("pad_collate", type(batch[0][0]).__name__ if batch else "no samples", "a sample is (sequence, target), "
                            "the sequence a Tensor with an axis of time", "pass a Vocabulary as transform to a data set of texts")
    sequences = [sequence for sequence, _ in batch]
    first = sequences[0]
    if len({s.shape[1:] for s in sequences}) > 1:
        raise ShapeError("pad_collate", " and ".join(str(s.shape) for s in sequences[:4]), "sequences may differ in their length only")
    longest = max(s.shape[0] for s in sequences)
    padded = ops.full((len(sequences), longest, *first.shape[1:]), padding_value, dtype=first.dtype, device=first.device)
    for row, sequence in enumerate(sequences):
        padded[row, :sequence.shape[0]] = sequence
    lengths = ops.tensor([s.shape[0] for s in sequences], dtype=dtypes.int64, device="cpu")
    return padded, lengths, default_collate([target for _, target in batch])
