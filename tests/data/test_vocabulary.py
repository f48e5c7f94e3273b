"""Words, their numbers, and batches of sequences of several lengths."""

from __future__ import annotations

import pytest

import tinygrad_act as ta
from tinygrad_act.datasets import Vocabulary, pad_collate, words
from tinygrad_act.errors import ArgumentError, IndexingError, ShapeError
from tinygrad_act.utils.data import DataLoader


def test_words() -> None:
    assert words("Don't  <br /><br>STOP... 3 < 4\n") == ["don't", "stop", ".", ".", ".", "3", "<", "4"]
    assert words("") == [] and words("Élan naïve") == ["élan", "naïve"]


def test_a_vocabulary_is_ordered_by_frequency() -> None:
    vocabulary = Vocabulary.of(["b b a", "c b a d"], max_size=5)
    assert vocabulary.tokens == ["<pad>", "<unk>", "b", "a", "c"] and len(vocabulary) == 5
    assert Vocabulary.of(["b b a"], min_count=2).tokens == ["<pad>", "<unk>", "b"]
    assert vocabulary("b a zebra").tolist() == [2, 3, 1] and vocabulary("").shape == (0,) and vocabulary("").dtype == ta.int64
    assert vocabulary.decode(vocabulary("a b")) == "a b" == vocabulary.decode([3, 2])
    assert "a" in vocabulary and "zebra" not in vocabulary and vocabulary["zebra"] == 1
    assert "5 tokens" in repr(vocabulary)
    assert Vocabulary.of(["<pad>"], tokenize=str.split).tokens == ["<pad>", "<unk>"]


def test_what_a_vocabulary_cannot_do() -> None:
    letters = Vocabulary("abc", tokenize=list, join="", specials=())
    assert letters.decode(letters("cab")) == "cab"
    with pytest.raises(ArgumentError, match="no <unk>"):
        letters("abd")
    with pytest.raises(IndexingError, match="3 tokens"):
        letters.decode([3])
    with pytest.raises(IndexingError):
        letters.decode([-1])
    with pytest.raises(ArgumentError, match="one number"):
        Vocabulary(["a", "a"])
    with pytest.raises(ArgumentError, match="list"):
        letters(["a"])  # type: ignore[arg-type]


def test_padding() -> None:
    samples = [(ta.ones(2, 3), 1), (ta.ones(4, 3), 0), (ta.ones(0, 3), 2)]
    x, lengths, y = pad_collate(samples, padding_value=-1)
    assert x.shape == (3, 4, 3) and lengths.tolist() == [2, 4, 0] and y.tolist() == [1, 0, 2] and lengths.device == "cpu"
    assert x[0].tolist() == [[1] * 3] * 2 + [[-1] * 3] * 2 and x.dtype == ta.float32
    vocabulary = Vocabulary.of(["one two", "one"])
    loader = DataLoader([(vocabulary(t), i) for i, t in enumerate(["one two one", "two"])], 2, collate_fn=pad_collate)
    (numbers, lengths, _), = loader
    assert numbers.tolist() == [[2, 3, 2], [3, 0, 0]] and numbers.dtype == ta.int64
    with pytest.raises(ShapeError, match="length only"):
        pad_collate([(ta.ones(2, 3), 1), (ta.ones(2, 4), 1)])
    for wrong in ([("text", 1)], [], [(ta.tensor(1.0), 1)]):
        with pytest.raises(ArgumentError, match="pad_collate"):
            pad_collate(wrong)
