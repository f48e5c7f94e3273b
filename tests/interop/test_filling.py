"""Names and shapes that do not fit: rename, load_pretrained's report, and load_state_dict's readable differences."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import interop, nn
from tinygrad_act.errors import ArgumentError, FileError, ShapeError


def net() -> nn.Module:
    return nn.Sequential(OrderedDict(body=nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), head=nn.Linear(3, 4)))


# --------------------------------------------------------------------------------------------------------------- rename
def test_rules_apply_in_their_order() -> None:
    state = {"module.a.gamma": ta.ones(1), "module.b.kernel": ta.ones(2, 3), "step": ta.tensor(1)}
    new = interop.rename(state, [(r"^module\.(.*)", r"\1"), (r"\.gamma$", ".weight"), (re.compile(r"\.kernel$"), ".weight", ta.Tensor.t), ("^step$", None)])
    assert isinstance(new, OrderedDict) and {k: v.shape for k, v in new.items()} == {"a.weight": (1,), "b.weight": (3, 2)}
    assert list(state) == ["module.a.gamma", "module.b.kernel", "step"]
    assert list(interop.rename(state, {"module": "x", "^x": "y"})) == ["y.a.gamma", "y.b.kernel", "step"]
    assert list(interop.rename(state, {})) == list(state)


@pytest.mark.parametrize(("state", "rules", "says"), [
    ({"a": 1, "b": 2}, {"^[ab]$": "c"}, "both would be named 'c'"), ({"a": 1}, {"(": ""}, "no regular expression"), ({"a": 1}, {"a": r"\2"}, "does not fit the pattern"), ({3: 1}, {"a": "b"}, "keys are names"),
    ({"a": 1}, {"a": 3}, "a rule is"), ({"a": 1}, ["ab"], "a rule is"), ({"a": 1}, [("a", "b", 3)], "a rule is"), ({"a": ta.ones(1)}, [("a", "b", ta.Tensor.tolist)], "return a tensor"), ({"a": 1}, 3, "a rule is|iterable"),
])
def test_rules_that_are_none(state: Any, rules: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        interop.rename(state, rules)


# ------------------------------------------------------------------------------------------------------ load_pretrained
def test_a_network_filled_whole_and_in_part(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    source, model = net(), net()
    ta.save(source.state_dict(), tmp_path / "a.safetensors")
    report = interop.load_pretrained(model, tmp_path / "a.safetensors")
    assert report.complete and report.percent == 100.0 and report.numbers == report.of == 9 + 3 * 4 + 1 + 16 and not report.unused
    assert all((a == b).all().item() for a, b in zip(model.state_dict().values(), source.state_dict().values(), strict=True))
    wrapped = {f"net.{k}": v for k, v in source.state_dict().items()} | {"ema.decay": ta.tensor(0.9)}
    report = interop.load_pretrained(net(), {"epoch": 3, "model": wrapped}, prefix="net.", map={"^head": "tail"})
    assert report.left == ["head.weight", "head.bias"] and report.unused == ["ema.decay", "net.head.weight", "net.head.bias"] and not report.complete
    text = repr(report)
    assert "Sequential from a state_dict['model']: 7 of 9 tensors, 22 of 38 numbers (57.89 %) filled" in text
    assert "left as initialised (2): head.weight, head.bias" in text and "unused in the file (3)" in text


def test_shapes_that_differ() -> None:
    model, state = net(), net().state_dict()
    state["head.weight"] = ta.ones(7, 3)
    before = {k: v.tolist() for k, v in model.state_dict().items()}
    with pytest.raises(ShapeError, match=r"size mismatch for head.weight.*\(7, 3\).*\(4, 3\)[^!]*ignore_mismatched=True"):
        interop.load_pretrained(model, state)
    assert {k: v.tolist() for k, v in model.state_dict().items()} == before                # nothing was changed
    report = interop.load_pretrained(model, state, ignore_mismatched=True)
    assert report.mismatched == [("head.weight", (7, 3), (4, 3))] and "of another shape, left (1): head.weight (7, 3) in the file" in repr(report)
    assert model.head.weight.tolist() == before["head.weight"] and model.head.bias.tolist() == state["head.bias"].tolist()


def test_strictness_and_what_fits_nowhere() -> None:
    state = net().state_dict()
    with pytest.raises(ShapeError, match=r'Missing key\(s\) in state_dict: "head.bias"'):
        interop.load_pretrained(net(), {k: v for k, v in state.items() if k != "head.bias"}, strict=True)
    with pytest.raises(ShapeError, match=r'Unexpected key\(s\) in state_dict: "more"'):
        interop.load_pretrained(net(), {**state, "more": ta.ones(1)}, strict=True)
    with pytest.raises(ShapeError, match="begin with 'x.'"):
        interop.load_pretrained(net(), {f"x.{k}": v for k, v in state.items()})
    assert interop.load_pretrained(net(), {k: v for k, v in state.items() if "batches" not in k}, strict=True).complete


def test_transforms_dtypes_and_shared_parameters() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.out.weight = self.words.weight
    model = Tied()
    report = interop.load_pretrained(model, {"table": ta.arange(15).float().reshape(3, 5)}, map=[("table", "words.weight", ta.Tensor.t)], dtype=ta.float64)
    assert report.complete and report.of == 15 and model.out.weight is model.words.weight and model.out.weight.dtype == ta.float64
    assert model.out.weight[1].tolist() == [1.0, 6.0, 11.0]
    half = {"words.weight": ta.ones(5, 3, dtype=ta.float16)}
    interop.load_pretrained(model, half)
    assert model.words.weight.dtype == ta.float64 and model.words.weight[0, 0].item() == 1.0


@pytest.mark.parametrize(("given", "says"), [(3, "neither a file"), (nn.Linear(1, 1), r"state_dict\(\)"), ({"a": 3}, "'a': int"), ({}, "nothing"), ({"x": {"w": ta.ones(1)}, "y": {"w": ta.ones(1)}}, r"\['x'\]"), ([1], "neither")])
def test_what_holds_no_state_dict(given: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        interop.load_pretrained(net(), given)
    with pytest.raises(ArgumentError, match="no network"):
        interop.load_pretrained({}, net())                 # type: ignore[arg-type]


def test_from_a_folder(tmp_path: Path) -> None:
    source, model = nn.Linear(2, 2), nn.Linear(2, 2)
    with pytest.raises(FileError, match="no file of weights"):
        interop.load_pretrained(model, tmp_path)
    interop.save_torch({"state_dict": source.state_dict()}, tmp_path / "pytorch_model.bin")
    assert interop.load_pretrained(model, tmp_path).complete and model.weight.tolist() == source.weight.tolist()
    pytest.importorskip("safetensors")
    ta.save(nn.Linear(2, 2).state_dict(), tmp_path / "model.safetensors")                 # is the one that is taken
    interop.load_pretrained(model, tmp_path)
    assert model.weight.tolist() == interop.SafeFile(tmp_path)["weight"].tolist() != source.weight.tolist()


def test_from_an_open_file() -> None:
    file, source, model = io.BytesIO(), nn.Linear(2, 2), nn.Linear(2, 2)
    interop.save_npz(source.state_dict(), file)
    file.seek(0)
    assert "from BytesIO" in repr(interop.load_pretrained(model, file)) and model.weight.tolist() == source.weight.tolist()


# ------------------------------------------------------------------------------------------------------ load_state_dict
def test_differences_are_told_with_the_nearest_names() -> None:
    model, state = net(), net().state_dict()
    state["body.1.wieght"] = state.pop("body.1.weight")
    with pytest.raises(ShapeError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith('Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: "body.1.weight" (3,)   did you mean "body.1.wieght"?')
    assert 'Unexpected key(s) in state_dict: "body.1.wieght" (3,)   did you mean "body.1.weight"?' in text and "(1 of 9 in the module)" in text
    for change, says in ((lambda k: f"module.{k}", r"r'^module\.': ''"), (lambda k: k.removeprefix("body."), "strict=False")):
        with pytest.raises(ShapeError, match=re.escape(says)):
            model.load_state_dict({change(k): v for k, v in net().state_dict().items()})
    with pytest.raises(ShapeError, match="'0.'"):
        nn.Sequential(nn.Linear(1, 1)).load_state_dict(nn.Linear(1, 1).state_dict())
    with pytest.raises(ShapeError, match=r"state\['model'\]"):
        model.load_state_dict({"model": net().state_dict(), "epoch": 3})


def test_names_that_would_take_long_or_steer_a_terminal() -> None:
    with pytest.raises(ShapeError) as caught:              # each of so many ends of a name was once looked up
        nn.Linear(2, 2).load_state_dict({"." * 300_000: ta.ones(1), "\x1b[2J\n": ta.ones(1)})
    text = str(caught.value)
    assert len(text) < 1500 and r'"\x1b[2J\n" (1,)' in text and "\x1b" not in text


def test_many_differences_are_counted_and_cut() -> None:
    deep = nn.Sequential(*(nn.Linear(2, 2) for _ in range(300)))
    with pytest.raises(ShapeError) as caught:
        deep.load_state_dict({f"part.{k}.x": v for k, v in deep.state_dict().items()})
    text = str(caught.value)
    assert len(text.splitlines()) < 35 and "(600 of 600 in the module)" in text and "and 588 more: 588 in part" in text


def test_first_lines_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = nn.Linear(2, 3), torch.nn.Linear(2, 3)
    for names in (["weight"], ["weight", "bias", "more"], []):
        messages = []
        for model, one in ((ours, ta.ones), (theirs, torch.ones)):
            with pytest.raises(RuntimeError) as caught:
                model.load_state_dict({n: one(7) for n in names} if len(names) != 1 else {n: one(3, 2) for n in names})
            messages.append(str(caught.value))
        assert messages[0].splitlines()[0] == messages[1].splitlines()[0]
        for phrase in ("Missing key(s) in state_dict: ", "Unexpected key(s) in state_dict: ", "size mismatch for weight: copying a param with shape", "size mismatch for bias"):
            assert (phrase in messages[0]) == (phrase in messages[1])


def test_loading_as_pytorch_does() -> None:
    model = net()
    state = {k: v for k, v in net().state_dict().items() if "batches" not in k}
    assert repr(model.load_state_dict(state)) == "<All keys matched successfully>"          # of before it was counted
    state = OrderedDict(state)
    state._metadata = {"body.1": {"version": 2}}          # type: ignore[attr-defined]
    with pytest.raises(ShapeError, match="num_batches_tracked"):
        model.load_state_dict(state)
    model.body[1].load_state_dict({**model.body[1].state_dict(), "num_batches_tracked": ta.tensor([7])})      # PyTorch 0.3 had no 0-d tensors
    assert model.body[1].num_batches_tracked.item() == 7
    frozen, given = nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2)
    frozen.load_state_dict(dict(given.named_parameters()), assign=True)
    assert frozen.weight is given.weight and not frozen.weight.requires_grad
    for wrong in ({"weight": "text", "bias": ta.ones(2)}, {3: ta.ones(1)}):
        with pytest.raises(ArgumentError, match="load_state_dict"):
            given.load_state_dict(wrong)                   # type: ignore[arg-type]
