"""LoRA: nothing changes at first, the update is (alpha / rank) B A, merging is exact to undo, files hold the adapters alone."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta

lora, nn = ta.tune.lora, ta.nn

# name -> (makes a layer, makes an input for it)
LAYERS: dict[str, tuple[Callable[[], Any], Callable[[str], Any]]] = {
    "linear": (lambda: nn.Linear(5, 4), lambda d: ta.randn(3, 2, 5).to(d)),
    "linear without bias": (lambda: nn.Linear(5, 4, bias=False), lambda d: ta.randn(5).to(d)),
    "embedding": (lambda: nn.Embedding(7, 4), lambda d: ta.tensor([[1, 2], [6, 0]])),
    "embedding with padding": (lambda: nn.Embedding(7, 4, padding_idx=2), lambda d: ta.tensor([1, 2, 6])),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, dilation=2), lambda d: ta.randn(2, 4, 9).to(d)),
    "conv2d": (lambda: nn.Conv2d(3, 4, (3, 2), padding=1), lambda d: ta.randn(2, 3, 6, 5).to(d)),
    "conv2d in groups": (lambda: nn.Conv2d(4, 6, 3, padding="same", groups=2, padding_mode="reflect"), lambda d: ta.randn(2, 4, 5, 5).to(d)),
    "depthwise conv2d": (lambda: nn.Conv2d(4, 4, 3, groups=4, bias=False), lambda d: ta.randn(4, 5, 5).to(d)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), lambda d: ta.randn(1, 2, 3, 3, 3).to(d)),
}


class Attention(nn.Module):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.kdim, self.vdim = settings.get("kdim", 4), settings.get("vdim", 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, **settings)

    def forward(self, x: Any) -> Any:
        return self.attention(x, x[..., :1].expand(*x.shape[:-1], self.kdim) if self.kdim != 4 else x, x[..., :1].expand(
            *x.shape[:-1], self.vdim) if self.vdim != 4 else x)[0]


LAYERS |= {f"attention {s}": (lambda s=s: Attention(**s), lambda d: ta.randn(2, 3, 4).to(d)) for s in (
    {}, {"bias": False}, {"add_bias_kv": True}, {"kdim": 3, "vdim": 5}, {"kdim": 4, "vdim": 4})}
each = pytest.mark.parametrize("name", LAYERS)


def made(name: str, dtype: str = "float64", **settings: Any) -> tuple[Any, Any, Any]:
    """A network of one layer with an adapter that is not zero, its input, and what it gave without."""
    ta.manual_seed(0)
    make, of = LAYERS[name]
    model = nn.Sequential(make()).to(dtype)
    x = of(dtype)
    y = model(x)
    lora.inject(model, "*", **{"rank": 2, "slices": "qkv", **settings})
    return model, x, y


def stir(model: Any, adapter: str = "default") -> None:
    """Have B be something."""
    with ta.no_grad():
        for n, p in model.named_parameters():
            if ".lora_B." in n and adapter in n:
                p.normal_()


@each
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_at_first_outputs_are_the_same_to_the_bit(name: str, dtype: str) -> None:
    model, x, y = made(name, dtype)
    assert ta.equal(model(x), y)
    assert all(("lora" in n) is p.requires_grad and p.dtype == dtype for n, p in model.named_parameters())


@each
@pytest.mark.parametrize("rslora", [False, True])
def test_merged_gives_the_same_and_unmerged_is_as_before_to_the_bit(name: str, rslora: bool) -> None:
    model, x, y = made(name, alpha=3.0, rslora=rslora)
    state = {k: v.clone() for k, v in model.state_dict().items() if "lora" not in k}
    stir(model)
    adapted = model(x)
    assert not ta.allclose(adapted, y)
    parameters = dict(model.named_parameters())
    lora.merge(model)
    assert ta.allclose(model(x), adapted, rtol=1e-10, atol=1e-12)
    lora.unmerge(model)
    assert ta.equal(model(x), adapted)
    for key, value in state.items():
        assert ta.equal(model.state_dict()[key], value)
    assert all(p is parameters[n] for n, p in model.named_parameters())
    with lora.disabled(model):
        assert ta.equal(model(x), y)


@pytest.mark.parametrize("name", [n for n in LAYERS if "padding" not in n])       # whose row gets none, by design
def test_gradients_are_those_of_the_merged_weight(name: str) -> None:
    model, x, _ = made(name)
    stir(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    keep = ta.randn(*model(x).shape, dtype="float64")
    assert ta.autograd.gradcheck(lambda *ps: (model(x) * keep).sum(), parameters)


@each
def test_removed_leaves_the_layer_as_it_was_and_merged_leaves_the_sum(name: str) -> None:
    model, x, y = made(name)
    plain = nn.Sequential(LAYERS[name][0]())
    stir(model)
    other = copy.deepcopy(model)
    adapted = model(x)
    lora.remove(model)
    assert ta.equal(model(x), y) and repr(model) == repr(plain) and list(model.state_dict()) == list(plain.state_dict())
    assert all(p.requires_grad for p in model.parameters()) and [type(m) for m in model.modules()] == [type(m) for m in plain.modules()]
    lora.merge(other)
    lora.remove(other)
    assert ta.allclose(other(x), adapted, rtol=1e-10, atol=1e-12) and repr(other) == repr(plain)


@each
def test_copies_and_files_have_the_adapter(name: str, tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    model, x, _ = made(name)
    stir(model)
    adapted = model(x)
    for other in (copy.deepcopy(model), *([pickle.loads(pickle.dumps(model))])):
        assert ta.equal(other(x), adapted)
        stir(other)
        assert ta.equal(model(x), adapted)
    lora.save(model, tmp_path / "adapter.safetensors")
    fresh = copy.deepcopy(model)
    lora.remove(fresh)
    lora.load(fresh, tmp_path / "adapter.safetensors")
    assert ta.equal(fresh(x), adapted)
    assert {k: v.tolist() for k, v in lora.state_dict(fresh).items()} == {k: v.tolist() for k, v in lora.state_dict(model).items()}
    fresh.load_state_dict(model.state_dict())
    assert {n for n, p in fresh.named_parameters() if p.requires_grad} == {n for n, p in model.named_parameters() if p.requires_grad}


def test_the_update_is_alpha_over_rank_times_b_a_worked_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    with ta.no_grad():
        model[0].weight.copy_(ta.eye(2))
    for settings, scale in (({"alpha": 4.0}, 4.0), ({"alpha": 4.0, "rank": 4}, 1.0), ({"alpha": 4.0, "rank": 4, "rslora": True}, 2.0), ({}, 1.0)):
        lora.inject(model, **{"rank": 1, **settings})
        rank = settings.get("rank", 1)
        with ta.no_grad():
            model[0].lora_A["default"].fill_(0.0)[0] = ta.tensor([1.0, 2.0])
            model[0].lora_B["default"].fill_(0.0)[:, 0] = ta.tensor([1.0, -1.0])
        assert model(ta.tensor([1.0, 1.0])).tolist() == [1 + 3 * scale, 1 - 3 * scale], rank
        lora.remove(model)


def test_against_pytorch_composed_by_hand() -> None:
    torch = pytest.importorskip("torch")
    model, x, _ = made("conv2d", "float64")
    stir(model)
    layer = model[0]
    weight, bias, A, B = (torch.tensor(t.tolist(), dtype=torch.float64) for t in (
        layer.weight, layer.bias, layer.lora_A["default"], layer.lora_B["default"]))
    theirs = torch.tensor(x.tolist(), dtype=torch.float64)
    expected = torch.conv2d(theirs, weight, bias, padding=1) + torch.conv2d(torch.conv2d(theirs, A, padding=1), B)
    assert torch.allclose(torch.tensor(model(x).tolist(), dtype=torch.float64), expected)


# -------------------------------------------------------------------------------------------------------------- training
def test_training_moves_the_adapters_alone_and_keeps_nothing_of_the_weights_gradient() -> None:
    ta.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True), 2)
    report = lora.inject(model, "*.self_attn", "*.out_proj", "*.linear?", rank=2, dropout=0.1)
    assert len(report) == 8 and report.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    before = {n: p.clone() for n, p in model.named_parameters()}
    optimizer = ta.optim.AdamW(ta.tune.parameter_groups(model, lr=0.05))
    x, target, losses = ta.randn(4, 3, 8), ta.randn(4, 3, 8), []
    for _ in range(15):
        optimizer.zero_grad()
        loss = ((model(x) - target) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    for n, p in model.named_parameters():
        assert ("lora" in n) is not ta.equal(p, before[n])
        assert ("lora" in n) is (p.grad is not None)


def test_dropout_is_for_training_only_and_of_the_input() -> None:
    model, x, _ = made("linear", dropout=0.5)
    stir(model)
    model.eval()
    assert ta.equal(model(x), model(x))
    model.train()
    assert not ta.equal(model(x), model(x))
    base = nn.functional.linear(x, model[0].weight, model[0].bias)
    ta.manual_seed(5)
    added = nn.functional.linear(nn.functional.linear(nn.functional.dropout(x, 0.5), model[0].lora_A["default"]), model[0].lora_B["default"])
    ta.manual_seed(5)
    assert ta.allclose(model(x), base + added)


# ------------------------------------------------------------------------------------------------- shared parts and hooks
def test_a_shared_layer_is_adapted_once_and_a_shared_weight_stays_with_the_others_when_merged() -> None:
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    assert lora.inject(model, "*", rank=1) == ["0"]
    assert model[0] is model[2] and len(lora.state_dict(model)) == 2

    tied = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5)})
    tied["head"].weight = tied["embed"].weight
    lora.inject(tied, "head", rank=1)
    stir(tied)
    weight, x = tied["embed"].weight.clone(), ta.randn(2, 4)
    y = tied["head"](x)
    lora.merge(tied)
    assert ta.equal(tied["embed"].weight, weight) and ta.allclose(tied["head"](x), y, atol=1e-6)
    lora.unmerge(tied)
    assert tied["head"].weight is tied["embed"].weight


def test_hooks_and_references_go_on_working() -> None:
    layer, seen = nn.Linear(2, 2), []
    model = nn.Sequential(layer)
    handle = layer.register_forward_hook(lambda m, args, y: seen.append(y))
    lora.inject(model, rank=1)
    stir(model)
    y = model(ta.ones(1, 2))
    assert model[0] is layer and isinstance(layer, nn.Linear) and ta.equal(seen[-1], y)
    handle.remove()
    model(ta.ones(1, 2))
    assert len(seen) == 1


def test_a_frozen_norm_rests_and_wakes_when_adapters_are_removed() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm2d(2, affine=False))
    ta.tune.freeze(model, "1.bias", norms="train")
    lora.inject(model, "0", rank=1)
    model.train()
    assert not model[1].training and not model[2].training
    lora.remove(model)
    assert model[1].training and model[2].training and not model[1].bias.requires_grad and model[1].weight.requires_grad


# ------------------------------------------------------------------------------------------------------ several adapters
def test_several_adapters_are_switched_and_added_up() -> None:
    model, x, y = made("linear", rank=1)
    stir(model)
    one = model(x)
    lora.inject(model, "0", rank=3, adapter="other")
    assert ta.equal(model(x), y) and [n for n, p in model.named_parameters() if p.requires_grad] == ["0.lora_A.other", "0.lora_B.other"]
    stir(model, "other")
    two = model(x)
    lora.use(model, "default", "other")
    assert ta.allclose(model(x), one + two - y)
    merged = model(x)
    lora.merge(model)
    assert ta.allclose(model(x), merged)
    lora.unmerge(model)
    lora.use(model)
    assert ta.equal(model(x), y)
    assert list(lora.state_dict(model, "other")) == ["0.lora_A.other", "0.lora_B.other"]


def test_a_new_head_learns_and_is_saved_with_the_adapter(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")

    def network() -> Any:
        ta.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 10))

    model = network()
    ta.tune.new_head(model, "2", 3)
    report = lora.inject(model, "0", rank=2, also=["2"])
    stir(model)
    assert report.trainable == 2 * (4 + 8) + 27
    lora.save(model, tmp_path / "a.safetensors")
    fresh = network()
    with pytest.raises(ta.errors.ShapeError, match="new_head"):
        lora.load(fresh, tmp_path / "a.safetensors")
    assert not lora.injected(fresh) and all(p.requires_grad for p in fresh.parameters())
    ta.tune.new_head(fresh, "2", 3)
    lora.load(fresh, tmp_path / "a.safetensors", adapter="mine")
    assert ta.equal(fresh(ta.ones(1, 4)), model(ta.ones(1, 4))) and "2.weight" in lora.state_dict(fresh, "mine")


def test_a_merged_model_moves_and_still_unmerges() -> None:
    model, x, _ = made("linear", "float32")
    stir(model)
    weight = model[0].weight.clone()
    lora.merge(model)
    model.to("float64")
    lora.unmerge(model)
    assert model[0].weight.dtype == ta.float64 and ta.equal(model[0].weight.float(), weight) and model(x.double()).dtype == ta.float64


# ---------------------------------------------------------------------------------------------------------------- misuse
@pytest.mark.parametrize(("settings", "says"), [
    ({"rank": 0}, "rank=0"), ({"rank": 1.5}, "whole number"), ({"dropout": 1.0}, "probability"), ({"slices": "qx"}, "of q, k and v"),
    ({"adapter": "a.b"}, "letters, digits"), ({"also": ["nothing"]}, "matches no parameter")], ids=str)
def test_settings_out_of_range_are_told(settings: Any, says: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(ta.errors.ArgumentError, match=says):
        lora.inject(model, "0", **settings)
    assert type(model[0]) is nn.Linear and model[0].weight.requires_grad


def test_misuse_is_told_and_changes_nothing(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    model = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2))
    for call, says in ((lambda: lora.inject(model, "1"), "Embedding"), (lambda: lora.inject(model, "lin"), "there are"),
                       (lambda: lora.merge(model), "no adapters"), (lambda: lora.remove(model), "no adapters")):
        with pytest.raises(ta.errors.ArgumentError, match=says):
            call()
    assert all(p.requires_grad for p in model.parameters())
    lora.inject(model, "0", rank=1)
    for call, says in ((lambda: lora.inject(model, "0"), "adapter of this name"), (lambda: lora.unmerge(model), "not merged"),
                       (lambda: lora.use(model, "x"), "adapters are default"), (lambda: lora.state_dict(model, "x"), "adapters are default")):
        with pytest.raises(ta.errors.ArgumentError, match=says):
            call()
    lora.save(model, tmp_path / "a.safetensors")
    lora.merge(model)
    for call in (lambda: lora.merge(model), lambda: lora.use(model), lambda: lora.load(model, tmp_path / "a.safetensors"),
                 lambda: lora.inject(model, "0", adapter="b")):
        with pytest.raises(ta.errors.ArgumentError, match="merged"):
            call()
    with pytest.raises(ta.errors.ShapeError, match="network it was trained in"):
        lora.load(nn.Sequential(nn.Linear(3, 3)), tmp_path / "a.safetensors")
    with pytest.raises(ta.errors.ArgumentError, match="matches no"):
        lora.load(nn.ModuleDict({"a": nn.Linear(2, 2)}), tmp_path / "a.safetensors")
    ta.save(model.state_dict(), tmp_path / "b.safetensors")
    with pytest.raises(ta.errors.FileError, match="holds no adapter"):
        lora.load(model, tmp_path / "b.safetensors")


def test_a_network_with_nothing_to_adapt() -> None:
    with pytest.raises(ta.errors.ArgumentError, match="no Linear or Embedding or Conv or MultiheadAttention of Sequential; there are none"):
        ta.tune.lora.inject(ta.nn.Sequential(ta.nn.LSTM(3, 4)), "0")


@pytest.mark.parametrize("change", [{"rank": -1}, {"rank": True}, {"alpha": "x"}, {"alpha": float("nan")}, {"dropout": 7.0}, {"dropout": None}, {"slices": []}, {"slices": ["x"]}, {"more": 1}], ids=str)
def test_a_file_with_damaged_settings_is_refused(tmp_path: Any, change: dict[str, Any]) -> None:
    pytest.importorskip("safetensors")
    model, path = ta.nn.Sequential(ta.nn.Linear(4, 4)), tmp_path / "adapter.safetensors"
    ta.tune.lora.inject(model, rank=2)
    ta.tune.lora.save(model, path)
    saved = ta.load(path)
    ta.save({**saved, "layers": {"0": {**saved["layers"]["0"], **change}}}, path)
    fresh = ta.nn.Sequential(ta.nn.Linear(4, 4))
    with pytest.raises(ta.errors.FileError, match="settings are damaged"):
        ta.tune.lora.load(fresh, path)
    assert type(fresh[0]) is ta.nn.Linear


def test_layers_whose_weight_is_computed_are_refused_and_it_is_said_how_to_undo_that() -> None:
    utils = nn.utils
    model = nn.Sequential(nn.Linear(4, 4), utils.parametrizations.weight_norm(nn.Linear(4, 2)), utils.spectral_norm(nn.Linear(2, 2)),
                          utils.parametrizations.weight_norm(nn.Linear(2, 2), "bias", None))
    for name, undo in (("1", lambda layer: utils.parametrize.remove_parametrizations(layer, "weight")), ("2", utils.remove_spectral_norm)):
        with pytest.raises(ta.errors.ArgumentError, match=f"'{name}': its weight is computed.*{undo.__name__ if name == '2' else 'remove_parametrizations'}"):
            lora.inject(model, name)
        undo(model[int(name)])
    bias = model[3].bias
    assert "in 4 layers" in str(lora.inject(model)) and bool((model[3].bias == bias).all())
