"""weight_norm, spectral_norm and orthogonal, in both spellings: values, gradients and state_dicts are PyTorch's."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, IndexingError, ShapeError
from tinygrad_act.nn.utils import parametrizations, parametrize

from .beside_torch import given, load, near, refused, states_are_near, torch

LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "Linear": (lambda nn: nn.Linear(4, 3), (5, 4)),
    "Conv2d": (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 5, 4)),
    "ConvTranspose2d": (lambda nn: nn.ConvTranspose2d(2, 3, 3), (2, 2, 5, 4)),
    "Embedding": (lambda nn: nn.Embedding(6, 4), (5,)),
    "LSTMCell": (lambda nn: nn.LSTMCell(4, 3), (5, 4)),
    "LSTM": (lambda nn: nn.LSTM(4, 3), (5, 2, 4)),
    "LayerNorm": (lambda nn: nn.LayerNorm(4), (5, 4)),
}
WEIGHT = {"LSTMCell": "weight_hh", "LSTM": "weight_ih_l0"}
NORMS: dict[str, Callable[[Any, Any, str], Any]] = {
    "weight_norm": lambda nn, layer, name: nn.utils.parametrizations.weight_norm(layer, name),
    "weight_norm of all": lambda nn, layer, name: nn.utils.parametrizations.weight_norm(layer, name, None),
    "weight_norm of the last": lambda nn, layer, name: nn.utils.parametrizations.weight_norm(layer, name, len(getattr(layer, name).shape) - 1),
    "spectral_norm": lambda nn, layer, name: nn.utils.parametrizations.spectral_norm(layer, name),
    "old weight_norm": lambda nn, layer, name: nn.utils.weight_norm(layer, name),
    "old spectral_norm": lambda nn, layer, name: nn.utils.spectral_norm(layer, name, 2),
}
# PyTorch's LSTM does not see what a hook has set, and reads a parametrized weight more than once a pass, which a spectral norm notices.
LEFT_OUT = {("LSTM", "old weight_norm"), ("LSTM", "old spectral_norm"), ("LSTM", "spectral_norm")}
PAIRS = [(layer, norm) for layer in LAYERS for norm in NORMS if (layer, norm) not in LEFT_OUT]


def pair(layer: str, norm: str) -> tuple[Any, Any]:
    """Our layer and PyTorch's in float64, with the same numbers."""
    name = WEIGHT.get(layer, "weight")
    ours, theirs = (NORMS[norm](lib, LAYERS[layer][0](lib), name).to(dtype) for lib, dtype in (
        (nn, ta.float64), (torch().nn, torch().float64)))
    load(ours, theirs)
    return ours, theirs


def first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


# ------------------------------------------------------------------------------------------------ beside PyTorch
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("layer", "norm"), PAIRS)
def test_values_gradients_and_state_are_pytorchs(layer: str, norm: str) -> None:
    ours, theirs = pair(layer, norm)
    assert repr(ours) == repr(theirs)
    x = given(LAYERS[layer][1], layer)
    for training in (True, False, True, True):             # the vectors of a spectral norm go on in training, and rest in between
        ours.train(training), theirs.train(training)
        total = 0 * torch().ones(())
        mine: Any = 0 * ta.ones(())
        for _ in range(2):                                 # two forward passes before the backward pass
            y, z = first(ours(ta.tensor(x, device=ta.backend.current_device()))), first(theirs(torch().tensor(x)))
            near(y, z)
            mine, total = mine + (y * y * y).sum(), total + (z * z * z).sum()
        ours.zero_grad(), theirs.zero_grad()
        mine.backward(), total.backward()
        for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert name == other
            near(p.grad, q.grad, name)
        states_are_near(ours, theirs)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", NORMS)
def test_a_state_dict_goes_to_pytorch_and_back(norm: str) -> None:
    ours, theirs = pair("Conv2d", norm)
    for p in ours.parameters():
        nn.init.normal_(p)
    theirs.load_state_dict({k: torch().tensor(ta.backend.to_host(v.array)) for k, v in ours.state_dict().items()})
    x = given((2, 2, 5, 4), "")
    near(ours.eval()(ta.tensor(x, device=ta.backend.current_device())), theirs.eval()(torch().tensor(x)))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", NORMS)
