"""SGD, Adam and AdamW: the same path as PyTorch's, groups, state, closures, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim
from tinygrad_act.errors import ArgumentError, GraphError, InplaceError

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}), ("SGD", {"lr": 0.02, "momentum": 0.9}), ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}), ("SGD", {"lr": 1e-3, "maximize": True}),
    ("Adam", {"lr": 0.05}), ("Adam", {"lr": 0.05, "amsgrad": True, "betas": (0.8, 0.95)}), ("Adam", {"weight_decay": 0.1, "eps": 1e-3}),
    ("Adam", {"maximize": True}), ("AdamW", {"lr": 0.05}), ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"maximize": True}), ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]
STARTS = [np.random.default_rng(0).normal(size=s) for s in ((3, 2), (4,), ())]
DATA = np.random.default_rng(1).normal(size=(20, 3))


def path(lib: Any, name: str, options: dict[str, Any], steps: int = 100, reload_at: int | None = None) -> list[Any]:
    """Parameters after each step of minimising something that is not convex."""
    values = [lib.tensor(s, dtype=lib.float64, requires_grad=True) for s in STARTS]
    data = lib.tensor(DATA)
    make = lambda: getattr(lib.optim, name)(values, **options)
    optimizer = make()
    found = []
    for step in range(steps):
        optimizer.zero_grad()
        w, b, c = values
        hidden = lib.tanh(data @ w)
        loss = (hidden * hidden).sum() * 0.1 + lib.sin(b).sum() + (c - 2) * (c - 2) + (b * b).sum() * 0.1
        loss.backward()
        if step % 7 == 3:
            b.grad = None                                  # is left where it is, with its state
        optimizer.step()
        found.append([np.array(v.detach().tolist()) for v in values])
        if step == reload_at:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
    return found


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_the_path_is_pytorchs(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    for ours, other in zip(path(ta, name, options), path(torch, name, options), strict=True):
        for a, b in zip(ours, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_state_goes_out_and_in(name: str, options: dict[str, Any]) -> None:
    for a, b in zip(path(ta, name, options, 20), path(ta, name, options, 20, reload_at=9), strict=True):
        assert all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_the_layout_of_the_state_is_pytorchs(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    states = []
    for lib in (ta, torch):
        p = lib.ones(2, requires_grad=True)
        optimizer = getattr(lib.optim, name)([{"params": [p], "lr": 0.3}], **options)
        p.sum().backward()
        optimizer.step()
        states.append(optimizer.state_dict())
    ours, other = states
    assert set(ours["param_groups"][0]) <= set(other["param_groups"][0])
    shared = {k: other["param_groups"][0][k] for k in ours["param_groups"][0]}
    assert ours["param_groups"] == [shared]
    kept = {k: v for k, v in other["state"].get(0, {}).items() if v is not None}
    assert set(ours["state"].get(0, {})) == set(kept)
    for key, value in kept.items():
        np.testing.assert_allclose(ours["state"][0][key].tolist(), value.tolist(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("name", "options"), OPTIONS[:8], ids=str)
def test_dtypes_stay(name: str, options: dict[str, Any], dtype: str) -> None:
    p = ta.ones(3, dtype=dtype, requires_grad=True)
    optimizer = getattr(optim, name)([p], **{**options, "lr": np.float64(0.1), "eps": 1e-3} if "eps" in options else {**options, "lr": np.float64(0.1)})
    for _ in range(3):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    assert p.dtype == p.grad.dtype == ta.zeros(0, dtype=dtype).dtype
    assert all(v.dtype == p.dtype for k, v in optimizer.state[p].items() if k != "step")
    assert p.is_leaf and p.requires_grad and p.tolist() != [1.0] * 3


# ------------------------------------------------------------------------------------------------------ groups
def test_groups_have_options_of_their_own() -> None:
    a, b = nn.Parameter(ta.ones(1)), nn.Parameter(ta.ones(1))
    optimizer = optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1)
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1] and optimizer.defaults["lr"] == 0.1
    c = nn.Parameter(ta.ones(1))
    optimizer.add_param_group({"params": c, "lr": 1.0})
    (a + b + c).sum().backward()
    optimizer.param_groups[1]["lr"] = 0.25
    optimizer.step()
    assert [p.item() for p in (a, b, c)] == [0.5, 0.75, 0.0]
    assert "Parameter Group 2\n    dampening: 0.0" in repr(optimizer)


def test_named_parameters_keep_their_names() -> None:
    net = nn.Linear(1, 1)
    optimizer = optim.SGD(net.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_a_closure_is_called_with_gradients() -> None:
    p = nn.Parameter(ta.ones(2))
    optimizer = optim.SGD([p], lr=0.5)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    with ta.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert p.tolist() == [0.0, 0.0] and optimizer.step() is None


def test_zero_grad() -> None:
    p = nn.Parameter(ta.ones(2))
    optimizer = optim.SGD([p], lr=0.5)
    p.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_step_is_an_in_place_change() -> None:
    p = nn.Parameter(ta.ones(2))
    y = (p * p).sum()
    p.grad = ta.ones(2)
    optim.SGD([p], lr=0.5).step()
    with pytest.raises(InplaceError, match="SGD"):
        y.backward()


def test_nothing_crosses_to_the_host() -> None:
    """A step with every optimizer, on whatever backend the suite runs."""
    from tinygrad_act import backend

    if backend.current() != "strict":
        pytest.skip("only strict counts")
    from tinygrad_act.backend import strict
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))
    optimizers = [optim.SGD(net.parameters(), momentum=0.9), optim.Adam(net.parameters(), amsgrad=True), optim.AdamW(net.parameters())]
    x, t = ta.ones(5, 3), ta.tensor([0, 1, 0, 1, 0])
    before = dict(strict.transfers)
    for optimizer in optimizers:
        for _ in range(2):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), t).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    assert dict(strict.transfers) == before


# ------------------------------------------------------------------------------------------------------ errors
@pytest.mark.parametrize(("make", "error", "says"), [
    (lambda p: optim.SGD([], lr=0.1), ValueError, "no parameters"),
    (lambda p: optim.SGD(p, lr=0.1), TypeError, "iterable"),
    (lambda p: optim.SGD([p * 2], lr=0.1), GraphError, "not a leaf"),
    (lambda p: optim.SGD([3.0], lr=0.1), TypeError, "only Tensors"),
    (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]), ValueError, "more than one group"),
    (lambda p: optim.SGD([{"params": {p}}]), TypeError, "a set"),
    (lambda p: optim.SGD([{"lr": 3}]), ArgumentError, "params"),
    (lambda p: optim.SGD([p], lr=-1), ValueError, "lr=-1"),
    (lambda p: optim.SGD([p], momentum=-1), ValueError, "momentum"),
    (lambda p: optim.SGD([p], nesterov=True), ValueError, "Nesterov"),
    (lambda p: optim.Adam([p], betas=(1.0, 0.9)), ValueError, "betas"),
    (lambda p: optim.Adam([p], eps=-1), ValueError, "eps"),
    (lambda p: optim.AdamW([p], weight_decay=-1), ValueError, "AdamW: weight_decay"),
    (lambda p: optim.SGD([p]).load_state_dict(optim.SGD([p, ta.ones(1)]).state_dict()), ValueError, r"groups of \[2\]"),
    (lambda p: optim.SGD([p]).load_state_dict({"weight": p}), ValueError, r"SGD.load_state_dict: a dict of \['weight'\]"),
    (lambda p: optim.SGD([p]).load_state_dict([p]), TypeError, "SGD.load_state_dict: list"),
])
def test_misuse_is_told(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make(ta.ones(2, requires_grad=True))


def test_a_parameter_twice_is_warned_about() -> None:
    p = ta.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="twice"):
        optim.SGD([p, p], lr=0.1)
