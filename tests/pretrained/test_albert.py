"""ALBERT and rxnmapper's: the same as PyTorch's on the same weights, and it knows its chemistry."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FileError, ShapeError
from tinygrad_act.nn.functional import cross_entropy
from tinygrad_act.pretrained import Albert, AlbertConfig, AlbertForMaskedLM, SmilesTokenizer, rxnmapper

SMALL = AlbertConfig(vocab_size=20, embedding_size=6, hidden_size=12, num_hidden_layers=4, num_attention_heads=3, intermediate_size=20,
                     max_position_embeddings=16, initializer_range=0.3)
# From the tests of rxnmapper 0.4.3.
REACTIONS = ["CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
             "C1COCCO1.CC(C)(C)OC(=O)CONC(=O)NCc1cccc2ccccc12.Cl>>O=C(O)CONC(=O)NCc1cccc2ccccc12",
             "C=CCN=C=S.CNCc1ccc(C#N)cc1.NNC(=O)c1cn2c(n1)CCCC2>>C=CCN1C(C2=CN3CCCCC3=N2)=NN=C1N(C)CC1=CC=C(C#N)C=C1"]


def twin(model: AlbertForMaskedLM) -> Any:
    return same.twin(model, lambda torch: same.torch_models().TorchAlbert(model.config))


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu"}, {"num_hidden_groups": 2, "inner_group_num": 2}, {"num_attention_heads": 1},
                                     {"num_hidden_layers": 5, "num_hidden_groups": 3}])
def test_albert_is_pytorchs(changes: dict[str, Any]) -> None:
    model = AlbertForMaskedLM(dataclasses.replace(SMALL, **changes)).double().eval()
    theirs = twin(model)
    x, mask = same.token_ids(vocabulary=20)
    for given in ([x], [x, mask], [x, mask, (x % 2) * mask]):
        same.near(model(*given), theirs(*same.as_torch(*given)), 1e-6)


def test_its_gradients_are_pytorchs() -> None:
    model = AlbertForMaskedLM(dataclasses.replace(SMALL, hidden_act="gelu")).double().eval()
    theirs = twin(model)
    x, mask = same.token_ids(vocabulary=20)
    tx, tm = same.as_torch(x, mask)
    cross_entropy(model(x, mask).flatten(0, 1), x.flatten(), ignore_index=0).backward()
    torch = pytest.importorskip("torch")
    torch.nn.functional.cross_entropy(theirs(tx, tm).flatten(0, 1), tx.flatten(), ignore_index=0).backward()
    same.gradients(model, theirs, 1e-9)


def test_layers_and_tables_are_shared() -> None:
    model = AlbertForMaskedLM(SMALL)
    assert model.predictions.decoder.weight is model.albert.embeddings.word_embeddings.weight
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in AlbertForMaskedLM(dataclasses.replace(SMALL, num_hidden_layers=9)).parameters())


def test_dropout_is_where_alberts_is() -> None:
    x, mask = same.token_ids(vocabulary=20)
    for changes in ({"hidden_dropout_prob": 0.5}, {"attention_probs_dropout_prob": 0.5}):
        model = Albert(dataclasses.replace(SMALL, **changes))
        assert not bool((model(x, mask) == model(x, mask)).all())
        assert bool((model.eval()(x, mask) == model(x, mask)).all())


def test_a_folder_loads(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = AlbertForMaskedLM(SMALL).eval()
    (tmp_path / "config.json").write_text(json.dumps({**dataclasses.asdict(SMALL), "model_type": "albert"}))
    tied = {"predictions.decoder.weight", "predictions.decoder.bias"}
    ta.save({**{k: v for k, v in model.state_dict().items() if k not in tied}, "albert.pooler.weight": ta.zeros(2)}, tmp_path / "model.safetensors")
    x, _ = same.token_ids(vocabulary=20)
    with ta.no_grad():
        same.near(AlbertForMaskedLM.from_folder(tmp_path)(x), model(x), 1e-7)
        same.near(Albert.from_folder(tmp_path)(x), model.albert(x), 1e-7)


def test_smiles_are_tokenized() -> None:
    tokenizer = SmilesTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "C", "c", "1", "[K+]", "Br", ">>", "%10", "Cl", "("])
    assert tokenizer.tokenize("BrC[K+].c1ccc%10>>ClC") == ["Br", "C", "[K+]", ".", "c", "1", "c", "c", "c", "%10", ">>", "Cl", "C"]
    assert tokenizer.encode("C[MASK](N") == [2, 5, 4, 13, 1, 3]
    assert tokenizer.encode("C[Na]C C") == [2, 5, 1, 5, 5, 3]


def test_misuse_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="albert"):
        AlbertConfig.from_dict({"model_type": "bert"})
    with pytest.raises(ArgumentError, match="tokenizer"):
        AlbertForMaskedLM(SMALL).fill(["C"])
    with pytest.raises(ShapeError, match="Missing"):
        Albert.from_state({}, SMALL)
    with pytest.raises(FileError, match=r"vocab\.txt"):
        SmilesTokenizer.from_folder(tmp_path)


# ------------------------------------------------------------------------------------------------ the real weights
@pytest.fixture(scope="module")
def model() -> AlbertForMaskedLM:
    same.weights("rxnmapper")
    return rxnmapper(download=False)


def test_rxnmapper_is_pytorchs(model: AlbertForMaskedLM) -> None:
    assert model.tokenizer is not None
    ids, mask, _ = model.tokenizer(REACTIONS)
    theirs = twin(model)
    ours = model(ids, mask)
    tx, tm = same.as_torch(ids, mask)
    found = theirs(tx, tm)
    same.near(ours * mask.unsqueeze(-1), found * tm[..., None])
    torch = pytest.importorskip("torch")
    model.zero_grad()
    cross_entropy(ours.flatten(0, 1), ids.flatten(), ignore_index=0).backward()
    torch.nn.functional.cross_entropy(found.flatten(0, 1), tx.flatten(), ignore_index=0).backward()
    same.gradients(model, theirs, 1e-3)


def test_rxnmapper_gives_the_stored_numbers(model: AlbertForMaskedLM) -> None:
    assert model.tokenizer is not None
    with ta.no_grad():
        same.matches_stored("rxnmapper", model(model.tokenizer(REACTIONS[:1]).input_ids))


def test_it_names_masked_tokens(model: AlbertForMaskedLM) -> None:
    right = total = 0
    for reaction in REACTIONS:                           # every third token, one at a time: of all 235, 232 are right
        ids = model.tokenizer.encode(reaction)           # type: ignore[union-attr]
        places = range(1, len(ids) - 1, 3)
        rows = ta.tensor([[model.tokenizer.mask if i == place else n for i, n in enumerate(ids)] for place in places])   # type: ignore[union-attr]
        with ta.no_grad():
            best = model(rows).argmax(-1).tolist()
        right += sum(best[k][place] == ids[place] for k, place in enumerate(places))
        total += len(places)
    assert (right, total) == (79, 79)
    assert model.fill(["CC(=O)Cl.OCC>>CC(=O)[MASK]CC"]) == ["CC(=O)Cl.OCC>>CC(=O)OCC"]