def test_removing_leaves_what_pytorch_leaves(norm: str) -> None:
    ours, theirs = pair("Linear", norm)
    kind = norm.removeprefix("old ").partition(" ")[0]
    for lib, layer in ((nn.utils, ours), (torch().nn.utils, theirs)):
        if "old" in norm:
            getattr(lib, f"remove_{kind}")(layer)
        else:
            lib.parametrize.remove_parametrizations(layer, "weight")
    states_are_near(ours, theirs)
    assert type(ours) is nn.Linear and isinstance(ours.weight, nn.Parameter) and not ours._pre_hooks
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("based", [True, False])
@pytest.mark.parametrize("way", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (1, 1), (2, 5, 3), (2, 3, 5)])
def test_orthogonal_is_pytorchs(shape: tuple[int, ...], way: str, based: bool) -> None:
    random, made = np.random.default_rng(0), []
    start, change, g = (random.normal(size=shape) for _ in range(3))
    for lib, convert in ((ta, ta.tensor), (torch(), torch().tensor)):
        module = lib.nn.Module()
        module.weight = lib.nn.Parameter(convert(start))
        lib.nn.utils.parametrizations.orthogonal(module, "weight", way, use_trivialization=based)
        made.append(module)
    ours, theirs = made
    near(ours.weight, theirs.weight)                       # the weight that it was, made orthogonal
    state = theirs.state_dict()
    original = state["parametrizations.weight.original"]
    signs = torch().diagonal(original, 0, -2, -1).clone()
    original += torch().tensor(3 * change)                 # large: matrix_exp has to square
    if way == "householder":
        torch().diagonal(original, 0, -2, -1).copy_(torch().sign(signs))       # PyTorch makes ints of them
    load(ours, theirs)
    (ours.weight * ta.tensor(g)).sum().backward()
    (theirs.weight * torch().tensor(g)).sum().backward()
    near(ours.weight, theirs.weight)
    near(ours.parametrizations.weight.original.grad, theirs.parametrizations.weight.original.grad)


def test_orthogonal_takes_another_value_and_refuses_what_is_no_matrix() -> None:
    layer = parametrizations.orthogonal(nn.Linear(3, 3))
    turned = ta.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    layer.weight = turned
    assert (layer.weight == turned).all()
    with pytest.raises(ShapeError, match=r"must have shape \(3, 3\)"):
        layer.weight = ta.ones(2, 2)
    with pytest.raises(ShapeError, match="matrix or a batch"):
        parametrizations.orthogonal(nn.Linear(3, 3), "bias")
    with pytest.raises(ArgumentError, match="'matrix_exp', 'cayley', 'householder'"):
        parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="qr")
    with pytest.raises(NotImplementedError, match="use_trivialization=True"):
        parametrizations.orthogonal(nn.Linear(3, 3), use_trivialization=False).weight = turned


@pytest.mark.parametrize("way", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_stays_on_its_device(way: str) -> None:
    layer = nn.Linear(3, 3)
    here, there = (parametrizations.orthogonal(copy.deepcopy(layer).to(device), orthogonal_map=way) for device in ("cpu", "strict"))
    assert there.weight.device.type == "strict"
    np.testing.assert_allclose(ta.backend.to_host(there.weight.array), ta.backend.to_host(here.weight.array), atol=1e-6)
    there.weight = there.weight.detach().flip(0)               # orthogonal already: taken as it is
    np.testing.assert_allclose(ta.backend.to_host(there.weight.array), ta.backend.to_host(here.weight.flip(0).array), atol=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("remove_hooked_first", [True, False])
@pytest.mark.parametrize("hooked_first", [True, False])
def test_both_spellings_on_one_layer_are_removed_one_by_one(hooked_first: bool, remove_hooked_first: bool) -> None:
    layer, x = nn.Linear(3, 4), ta.ones(2, 3)
    y = layer(x).tolist()
    add = [lambda: nn.utils.weight_norm(layer, "bias"), lambda: parametrizations.weight_norm(layer, "weight")]
    remove = [lambda: nn.utils.remove_weight_norm(layer, "bias"), lambda: parametrize.remove_parametrizations(layer, "weight")]
    for change in (*(add if hooked_first else add[::-1]), *(remove if remove_hooked_first else remove[::-1])):
        change()
        np.testing.assert_allclose(layer(x).tolist(), y, rtol=1e-5, atol=1e-6)
    assert type(layer) is nn.Linear and type(layer._parameters) is dict and set(layer._parameters) == {"weight", "bias"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_a_shallow_copy_computes_its_weight_itself(norm: str) -> None:
    layer, x = getattr(nn.utils, norm)(nn.Linear(3, 4)).eval(), ta.ones(2, 3)
    before, copied, replica = layer(x), copy.copy(layer), copy.copy(layer)
    replica._parameters = layer._parameters.copy()             # as programs do that give a replica a dict of its own
    with ta.no_grad():
        for p in layer.parameters():                           # of all three
            nn.init.normal_(p)
    after = [m(x) for m in (copied, replica, layer)]
    assert all((y == after[-1]).all() for y in after) and (after[0] != before).all()
    after[0].sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_weight_norm_loads_what_the_older_spelling_saved() -> None:
    with pytest.warns(FutureWarning):
        older = nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 4)), nn.utils.weight_norm(nn.Conv1d(2, 3, 2)))
    newer = copy.deepcopy(nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)), parametrizations.weight_norm(nn.Conv1d(2, 3, 2))))
    saved = older.state_dict()
    assert str(newer.load_state_dict(saved)) == "<All keys matched successfully>" and "0.weight_g" in saved
    for a, b in zip(older, newer, strict=True):
        older_weight = a.weight_v * (a.weight_g / ta.norm(a.weight_v, 2, tuple(range(1, a.weight_v.ndim)), True))
        np.testing.assert_array_equal(ta.backend.to_host(b.weight.array), ta.backend.to_host(older_weight.array))
    parametrize.remove_parametrizations(newer[0], "weight")
    with pytest.raises(ShapeError, match="weight_g"):
        newer.load_state_dict(saved)


