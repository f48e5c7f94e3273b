"""Activation surgery: every place is found, the start is the function it says, the drift is the difference there is, and undoing is exact."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.tune.drift import compare
from tinygrad_act.tune.sites import NEAR, STARTS, _forms, name_of

nn, F, tune = ta.nn, ta.nn.functional, ta.tune


def encoder(activation: Any = "gelu") -> Any:
    ta.manual_seed(0)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.1, activation=activation, batch_first=True), 2)


# --------------------------------------------------------------------------------------------------------------- finding
@pytest.mark.parametrize("name", ta.activations.catalogue)
def test_an_activation_is_known_by_every_form_it_has(name: str) -> None:
    record = ta.activations.catalogue[name]
    forms = [f for f in _forms(name) if f is not None]
    assert forms and all(name_of(f) == ("gelu" if name == "gelu" else name) for f in (name, record, *forms))
    if name not in ("meta_acon", "linear"):
        settings = (0.1, 0.0) if name == "threshold" else ()
        assert name_of(nn.Activation(name, *settings)) == name_of(type(nn.Activation(name, *settings))) == name


def test_gelus_are_told_apart() -> None:
    assert name_of(nn.GELU()) == "gelu" and name_of(nn.GELU(approximate="tanh")) == "gelu_tanh"
    assert name_of(functools.partial(F.gelu, approximate="tanh")) == "gelu_tanh"
    assert name_of(nn.Linear(1, 1)) is None and name_of(3) is None
    with pytest.raises(ta.errors.ArgumentError, match=r"did you mean relu or srelu or \w+\?"):
        name_of("rleu")


@pytest.mark.parametrize("given", ["relu", F.relu, ta.relu, ta.Tensor.relu, nn.ReLU(), nn.ReLU],
                         ids=["name", "functional", "free", "method", "module", "class"])
def test_attributes_and_modules_are_replaced_and_put_back(given: Any) -> None:
    model = encoder(given() if isinstance(given, type) else given)
    x, before = ta.randn(2, 3, 8), copy.deepcopy(model)
    model.eval()
    y = model(x)
    done = tune.swap(model, "relu", "gelu", sample=x)
    assert done.names == ["layers.0.activation", "layers.1.activation"] and isinstance(model.layers[0].activation, nn.GELU)
    assert not ta.equal(model(x), y)
    assert done.drift.outputs[0].max_abs == pytest.approx(float((model(x) - y).abs().max()), rel=1e-6)
    tune.restore(model)
    assert ta.equal(model(x), y) and type(model.layers[0].activation) is type(before.layers[0].activation)
    assert repr(model) == repr(before)


def test_where_chooses_and_what_is_not_there_is_told() -> None:
    model = encoder()
    assert tune.swap(model, nn.GELU, "silu", where="layers.1.*").names == ["layers.1.activation"]
    with pytest.raises(ta.errors.ArgumentError, match=r"no place of silu; its places are layers\.1\.activation"):
        tune.swap(model, "silu", "gelu", where="layers.0*")
    with pytest.raises(ta.errors.ArgumentError, match=r"there are: gelu \(1 times\), silu \(1 times\)"):
        tune.swap(model, "relu", "silu")
    for old, new in (("rleu", "silu"), ("gelu", "sliu"), ("gelu", 3)):
        with pytest.raises(ta.errors.ArgumentError, match="activation (in|of) the catalogue"):
            tune.swap(model, old, new)
    tune.restore(model)
    with pytest.raises(ta.errors.ArgumentError, match="nothing was swapped"):
        tune.restore(model)
    assert model.layers[1].activation is F.gelu


class Written(nn.Module):
    """Uses one activation as a module, and again in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return {"y": F.relu(self.second(self.act(self.first(x)))), "n": (x, 3)}


def test_calls_in_a_forward_are_reported_with_their_line() -> None:
    done = tune.swap(Written(), "relu", "silu", sample={"x": ta.randn(2, 4)})
    ((line, count),) = done.drift.left.items()
    assert "test_surgery.py" in line and count == 1 and "not reached" in str(done)
    assert [r.name for r in done.drift.outputs] == ["output['y']", "output['n'][0]"] and done.drift.outputs[1].max_abs == 0


# ---------------------------------------------------------------------------------------------------------- the same start
@pytest.mark.parametrize(("old", "new"), STARTS)
def test_it_starts_as_the_function_it_says(old: str, new: str) -> None:
    x = ta.cat([ta.linspace(-30, 30, 2001), ta.tensor([0.0, -0.0, 1e-30, -1e-30, 1e15, -1e15])])
    model = nn.Sequential(nn.Activation(old))
    y = model(x)
    done = tune.swap(model, old, new, sample=x)
    apart = (model(x) - y).abs()
    if done.note == "it starts as the same function":
        assert ta.equal(model(x), y)
    elif "rounding" in done.note:
        assert bool((apart <= 3e-7 * y.abs() + 1e-30).all())
    else:
        limit = 0.2785 / 10 if done.note == NEAR else 0.021
        assert limit * 0.9 < float(apart.max()) <= limit
    assert done.drift.max_abs == pytest.approx(float(apart.max()))


def test_learnable_ones_have_the_models_dtype_and_learn() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.3), nn.Linear(8, 2)).to("float64")
    x = ta.randn(3, 4, dtype="float64")
    y = model(x)
    tune.swap(model, "leaky_relu", "prelu")
    assert ta.equal(model(x), y) and model[1].weight.dtype == ta.float64 and model[1].weight.item() == 0.3
    model(x).sum().backward()
    assert model[1].weight.grad is not None
    tune.restore(model)
    tune.swap(model, "leaky_relu", nn.PReLU, num_parameters=8, init=0.5)
    assert model[1].weight.shape == (8,)


