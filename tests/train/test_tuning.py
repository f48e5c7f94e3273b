"""Fine-tuning: what is frozen stays as it is to the bit, groups have the rates they say, schedules and heads are right."""

from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import pytest

import tinygrad_act as ta

tune = ta.tune


class Net(ta.nn.Module):
    """Embeddings, three numbered blocks, a norm, a head that shares the embeddings' weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = ta.nn.Embedding(11, 8)
        self.layers = ta.nn.ModuleList([ta.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True) for _ in range(3)])
        self.norm = ta.nn.LayerNorm(8)
        self.head = ta.nn.Linear(8, 11)
        self.head.weight = self.embed.weight

    def forward(self, x: Any) -> Any:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


HEARD: list[Any] = []


def hear(*args: Any) -> None:
    """A hook that can be pickled."""
    HEARD.append(1)


def free(model: Any) -> set[str]:
    return {n for n, p in model.named_parameters() if p.requires_grad}


# ---------------------------------------------------------------------------------------------------------------- freeze
@pytest.mark.parametrize(("pattern", "expected"), [
    ("embed", {"embed.weight"}), ("layers.0", None), ("layers.?.norm1.*", {f"layers.{i}.norm1.{n}" for i in range(3) for n in ("weight", "bias")}),
    ("linear1", {f"layers.{i}.linear1.{n}" for i in range(3) for n in ("weight", "bias")}), ("head.bias", {"head.bias"}),
    (re.compile(r"layers\.[01]\.linear2\.bias$"), {"layers.0.linear2.bias", "layers.1.linear2.bias"}),
    (ta.nn.Embedding, {"embed.weight"}), ("head.weight", {"embed.weight"}), ("*", "all")],
    ids=lambda value: "names" if isinstance(value, set) else str(value))
def test_freeze_takes_globs_regular_expressions_and_kinds(pattern: Any, expected: Any) -> None:
    model = Net()
    every = free(model)
    expected = every if expected == "all" else expected or {n for n in every if n.startswith("layers.0.")}
    changed = tune.freeze(model, pattern)
    assert set(changed) == expected == every - free(model)
    assert changed.numbers == sum(model.get_parameter(n).numel() for n in changed)
    assert set(tune.unfreeze(model, pattern)) == expected and free(model) == every


def test_freeze_takes_modules_and_parameters_and_says_only_what_changed() -> None:
    model = Net()
    assert tune.freeze(model, model.norm, model.head.bias) == ["norm.weight", "norm.bias", "head.bias"]
    assert tune.freeze(model, "norm") == []
    with pytest.raises(ta.errors.ArgumentError, match=r"'layer.0.linear'.*nearest names are .*layers.0.linear1"):
        tune.freeze(model, "layer.0.linear")
    with pytest.raises(ta.errors.ArgumentError, match="BatchNorm1d"):
        tune.freeze(model, ta.nn.BatchNorm1d)
    with pytest.raises(ta.errors.ArgumentError, match="a part is named by"):
        tune.freeze(model, 3)


@pytest.mark.parametrize("depth", [0, 1, 3, -1, -3])
def test_depth_counts_blocks_from_the_input(depth: int) -> None:
    model = Net()
    tune.freeze(model, depth=depth)
    count = depth if depth >= 0 else 3 + depth
    frozen = {n.split(".")[1] for n, p in model.named_parameters() if not p.requires_grad and n.startswith("layers")}
    assert frozen == {str(i) for i in range(count)} and not model.embed.weight.requires_grad
    assert model.head.bias.requires_grad
    tune.freeze(model)
    tune.unfreeze(model, depth=1)
    assert "layers.2.linear1.weight" in free(model) and "layers.1.linear1.weight" not in free(model) and "head.bias" in free(model)
    with pytest.raises(ta.errors.ArgumentError, match="3 blocks"):
        tune.freeze(model, depth=4)


def test_a_frozen_norm_keeps_its_statistics_through_train_and_copies() -> None:
    model = ta.nn.Sequential(ta.nn.Conv2d(1, 2, 3), ta.nn.BatchNorm2d(2), ta.nn.BatchNorm2d(2, affine=False), ta.nn.Flatten(), ta.nn.Linear(2, 2))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    HEARD.clear()
    model[1].register_forward_hook(hear)
    changed = tune.freeze(model, "0", "1", "2")
    assert changed.rested == ["1", "2"] and isinstance(model[1], ta.nn.BatchNorm2d)
    optimizer = ta.optim.SGD(model.parameters(), lr=0.1)
    for network in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        network.train()
        network(ta.randn(4, 1, 3, 3))
        assert not network[1].training and network.training
    model(ta.randn(4, 1, 3, 3)).sum().backward()
    optimizer.step()
    assert HEARD
    for key, value in model.state_dict().items():
        assert ta.equal(value, before[key]) is (not key.startswith("4"))
    tune.unfreeze(model)
    assert type(model[1]) is ta.nn.BatchNorm2d and model[1].training
    tune.freeze(model, "1", norms="train")
    model(ta.randn(4, 1, 3, 3))
    assert not ta.equal(model[1].running_mean, before["1.running_mean"])


# ---------------------------------------------------------------------------------------------------------------- groups
def test_groups_have_layer_wise_rates_and_no_decay_where_it_harms() -> None:
    model = Net()
    groups = tune.parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=0.5)
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert len(rates) == sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    for name, p in model.named_parameters():
        lr = 0.5**4 if name.startswith("embed") else 1.0 if name.startswith("head") else 0.5**(3 - int(name.split(".")[1])) if "layers" in name else 0.5
        assert rates[id(p)] == (lr, 0.0 if "norm" in name or "bias" in name else 0.1), name
    assert "embeddings" in str(groups) and "no decay" in str(groups)


def test_no_decay_goes_by_the_kind_of_module_and_by_patterns() -> None:
    model = ta.nn.Sequential(ta.nn.Linear(3, 4), ta.nn.PReLU(), ta.nn.GroupNorm(2, 4), ta.nn.LSTM(4, 4), ta.nn.Embedding(3, 4))
    decays = {n: g["weight_decay"] for g in tune.parameter_groups(model, 0.1, 0.3) for n, p in model.named_parameters() if any(p is q for q in g["params"])}
    assert {n for n, d in decays.items() if d} == {"0.weight", "3.weight_ih_l0", "3.weight_hh_l0", "4.weight"}
    decays = [g["weight_decay"] for g in tune.parameter_groups(model, 0.1, 0.3, no_decay=("embedding", "0.*"))]
    assert sorted(decays) == [0.0, 0.3]


OPTIMIZERS = [n for n in ta.optim.__all__ if isinstance(getattr(ta.optim, n), type) and n not in ("Optimizer", "LBFGS", "Muon")]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_the_groups_and_keeps_to_their_rates(name: str) -> None:
    model = ta.nn.Sequential(ta.nn.Linear(3, 4), ta.nn.Tanh(), ta.nn.Linear(4, 2))
    groups = tune.parameter_groups(model, lr=0.01, layer_decay=0.5)
    optimizer = getattr(ta.optim, name)(groups)
    schedulers = ta.optim.lr_scheduler
    scheduler = schedulers.SequentialLR(optimizer, [schedulers.LinearLR(optimizer, 0.5, total_iters=2), schedulers.ExponentialLR(optimizer, 0.9)], [2])
    model(ta.ones(1, 3)).sum().backward()
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    rates = {g["name"]: g["lr"] for g in optimizer.param_groups}
    assert rates["0"] == pytest.approx(rates["2"] / 2)
    other = getattr(ta.optim, name)(tune.parameter_groups(model, lr=0.01, layer_decay=0.5))
    other.load_state_dict(optimizer.state_dict())
    assert [g["lr"] for g in other.param_groups] == [g["lr"] for g in optimizer.param_groups]


def test_frozen_parameters_are_left_out_unless_they_are_asked_for() -> None:
    model = Net()
    tune.freeze(model, depth=3)
    assert {id(p) for g in tune.parameter_groups(model, 0.1) for p in g["params"]} == {id(p) for p in model.parameters() if p.requires_grad}
    assert sum(len(g["params"]) for g in tune.parameter_groups(model, 0.1, frozen=True)) == len(list(model.parameters()))
    tune.freeze(model)
    with pytest.raises(ta.errors.ArgumentError, match="no parameter of it learns"):
        tune.parameter_groups(model, 0.1)


@pytest.mark.parametrize("settings", [{"lr": -1}, {"lr": 1, "layer_decay": 0}, {"lr": 1, "layer_decay": 1.1}, {"lr": 1, "weight_decay": -1}])
def test_rates_out_of_range_are_refused(settings: Any) -> None:
    with pytest.raises(ta.errors.ArgumentError):
        tune.parameter_groups(Net(), **settings)


# ------------------------------------------------------------------------------------------------------------- schedules
@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize(("warmup", "total", "least"), [(0, 5, 0.0), (3, 10, 0.1), (4, 4, 0.5)])
def test_warm_up_then_a_fall_by_the_formula(kind: str, warmup: int, total: int, least: float) -> None:
    optimizer = ta.optim.SGD([{"params": [ta.zeros(1, requires_grad=True)], "lr": r} for r in (1.0, 0.1)], lr=1.0)
    scheduler = getattr(tune, f"warmup_{kind}")(optimizer, warmup, total, least)
    for step in range(total + 3):
        if step < warmup:
            share = step / warmup
        else:
            done = min(1.0, (step - warmup) / max(1, total - warmup))
            share = least + (1 - least) * ((1 + math.cos(math.pi * done)) / 2 if kind == "cosine" else 1 - done)
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([share, 0.1 * share], abs=1e-12)
        optimizer.step()
        scheduler.step()
    with pytest.raises(ta.errors.ArgumentError):
        tune.warmup_cosine(optimizer, 5, 4)


# ------------------------------------------------------------------------------------------------------ gradual unfreezing
def toy() -> Any:
    ta.manual_seed(0)
    return ta.nn.Sequential(ta.nn.Linear(2, 4), ta.nn.Tanh(), ta.nn.Linear(4, 4), ta.nn.Tanh(), ta.nn.Linear(4, 1))


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_layers_thaw_from_the_head_in_fit_and_by_hand(unit: str) -> None:
    model, seen = toy(), []

    class Watch(ta.train.Callback):
        def on_step(self, run: Any) -> None:
            seen.append(sorted(free(model)))

    data = [(ta.randn(4, 2), ta.randn(4, 1)) for _ in range(2)]
    gradual = tune.GradualUnfreezing(model, unit=unit)
    optimizer = ta.optim.SGD(tune.parameter_groups(model, 0.1, frozen=True))
    ta.train.fit(model, data, ta.nn.MSELoss(), optimizer, epochs=3, callbacks=[Watch(), gradual], progress=False)
    counts = [len(s) // 2 for s in seen]
    assert counts == ([1, 1, 2, 2, 3, 3] if unit == "epoch" else [1, 2, 3, 3, 3, 3]) and gradual.done
    assert gradual.step() == []
    with pytest.raises(ta.errors.ArgumentError, match="frozen=True"):
        fresh = toy()
        late = tune.GradualUnfreezing(fresh)
        ta.train.fit(fresh, data, ta.nn.MSELoss(), ta.optim.SGD(tune.parameter_groups(fresh, 0.1)), callbacks=[late], progress=False)


def test_gradual_unfreezing_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    data = [(ta.ones(4, 2), ta.ones(4, 1))]

    def train(epochs: int, folder: Any) -> Any:
        model = toy()
        optimizer = ta.optim.Adam(tune.parameter_groups(model, 0.1, frozen=True))
        ta.train.fit(model, data, ta.nn.MSELoss(), optimizer, epochs=epochs, progress=False, resume=folder,
                     callbacks=[tune.GradualUnfreezing(model), ta.train.Checkpoint(folder)])
        return model

    whole = train(4, tmp_path / "a")
    train(2, tmp_path / "b")
    resumed = train(4, tmp_path / "b")
    assert all(ta.equal(p, q) for p, q in zip(whole.parameters(), resumed.parameters(), strict=True))


# ----------------------------------------------------------------------------------------------------------------- heads
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("old", [lambda: ta.nn.Linear(4, 9), lambda: ta.nn.Linear(4, 9, bias=False), lambda: ta.nn.Conv2d(4, 9, 1),
                                 lambda: ta.nn.Conv1d(4, 9, 3, padding=1, padding_mode="reflect")])
def test_a_new_head_has_the_old_ones_inputs_dtype_and_hooks(old: Any, dtype: str) -> None:
    model = ta.nn.Sequential(ta.nn.Identity(), ta.nn.Sequential(ta.nn.Dropout(), old()))
    model.to(dtype)
    calls: list[Any] = []
    handle = model[1][1].register_forward_hook(lambda *a: calls.append(1))
    tune.freeze(model)
    before = model[1][1]
    head = tune.new_head(model, "1", 3)
    assert head is model[1][1] and type(head) is type(before) and (head.bias is None) is (before.bias is None)
    assert head.weight.shape == (3, *before.weight.shape[1:]) and head.weight.dtype == dtype and head.weight.requires_grad
    assert repr(head) == repr(before).replace("out_features=9", "out_features=3").replace("(4, 9,", "(4, 3,")
    assert before.weight.shape[0] == 9
    x = ta.ones(2, 4, *[5] * getattr(before, "dims", 0), dtype=dtype)
    assert model(x).shape[1] == 3 and calls
    handle.remove()
    calls.clear()
    model(x)
    assert not calls


def test_a_head_that_shares_its_weight_leaves_it_to_the_others_and_misuse_is_told() -> None:
    model = Net()
    tune.new_head(model, "head", 2, bias=False)
    assert model(ta.tensor([[1, 2]])).shape == (1, 2, 2) and model.embed.weight.shape == (11, 8) and model.head.bias is None
    for name, classes, says in (("hed", 2, "nearest names are head"), ("norm", 2, "no Linear or convolution"), ("head", 0, "from 1 up")):
        with pytest.raises(ta.errors.ArgumentError, match=says):
            tune.new_head(model, name, classes)


# ----------------------------------------------------------------------------------------------- blocks computed again
@pytest.mark.parametrize("half", [False, True])
def test_checkpointed_blocks_give_the_same_gradients_dropout_and_statistics(half: bool) -> None:
    ta.manual_seed(0)
    plain = ta.nn.Sequential(*[ta.nn.Sequential(ta.nn.Linear(4, 4), ta.nn.BatchNorm1d(4), ta.nn.Dropout(0.5), ta.nn.Tanh()) for _ in range(3)])
    model = copy.deepcopy(plain)
    assert tune.checkpoint_blocks(model) == ["0", "1", "2"]
    for network in (plain, model):
        ta.manual_seed(1)
        with ta.autocast("cpu", ta.float16, enabled=half):
            y = network(ta.ones(5, 4) * ta.arange(5.0).reshape(5, 1))
        y.sum().backward()
    assert all(ta.equal(p.grad, q.grad) for p, q in zip(plain.parameters(), model.parameters(), strict=True))
    assert all(ta.equal(p, q) for p, q in zip(plain.state_dict().values(), model.state_dict().values(), strict=True))
    tune.keep_blocks(model)
    assert repr(model) == repr(plain)


# ----------------------------------------------------------------------------------------------- the other small adapters
def test_bitfit_moves_biases_only_and_what_learns_can_be_saved_alone() -> None:
    model = Net()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tune.bitfit(model, also=["norm"])
    optimizer = ta.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(ta.tensor([[1, 2, 3]])).square().sum().backward()
    optimizer.step()
    moved = {k for k, v in model.state_dict().items() if not ta.equal(v, before[k])}
    assert moved and all("bias" in n or n.startswith("norm") for n in moved)
    fresh = Net()
    fresh.load_state_dict(before)
    fresh.load_state_dict(tune.learned_state(model), strict=False)
    assert ta.equal(fresh(ta.tensor([[1, 2]])), model(ta.tensor([[1, 2]])))


@pytest.mark.parametrize("put", [lambda m: tune.add_adapters(m, "*.self_attn", "*.linear2", size=3, also=["head.bias"]),
                                 lambda m: tune.ia3(m, "*.self_attn", "*.linear1", also=["head.bias"])], ids=["bottleneck", "ia3"])
def test_adapters_change_nothing_at_first_and_learn(put: Any) -> None:
    ta.manual_seed(0)
    model, x = Net(), ta.tensor([[1, 2, 3], [4, 5, 6]])
    y, base = model(x), dict(model.named_parameters())
    names = put(model)
    assert ta.equal(model(x), y) and set(names) == free(model) and "head.bias" in names
    assert {n for n in names if n in base} == {"head.bias"}
    optimizer = ta.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        ta.nn.functional.cross_entropy(model(x).reshape(-1, 11), x.reshape(-1)).backward()
        optimizer.step()
    assert not ta.equal(model(x), y) and all(p.grad is not None for p in model.parameters() if p.requires_grad)
    other = pickle.loads(pickle.dumps(model))
    assert ta.equal(other(x), model(x)) and ta.equal(copy.deepcopy(model)(x), model(x))


# --------------------------------------------------------------------------------------------------------- the summary
def test_the_summary_counts_each_number_once_and_fit_prints_it(capsys: Any) -> None:
    model = Net()
    tune.freeze(model, depth=2)
    summary = tune.trainable_summary(model)
    assert summary.parameters == sum(p.numel() for p in model.parameters()) == sum(r.parameters for r in summary)
    assert summary.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad) == sum(r.trainable for r in summary)
    small = toy()
    ta.train.fit(small, [(ta.ones(1, 2), ta.ones(1, 1))], ta.nn.MSELoss(), ta.optim.SGD(small.parameters()), trainable=True, progress=False)
    assert str(tune.trainable_summary(small)) in capsys.readouterr().out
    if rich := pytest.importorskip("rich.console"):
        rich.Console(width=100).print(summary)
        assert "embed" in capsys.readouterr().out
