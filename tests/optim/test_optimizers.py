"""What every optimizer does beside its arithmetic: state, runs of parameters, groups, hooks, dtypes, errors."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import backend, nn, optim
from tinygrad_act.errors import ArgumentError, GraphError, InplaceError

from . import paths

ELEMENTWISE = [(name, options) for name, options in paths.ALL if getattr(optim, name).elementwise]


@pytest.mark.parametrize("grouped", [False, True], ids=["one group", "two groups"])
@pytest.mark.parametrize(("name", "options"), paths.ALL, ids=str)
def test_state_goes_out_and_in(name: str, options: dict[str, Any], grouped: bool) -> None:
    if name == "LBFGS" and grouped:
        pytest.skip("it has one group")
    whole, _ = paths.path(ta, name, options, 24, grouped=grouped)
    assert paths.same(whole, paths.path(ta, name, options, 24, reload_at=9, grouped=grouped)[0])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("name", "options"), ELEMENTWISE, ids=str)
def test_together_tiled_and_one_by_one_are_the_same_to_the_bit(name: str, options: dict[str, Any], dtype: str,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    plain, one = paths.path(ta, name, {**options, "foreach": False}, 20, dtype=dtype)
    for tile in (1 << 15, 16, 3):
        monkeypatch.setattr(backend.resolve()[0].F, "tile", tile)
        together, other = paths.path(ta, name, options, 20, dtype=dtype, reload_at=11)
        assert paths.same(together, plain)
        ours, theirs = one.state_dict()["state"], other.state_dict()["state"]
        assert {i: {k: v.tolist() for k, v in s.items()} for i, s in ours.items()} == \
               {i: {k: v.tolist() for k, v in s.items()} for i, s in theirs.items()}
        assert all(type(v) is ta.Tensor and v.shape == theirs[i][k].shape for i, s in ours.items() for k, v in s.items())


@pytest.mark.parametrize(("name", "options"), paths.ALL, ids=str)
def test_dtypes_stay(name: str, options: dict[str, Any]) -> None:
    for dtype in ("float16", "bfloat16", "float32"):
        p = ta.ones(3, 2, dtype=dtype, requires_grad=True)
        optimizer = getattr(optim, name)([p], **{**options, "lr": np.float64(0.1)})

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss
        for _ in range(3):
            optimizer.step(closure)
        assert p.dtype == p.grad.dtype == ta.zeros(0, dtype=dtype).dtype
        if name != "LBFGS":
            assert all(v.dtype == p.dtype for k, v in optimizer.state[p].items() if k not in optimizer.numbers)
        assert p.is_leaf and p.requires_grad and (p.tolist() != [[1.0] * 2] * 3 or dtype != "float32")


# ------------------------------------------------------------------------------------------------------ ours by hand
def test_lion_lamb_and_lars_by_hand() -> None:
    x, g = np.array([3.0, 4.0]), np.array([1.0, -2.0])

    def after(name: str, **options: Any) -> Any:
        p = ta.tensor(x, requires_grad=True)
        optimizer = getattr(optim, name)([p], **options)
        for _ in range(2):
            p.grad = ta.tensor(g)
            optimizer.step()
        return p.detach().tolist()
    expected = x.copy()
    for _ in range(2):
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * np.sign(g)
    np.testing.assert_allclose(after("Lion", lr=0.1, weight_decay=0.5), expected, rtol=1e-14)
    expected = x.copy()
    for _ in range(2):                                       # with a steady g: m̂ = g, v̂ = g²
        u = g / (np.abs(g) + 1e-6) + 0.5 * expected
        expected = expected - 0.1 * np.linalg.norm(expected) / np.linalg.norm(u) * u
    np.testing.assert_allclose(after("LAMB", lr=0.1, weight_decay=0.5), expected, rtol=1e-13)
    expected, v = x.copy(), 0.0
    for _ in range(2):
        n = np.linalg.norm(expected)
        v = 0.9 * v + 0.1 * 0.02 * n / (np.linalg.norm(g) + 0.5 * n) * (g + 0.5 * expected)
        expected = expected - v
    np.testing.assert_allclose(after("LARS", lr=0.1, weight_decay=0.5, trust_coefficient=0.02), expected, rtol=1e-13)


def test_lamb_and_lars_at_zero() -> None:
    for name in ("LAMB", "LARS"):
        p, q = ta.zeros(2, requires_grad=True), ta.ones(2, requires_grad=True)
        optimizer = getattr(optim, name)([p, q], lr=0.5)
        p.grad, q.grad = ta.ones(2), ta.zeros(2)
        optimizer.step()
        assert p.tolist() == pytest.approx([-0.5] * 2, rel=1e-5) and q.tolist() == [1.0, 1.0]


# ------------------------------------------------------------------------------------------------------ runs
def test_what_the_user_changes_in_between_counts() -> None:
    ps = [ta.ones(3, dtype=ta.float64, requires_grad=True) for _ in range(3)]
    qs = [ta.ones(3, dtype=ta.float64, requires_grad=True) for _ in range(3)]
    a, b = optim.Adam(ps, lr=0.1), optim.Adam(qs, lr=0.1, foreach=False)
    for step in range(12):
        for params, o in ((ps, a), (qs, b)):
            for i, p in enumerate(params):
                p.grad = ta.full((3,), i + 1.0 + step, dtype=ta.float64)
            state = o.state
            if step == 2:
                params[1].grad = None
            if step == 4:
                params[0].data = ta.full((3,), 7.0, dtype=ta.float64)
            if step == 5:
                state[params[1]]["exp_avg"] = ta.full((3,), 0.25, dtype=ta.float64)
            if step == 6:
                state[params[2]]["exp_avg"].fill_(0.5)
                state[params[2]]["step"].fill_(1.0)
            if step == 7:
                state[params[0]]["exp_avg"].data = ta.zeros(3, dtype=ta.float64)
            if step == 8:
                del state[params[0]]
            if step == 9:
                state[params[0]] = {k: v.clone() for k, v in state[params[1]].items()}
            if step == 10:
                o.param_groups[0]["params"] = params[::-1]
            o.step()
        assert [p.tolist() for p in ps] == [q.tolist() for q in qs], step


def test_an_update_may_put_new_arrays_into_the_state_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(optim.Optimizer):
        elementwise = True

        def __init__(self, params: Any, foreach: Any) -> None:
            super().__init__(params, {"lr": 0.1, "foreach": foreach})

        def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float) -> None:
            state["mean"] = 0.9 * state["mean"] + g if state else F.copy(g)
            x -= lr * state["mean"]
    monkeypatch.setattr(backend.resolve()[0].F, "tile", 8)
    found = []
    for foreach in (None, False):
        ps = [ta.ones(n, dtype=ta.float64, requires_grad=True) for n in (1, 2, 3, 30)]
        optimizer = Own(ps, foreach)
        for t in range(4):
            for p in ps:
                p.grad = ta.arange(float(p.size(0)), dtype=ta.float64) + t
            optimizer.step()
        found.append([[p.tolist() for p in ps], [s["mean"].tolist() for s in optimizer.state.values()]])
    assert found[0] == found[1]


def test_memory_in_common_and_memory_out_of_order() -> None:
    base = ta.arange(6.0, dtype=ta.float64)
    for kind in ("shared", "turned"):
        results = []
        for foreach in (None, False):
            memory = base.clone()
            ps = [memory[:4].detach(), memory[2:].detach()] if kind == "shared" else [memory.reshape(2, 3).T.detach(), ta.ones(2, dtype=ta.float64)]
            optimizer = optim.SGD([p.requires_grad_() for p in ps], lr=0.5, momentum=0.9, foreach=foreach)
            for _ in range(3):
                for p in ps:
                    p.grad = ta.ones(*p.shape, dtype=ta.float64) + p.detach()
                optimizer.step()
            results.append([memory.tolist(), *[p.tolist() for p in ps]])
        assert results[0] == results[1]


def test_a_step_marks_what_it_changed_and_nothing_else() -> None:
    p, q = nn.Parameter(ta.ones(2)), nn.Parameter(ta.ones(2))
    y, z = (p * p).sum(), (q * q).sum()
    p.grad = ta.ones(2)
    optim.SGD([p, q], lr=0.5).step()
    z.backward()                                             # q lies beside p, and has not moved
    with pytest.raises(InplaceError, match="SGD"):
        y.backward()


def test_dead_units_do_not_slow_it_down() -> None:
    p = ta.zeros(200_000, requires_grad=True)
    optimizer = optim.Adam([p])
    p.grad = ta.full((200_000,), 1e-3)
    optimizer.step()
    optimizer.state[p]["exp_avg"].fill_(1e-41)               # what it is after 800 steps with zeros
    p.grad = ta.zeros(200_000)
    optimizer.step()
    with backend.flushing():
        switched = 5e-324 * float("1") == 0
    if switched:
        assert not optimizer.state[p]["exp_avg"].any()
    assert 5e-324 * float("1") > 0                           # and it is switched back


def test_nothing_crosses_to_the_host() -> None:
    """A step with every optimizer, on whatever backend the suite runs."""
    if backend.current() != "strict":
        pytest.skip("only strict counts")
    from tinygrad_act.backend import strict
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))
    x, t = ta.ones(5, 3), ta.tensor([0, 1, 0, 1, 0])
    made = []
    for name, options in paths.ALL:
        params = [p for p in net.parameters() if p.ndim == 2 or name != "Muon"]
        if name != "LBFGS":
            made.append(getattr(optim, name)(params, **options))
    before = dict(strict.transfers)
    for optimizer in made:
        for _ in range(2):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), t).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    assert dict(strict.transfers) == before


# ------------------------------------------------------------------------------------------------------ groups, step
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
    assert "Parameter Group 2\n    dampening: 0\n" in repr(optimizer)


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


def test_rates_may_be_tensors() -> None:
    p = nn.Parameter(ta.ones(2))
    lr = ta.tensor(0.5)
    optimizer = optim.SGD([p], lr=lr)
    p.grad = ta.ones(2)
    optimizer.step()
    lr.fill_(0.25)
    optimizer.step()
    assert p.tolist() == [0.25, 0.25] and optimizer.param_groups[0]["lr"] is lr


def test_zero_grad() -> None:
    p = nn.Parameter(ta.ones(2))
    optimizer = optim.SGD([p], lr=0.5)
    p.sum().backward()
    held = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is held and held.tolist() == [0.0, 0.0]
    (p.sum() ** 2).backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0] and not p.grad.requires_grad
    optimizer.zero_grad()
    assert p.grad is None


def test_hooks_are_called_round_the_step_and_the_state() -> None:
    p = nn.Parameter(ta.ones(1))
    p.grad = ta.ones(1)
    seen: list[Any] = []
    closure = lambda: p.sum()
    for optimizer in (optim.SGD([p], lr=0.5), optim.LBFGS([p])):
        seen.clear()
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", o, args)))
        handle = optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", o, args)))
        optimizer.step(closure)
        assert seen == [("before", optimizer, (closure,)), ("after", optimizer, (closure,))]
        handle.remove()
        optimizer.step(closure)
        assert len(seen) == 3
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7.0,), {}))
    assert optimizer.step() == 7.0
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("saving"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(state.pop("more")))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen[3:] == ["saving", 1, "loaded"]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(ArgumentError, match="a hook that returned int"):
        optimizer.step()


def test_an_optimizer_of_ones_own_the_way_it_is_written_for_pytorch() -> None:
    class Own(optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.1) -> None:
            super().__init__(params, {"lr": lr})

        @ta.no_grad()
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p.add_(p.grad, alpha=-group["lr"])
    p = nn.Parameter(ta.ones(1))
    p.grad = ta.ones(1)
    optimizer, seen = Own([p], lr=0.5), []
    optimizer.register_step_post_hook(lambda *a: seen.append(1))
    optim.lr_scheduler.StepLR(optimizer, 1)
    optimizer.step()
    assert p.item() == 0.5 and seen == [1] and optimizer.state_dict()["state"] == {0: {"count": 1}}
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        optim.Optimizer([p], {"lr": 1.0}).step()


def test_copies_go_their_own_way() -> None:
    for again in (copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
        ps = [nn.Parameter(ta.ones(2)) for _ in range(3)]
        optimizer = optim.Adam(ps, lr=0.1)
        for _ in range(2):
            for p in ps:
                p.grad = ta.ones(2)
            optimizer.step()
        other = again(optimizer)
        others = other.param_groups[0]["params"]
        for p in others:
            p.grad = ta.ones(2)
        other.step()
        assert [s["step"].item() for s in optimizer.state.values()] == [2.0] * 3
        optimizer.step()
        assert [p.tolist() for p in ps] == [p.tolist() for p in others]


def test_group_without_gradients_and_groups_added_later() -> None:
    for name, options in paths.ALL:
        if name == "LBFGS":
            continue
        p, q = ta.ones(2, 2, requires_grad=True), ta.ones(2, 2, requires_grad=True)
        optimizer = getattr(optim, name)([p], **options)
        optimizer.step()
        assert p.tolist() == [[1.0] * 2] * 2
        optimizer.add_param_group({"params": [q]})
        q.grad = ta.tensor([[1.0, 2.0], [3.0, -4.0]])
        optimizer.step()
        assert q.tolist() != [[1.0] * 2] * 2 and p.tolist() == [[1.0] * 2] * 2


# ------------------------------------------------------------------------------------------------------ L-BFGS
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_a_minimum(search: Any) -> None:
    x = ta.tensor([-1.2, 1.0], dtype=ta.float64, requires_grad=True)
    optimizer = optim.LBFGS([x], lr=1 if search else 1e-3, max_iter=100 if search else 300, line_search_fn=search)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss
    assert optimizer.step(closure).item() == pytest.approx(24.2)
    if search:
        assert x.tolist() == pytest.approx([1.0, 1.0], abs=1e-3)
    assert closure().item() < 20


# ------------------------------------------------------------------------------------------------------ errors
@pytest.mark.parametrize(("make", "error", "says"), [
    (lambda p: optim.SGD([], lr=0.1), ValueError, "no parameters"),
    (lambda p: optim.SGD(p, lr=0.1), TypeError, "iterable"),
    (lambda p: optim.SGD([p * 2], lr=0.1), GraphError, "not a leaf"),
    (lambda p: optim.SGD([3.0], lr=0.1), TypeError, "only Tensors"),
    (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]), ValueError, "more than one group"),
    (lambda p: optim.SGD([{"params": {p}}]), TypeError, "a set"),
    (lambda p: optim.SGD([{"lr": 3}]), ArgumentError, "params"),
    (lambda p: optim.SGD([p], lr=-1), ValueError, "SGD: lr=-1: the value is out of its range: it is a number, at least 0"),
    (lambda p: optim.SGD([p], lr="a"), ValueError, "SGD: lr='a'"),
    (lambda p: optim.SGD([p], lr=None), ValueError, "SGD: lr=None"),
    (lambda p: optim.SGD([p], lr=math.nan), ValueError, "SGD: lr=nan"),
    (lambda p: optim.SGD([p], lr=ta.ones(2)), ValueError, r"SGD: lr of shape \(2,\)"),
    (lambda p: optim.SGD([{"params": [p], "lr": "b"}], lr=0.1), ValueError, "SGD: lr='b'"),
    (lambda p: optim.SGD([p], momentum=-1), ValueError, "momentum"),
    (lambda p: optim.SGD([p], nesterov=True), ValueError, "Nesterov"),
    (lambda p: optim.SGD([p], fused=True, foreach=True), ValueError, "choose one"),
    (lambda p: optim.SGD([p], differentiable=True), ValueError, "no graph records"),
    (lambda p: optim.Adam([p], betas=(1.0, 0.9)), ValueError, "betas"),
    (lambda p: optim.Adam([p], betas=0.9), ValueError, "betas"),
    (lambda p: optim.Adam([p], eps=-1), ValueError, "eps"),
    (lambda p: optim.AdamW([p], weight_decay=-1), ValueError, "AdamW: weight_decay"),
    (lambda p: optim.Rprop([p], etas=(1.2, 0.5)), ValueError, "Rprop: etas"),
    (lambda p: optim.Adafactor([p], d=0.5), ValueError, "Adafactor: d=0.5"),
    (lambda p: optim.Muon([p]), ValueError, "matrices only"),
    (lambda p: optim.Muon([p.reshape(1, 2).detach()], adjust_lr_fn="x"), ValueError, "adjust_lr_fn"),
    (lambda p: optim.LBFGS([{"params": [p]}, {"params": []}]), ValueError, "second group"),
    (lambda p: optim.LBFGS([p], line_search_fn="x"), ValueError, "line_search_fn"),
    (lambda p: optim.LBFGS([p]).step(), ValueError, "pass a closure"),
    (lambda p: optim.SGD([p]).load_state_dict(optim.SGD([p, ta.ones(1)]).state_dict()), ValueError, r"groups of \[2\]"),
    (lambda p: optim.SGD([p]).load_state_dict({"weight": p}), ValueError, r"SGD.load_state_dict: a dict of \['weight'\]"),
    (lambda p: optim.SGD([p]).load_state_dict([p]), TypeError, "SGD.load_state_dict: list"),
])
def test_misuse_is_told(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make(ta.ones(2, requires_grad=True))


def test_a_parameter_twice_is_warned_about_and_moved_twice() -> None:
    p = ta.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="twice"):
        optimizer = optim.Adam([p, p], lr=0.125)
    for _ in range(2):
        p.grad = ta.ones(1)
        optimizer.step()
    assert p.item() == pytest.approx(0.5) and optimizer.state[p]["step"].item() == 4