def test_a_module_or_a_maker_can_be_given() -> None:
    model = nn.Sequential(nn.ReLU(), nn.ReLU())
    tune.swap(model, "relu", nn.Hardtanh(-2, 2))
    assert model[0] is not model[1] and model[0](ta.tensor(5.0)).item() == 2
    tune.restore(model)
    tune.swap(model, "relu", lambda: nn.Sequential(nn.Tanh(), nn.ReLU()))
    assert isinstance(model[1][0], nn.Tanh)


def test_hooks_modes_and_sharing_are_kept() -> None:
    act = nn.ReLU()
    model, seen = nn.Sequential(act, nn.Sequential(act), nn.Dropout()), []
    handle = act.register_forward_hook(lambda m, a, y: seen.append(type(m).__name__))
    model[2].eval()
    done = tune.swap(model, "relu", "tanh", sample=ta.ones(3))
    assert done.names == ["0"] and model[0] is model[1][0] and model.training and not model[2].training
    assert [r.name for r in done.drift.layers] == ["0 (call 1)", "0 (call 2)"]
    seen.clear()
    model(ta.ones(3))
    assert seen == ["Tanh", "Tanh"]
    handle.remove()
    model(ta.ones(3))
    assert len(seen) == 2


def test_measuring_changes_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    ta.manual_seed(7)
    expected = ta.randn(3)
    ta.manual_seed(7)
    done = tune.swap(model, "relu", "relu6", sample=ta.ones(2, 4) * 9)
    assert ta.equal(ta.randn(3), expected) and model.training and model[3].training
    assert all(ta.equal(v, state[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and done.drift is not None


def test_drift_worked_by_hand() -> None:
    row = compare("y", ta.tensor([[3.0, 0.0], [0.0, 4.0]]), ta.tensor([[3.0, 0.0], [0.0, 1.0]]))
    assert (row.max_abs, row.relative) == (3.0, 0.6) and row.cosine == pytest.approx(13 / (5 * math.sqrt(10)))
    assert compare("y", ta.zeros(2), ta.ones(2)).relative == math.inf and compare("y", ta.zeros(0), ta.zeros(0)).max_abs == 0


def test_a_layers_own_drift_is_apart_from_what_came_before() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
    with ta.no_grad():
        model[1].weight.copy_(ta.eye(2))
        model[1].bias.fill_(0.0)
    done = tune.swap(model, "relu", "leaky_relu", negative_slope=0.5, sample=ta.tensor([[-2.0, 1.0]]))
    first, second = done.drift.layers
    assert (first.max_abs, first.own) == (1.0, 1.0)
    assert (second.max_abs, second.own) == (0.5, 0.0)        # -1 came in, where 0 did before


# --------------------------------------------------------------------------------------------------------------- annealing
@pytest.mark.parametrize(("old", "new"), [("relu", "silu"), ("relu", "swish"), ("gelu", "gelu_tanh"), ("prelu", "tanh")])
def test_annealing_begins_at_one_and_ends_at_the_other(old: str, new: str) -> None:
    x = ta.linspace(-3, 3, 31)
    model = nn.Sequential(nn.Activation(old))
    a, b = model(x), nn.Activation(new)(x)
    plain = list(nn.Activation(new).state_dict())
    annealing = tune.anneal(model, old, new, steps=4, sample=x, **({"init": 1.0} if new == "swish" else {}))
    assert ta.equal(model(x), a) and annealing.swap.drift.max_abs == pytest.approx(float((a - b).abs().max()), rel=1e-6)
    for i in range(1, 4):
        assert annealing.step() == i / 4
        assert ta.allclose(model(x), (1 - i / 4) * a + i / 4 * b, atol=1e-6)
        assert ta.equal(copy.deepcopy(model)(x), model(x)) and ta.equal(pickle.loads(pickle.dumps(model))(x), model(x))
    annealing.step()
    assert ta.equal(model(x), b) and type(model[0]) is type(nn.Activation(new))
    assert list(model[0].state_dict()) == plain
    tune.restore(model)
    assert ta.equal(model(x), a)


def test_schedules_and_setting_t_by_hand() -> None:
    model = nn.Sequential(nn.ReLU())
    annealing = tune.anneal(model, "relu", "silu", 4, schedule="cosine")
    assert [annealing.step() for _ in range(2)] == pytest.approx([(1 - math.cos(math.pi / 4)) / 2, 0.5])
    annealing.set(0.0)
    assert model(ta.tensor([-1.0])).item() == 0
    annealing.finish()
    assert repr(model[0]) == "SiLU()"
    for settings in ({"steps": 0}, {"steps": 2, "schedule": "cubic"}):
        with pytest.raises(ta.errors.ArgumentError):
            tune.anneal(model, "silu", "relu", **settings)


def test_fit_anneals_and_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    data = [(ta.linspace(-1, 1, 8).reshape(8, 1), ta.linspace(0, 1, 8).reshape(8, 1)) for _ in range(2)]

    def train(epochs: int, folder: Any) -> Any:
        ta.manual_seed(0)
        model = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))
        annealing = tune.anneal(model, "relu", "swish", steps=6, init=1.0)
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)
        ta.train.fit(model, data, nn.MSELoss(), optimizer, epochs=epochs, progress=False, resume=folder,
                     callbacks=[annealing, ta.train.Checkpoint(folder)])
        return model

    whole = train(5, tmp_path / "a")
    assert repr(whole[1]).startswith("Swish") and whole[1].beta.item() != 1.0
    train(2, tmp_path / "b")
    resumed = train(5, tmp_path / "b")
    assert all(ta.equal(p, q) for p, q in zip(whole.parameters(), resumed.parameters(), strict=True))
    again = train(5, tmp_path / "a")                         # of a run that is done
    assert repr(again) == repr(whole)
