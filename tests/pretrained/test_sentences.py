"""BERT and the sentence encoder MiniLM: what they give is what PyTorch gives on the same weights, forwards and backwards."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FileError, ShapeError
from tinygrad_act.pretrained import Bert, BertConfig, SentenceEncoder, minilm

SMALL = BertConfig(vocab_size=30, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                   max_position_embeddings=16)
TEXTS = ["The film is a small wonder.", "What a dull, overlong mess!", "I loved it", "Interest rates rose again in March, said the bank."]


def twin(model: Bert) -> Any:
    return same.twin(model, lambda torch: reference().TorchBert(model.config))


def reference() -> Any:
    """The module of PyTorch's BERT."""
    return pytest.importorskip("tests.pretrained.torch_bert", exc_type=ImportError)


# ------------------------------------------------------------------------------------------- small, random weights
@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize("heads", [1, 3])
def test_bert_is_pytorchs(act: str, heads: int) -> None:
    model = Bert(dataclasses.replace(SMALL, hidden_act=act, num_attention_heads=heads, initializer_range=0.3)).double().eval()
    theirs = twin(model)
    x, mask = same.token_ids()
    kinds = (x % 2) * mask
    for given in ([x], [x, mask], [x, mask, kinds]):
        same.near(model(*given).detach(), theirs(*same.as_torch(*given)).detach(), 1e-6 if act == "gelu_new" else 1e-12)


def test_its_gradients_are_pytorchs() -> None:
    model = Bert(dataclasses.replace(SMALL, initializer_range=0.3)).double().eval()
    theirs = twin(model)
    x, mask = same.token_ids()
    kinds = (x % 2) * mask
    (model(x, mask, kinds) ** 2 * mask.unsqueeze(-1)).sum().backward()
    tx, tm, tk = same.as_torch(x, mask, kinds)
    (theirs(tx, tm, tk) ** 2 * tm.unsqueeze(-1)).sum().backward()
    same.gradients(model, theirs, 1e-10)


def test_dropout_is_where_berts_is() -> None:
    model = Bert(SMALL)
    x, mask = same.token_ids()
    assert model.training and not bool((model(x, mask) == model(x, mask)).all())
    assert bool((model.eval()(x, mask) == model(x, mask)).all())
    without = Bert(dataclasses.replace(SMALL, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    without.load_state_dict(model.state_dict())
    assert bool((without.train()(x, mask) == model(x, mask)).all())
    attention = Bert(dataclasses.replace(SMALL, hidden_dropout_prob=0.0))
    assert not bool((attention(x, mask) == attention(x, mask)).all())


def test_padding_changes_nothing() -> None:
    model = SentenceEncoder(SMALL).double().eval()
    x, mask = same.token_ids()
    for pooling in ("mean", "cls", "max"):
        model.pooling = pooling
        for i, row in enumerate(mask.sum(1).tolist()):
            same.near(model(x[i:i + 1, :row])[0].detach(), model(x, mask)[i].detach(), 1e-12)


def test_a_folder_loads(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = Bert(dataclasses.replace(SMALL, vocab_size=8)).eval()
    (tmp_path / "config.json").write_text(json.dumps({**dataclasses.asdict(model.config), "model_type": "bert", "use_cache": True}))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfilm\n##s\nÉ\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 5}))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Transformer"}]))
    state = {f"bert.{k}".replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in model.state_dict().items()}
    ta.save({**state, "bert.embeddings.position_ids": ta.arange(16).reshape(1, 16), "cls.predictions.bias": ta.zeros(8)},
            tmp_path / "model.safetensors")
    encoder = SentenceEncoder.from_folder(tmp_path)
    assert (encoder.pooling, encoder.normalize, encoder.max_length, encoder.training) == ("cls", False, 5, False)
    assert encoder.tokenize(["films É Film film film"]).input_ids.tolist() == [[2, 5, 6, 7, 3]]
    with ta.no_grad():
        same.near(encoder.encode("films É"), model(ta.tensor([[2, 5, 6, 7, 3]]))[0, 0])
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(FileError, match="Dense"):
        SentenceEncoder.from_folder(tmp_path)


@pytest.mark.parametrize(("file", "content"), [
    ("config.json", [1]), ("config.json", {"num_hidden_layers": 1 << 40}), ("config.json", {"hidden_size": 1 << 30}), ("config.json", {"hidden_size": 24 * 4096}),
    ("config.json", {"num_hidden_layers": "x"}), ("config.json", {"vocab_size": True}), ("config.json", {"layer_norm_eps": None}), ("config.json", {"intermediate_size": -1}),
    ("vocab.txt", b"\xff\xfe\xfd"), ("tokenizer_config.json", [1]), ("tokenizer_config.json", {"unk_token": 5}), ("tokenizer_config.json", {"unk_token": {"x": 1}}),
    ("modules.json", {"a": 1}), ("modules.json", ["x"]), ("1_Pooling/config.json", [1]), ("sentence_bert_config.json", [1]),
    ("tokenizer.json", [1]), ("tokenizer.json", {"model": [1]}), ("tokenizer.json", {"model": {"vocab": {"a": "x", "b": 1}, "continuing_subword_prefix": "##"}}),
])
def test_folders_that_lie_are_refused(tmp_path: Path, file: str, content: Any) -> None:
    pytest.importorskip("safetensors")
    model = Bert(SMALL)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(dataclasses.asdict(SMALL)))
    if file != "tokenizer.json":
        (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(SMALL.vocab_size - 5))]))
    ta.save(model.state_dict(), tmp_path / "model.safetensors")
    if file == "config.json" and isinstance(content, dict):
        content = {**dataclasses.asdict(SMALL), **content}
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises((FileError, ArgumentError)):
        SentenceEncoder.from_folder(tmp_path)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="model_type='roberta'"):
        BertConfig.from_dict({"model_type": "roberta"})
    with pytest.raises(ArgumentError, match="relative_key"):
        BertConfig.from_dict({"position_embedding_type": "relative_key"})
    with pytest.raises(ArgumentError, match="multiple"):
        Bert(dataclasses.replace(SMALL, num_attention_heads=5))
    with pytest.raises(ShapeError, match="16"):
        Bert(SMALL)(ta.ones(1, 17, dtype=ta.int64))
    with pytest.raises(ShapeError, match="Missing"):
        Bert.from_state({"embeddings.word_embeddings.weight": ta.zeros(30, 24)}, SMALL)
    with pytest.raises(FileError, match="no file of weights"):
        Bert.from_folder(tmp_path)
    with pytest.raises(ArgumentError, match="tokenizer"):
        SentenceEncoder(SMALL).encode(["text"])
    with pytest.raises(ArgumentError, match="pooling"):
        SentenceEncoder(SMALL, pooling="sum")


