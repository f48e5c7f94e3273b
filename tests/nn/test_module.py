"""Module: registration, the tree, modes, state_dict, hooks, moving, printing; beside PyTorch where it says how."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, IndexingError, InplaceError, ModuleError, ShapeError


class Net(nn.Module):
    def __init__(self) -> None:
        super(Net, self).__init__()  # noqa: UP008  the old spelling works too
        self.first = nn.Linear(3, 4)
        self.inner = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.scale = nn.Parameter(ta.ones(2))
        self.register_buffer("seen", ta.zeros((), dtype=ta.int64))
        self.register_buffer("scratch", ta.zeros(1), persistent=False)

    def forward(self, x: Any) -> Any:
        return self.inner(self.first(x)) * self.scale


def torch_net() -> Any:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(3, 4)
            self.inner = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 2, bias=False))
            self.scale = torch.nn.Parameter(torch.ones(2))
            self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
            self.register_buffer("scratch", torch.zeros(1), persistent=False)
    return Net()


NAMES = ["scale", "first.weight", "first.bias", "inner.1.weight"]


# ------------------------------------------------------------------------------------------------ registration
def test_what_is_assigned_is_registered() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == NAMES
    assert [n for n, _ in net.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in net.named_children()] == ["first", "inner"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "inner", "inner.0", "inner.1"]
    assert [n for n, _ in net.named_parameters(prefix="p", recurse=False)] == ["p.scale"]
    assert net.get_submodule("inner.1") is net.inner[1] and net.get_parameter("first.bias") is net.first.bias
    assert net.get_buffer("seen") is net.seen and "first" in dir(net)


def test_the_tree_is_pytorchs() -> None:
    ours, theirs = Net(), torch_net()
    assert repr(ours) == repr(theirs)
    for question in ("named_parameters", "named_buffers", "named_modules", "named_children", "state_dict"):
        a, b = getattr(ours, question)(), getattr(theirs, question)()
        assert [n if isinstance(n, str) else n[0] for n in a] == [n if isinstance(n, str) else n[0] for n in b], question


def test_a_tensor_may_stand_in_for_a_layers_weight() -> None:
    """As in the listing of spectral normalisation that many copied."""
    for layer, x in ((ta.nn.Linear(3, 2), ta.ones(1, 3)), (ta.nn.Conv2d(1, 2, 3), ta.ones(1, 1, 3, 3)), (ta.nn.LayerNorm(3), ta.ones(1, 3)),
                     (ta.nn.BatchNorm1d(3), ta.rand(4, 3)), (ta.nn.GroupNorm(1, 3), ta.ones(1, 3))):
        weight, wanted = layer.weight, layer(x)
        del layer._parameters["weight"]
        layer.weight_bar = ta.nn.Parameter(weight.data)
        layer.weight = layer.weight_bar * 1
        y = layer(x)
        assert ta.equal(y, wanted)
        y.sum().backward()
        assert layer.weight_bar.grad is not None


def test_a_shared_parameter_is_counted_once() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3 and len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert len(net.state_dict()) == 4


def test_reassigning_and_deleting() -> None:
    net = Net()
    net.scale = None
    assert net.scale is None and "scale" not in dict(net.named_parameters())
    net.first = nn.Identity()
    del net.inner
    assert [n for n, _ in net.named_children()] == ["first"]
    net.plain = 3
    net.plain = nn.Parameter(ta.ones(1))
    assert "plain" not in net.__dict__ and "plain" in dict(net.named_parameters())


@pytest.mark.parametrize(("change", "error", "says"), [
    (lambda n: setattr(n, "scale", 3.0), TypeError, "registered as parameter"),
    (lambda n: setattr(n, "scale", ta.ones(2)), TypeError, "registered as parameter"),
    (lambda n: setattr(n, "first", "text"), TypeError, "registered as module"),
    (lambda n: setattr(n, "seen", 3.0), TypeError, "registered as tensor"),
    (lambda n: n.missing, AttributeError, "no attribute 'missing'"),
    (lambda n: n.register_buffer("first", ta.ones(1)), ArgumentError, "already exists"),
    (lambda n: n.register_buffer("a.b", ta.ones(1)), ArgumentError, "no \".\""),
    (lambda n: n.register_parameter("w", ta.ones(1)), ArgumentError, "Parameter"),
    (lambda n: n.register_parameter("w", n.scale * 2), ArgumentError, "result of an op"),
    (lambda n: n.add_module("m", 3), ArgumentError, "Module"),
    (lambda n: n.get_submodule("inner.7"), AttributeError, "no part '7'"),
    (lambda n: n.get_parameter("inner.1.bias2"), AttributeError, "no parameter"),
    (lambda n: n.train("yes"), ValueError, "True or False"),
    (lambda n: n.to(ta.int64), TypeError, "floating"),
    (lambda n: nn.Parameter(ta.tensor([1])), TypeError, "floating"),
])
def test_misuse_is_told(change: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        change(Net())


def test_a_forgotten_init_is_told() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)
    with pytest.raises(ModuleError, match=r"super\(\).__init__\(\)"):
        Forgetful()

    class Later(nn.Module):
        def __init__(self) -> None:
            pass
    with pytest.raises(ModuleError, match="has not run"):
        Later()(1)
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


# ------------------------------------------------------------------------------------------- all parts at once
def test_modes_gradients_and_apply() -> None:
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net(ta.ones(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(not p.grad.any().item() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    seen: list[str] = []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]


def test_to_changes_floats_in_place_and_keeps_the_objects() -> None:
    net = Net()
    before = list(net.parameters())
    net(ta.ones(1, 3)).sum().backward()
    assert net.to(ta.float64) is net and net.double().half().float().double() is net
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert {p.dtype for p in net.parameters()} == {ta.float64} == {p.grad.dtype for p in net.parameters()}
    assert net.seen.dtype == ta.int64 and net.scratch.dtype == ta.float64
    here = ta.ones(1).device
    assert net.to(here).to(ta.ones(1)).first.weight.dtype == ta.float32
    assert net.to(device=here, dtype="float64").cpu().first.weight.device == "cpu"


def test_copies_are_apart() -> None:
    net = Net()
    other = copy.deepcopy(net)
    with ta.no_grad():
        other.scale.fill_(7.0)
    assert net.scale.tolist() == [1.0, 1.0] and isinstance(other.scale, nn.Parameter) and other.scale.requires_grad
    plain = nn.Sequential(nn.Linear(1, 2), nn.GELU(), nn.PReLU())
    again = pickle.loads(pickle.dumps(plain))
    assert repr(again) == repr(plain) and again(ta.ones(1, 1)).tolist() == plain(ta.ones(1, 1)).tolist()


# -------------------------------------------------------------------------------------------------- state_dict
def test_state_goes_out_and_in() -> None:
    a, b = Net(), Net()
    state = a.state_dict()
    assert isinstance(state, OrderedDict) and list(state) == ["scale", "seen", "first.weight", "first.bias", "inner.1.weight"]
    assert not any(isinstance(v, nn.Parameter) or v.requires_grad for v in state.values())
    before = b.first.weight
    result = b.load_state_dict(state)
    assert repr(result) == "<All keys matched successfully>" and b.first.weight is before
    x = ta.ones(2, 3)
    assert a(x).tolist() == b(x).tolist()
    with ta.no_grad():
        a.first.weight.zero_()
    assert not state["first.weight"].any().item() and b.first.weight.any().item()        # it shares a's memory, not b's


def test_loading_says_what_differs_and_changes_nothing() -> None:
    net = Net()
    state = {**net.state_dict(), "extra": ta.ones(1), "first.weight": ta.ones(2, 2)}
    del state["scale"]
    before = net.first.bias.tolist()
    state["first.bias"] = ta.full((4,), 9.0)
    with pytest.raises(ShapeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith("Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: \"scale\"")
    assert "\tUnexpected key(s) in state_dict: \"extra\"" in text
    assert "\tsize mismatch for first.weight: copying a param with shape (2, 2) from checkpoint" in text and "is (4, 3)" in text
    assert net.first.bias.tolist() == before
    with pytest.raises(ShapeError):
        net.load_state_dict(state, strict=False)                                        # shapes are never let through
    del state["first.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["scale", "first.weight"] and result.unexpected_keys == ["extra"]
    assert net.first.bias.tolist() == [9.0] * 4
    with pytest.raises(ArgumentError, match="mapping"):
        net.load_state_dict([1])


def test_loading_may_take_the_tensors_themselves() -> None:
    net, new = nn.Linear(2, 1), {"weight": ta.ones(1, 2, dtype=ta.float64), "bias": ta.zeros(1, dtype=ta.float64)}
    net.load_state_dict(new, assign=True)
    assert net.weight.dtype == ta.float64 and isinstance(net.weight, nn.Parameter) and net.weight.requires_grad


def test_a_graph_made_before_loading_says_so() -> None:
    net = nn.Linear(2, 1)
    x = ta.ones(3, 2, requires_grad=True)
    y = net(x).sum()
    net.load_state_dict({"weight": ta.zeros(1, 2), "bias": ta.zeros(1)})
    with pytest.raises(InplaceError, match="load_state_dict"):
        y.backward()


# ------------------------------------------------------------------------------------------------------- hooks
def test_forward_hooks() -> None:
    net, log = nn.Linear(2, 2), []
    first = net.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    with net.register_forward_hook(lambda m, args, out: log.append((args[0].shape, out.shape))):
        y = net(ta.ones(1, 2))
    first.remove()
    assert log == [((1, 2), (1, 2))]
    plain = net(ta.ones(1, 2) * 2)
    assert y.tolist() == plain.tolist()
    order = []
    net.register_forward_hook(lambda *_: order.append("b"))
    net.register_forward_hook(lambda *_: order.append("a"), prepend=True)
    net.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs), with_kwargs=True)
    net.register_forward_hook(lambda m, args, kwargs, out: out + 1, with_kwargs=True)
    assert (net(input=ta.ones(1, 2) * 2) - plain).tolist() == [[pytest.approx(1.0)] * 2] and order == ["a", "b"]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_hooks_are_pytorchs(create_graph: bool) -> None:
    torch = pytest.importorskip("torch")
    logs = []
    for lib, make in ((ta, nn.Linear), (torch, torch.nn.Linear)):
        log: list[Any] = []
        net = make(2, 1, bias=False)
        with lib.no_grad():
            net.weight.fill_(2.0)
        net.register_full_backward_pre_hook(lambda m, g: (g[0] * 10,))
        net.register_full_backward_hook(lambda m, gi, go, log=log: log.append((gi[0] is not None and gi[0].tolist(), go[0].tolist())))
        net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,) if gi[0] is not None else None)
        x = lib.ones(2, 2, requires_grad=True)
        y = net(x).sum()
        y.backward(create_graph=True) if create_graph and lib is ta else y.backward()
        net(lib.ones(2, 2)).sum().backward()
        logs.append((log, x.grad.tolist(), net.weight.grad.tolist()))
    assert logs[0] == logs[1]


# -------------------------------------------------------------------------------------------------- containers
def test_sequential() -> None:
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU(), c=nn.Linear(3, 1)))
    assert [n for n, _ in net.named_children()] == ["a", "b", "c"] and net.a is net[0] and net[-1] is net.c
    assert isinstance(net[:2], nn.Sequential) and [n for n, _ in net[1:].named_children()] == ["b", "c"]
    net[1] = nn.Tanh()
    assert isinstance(net.b, nn.Tanh)
    del net[1]
    assert len(net) == 2
    plain = nn.Sequential(nn.ReLU()).append(nn.Tanh()).extend([nn.GELU()]).insert(1, nn.Sigmoid())
    assert [type(m).__name__ for m in plain] == ["ReLU", "Sigmoid", "Tanh", "GELU"] and list(plain._modules) == ["0", "1", "2", "3"]
    assert isinstance(plain.pop(1), nn.Sigmoid) and len(plain + plain) == 6 and list(plain._modules) == ["0", "1", "2"]
    with pytest.raises(IndexingError, match="3 parts"):
        plain[3]
    with pytest.raises(ArgumentError, match="argument 0: function"):
        nn.Sequential(lambda x: x)


def test_lists_and_dicts_of_modules() -> None:
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    layers += [nn.ReLU()]
    assert len(list(layers.parameters())) == 6 and isinstance(layers[1:], nn.ModuleList) and len(layers[1:]) == 3
    layers.insert(0, nn.Tanh())
    layers[0] = nn.GELU()
    del layers[-1]
    assert [type(m).__name__ for m in layers] == ["GELU", "Linear", "Linear", "Linear"]
    parts = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    parts["c"] = nn.Tanh()
    parts.update([("d", nn.GELU())])
    assert list(parts) == ["a", "b", "c", "d"] == list(parts.keys()) and isinstance(parts.pop("a"), nn.ReLU) and "a" not in parts
    with pytest.raises(KeyError):
        parts["a"]


def test_lists_and_dicts_of_parameters() -> None:
    some = nn.ParameterList([nn.Parameter(ta.ones(2)), ta.zeros(3)])
    some.append(ta.ones(1))
    assert [p.shape for p in some.parameters()] == [(2,), (3,), (1,)] and len(some[1:]) == 2
    some[0] = ta.zeros(5)
    assert list(some.state_dict()) == ["0", "1", "2"] and some[-1].requires_grad and some[0].shape == (5,)
    named = nn.ParameterDict({"a": ta.ones(2)})
    named["b"] = ta.ones(1)
    assert [n for n, _ in named.named_parameters()] == ["a", "b"] and list(named) == ["a", "b"] and "a" in named


@pytest.mark.parametrize("make", [lambda nn: nn.ParameterList([nn.UninitializedParameter()]), lambda nn: nn.ParameterDict({"a": nn.UninitializedParameter()})])
def test_lists_of_parameters_without_a_shape_are_printed(make: Any) -> None:
    assert " containing: [float32 of size 0" in repr(make(nn))


PRINTED = [lambda nn: nn.Linear(2, 3, bias=False), lambda nn: nn.Sequential(), lambda nn: nn.ModuleList([nn.Linear(1, 1)] * 3 + [nn.ReLU()]),
           lambda nn: nn.ModuleDict({"a": nn.ReLU()}), lambda nn: nn.Sequential(nn.Sequential(nn.Linear(1, 2), nn.GELU("tanh")), nn.Flatten()),
           lambda nn: nn.Unflatten(1, (2, 3)), lambda nn: nn.Dropout(0.1), lambda nn: nn.Identity(3), lambda nn: nn.ReLU(inplace=True),
           lambda nn: nn.PReLU(4), lambda nn: nn.Softmax(dim=1), lambda nn: nn.LeakyReLU(0.2, True), lambda nn: nn.Hardtanh(-2, 2),
           lambda nn: nn.Softplus(2.0), lambda nn: nn.Hardshrink(), lambda nn: nn.Softshrink(0.25), lambda nn: nn.RReLU(),
           lambda nn: nn.Threshold(0.1, 20), lambda nn: nn.ELU(0.5), lambda nn: nn.CELU(), lambda nn: nn.SELU(), lambda nn: nn.GLU(),
           lambda nn: nn.LogSoftmax(-1), lambda nn: nn.Softmin(0), lambda nn: nn.Tanhshrink(), lambda nn: nn.Hardswish(),
           lambda nn: nn.Mish(), lambda nn: nn.SiLU(), lambda nn: nn.LogSigmoid(), lambda nn: nn.Softsign(), lambda nn: nn.ReLU6(),
           lambda nn: nn.Hardsigmoid(), lambda nn: nn.Softmax2d(), lambda nn: nn.Sigmoid(), lambda nn: nn.Tanh()]


@pytest.mark.parametrize("make", PRINTED)
def test_printed_as_pytorch_prints(make: Any) -> None:
    torch = pytest.importorskip("torch")
    assert repr(make(nn)) == repr(make(torch.nn))