def test_a_shared_layer_loads_the_older_spelling_too() -> None:
    with pytest.warns(FutureWarning):
        older = nn.utils.weight_norm(nn.Linear(3, 3))
    newer = parametrizations.weight_norm(nn.Linear(3, 3))
    for _ in range(2):
        parametrize.remove_parametrizations(newer, "weight")
        parametrizations.weight_norm(newer)
    nn.Sequential(newer, newer).load_state_dict(nn.Sequential(older, older).state_dict())
    assert bool((newer.parametrizations.weight.original1 == older.weight_v).all()) and len(newer._load_pre_hooks) == 1


def test_spectral_norm_goes_on_in_training_and_rests_in_evaluation() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(4, 3))
    part, u = layer.parametrizations.weight[0], layer.parametrizations.weight[0]._u.detach().clone()
    nn.init.normal_(layer.parametrizations.weight.original)
    assert layer.weight.requires_grad and not part._u.requires_grad and (part._u != u).any()
    layer.eval()
    u = part._u.detach().clone()
    assert (layer.weight == layer.weight).all() and (part._u == u).all()
    layer.train()
    for _ in range(50):
        assert layer.weight.shape == (3, 4)
    assert abs(ta.linalg.matrix_norm(layer.weight, 2).item() - 1) < 1e-5
    vector = parametrizations.spectral_norm(nn.LayerNorm(4))
    assert abs(vector.weight.norm().item() - 1) < 1e-6 and not list(vector.buffers())


def test_misuse_of_norms_is_told() -> None:
    for utils in (nn.utils, parametrizations):
        for name in ("weight_norm", "spectral_norm"):
            old = utils is nn.utils and name == "weight_norm"
            with pytest.warns(FutureWarning) if old else contextlib.nullcontext():
                refused(ArgumentError, "'wieght': Linear has no parameter or buffer", getattr(utils, name), nn.Linear(2, 2), "wieght")
    refused(ArgumentError, "must be 1 or more", parametrizations.spectral_norm, nn.Linear(2, 2), n_power_iterations=0)
    refused(ArgumentError, "must be 1 or more", nn.utils.spectral_norm, nn.Linear(2, 2), n_power_iterations=0)
    refused(IndexingError, "it has 2 axes", parametrizations.spectral_norm, nn.Linear(2, 2), dim=2)
    refused(IndexingError, "it has 2 axes", parametrizations.weight_norm, nn.Linear(2, 2), dim=2)
    refused(ArgumentError, "this Linear has no weight_norm", nn.utils.remove_weight_norm, nn.Linear(2, 2))
    refused(ArgumentError, "this Linear has no spectral_norm", nn.utils.remove_spectral_norm, nn.Linear(2, 2))
    layer = nn.utils.spectral_norm(nn.Linear(2, 2))
    refused(ArgumentError, "has it already", nn.utils.spectral_norm, layer)
    nn.utils.spectral_norm(layer, "bias")
    nn.utils.remove_spectral_norm(layer)
    assert list(layer.state_dict()) == ["bias_orig", "weight", "bias_u", "bias_v"]
    refused(ArgumentError, "this Linear has no spectral_norm", nn.utils.remove_spectral_norm, layer)
    refused(ArgumentError, "a buffer", nn.utils.spectral_norm, nn.BatchNorm1d(2), "running_mean")


def test_the_older_spelling_warns_where_pytorchs_does() -> None:
    with pytest.warns(FutureWarning, match=r"parametrizations.weight_norm"):
        layer = nn.utils.weight_norm(nn.Linear(2, 2))
    assert list(layer.state_dict()) == ["bias", "weight_g", "weight_v"] and type(layer) is nn.Linear
    layer = pickle.loads(pickle.dumps(nn.utils.spectral_norm(nn.Linear(2, 2)).eval()))
    assert layer(ta.ones(1, 2)).shape == (1, 2) and layer._parameters["weight"] is layer.weight


# ------------------------------------------------------------------------------------------------ replayed
@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm", "orthogonal"])
def test_a_replayed_step_gives_the_same_bits(norm: str) -> None:
    def run(compiled: bool) -> tuple[list[Any], Any]:
        ta.manual_seed(0)
        apply = getattr(parametrizations, norm)
        model = nn.Sequential(apply(nn.Linear(4, 6)), nn.Tanh(), apply(nn.Linear(6, 6)), nn.Tanh(), nn.Linear(6, 2))
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        function: Any = ta.compile(step) if compiled else step
        losses = [function(ta.randn(5, 4), ta.randn(5, 2)).item() for _ in range(10)]
        if compiled:
            assert function.counts["replayed"] >= 6, function.report()
        return losses, model.state_dict()

    (eager, state), (replayed, other) = run(False), run(True)
    assert eager == replayed and all((state[k] == other[k]).all() for k in state)