# ------------------------------------------------------------------------------------------------ the real weights
@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    pytest.importorskip("safetensors")
    same.weights("minilm")
    return minilm(download=False)


def test_minilm_is_pytorchs(encoder: SentenceEncoder) -> None:
    torch, pooled = pytest.importorskip("torch"), reference().pooled
    theirs = twin(encoder)
    tokens = encoder.tokenize(TEXTS)
    tx, tm = same.as_torch(tokens.input_ids, tokens.attention_mask)
    with ta.no_grad(), torch.no_grad():
        hidden = theirs(tx, tm)
        mask = tokens.attention_mask.unsqueeze(-1)
        same.near(Bert.forward(encoder, *tokens) * mask, hidden * tm[..., None])
        same.near(encoder(*tokens), pooled(hidden, tm))
        same.near(encoder.encode(TEXTS), pooled(hidden, tm))


def test_minilm_gives_the_stored_numbers(encoder: SentenceEncoder) -> None:
    same.matches_stored("minilm", encoder.encode(TEXTS))


def test_minilms_gradients_are_pytorchs(encoder: SentenceEncoder) -> None:
    torch, pooled = pytest.importorskip("torch"), reference().pooled
    theirs = twin(encoder)
    tokens = encoder.tokenize(TEXTS)
    tx, tm = same.as_torch(tokens.input_ids, tokens.attention_mask)
    target = [0.5, 1.0, -1.0, 0.25]
    encoder.zero_grad()
    ((encoder(*tokens).sum(1) - ta.tensor(target)) ** 2).mean().backward()
    ((pooled(theirs(tx, tm), tm).sum(1) - torch.tensor(target)) ** 2).mean().backward()
    same.gradients(encoder, theirs, 1e-3)
    encoder.zero_grad()


def test_related_texts_are_near(encoder: SentenceEncoder) -> None:
    v = encoder.encode(["A man is playing a guitar.", "Someone plays an instrument.", "The parliament passed the budget."])
    near = v @ v.mT
    assert near[0, 1].item() > 0.5 and abs(near[0, 2].item()) < 0.1
    same.near((v * v).sum(1), ta.ones(3), 1e-6)


def test_encode_keeps_the_order(encoder: SentenceEncoder) -> None:
    texts = [" ".join(["word"] * (1 + 7 * i % 11)) for i in range(5)]
    for size in (2, 32):
        same.near(encoder.encode(texts, batch_size=size), ta.stack([encoder.encode(t) for t in texts]), 1e-5)
    assert encoder.encode([]).shape == (0, 384) and not encoder.encode("a").requires_grad
    long = "word " * 1000
    assert encoder.tokenize([long]).input_ids.shape == (1, 256)
    encoder.train()
    same.near(encoder.encode(texts[:2]), encoder.eval().encode(texts[:2]), 1e-6)
