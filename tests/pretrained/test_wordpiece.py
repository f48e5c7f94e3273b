"""BERT's tokenizer: worked cases by hand, and the library `tokenizers` on thousands of random texts."""

from __future__ import annotations

import copy
import json
import pickle
import random
import unicodedata
from pathlib import Path

import pytest

from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FileError, MissingKeyError
from tinygrad_act.pretrained import WordPiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["un", "##aff", "##able", "cafe", "!", "$", "中", "σας", "a", "##a", ",", "the", "I", "##s", "Cafés", "##é"]


@pytest.fixture(scope="module")
def small() -> WordPiece:
    return WordPiece(SPECIAL + WORDS)


@pytest.mark.parametrize(("text", "tokens"), [
    ("unaffable", ["un", "##aff", "##able"]),            # the longest piece first
    ("UNAFFABLE Café", ["un", "##aff", "##able", "cafe"]),
    ("cafe\u0301!!", ["cafe", "!", "!"]),                 # an accent of its own
    ("a$a", ["a", "$", "a"]),
    ("a中a", ["a", "中", "a"]),
    ("un\u200baff\0able", ["un", "##aff", "##able"]),     # what has no width is not there
    ("the\u00a0\u2028the", ["the", "the"]),
    ("ΣΑΣ", ["[UNK]"]),                                   # σασ: a sigma at the end stays one
    ("xyz the", ["[UNK]", "the"]),
    ("a" * 100, ["a"] + ["##a"] * 99), ("a" * 101, ["[UNK]"]),
    ("the [MASK], the[SEP]", ["the", "[MASK]", ",", "the", "[SEP]"]), ("[mask]", ["[UNK]", "[UNK]", "[UNK]"]),
    ("", []), (" \t\n", [])])
def test_worked_cases(small: WordPiece, text: str, tokens: list[str]) -> None:
    assert small.tokenize(text) == tokens


def test_cased_and_with_accents() -> None:
    cased = WordPiece(SPECIAL + WORDS, lower=False)
    assert cased.tokenize("I Cafés i") == ["I", "Cafés", "[UNK]"]
    assert WordPiece(SPECIAL + WORDS, strip_accents=False).tokenize("aé") == ["a", "##é"]
    assert WordPiece([*SPECIAL, "a", "##中", "##a"], chinese=False).tokenize("a中a a\ta") == ["a", "##中", "##a", "a", "a"]


def test_batches_are_padded_cut_and_paired(small: WordPiece) -> None:
    ids, mask, kinds = small(["the", "the the the the"], max_length=5)
    assert ids.tolist() == [[2, 16, 3, 0, 0], [2, 16, 16, 16, 3]]
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1] * 5] and kinds.tolist() == [[0] * 5] * 2
    ids, mask, kinds = small(["the", "a"], ["a a", "the"])
    assert ids.tolist() == [[2, 16, 3, 13, 13, 3], [2, 13, 3, 16, 3, 0]]
    assert kinds.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0]] and mask.tolist() == [[1] * 6, [1] * 5 + [0]]
    assert small([]).input_ids.shape == (0, 0)
    assert small.decode(small.encode("unaffable cafe !")) == "unaffable cafe !"


def test_it_can_be_copied_and_sent_to_workers(small: WordPiece) -> None:
    for other in (copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert other.encode("Unaffable, Café!") == small.encode("Unaffable, Café!")


def test_misuse_is_told(small: WordPiece) -> None:
    with pytest.raises(ArgumentError, match=r"\[text\]"):
        small("the")
    with pytest.raises(ArgumentError, match="str"):
        small.tokenize(["the"])                          # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="max_length"):
        small.encode("the", max_length=1)
    with pytest.raises(ArgumentError, match="pair"):
        small(["the"], ["a", "a"])
    with pytest.raises(MissingKeyError, match="unknown"):
        WordPiece(["[PAD]"])


def test_a_tokenizers_file_loads(tmp_path: Path) -> None:
    vocabulary = {token: i for i, token in enumerate(SPECIAL + WORDS)}
    file = {"normalizer": {"lowercase": False}, "model": {"type": "WordPiece", "continuing_subword_prefix": "##", "vocab": vocabulary}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    assert WordPiece.from_folder(tmp_path).tokenize("Cafés") == ["Cafés"]
    file["model"] = {"type": "BPE", "vocab": vocabulary}
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    with pytest.raises(FileError, match="BPE"):
        WordPiece.from_folder(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        WordPiece.from_folder(tmp_path / "nowhere")


# ------------------------------------------------------------------------------------------ against the library
def texts(count: int, words: list[str], seed: int) -> list[str]:
    """Random texts of words, of all characters that have kept their kind since Unicode 3.2, and of what is awkward."""
    old, draw = unicodedata.ucd_3_2_0, random.Random(seed)
    characters = [c for c in map(chr, [*range(0xD800), *range(0xE000, 0x30000)]) if old.category(c) == unicodedata.category(c) != "Cn"]
    awkward = [" ", "\t\n", "\u00a0", "\u200b", "\u2028", "\0", "\ufffd", "[SEP]", "[MASK]", "[", "]", "a" * 101, "é" * 100, "ΑΣ", "İı",
               "ßﬁ", "e\u0301", "Ａ", "中文", "한국", "ÀÇ", "\u1100\u1161", "؟", "—", "😀"]

    def one() -> str:
        kinds = [lambda: draw.choice(words).removeprefix("##"), lambda: draw.choice(awkward),
                 lambda: "".join(draw.choices(characters, k=draw.randint(1, 8))),
                 lambda: "".join(map(chr, draw.choices(range(33, 127), k=draw.randint(1, 10))))]
        return "".join(draw.choice(kinds)() + draw.choice([" ", ""]) for _ in range(draw.randint(0, 25)))

    return [one() for _ in range(count)]


def test_it_is_the_librarys() -> None:
    library = pytest.importorskip("tokenizers")
    ours = WordPiece.from_folder(same.weights("minilm").parent)
    words = list(ours.tokens)
    from tokenizers.implementations import BertWordPieceTokenizer

    theirs = BertWordPieceTokenizer({t: i for i, t in enumerate(words)}, lowercase=True)
    theirs.add_special_tokens([library.AddedToken(t, normalized=False) for t in SPECIAL])
    given = texts(4000, words, 0)
    for text, found in zip(given, theirs.encode_batch(given), strict=True):
        assert ours.encode(text) == found.ids, repr(text)
    draw = random.Random(1)
    for length in (3, 4, 7, 16):
        theirs.enable_truncation(length)
        for text, pair in zip(draw.sample(given, 100), draw.sample(given, 100), strict=True):
            assert ours.encode(text, max_length=length) == theirs.encode(text).ids
            both = ours([text[:9]], [pair[:9]], length)
            found = theirs.encode(text[:9], pair[:9])
            assert (both.input_ids[0].tolist(), both.token_type_ids[0].tolist()) == (found.ids, found.type_ids)
